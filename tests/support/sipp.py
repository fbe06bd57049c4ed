"""SIPp as caller, callee and Session Recording Server: one process a scenario, counters from its own file."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.daemon import free_port, patient, until
from tests.support.schema import Sessions
from tests.support.script import Script

SCENARIOS = Path(__file__).with_name("sipp")


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What one SIPp counted."""

    successful: int
    failed: int
    retransmissions: int
    rejected: Mapping[str, int]  #: cause → calls, as SIPp names it, zero causes left out


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as it was on the wire, read without any help of the code under test."""

    received: bool
    start: str
    fields: tuple[tuple[str, str], ...]
    body: str

    @property
    def method(self) -> str:
        """Of a request; "" for a response."""
        return "" if self.status else self.start.partition(" ")[0]

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def cseq_method(self) -> str:
        return self.one("CSeq").split()[1]

    def all(self, name: str) -> list[str]:
        """Every value of a header field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """The value of a header field that stands there once."""
        (value,) = self.all(name)
        return value


class Sipp:
    """One SIPp process. ``scenario``: a script, a file in tests/support/sipp, or a stock one as ``-sn uas``.

    ``speech``: raw PCMU that SIPp itself plays once; ``audio_port``: where another program has the
    media; ``formats``: what the SRS answers.
    """

    def __init__(
        self,
        scenario: str | Script,
        workdir: Path,
        *arguments: str,
        address: tuple[str, int],
        media_port: int,
        speech: Path | None = None,
        audio_port: int | None = None,
        formats: str = "0",
        name: str = "",
    ) -> None:
        binary = shutil.which("sipp")
        if binary is None:
            pytest.skip("SIPp is not installed: apt-get install sip-tester")
        named = scenario.name.split()[0].lower() if isinstance(scenario, Script) else scenario
        self.name = name or named.replace("-sn ", "")
        self._address = address
        self._nudges = 0
        self._messages = workdir / f"{self.name}.messages"
        self._stat = workdir / f"{self.name}.csv"
        self._output = (workdir / f"{self.name}.out").open("wb")
        self._log = workdir / f"{self.name}.log"
        self.errors = workdir / f"{self.name}.errors"
        self._process = subprocess.Popen(
            [
                binary,
                *(
                    self._script_arguments(scenario, workdir)
                    if isinstance(scenario, Script)
                    else _scenario_arguments(scenario, workdir, speech, audio_port, formats)
                ),
                *arguments,
                *("-i", address[0], "-p", str(address[1])),
                *("-mi", address[0], "-mp", str(media_port)),
                *("-trace_stat", "-stf", str(self._stat), "-fd", "1"),
                *("-trace_err", "-error_file", str(self.errors)),
                *("-trace_logs", "-log_file", str(self._log)),
                "-nostdin",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=workdir,
        )
        until(lambda: _in_use(address[1]) or not self.running, 10, f"{self.name} is there")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> int:
        """SIPp's exit code: 0 when every call was successful."""
        return self._process.wait(patient(timeout_s))

    def kill(self) -> None:
        """As a crash would: no goodbye."""
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to finish (SIGUSR1 waits for open calls), and insist after the time-out.

        Fails if a script has received a metadata document that is not good after those before it.
        """
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._output.close()
        sessions = Sessions()
        for message in self.messages:
            if message.received:
                sessions.take(message.one("Call-ID"), message.body.encode())

    @property
    def messages(self) -> list[Message]:
        """What a script has sent and received so far, in order; what was sent again counts once."""
        found = _read_messages(self._messages.read_bytes()) if self._messages.exists() else []
        return list(dict.fromkeys(found))

    def received(self, what: str | int, *, of: str = "") -> list[Message]:
        """Received requests of a method, or received responses of a status, ``of`` requests of a method."""
        return self._select(what, of, received=True)

    def sent(self, what: str | int, *, of: str = "") -> list[Message]:
        """The same of what was sent."""
        return self._select(what, of, received=False)

    def _select(self, what: str | int, of: str, *, received: bool) -> list[Message]:
        found = (message for message in self.messages if message.received is received)
        named = (message for message in found if what in (message.method, message.status))
        return [message for message in named if of in ("", message.cseq_method)]

    def peer_media(self, timeout_s: float = 10.0) -> tuple[str, int]:
        """Where the newest SDP that a script received wants audio."""
        deadline = time.monotonic() + patient(timeout_s)
        while time.monotonic() < deadline:
            for message in reversed(self.messages):
                port = re.search(r"^m=audio (\d+) ", message.body, re.MULTILINE)
                host = re.search(r"^c=IN IP[46] (\S+)", message.body, re.MULTILINE)
                if message.received and port and host:
                    return host[1], int(port[1])
            time.sleep(0.02)
        raise TimeoutError(f"{self.name}: no SDP in {timeout_s} s")

    def nudge(self, timeout_s: float = 10.0) -> None:
        """Let a script that waits for a word go on: a datagram for its call, which no peer would send."""
        deadline = time.monotonic() + patient(timeout_s)
        while len(waits := re.findall(r"waits (\S+)\n", _text(self._log))) <= self._nudges:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: does not wait within {timeout_s} s")
            time.sleep(0.02)
        self._nudges += 1
        host, port = self._address
        at = f"[{host}]" if ":" in host else host
        lines = (
            f"NOTIFY sip:{at}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {at}:9;branch=z9hG4bKnudge{self._nudges}",
            "From: <sip:test@127.0.0.1>;tag=nudge",
            f"To: <sip:{at}>;tag=nudge",
            f"Call-ID: {waits[-1]}",
            f"Contact: <sip:{at}:9>",
            f"CSeq: {self._nudges} NOTIFY",
            "Content-Length: 0",
            "",
            "",
        )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto("\r\n".join(lines).encode(), self._address)

    def _script_arguments(self, script: Script, workdir: Path) -> list[str]:
        path = workdir / f"{self.name}.xml"
        path.write_text(script.xml)
        return ["-sf", str(path), "-trace_msg", "-message_file", str(self._messages)]

    def audio_port(self, timeout_s: float) -> int:
        """The audio port that the peer's newest SDP named; waits for it."""
        deadline = time.monotonic() + patient(timeout_s)
        while time.monotonic() < deadline:
            ports = re.findall(r"audio (\d+)\n", _text(self._log))
            if ports:
                return int(ports[-1])
            time.sleep(0.01)
        raise TimeoutError(f"{self.name}: no SDP in {timeout_s} s")

    def result(self) -> Result:
        """The newest counters; call it when the process has ended for the final ones."""
        whole, end, _ = self._stat.read_text().rpartition("\n")  # the last row may still be being written
        rows = list(csv.DictReader((whole + end).splitlines(), delimiter=";"))
        last = rows[-1]
        causes = {
            match[1]: int(value)
            for key, value in last.items()
            if key and (match := re.fullmatch(r"Failed(\w+)\(C\)", key)) and value.isdigit() and int(value)
        }
        return Result(
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            rejected=causes,
        )

    def response_times_ms(self) -> Sequence[float]:
        """Mean response time of each second of the run (SIPp's rtd 1), milliseconds."""
        with self._stat.open(newline="") as file:
            values = [row["ResponseTime1(P)"] for row in csv.DictReader(file, delimiter=";")]
        return [_milliseconds(value) for value in values if value]


def _scenario_arguments(
    scenario: str, workdir: Path, speech: Path | None, audio_port: int | None, formats: str
) -> list[str]:
    if scenario.startswith("-sn "):
        pcap = workdir / "pcap"  # where the stock scenarios look for their media
        if not pcap.exists():
            pcap.symlink_to("/usr/share/sip-tester")
        return scenario.split()
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    play = f'<nop><action><exec rtp_stream="{speech},1,0"/></action></nop>' if speech else ""
    text = (
        text.replace("@FORMATS@", formats)
        .replace("@PLAY@", play)
        .replace("@AUDIO_PORT@", str(audio_port or "[media_port]"))
    )
    path = workdir / f"{scenario}.xml"
    path.write_text(text)
    return ["-sf", str(path)]


def _milliseconds(clock: str) -> float:
    """SIPp writes ``HH:MM:SS:microseconds``."""
    hours, minutes, seconds, micro = (int(part) for part in clock.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + micro / 1000


@contextlib.contextmanager
def party(script: Script, workdir: Path, *arguments: str, address: tuple[str, int]) -> Iterator[Sipp]:
    """One call of a script that plays no media itself; gone when the block is left."""
    started = Sipp(script, workdir, *arguments, "-m", "1", address=address, media_port=free_port())
    try:
        yield started
    finally:
        started.kill()
        started.stop()


_HEAD = re.compile(rb"-{20,} [^\n]*\n(?:UDP|TCP) message (sent|received) [(\[](\d+)[^\n]*:\n\n")


def _read_messages(trace: bytes) -> list[Message]:
    """SIPp's own record of messages, which says how long each is."""
    messages = []
    for match in _HEAD.finditer(trace):
        if len(trace) < match.end() + int(match[2]):
            break  # it is still being written
        head, _, body = trace[match.end() : match.end() + int(match[2])].decode().partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        fields = tuple((name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in lines))
        messages.append(Message(match[1] == b"received", start, fields, body))
    return messages


def _in_use(port: int) -> bool:
    """Whether a socket has this port, at any address."""
    local = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} ", re.MULTILINE)
    tables = (Path("/proc/net", name) for name in ("udp", "udp6", "tcp", "tcp6"))
    return any(local.search(_text(table)) for table in tables)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
