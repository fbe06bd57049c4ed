"""How long an INVITE takes through the daemon on loopback: from the caller's send to the callee's receive."""

from __future__ import annotations

import dataclasses
import re
import socket
import time

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds from INVITE in to INVITE out, the two sends and receives of the kernel included."""

    count: int
    p50_ms: float
    p99_ms: float


def measure(
    daemon: tuple[str, int], callee: socket.socket, *, calls: int, rate: float, source: str = "127.0.0.1"
) -> Delays:
    """Place ``calls`` calls at ``rate`` a second; ``callee``, where the daemon routes them, declines each."""
    delays: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind((source, 0))
        caller.settimeout(2.0)
        callee.settimeout(2.0)
        start = time.monotonic()
        for number in range(calls):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            delays.append(_one(caller, daemon, callee, number))
    delays.sort()
    return Delays(
        len(delays), delays[len(delays) // 2], delays[min(len(delays) - 1, len(delays) * 99 // 100)]
    )


def _one(caller: socket.socket, daemon: tuple[str, int], callee: socket.socket, number: int) -> float:
    host, port = caller.getsockname()
    head = (
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-bench-{number}\r\n"
        f"From: <sip:bench@{host}>;tag=bench{number}\r\n"
        f"Call-ID: bench-{number}@{host}\r\nMax-Forwards: 70\r\n"
    )
    invite = (
        f"INVITE sip:callee@{daemon[0]}:{daemon[1]} SIP/2.0\r\n{head}To: <sip:callee@{daemon[0]}>\r\n"
        f"CSeq: 1 INVITE\r\nContact: <sip:bench@{host}:{port}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(SDP)}\r\n\r\n{SDP}"
    )
    sent = time.perf_counter()
    caller.sendto(invite.encode(), daemon)
    request, source = callee.recvfrom(65535)
    delay_ms = (time.perf_counter() - sent) * 1000
    callee.sendto(_decline(request), source)
    while not request.startswith(b"ACK"):
        request = callee.recv(65535)
    final = caller.recv(65535)
    while final.startswith(b"SIP/2.0 1"):
        final = caller.recv(65535)
    to = re.search(rb"^To:[^\r]*", final, re.MULTILINE | re.IGNORECASE)
    assert to, final
    ack = f"ACK sip:callee@{daemon[0]}:{daemon[1]} SIP/2.0\r\n{head}{to[0].decode()}\r\nCSeq: 1 ACK\r\n\r\n"
    caller.sendto(ack.encode(), daemon)
    return delay_ms


def _decline(request: bytes) -> bytes:
    """486 with the header fields that RFC 3261 8.2.6 copies."""
    kept = [
        line
        for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        if line.split(b":")[0].lower() in {b"via", b"from", b"to", b"call-id", b"cseq"}
    ]
    fields = b"\r\n".join(line + b";tag=bench" if line.lower().startswith(b"to:") else line for line in kept)
    return b"SIP/2.0 486 Busy Here\r\n" + fields + b"\r\nContent-Length: 0\r\n\r\n"
