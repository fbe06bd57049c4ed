"""Messages and lines as the driver shows them to a ladder."""

from __future__ import annotations

from siprec_src.communication import CommunicationSession
from siprec_src.machine import LogLine, WallClock
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import parse_datagram
from siprec_src.sip.vocabulary import Received, Transmit
from siprec_src.telemetry.explain import Explainer
from siprec_src.telemetry.ladder import Case, Ladder

FLOW = Flow(Transport.UDP, Address("192.0.2.1", 5060), "default")
WALL = WallClock(1_700_000_000.0)


def octets(start: str, call_id: str, *fields: str, body: str = "", cseq: str = "1 INVITE") -> bytes:
    head = (
        start,
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
        "From: <sip:a@a.example>;tag=1",
        "To: <sip:b@b.example>",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq}",
        *fields,
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def received(data: bytes) -> Received:
    message = parse_datagram(data)
    assert isinstance(message, Request | Response)
    return Received(flow=FLOW, message=message)


def sent(data: bytes) -> Transmit:
    return Transmit(flow=FLOW, data=data)


def call(ladder: Ladder, number: int, *, at: float = 0.0, level: str = "info") -> Case:
    """A call that came, was published and logged one line."""
    case = ladder.came(received(octets("INVITE sip:b@b.example SIP/2.0", f"leg-{number}")), at)
    assert case is not None
    session = CommunicationSession(
        call=number,
        session_id=number.to_bytes(16, "big"),
        group_id=b"g",
        participants=(),
        streams=(),
        started=at,
    )
    ladder.published(case, session)
    ladder.noted(LogLine(level, "call.begin", (("call", number),)), at, case)
    return case


def explainer(ladder: Ladder, *secret: str) -> Explainer:
    return Explainer(ladder, WALL, secret)
