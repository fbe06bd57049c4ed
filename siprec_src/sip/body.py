"""Bodies of SIP messages and their parts (RFC 5621, RFC 2046 5.1).

A body is read as the flat list of its leaves, in order, however they are nested. What real senders get
wrong and nobody can misread is taken: a missing last boundary, media types in upper case, lines that
end in LF alone, a multipart whose parts have no header fields.
"""

from __future__ import annotations

import binascii
import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from siprec_src.errors import LocalError, RemoteProtocolError
from siprec_src.sip.headers import Disposition, MediaType, parse_disposition, parse_media_type
from siprec_src.sip.limits import DEFAULT_LIMITS, SipLimits
from siprec_src.sip.lines import decode, split_fields, unfold
from siprec_src.sip.message import Headers, Message
from siprec_src.sip.parameters import is_token
from siprec_src.sip.writer import write_fields
from siprec_src.values import immutable


@immutable
class Part:
    """One leaf of a body, or a whole body that is no multipart."""

    content_type: MediaType
    content: bytes = dataclasses.field(repr=False)  #: SDP holds keys
    headers: Headers = Headers()
    disposition: Disposition
    required: bool = True  #: its own and its enclosing multiparts' handling is ``required`` (RFC 5621 8)
    alternative: int = 0  #: same number: choices of one multipart/alternative, best last; 0: no choice

    @property
    def essence(self) -> str:
        return self.content_type.essence

    @property
    def handling(self) -> str:
        return "required" if self.required else "optional"


def make_part(content_type: str, content: bytes, disposition: str = "") -> Part:
    """A part to be sent, with Content-Type and, when given, Content-Disposition."""
    fields = [("Content-Type", content_type)]
    if disposition:
        fields.append(("Content-Disposition", disposition))
    return _leaf(Headers(fields), content, _Place())


def split_body(message: Message, limits: SipLimits = DEFAULT_LIMITS) -> tuple[Part, ...]:
    """The parts of a message's body, none when it is empty.

    Raises:
        RemoteProtocolError: 400 when it is malformed or over a limit, 415 when it is encoded in a way
            that is not known (RFC 3261 8.2.3).
    """
    if not message.body:
        return ()
    if "content-type" not in message.headers:
        raise RemoteProtocolError("a body without Content-Type", section="RFC 3261 20.15")
    _refuse_encoding(message.headers)
    return tuple(_Splitter(limits).leaves(message.headers, message.body, _Place()))


def split_parts(content_type: str, body: bytes, limits: SipLimits = DEFAULT_LIMITS) -> tuple[Part, ...]:
    """As `split_body`, for a body that came without its message."""
    return split_body(Message(headers=Headers([("Content-Type", content_type)]), body=body), limits)


def join_mixed(parts: Iterable[Part], boundary: str) -> tuple[str, bytes]:
    """``parts`` as multipart/mixed: the value of Content-Type, and the body (RFC 7866 9.1).

    Raises:
        LocalError: ``boundary`` is none, or occurs in a part (RFC 2046 5.1.1).
    """
    if not 0 < len(boundary) <= _BOUNDARY_CHARACTERS or not is_token(boundary):
        raise LocalError("boundary is no token of 1 to 70 characters", section="RFC 2046 5.1.1")
    delimiter = f"--{boundary}".encode()
    body = bytearray()
    for part in parts:
        if delimiter in part.content:
            raise LocalError("boundary occurs in a part", section="RFC 2046 5.1.1")
        body += delimiter + b"\r\n" + write_fields(part.headers) + part.content + b"\r\n"
    if not body:
        raise LocalError("multipart without parts", section="RFC 2046 5.1.1")
    return f"multipart/mixed;boundary={boundary}", bytes(body + delimiter + b"--\r\n")


def find(parts: Iterable[Part], *essences: str) -> Part | None:
    """The first part of one of these media types, given in lower case; of alternatives the last (5.1.4)."""
    for part in (matching := [p for p in parts if p.essence in essences]):
        same = [p for p in matching if p.alternative and p.alternative == part.alternative]
        return same[-1] if same else part
    return None


def not_understood(parts: Iterable[Part], understood: Collection[str]) -> tuple[Part, ...]:
    """The parts for which the message must be refused with 415: required, and of no type in ``understood``.

    Of alternatives one is enough (RFC 5621 4.3, 8.4; RFC 3261 8.2.3).
    """
    parts = tuple(parts)
    served = {p.alternative for p in parts if p.essence in understood}
    return tuple(
        p
        for p in parts
        if p.required and p.essence not in understood and not (p.alternative and p.alternative in served)
    )


_BOUNDARY_CHARACTERS: Final = 70  # RFC 2046 5.1.1
_BLANK_LINE: Final = re.compile(rb"\r?\n[ \t]*\r?\n")
_FIRST_LINE_BLANK: Final = re.compile(rb"\r?\n")
_NOTHING: Final = re.compile(rb"")
_BARE_LF: Final = re.compile(r"(?<!\r)\n")
_LF: Final = 10
_IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary", "identity"})


@immutable
class _Place:
    """Where a part stands: how deep, under which handling, in which choice."""

    depth: int = 0
    required: bool = True
    alternative: int = 0


