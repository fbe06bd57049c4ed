"""Start line and header fields of a message, and what every message must have (RFC 3261 7, 8.1.1)."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.headers import parse_vias, salvage_via
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.lines import decode, has_bare_nul, split_fields, unfold
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.parameters import TOKEN, parse_number
from siprec_src.values import immutable


@immutable
class Malformed:
    """A message that breaks a rule.

    ``partial`` is the request as far as it could be read, for the answer ``error.status``; it can be
    answered when it has a Via. None for responses and for what is no SIP: these are only dropped.
    """

    error: RemoteProtocolError
    partial: Request | None = None
    close: bool = False  #: the connection must be closed: where the next message begins is not known


Parsed = Request | Response | Malformed


@immutable
class Head:
    """Start line and header fields, before anything but their form is checked."""

    headers: Headers
    method: str = ""  #: "" in a response, and where no method could be read
    uri: str = ""
    status: int = 0
    reason: str = ""
    error: RemoteProtocolError | None = None  #: the first rule that was broken
    framed: bool = True  #: it is SIP and its lines are sound, so its Content-Length can be believed


def read_head(raw: bytes, limits: SipLimits) -> Head:
    """Start line and fields of ``raw``, which ends with the CRLF of its last line."""
    if len(raw) > limits.head_bytes:
        raw = raw[: raw.rfind(b"\r\n", 0, limits.head_bytes) + 2]
        error = RemoteProtocolError("header fields too long", status=513, section="RFC 3261 21.5.7")
        return dataclasses.replace(_read_lines(raw), error=error, framed=False)
    head = _read_lines(raw)
    if head.error is None and len(head.headers) > limits.header_fields:
        return dataclasses.replace(head, error=_too_large("more header fields than are taken"))
    if head.error is None and len(raw) > limits.line_bytes and _longest(head) > limits.line_bytes:
        return dataclasses.replace(head, error=_too_large("a header field is longer than is taken"))
    return head


def complete(head: Head, body: bytes, limits: SipLimits) -> Parsed:
    """The message of ``head`` and ``body`` when it has all that every message must have (RFC 3261 8.1.1)."""
    if head.error is not None:
        return refuse(head, head.error)
    try:
        if head.status:
            response = Response(headers=head.headers, body=body, status=head.status, reason=head.reason)
            _check(response, limits)
            return response
        request = Request(headers=head.headers, body=body, method=head.method, uri=head.uri)
        _check(request, limits)
        _check_request(request)
    except RemoteProtocolError as error:
        return refuse(head, error)
    return request


def refuse(head: Head, error: RemoteProtocolError, *, close: bool = False) -> Malformed:
    """``head`` as a message that cannot be used; its topmost Via is made readable where that can be."""
    if not head.method:
        return Malformed(error=error, close=close)
    partial = Request(headers=_answerable(head.headers), method=head.method, uri=head.uri)
    return Malformed(error=error, partial=partial, close=close)


def content_length(headers: Headers) -> int | None:
    """Octets of the body as its sender says; None when it does not.

    Raises:
        RemoteProtocolError: no number, or said twice, which is how requests are smuggled (RFC 4475 3.3.9).
    """
    values = headers.all("content-length")
    if not values:
        return None
    if len(values) > 1:
        raise RemoteProtocolError("more than one Content-Length", section="RFC 3261 20.14")
    return parse_number("Content-Length", values[0], 2**32 - 1, "RFC 3261 20.14")


def skip_line_ends(data: bytes | bytearray) -> int:
    """Where the start line begins behind empty lines (RFC 3261 7.5)."""
    m = _LINE_ENDS.match(data)
    return m.end() if m else 0


FIRST_OCTETS: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
)  #: of a method or of ``SIP/2.0``; STUN, RTP, DTLS and padding begin otherwise

_LINE_ENDS: Final = re.compile(rb"(?:\r\n)*")
_REQUEST_LINE: Final = re.compile(rf"({TOKEN}++) ([^\x00-\x20\x7f<>\"]++) SIP/2\.0", re.IGNORECASE)
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*+))?", re.IGNORECASE)
_OTHER_REQUEST: Final = re.compile(
    rf"({TOKEN}++)[ \t](.*)[ \t]SIP[ \t]*+/[ \t]*+([0-9]++)\.([0-9]++)[ \t]*+", re.IGNORECASE
)


def _read_lines(raw: bytes) -> Head:
    start, _, rest = unfold(decode(raw)).partition("\r\n")
    fields, bad = split_fields(rest)
    head = _start_line(start, Headers(fields))
    if bad is not None:
        error = head.error or RemoteProtocolError(f"no header field: {bad[:40]!r}", section="RFC 3261 7.3.1")
        return dataclasses.replace(head, error=error, framed=False)
    if head.error is None and (has_bare_nul(rest) or has_bare_nul(start)):
        return dataclasses.replace(
            head, error=RemoteProtocolError("NUL in a header", section="RFC 3261 25.1")
        )
    return head


def _start_line(line: str, headers: Headers) -> Head:
    if m := _REQUEST_LINE.fullmatch(line):
        return Head(headers=headers, method=m[1], uri=m[2])
    if m := _STATUS_LINE.fullmatch(line):
        return Head(headers=headers, status=int(m[1]), reason=m[2] or "")
    if line[:4].upper() == "SIP/":
        error = RemoteProtocolError(f"status line: {line[:60]!r}", section="RFC 3261 7.2")
        return Head(headers=headers, error=error)
    if m := _OTHER_REQUEST.fullmatch(line):
        version = (m[3].lstrip("0"), m[4].strip("0"))
        if version != ("2", ""):
            error = RemoteProtocolError("SIP version is not 2.0", status=505, section="RFC 3261 21.5.6")
        else:
            error = RemoteProtocolError("malformed request line", section="RFC 3261 7.1")
        return Head(headers=headers, method=m[1], uri=m[2].strip(" \t"), error=error)
    error = RemoteProtocolError("the start line is not SIP's", section="RFC 3261 7.1")
    return Head(headers=headers, error=error, framed=False)


def _check(message: Request | Response, limits: SipLimits) -> None:
    """What every message must have, each readable and once (RFC 3261 8.1.1, 20)."""
    if len(message.headers.all("via")) > limits.vias or len(message.vias) > limits.vias:
        raise _too_large("more Vias than are taken")
    _ = message.via, message.from_, message.to, message.call_id, message.cseq


def _check_request(request: Request) -> None:
    if request.cseq.method != request.method:
        raise RemoteProtocolError("CSeq is of another method", section="RFC 3261 8.1.1.5")
    _ = request.max_forwards
    try:
        target = request.target
    except RemoteProtocolError as error:
        if error.status == 400:
            raise
        return  # 416 is for whoever serves the request: an unknown method is refused first
    if target.headers:
        raise RemoteProtocolError("header fields in the Request-URI", section="RFC 3261 19.1.1")


def _answerable(headers: Headers) -> Headers:
    lines = headers.all("via")
    try:
        if lines:
            parse_vias(lines[0])
    except RemoteProtocolError:
        via = salvage_via(lines[0])
        if via is not None:
            return headers.replaced("Via", str(via), *lines[1:])
    return headers


def _longest(head: Head) -> int:
    return max((len(value) for _, value in head.headers), default=0)


def _too_large(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, status=513, section="RFC 3261 21.5.7")
