"""Octets to messages: whole datagrams here, connections in `stream` (RFC 3261 7, 18.3).

Strict where RFC 4475 allows it: a message that breaks a rule is never repaired. It comes back as
`Malformed`, with what could be read, so that a request still gets its answer. Nothing is raised.
"""

from __future__ import annotations

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.head import (
    FIRST_OCTETS,
    Malformed,
    Parsed,
    complete,
    content_length,
    read_head,
    refuse,
    skip_line_ends,
)
from siprec_src.sip.limits import DEFAULT_LIMITS, SipLimits
from siprec_src.sip.stream import KeepAlive, StreamParser

__all__ = ["KeepAlive", "Malformed", "Parsed", "StreamParser", "parse_datagram"]


def parse_datagram(data: bytes, limits: SipLimits = DEFAULT_LIMITS) -> Parsed | None:
    """The message of one datagram; None for keep-alives and what does not begin like SIP (RFC 5626 3.5).

    Octets behind Content-Length are dropped; too few are an error; without Content-Length the body
    is the rest of the datagram (RFC 3261 18.3).
    """
    start = skip_line_ends(data)
    if start == len(data) or data[start] not in FIRST_OCTETS:
        return None
    if len(data) > limits.datagram_bytes:
        return Malformed(
            error=RemoteProtocolError("datagram too long", status=513, section="RFC 3261 21.5.7")
        )
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        head = read_head(data[start:] if data.endswith(b"\r\n") else data[start:] + b"\r\n", limits)
        return refuse(head, head.error or RemoteProtocolError("no empty line", section="RFC 3261 7"))
    head = read_head(data[start : end + 2], limits)
    body = data[end + 4 :]
    try:
        length = content_length(head.headers)
    except RemoteProtocolError as error:
        return refuse(head, head.error or error)
    if length is not None and length > len(body):
        short = RemoteProtocolError("body shorter than Content-Length", section="RFC 3261 18.3")
        return refuse(head, head.error or short)
    return complete(head, body if length is None else body[:length], limits)
