"""Reliable provisional responses, both sides (RFC 3262).

The sender repeats one response at a time until its PRACK comes and holds the next ones back; numbers
count per dialog, so the forks of one INVITE do not wait for each other. The receiver lets a response
through only when its number follows the last one (4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.headers import RAck, parse_rack, parse_rseq
from siprec_src.sip.incoming import Incoming
from siprec_src.sip.message import Request, Response
from siprec_src.sip.stack import Stack
from siprec_src.values import immutable


def is_reliable(response: Response) -> bool:
    """Whether a received 1xx asks for a PRACK (RFC 3262 4)."""
    return (
        100 < response.status < 200 and "rseq" in response.headers and "100rel" in _tags(response, "require")
    )


def takes_reliable(invite: Request) -> bool:
    """Whether the peer can receive reliable 1xx (RFC 3262 3)."""
    return "100rel" in _tags(invite, "supported") or "100rel" in _tags(invite, "require")


class ReliableReceiver:
    """The client's side of one dialog: order, and which PRACK is due."""

    __slots__ = ("_due", "_last", "_room")

    def __init__(self, room: int) -> None:
        self._room = room  #: how many may wait for their PRACK; the peer repeats what finds none
        self._last: int | None = None
        self._due: deque[RAck] = deque()

    def accept(self, response: Response) -> bool:
        """Whether a reliable 1xx is the next one; a repetition or a later one is not (4).

        Raises:
            RemoteProtocolError: RSeq is no number.
        """
        number = parse_rseq(response.headers.get("rseq") or "")
        in_order = self._last is None or number == self._last + 1
        if not in_order or len(self._due) >= self._room:
            return False
        self._last = number
        self._due.append(RAck(number, response.cseq.number, response.cseq.method))
        return True

    def next_rack(self) -> RAck | None:
        """The RAck of the oldest response without PRACK: they are acknowledged in order."""
        return self._due.popleft() if self._due else None


@immutable(kw_only=False)
class _Held:
    number: int
    status: int
    data: bytes
    sdp: bool


class ReliableSender:
    """The server's side of one dialog for one INVITE: repeats, holds back, and matches PRACKs."""

    __slots__ = ("_expires", "_incoming", "_interval_s", "_numbers", "_queue", "_repeat_at", "_stack", "_tired", "queued")  # fmt: skip  # noqa: E501

    def __init__(self, stack: Stack, incoming: Incoming, tired: Callable[[float], None]) -> None:
        self._stack = stack
        self._incoming = incoming
        self._tired = tired
        self._numbers = stack.identity.sequence() + 1
        self._queue: deque[_Held] = deque()
        self._interval_s = 0.0
        self._repeat_at: float | None = None
        self._expires = 0.0
        self.queued: float | None = None

    @property
    def deadline(self) -> float | None:
        return None if self._repeat_at is None else min(self._repeat_at, self._expires)

    @property
    def awaits_sdp(self) -> bool:
        """Whether a response with SDP has no PRACK yet: then no 2xx may be sent (3)."""
        return self._repeat_at is not None and any(held.sdp for held in self._queue)

    @property
    def number(self) -> int:
        """The RSeq of the next response."""
        return self._numbers + 1

    def send(self, status: int, data: bytes, now: float, *, sdp: bool) -> None:
        """Send a response that has the next number, or hold it until those before it have their PRACK."""
        self._numbers += 1
        self._queue.append(_Held(self._numbers, status, data, sdp))
        if len(self._queue) == 1:
            self._transmit_first(now)

    def acknowledge(self, prack: Request, now: float) -> bool:
        """Match a PRACK (3); False: it is for nothing that we wait for."""
        try:
            rack = parse_rack(prack.headers.get("rack") or "")
        except RemoteProtocolError:
            return False
        cseq = self._incoming.request.cseq
        if not self._queue or rack != RAck(self._queue[0].number, cseq.number, cseq.method):
            return False
        self._queue.popleft()
        if self._repeat_at is not None:
            self._repeat_at = None
            if self._queue:
                self._transmit_first(now)
        return True

    def stop(self) -> None:
        """A final response ends the repetitions; the PRACK under way is still welcome (3)."""
        self._repeat_at = None
        while len(self._queue) > 1:
            self._queue.pop()

    def wake(self, now: float) -> None:
        if self._repeat_at is None:
            return
        if self._expires <= now:
            self.stop()
            self._tired(now)
            return
        self._interval_s *= 2
        self._repeat_at = now + self._interval_s
        held = self._queue[0]
        self._incoming.send(held.status, held.data, now)

    def _transmit_first(self, now: float) -> None:
        held = self._queue[0]
        self._incoming.send(held.status, held.data, now)
        self._interval_s = self._stack.timers.t1_s
        self._repeat_at = now + self._interval_s
        self._expires = now + self._stack.timers.give_up_s
        self._stack.schedule.arm(self)


def _tags(message: Request | Response, name: str) -> tuple[str, ...]:
    try:
        return tuple(tag.lower() for tag in message.tags(name))
    except RemoteProtocolError:
        return ()