class _Splitter:
    """Walks one body; counts its leaves over all levels."""

    def __init__(self, limits: SipLimits) -> None:
        self._limits = limits
        self._parts = 0
        self._choices = 0

    def leaves(self, headers: Headers, content: bytes, place: _Place) -> Iterator[Part]:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise RemoteProtocolError("more body parts than are taken", section="RFC 5621 4.2")
        content_type = _content_type(headers)
        if content_type.type.lower() != "multipart":
            yield _leaf(headers, content, place)
            return
        if place.depth == self._limits.nesting:
            raise RemoteProtocolError("multiparts nested too deep", section="RFC 5621 4.2")
        inner = self._inside(content_type, headers, place)
        for raw in _cut(content, _boundary(content_type)):
            yield from self.leaves(*self._open(raw), inner)

    def _inside(self, content_type: MediaType, headers: Headers, place: _Place) -> _Place:
        alternative = place.alternative
        if alternative == 0 and content_type.essence == "multipart/alternative":
            self._choices += 1
            alternative = self._choices
        required = place.required and _disposition(headers, content_type).handling != "optional"
        return _Place(depth=place.depth + 1, required=required, alternative=alternative)

    def _open(self, raw: bytes) -> tuple[Headers, bytes]:
        """Header fields and content of what stands between two boundaries."""
        if m := _FIRST_LINE_BLANK.match(raw) or _NOTHING.fullmatch(raw):
            return Headers(), raw[m.end() :]
        m = _BLANK_LINE.search(raw, 0, self._limits.part_head_bytes)
        head, content = (raw[: m.start()], raw[m.end() :]) if m else (_without_line_end(raw), b"")
        if len(head) > self._limits.part_head_bytes:
            raise RemoteProtocolError("header fields of a body part are too long", section="RFC 2046 5.1")
        fields, bad = split_fields(unfold(_BARE_LF.sub("\r\n", decode(head)) + "\r\n"))
        if bad is not None:
            raise RemoteProtocolError(f"no header field: {bad[:40]!r}", section="RFC 2046 5.1")
        return Headers(fields), content


def _cut(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What stands between the boundaries; the last one may be missing, what is around them is dropped."""
    begin: int | None = None
    for start, end, last in _delimiters(body, b"--" + boundary):
        if begin is not None:
            yield body[begin:start]
        if last:
            return
        begin = end
    if begin is None:
        raise RemoteProtocolError("multipart without its boundary", section="RFC 2046 5.1.1")
    if body[begin:].strip():
        yield _without_line_end(body[begin:])


def _delimiters(body: bytes, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Each boundary line: where the line end before it starts, where it ends, whether it is the last."""
    at = body.find(mark)
    while at >= 0:
        after = at + len(mark)
        if at == 0 or body[at - 1] == _LF:
            last = body.startswith(b"--", after)
            line_end = body.find(b"\n", after)
            end = len(body) if line_end < 0 else line_end + 1
            if not body[after + 2 * last : end].strip(b" \t\r\n"):
                yield len(_without_line_end(body[max(0, at - 2) : at])) + max(0, at - 2), end, last
        at = body.find(mark, after)


def _without_line_end(data: bytes) -> bytes:
    return data[:-2] if data.endswith(b"\r\n") else data.removesuffix(b"\n")


def _leaf(headers: Headers, content: bytes, place: _Place) -> Part:
    content_type = _content_type(headers)
    disposition = _disposition(headers, content_type)
    required = place.required and disposition.handling != "optional"
    return Part(
        content_type=content_type,
        content=_decoded(content, headers, required=required),
        headers=headers,
        disposition=disposition,
        required=required,
        alternative=place.alternative,
    )


def _content_type(headers: Headers) -> MediaType:
    value = headers.get("content-type")
    return MediaType("text", "plain") if value is None else parse_media_type(value)  # RFC 2046 5.1


def _disposition(headers: Headers, content_type: MediaType) -> Disposition:
    value = headers.get("content-disposition")
    if value is not None:
        return parse_disposition(value)
    return Disposition("session" if content_type.essence == "application/sdp" else "render")  # RFC 3261 20.11


def _boundary(content_type: MediaType) -> bytes:
    boundary = (content_type.parameter("boundary") or "").encode("utf-8", "surrogateescape")
    if not 0 < len(boundary) <= _BOUNDARY_CHARACTERS:
        raise RemoteProtocolError("multipart without a usable boundary", section="RFC 2046 5.1.1")
    return boundary


def _refuse_encoding(headers: Headers) -> None:
    encoding = (headers.get("content-encoding") or "").lower()
    if encoding not in _IDENTITY:
        raise RemoteProtocolError("Content-Encoding is not known", status=415, section="RFC 3261 8.2.3")


def _decoded(content: bytes, headers: Headers, *, required: bool) -> bytes:
    """Content without its transfer encoding: SIP is 8 bits wide, yet gateways send base64 (RFC 5621 3.2)."""
    encoding = (headers.get("content-transfer-encoding") or "").lower()
    if encoding in _IDENTITY:
        return content
    try:
        if encoding == "base64":
            return binascii.a2b_base64(content)
    except binascii.Error:
        raise RemoteProtocolError("malformed base64", section="RFC 2045 6.8") from None
    if required:
        raise RemoteProtocolError("transfer encoding is not known", status=415, section="RFC 5621 3.2")
    return content
