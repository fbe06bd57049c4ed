"""Octets of a connection to messages: framing by Content-Length (RFC 3261 7.5, 18.3)."""

from __future__ import annotations

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.head import (
    FIRST_OCTETS,
    Head,
    Malformed,
    Parsed,
    complete,
    content_length,
    read_head,
    refuse,
    skip_line_ends,
)
from siprec_src.sip.limits import DEFAULT_LIMITS, SipLimits
from siprec_src.values import immutable


@immutable(kw_only=False)
class KeepAlive:
    """The peer sent CRLFCRLF and waits for CRLF (RFC 5626 4.4.1). Several in one read are told once."""


class StreamParser:
    """Messages of one connection. Holds at most one head and one body, each within its limit.

    When it no longer knows where a message begins it tells a `Malformed` with ``close`` set, and
    takes nothing more.
    """

    __slots__ = ("_buffer", "_closed", "_empty_lines", "_head", "_length", "_limits", "_scanned")

    def __init__(self, limits: SipLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0  #: octets in which the end of the head was looked for in vain
        self._head: Head | None = None  #: read, its body awaited
        self._length = 0  #: octets of that body
        self._empty_lines = 0  #: CRLFs since the last message
        self._closed = False

    @property
    def closed(self) -> bool:
        """Framing is lost; the connection is of no more use."""
        return self._closed

    @property
    def pending(self) -> bool:
        """A message has begun and is not whole; the driver's idle limit counts only then."""
        return self._head is not None or bool(self._buffer)

    def pinged(self) -> None:
        """A ping was sent on this connection: the CRLF that answers it is not half a ping of the peer."""
        self._empty_lines = -1

    def feed(self, data: bytes) -> list[Parsed | KeepAlive]:
        """Everything that ``data`` makes whole, in order."""
        told: list[Parsed | KeepAlive] = []
        if self._closed:
            return told
        self._buffer += data
        while (parsed := self._next(told)) is not None:
            told.append(parsed)
            if isinstance(parsed, Malformed) and parsed.close:
                self._closed = True
                self._buffer.clear()
                self._head = None
                break
        return told

    def _next(self, told: list[Parsed | KeepAlive]) -> Parsed | None:
        if self._head is None:
            self._skip_empty_lines(told)
            lost = self._take_head()
            if lost is not None:
                return lost
        head = self._head
        if head is None or len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._head = None
        return complete(head, body, self._limits)

    def _skip_empty_lines(self, told: list[Parsed | KeepAlive]) -> None:
        skipped = skip_line_ends(self._buffer)
        if skipped == 0:
            return
        del self._buffer[:skipped]
        self._scanned = 0
        self._empty_lines += skipped // 2
        if self._empty_lines >= 2:
            self._empty_lines %= 2
            if not told or not isinstance(told[-1], KeepAlive):
                told.append(KeepAlive())

    def _take_head(self) -> Malformed | None:
        """Read a head when one is whole; what it returns ends the connection."""
        buffer = self._buffer
        if not buffer or buffer == b"\r":
            return None
        if buffer[0] not in FIRST_OCTETS:
            error = RemoteProtocolError("no SIP on this connection", section="RFC 3261 7.5")
            return Malformed(error=error, close=True)
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0:
            self._scanned = len(buffer)
            if len(buffer) <= self._limits.head_bytes:
                return None
            end = len(buffer)  # too long already: read what is there, for the answer
        head = read_head(bytes(buffer[: end + 2]), self._limits)
        del buffer[: end + 4]
        self._scanned = 0
        self._empty_lines = 0
        return self._frame(head)

    def _frame(self, head: Head) -> Malformed | None:
        """Learn where the body ends; without that the connection is lost (RFC 3261 18.3)."""
        try:
            length = content_length(head.headers)
        except RemoteProtocolError as error:
            return refuse(head, head.error or error, close=True)
        if not head.framed:
            return refuse(head, head.error or RemoteProtocolError("not SIP"), close=True)
        if length is None:
            unframed = RemoteProtocolError("no Content-Length on a stream", section="RFC 3261 18.3")
            return refuse(head, head.error or unframed, close=True)
        if length > self._limits.body_bytes:
            too_long = RemoteProtocolError("body too long", status=413, section="RFC 3261 21.4.11")
            return refuse(head, head.error or too_long, close=True)
        self._head, self._length = head, length
        return None
