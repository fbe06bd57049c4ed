"""rtpengine in user space, told of calls by its ng protocol; the door is that of `tests.bench.media.ours`."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.media.plan import Call, Mode, Plan
from tests.support.processes import resident_bytes

NG = ("127.0.0.1", 22222)
WAIT_S = 5.0

Value = str | int | list["Value"] | dict[str, "Value"]


def main() -> int:
    """Start it, set up the calls of the plan, print the ports, end it with standard input."""
    plan = Plan.read(sys.stdin.readline())
    with _running(plan) as daemon, contextlib.closing(Ng()) as ng:
        before_bytes = resident_bytes(daemon)
        ports = [_open(ng, plan, call, n) for n, call in enumerate(plan.calls)]
        grown = resident_bytes(daemon) - before_bytes
        print(json.dumps({"ports": ports, "grown_bytes": grown, "pid": daemon}), flush=True)
        sys.stdin.read()
    return 0


@contextlib.contextmanager
def _running(plan: Plan) -> Iterator[int]:
    command = [
        "rtpengine", "--foreground", "--log-stderr", "--log-level=3", "--table=-1",
        f"--interface={plan.host}", f"--listen-ng={NG[0]}:{NG[1]}", f"--num-threads={plan.threads}",
        "--port-min=10000", "--port-max=60000", "--delete-delay=0", "--timeout=600", "--pidfile=/dev/null",
    ]  # fmt: skip
    # Its complaints under overload would cost it time too.
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield daemon.pid
    finally:
        daemon.terminate()
        daemon.wait(10)


class Ng:
    """Requests of the ng protocol over UDP: a cookie and a bencoded dictionary."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(WAIT_S)
        self._cookie = 0
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError):
                self._socket.connect(NG)
                self._ask({"command": "ping"})
                return
            time.sleep(0.05)
        raise TimeoutError("rtpengine does not answer")

    def close(self) -> None:
        self._socket.close()

    def sdp(self, command: str, **fields: Value) -> tuple[str, str]:
        """The SDP and the to-tag of the answer."""
        request: dict[str, Value] = {"command": command}
        request.update((name.replace("_", "-"), value) for name, value in fields.items())
        answer = self._ask(request)
        return str(answer.get("sdp", "")), str(answer.get("to-tag", ""))

    def _ask(self, request: dict[str, Value]) -> dict[str, Value]:
        self._cookie += 1
        self._socket.send(b"%d " % self._cookie + _bencode(request))
        cookie, _, text = self._socket.recv(65536).partition(b" ")
        answer, _ = _bdecode(text, 0)
        assert int(cookie) == self._cookie
        assert isinstance(answer, dict)
        if answer.get("result") not in {"ok", "pong"}:
            raise ValueError(f"{request['command']}: {answer}")
        return answer


def _open(ng: Ng, plan: Plan, call: Call, number: int) -> list[int]:
    call_id, caller, callee = f"bench-{number}", f"a{number}", f"b{number}"
    to_callee, _ = ng.sdp("offer", call_id=call_id, from_tag=caller, sdp=_sdp(call.host, call.parties[0]))
    to_caller, _ = ng.sdp(
        "answer", call_id=call_id, from_tag=caller, to_tag=callee, sdp=_sdp(call.host, call.parties[1])
    )
    secure = plan.mode in {Mode.SRTP, Mode.GCM}
    wanted: dict[str, Value] = {"DTLS": "off", "transport_protocol": "RTP/SAVP"} if secure else {}
    for copies in call.copies:
        offer, tag = ng.sdp("subscribe request", call_id=call_id, flags=["all"], **wanted)
        ng.sdp(
            "subscribe answer", call_id=call_id, to_tag=tag, sdp=_answer(offer, call.host, copies, plan.mode)
        )
    # What the caller sends comes to the port that its answer names, and the reverse.
    return [_port(to_caller), _port(to_callee)]


def _sdp(
    host: str, *ports: int, transport: str = "RTP/AVP", attributes: tuple[str, ...] = ("sendrecv",)
) -> str:
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    for port in ports:
        lines += [f"m=audio {port} {transport} 0", "a=rtpmap:0 PCMU/8000", *(f"a={a}" for a in attributes)]
    return "\r\n".join(lines) + "\r\n"


def _answer(offer: str, host: str, copies: tuple[int, int], mode: Mode) -> str:
    if mode not in {Mode.SRTP, Mode.GCM}:
        return _sdp(host, *copies, attributes=("recvonly",))
    suite = "AES_CM_128_HMAC_SHA1_80" if mode is Mode.SRTP else "AEAD_AES_128_GCM"
    tag = re.search(rf"a=crypto:(\d+) {suite} ", offer)
    if tag is None:
        raise ValueError(f"rtpengine does not offer {suite}: {offer}")
    key = "inline:" + ("A" * 40 if mode is Mode.SRTP else "A" * 38)
    attributes = ("recvonly", f"crypto:{tag[1]} {suite} {key}")
    return _sdp(host, *copies, transport="RTP/SAVP", attributes=attributes)


def _port(sdp: str) -> int:
    found = re.search(r"^m=audio (\d+)", sdp, re.MULTILINE)
    assert found
    return int(found[1])


def _bencode(value: Value) -> bytes:
    match value:
        case str():
            return b"%d:" % len(value.encode()) + value.encode()
        case int():
            return b"i%de" % value
        case list():
            return b"l" + b"".join(map(_bencode, value)) + b"e"
        case dict():
            return b"d" + b"".join(_bencode(k) + _bencode(v) for k, v in value.items()) + b"e"


def _bdecode(text: bytes, at: int) -> tuple[Value, int]:
    kind = text[at : at + 1]
    if kind == b"i":
        end = text.index(b"e", at)
        return int(text[at + 1 : end]), end + 1
    if kind in {b"l", b"d"}:
        items: list[Value] = []
        at += 1
        while text[at : at + 1] != b"e":
            item, at = _bdecode(text, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        return dict(zip(map(str, items[::2]), items[1::2], strict=True)), at + 1
    colon = text.index(b":", at)
    begin, size = colon + 1, int(text[at:colon])
    return text[begin : begin + size].decode("utf-8", "replace"), begin + size


if __name__ == "__main__":
    sys.exit(main())
