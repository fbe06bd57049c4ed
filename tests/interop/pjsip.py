"""A phone of PJSIP as a process of its own: JSON lines say what to do and what has happened.

python -m tests.interop.pjsip ADDRESS PORT MEDIA_PORT TRANSPORT [--ca F --cert F --key F] [--srtp] USER=WAV…

Each user plays its WAV file into its calls and writes what it hears to a file beside it. Commands:
    {"do": "call", "user": "alice", "call": "one", "uri": "sip:bob@…"}
    {"do": "hold" | "resume" | "hangup", "call": "one"}
    {"do": "transfer", "call": "one", "uri": "sip:carol@…"}
    {"do": "replace", "call": "one", "with": "two"}
    {"do": "quit"}
Calls that come in are answered at once and named after the user, "bob-1" being the first of Bob.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import select
import sys
from pathlib import Path
from typing import Any

import pjsua2 as pj

TRANSPORTS = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}
MEDIA_PORTS = 100  #: from the first on, taken as they are free


def tell(event: str, **fields: Any) -> None:
    """One line of what has happened."""
    print(json.dumps({"event": event, **fields}), flush=True)


class PhoneCall(pj.Call):
    """One call: the user's WAV goes out as soon as there is media, what comes in goes to a file."""

    def __init__(self, user: User, name: str, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(user, call_id)
        self.user, self.name = user, name
        self._recorder: pj.AudioMediaRecorder | None = None
        self._player: pj.AudioMediaPlayer | None = None
        user.phone.calls[name] = self

    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802 - PJSIP's name
        info = self.getInfo()
        tell("state", call=self.name, state=info.stateText, status=int(info.lastStatusCode))

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802 - PJSIP's name
        info = self.getInfo()  # its parts die with it
        statuses = [media.status for media in info.media if media.type == pj.PJMEDIA_TYPE_AUDIO]
        active = pj.PJSUA_CALL_MEDIA_ACTIVE in statuses
        if active:
            audio = self.getAudioMedia(-1)
            if self._player is None:
                self._player, self._recorder = pj.AudioMediaPlayer(), pj.AudioMediaRecorder()
                self._player.createPlayer(str(self.user.says))
                self._recorder.createRecorder(str(self.user.says.with_name(f"{self.name}.heard.wav")))
            self._player.startTransmit(audio)
            audio.startTransmit(self._recorder)
        tell("media", call=self.name, active=active)

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:  # noqa: N802 - PJSIP's name
        name = f"{self.name}-transferred"
        prm.newCall = PhoneCall(self.user, name)
        tell("transfer", call=self.name, to=prm.dstUri, new=name)

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:  # noqa: N802 - PJSIP's name
        tell("transferred", call=self.name, status=int(prm.statusCode), final=bool(prm.finalNotify))

    def onCallReplaced(self, prm: pj.OnCallReplacedParam) -> None:  # noqa: N802 - PJSIP's name
        name = f"{self.name}-replacing"
        prm.newCall = PhoneCall(self.user, name, prm.newCallId)
        tell("replaced", call=self.name, new=name)


class User(pj.Account):
    """One address of record on the phone."""

    def __init__(self, phone: Phone, name: str, says: Path, *, srtp: bool) -> None:
        super().__init__()
        self.phone, self.name, self.says = phone, name, says
        self._came = 0
        config = pj.AccountConfig()
        config.idUri = f"sip:{name}@{phone.address}:{phone.port}{phone.parameters}"
        config.sipConfig.transportId = phone.transport_id
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
        config.mediaConfig.transportConfig.boundAddress = phone.address
        config.mediaConfig.transportConfig.port = phone.media_port
        config.mediaConfig.transportConfig.portRange = MEDIA_PORTS
        if srtp:
            config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
            config.mediaConfig.srtpSecureSignaling = 0
        self.create(config)

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802 - PJSIP's name
        self._came += 1
        call = PhoneCall(self, f"{self.name}-{self._came}", prm.callId)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        call.answer(answer)
        tell("incoming", call=call.name, request=prm.rdata.wholeMsg)


class Phone:
    """The endpoint with its one transport and its users."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.address, self.port = arguments.address, arguments.port
        self.parameters = "" if arguments.transport == "udp" else f";transport={arguments.transport}"
        self.media_port = arguments.media_port
        self.calls: dict[str, PhoneCall] = {}
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = config.logConfig.consoleLevel = 0
        config.uaConfig.threadCnt = 0  # everything happens in this thread, in `serve`
        config.uaConfig.mainThreadOnly = True
        config.medConfig.noVad = True
        config.medConfig.clockRate = 8000
        config.medConfig.ecTailLen = 0
        self.endpoint.libInit(config)
        self.transport_id = self.endpoint.transportCreate(
            TRANSPORTS[arguments.transport], _transport(arguments)
        )
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        for codec in self.endpoint.codecEnum2():
            self.endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMU/") else 0)
        self.users = {
            name: User(self, name, Path(says), srtp=arguments.srtp)
            for name, _, says in (user.partition("=") for user in arguments.users)
        }

    def serve(self) -> None:
        """Do as told until `quit`, or the end of the commands."""
        tell("ready")
        rest = b""
        while True:
            self.endpoint.libHandleEvents(10)
            if not select.select([sys.stdin], [], [], 0)[0]:
                continue
            data = os.read(sys.stdin.fileno(), 65536)
            *lines, rest = (rest + data).split(b"\n")
            for line in map(json.loads, lines):
                if line["do"] == "quit":
                    return
                self._obey(line)
            if not data:
                return

    def close(self) -> None:
        """Hang up, and let go of everything before the library ends: PJSIP asserts that order."""
        self.endpoint.hangupAllCalls()
        self.calls.clear()
        self.users.clear()
        gc.collect()
        with contextlib.suppress(pj.Error):
            self.endpoint.libDestroy()

    def _obey(self, line: dict[str, str]) -> None:
        option = pj.CallOpParam(True)
        if line["do"] == "call":
            PhoneCall(self.users[line["user"]], line["call"]).makeCall(line["uri"], option)
            return
        call = self.calls[line["call"]]
        match line["do"]:
            case "hold":
                call.setHold(option)
            case "resume":
                option.opt.flag = pj.PJSUA_CALL_UNHOLD
                call.reinvite(option)
            case "hangup":
                call.hangup(option)
            case "transfer":
                call.xfer(line["uri"], option)
            case "replace":
                call.xferReplaces(self.calls[line["with"]], option)
            case unknown:
                raise ValueError(unknown)


def _transport(arguments: argparse.Namespace) -> pj.TransportConfig:
    config = pj.TransportConfig()
    config.port, config.boundAddress = arguments.port, arguments.address
    if arguments.transport == "tls":
        config.tlsConfig.CaListFile = arguments.ca
        config.tlsConfig.certFile, config.tlsConfig.privKeyFile = arguments.cert, arguments.key
        config.tlsConfig.verifyServer = config.tlsConfig.verifyClient = True
    return config


def main() -> int:
    """Be a phone until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("media_port", type=int)
    parser.add_argument("transport", choices=sorted(TRANSPORTS))
    parser.add_argument("users", nargs="+")
    for flag in ("--ca", "--cert", "--key"):
        parser.add_argument(flag, default="")
    parser.add_argument("--srtp", action="store_true")
    phone = Phone(parser.parse_args())
    try:
        phone.serve()
    finally:
        phone.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
