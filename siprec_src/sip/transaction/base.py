"""What the four transaction machines share: the words of their tables and how a step is taken (RFC 3261 17).

A table maps (state, what happened) to (next state, what to do). What it does not name is absorbed: the
network may bring anything at any time. A transaction knows neither flows nor users; it gives outcomes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar, assert_never

from siprec_src.sip.message import Message, Request, Response
from siprec_src.sip.timers import Timers
from siprec_src.values import immutable


class State(enum.Enum):
    """States of RFC 3261 figures 5 to 8, and Accepted of RFC 6026."""

    __hash__ = object.__hash__  # each is there once; Enum's own is Python, and tables are asked all the time

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class On(enum.Enum):
    """What can happen: a timer by its letter, a message, a failure below."""

    __hash__ = object.__hash__

    A = "A"
    B = "B"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the RFC's letter
    J = "J"
    K = "K"
    L = "L"
    M = "M"
    UNANSWERED = "unanswered"  #: the user let a request lie until the client has given up
    REQUEST = "request"  #: the request again
    ACK = "ack"
    PROVISIONAL = "1xx"  #: received by a client, sent by the user of a server
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    TRANSPORT_ERROR = "transport error"


class Do(enum.Enum):
    """What a step does."""

    __hash__ = object.__hash__

    RETRANSMIT = enum.auto()  #: the client's request once more
    SEND = enum.auto()  #: the response just given, and keep it
    RESEND = enum.auto()  #: the response kept
    ACK = enum.auto()  #: acknowledge a failure (17.1.1.3)
    DELIVER = enum.auto()
    TIMED_OUT = enum.auto()
    FAILED = enum.auto()
    STOP = enum.auto()  #: every timer
    START_A = enum.auto()
    START_B = enum.auto()
    START_D = enum.auto()
    START_E = enum.auto()
    START_F = enum.auto()
    START_G = enum.auto()
    START_H = enum.auto()
    START_I = enum.auto()
    START_J = enum.auto()
    START_K = enum.auto()
    START_L = enum.auto()
    START_M = enum.auto()
    START_UNANSWERED = enum.auto()
    DOUBLE_A = enum.auto()
    DOUBLE_E = enum.auto()  #: up to T2
    DOUBLE_G = enum.auto()  #: up to T2
    SLOW_E = enum.auto()  #: T2 at once (17.1.2.2, Proceeding)


@immutable(kw_only=False)
class Send:
    """Put these octets on the transaction's flow."""

    data: bytes


@immutable(kw_only=False)
class Deliver:
    """Hand a received message to the user."""

    message: Message


@immutable(kw_only=False)
class TimedOut:
    """Nobody answered in time: 408 for a client's user (RFC 3261 8.1.3.1), no ACK for a server's."""


@immutable(kw_only=False)
class Failed:
    """The transport below failed: 503 for the user (RFC 3261 8.1.3.1)."""


@immutable(kw_only=False)
class Ended:
    """The transaction is over; whoever holds it forgets it."""


Outcome = Send | Deliver | TimedOut | Failed | Ended
Table = Mapping[tuple[State, On], tuple[State, tuple[Do, ...]]]


class Transaction:
    """One transaction: a state, its running timers, and what it sent last."""

    __slots__ = ("_data", "_interval_s", "_reliable", "_running", "_timers", "state")

    table: ClassVar[Table]
    starts_in: ClassVar[State]

    def __init__(self, *, reliable: bool, timers: Timers) -> None:
        self.state = self.starts_in
        self._reliable = reliable
        self._timers = timers
        self._running: dict[On, float] = {}
        self._interval_s = 0.0
        self._data = b""

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called next."""
        return min(self._running.values()) if self._running else None

    def wake(self, now: float) -> list[Outcome]:
        """Fire the timers due at ``now``, the earliest first."""
        out: list[Outcome] = []
        while self._running:
            on = min(self._running, key=self._running.__getitem__)
            if self._running[on] > now:
                break
            del self._running[on]
            self._step(on, now, out)
        return out

    def stop(self) -> None:
        """End it at once, without a word."""
        self.state = State.TERMINATED
        self._running.clear()

    def fail(self, now: float) -> list[Outcome]:
        """The transport could not send, or lost the connection."""
        return self._take(On.TRANSPORT_ERROR, now)

    def _take(self, on: On, now: float, message: Message | None = None, data: bytes = b"") -> list[Outcome]:
        out: list[Outcome] = []
        self._step(on, now, out, message, data)
        return out

    def _step(
        self, on: On, now: float, out: list[Outcome], message: Message | None = None, data: bytes = b""
    ) -> None:
        row = self.table.get((self.state, on))
        if row is None:
            return
        self.state, todo = row
        for do in todo:
            self._perform(do, now, out, message, data)
        ended_by_zero_timer = bool(out) and isinstance(out[-1], Ended)
        if self.state is State.TERMINATED and not ended_by_zero_timer:
            self._running.clear()
            out.append(Ended())

    def _perform(self, do: Do, now: float, out: list[Outcome], message: Message | None, data: bytes) -> None:
        match do:
            case Do.RETRANSMIT | Do.RESEND:
                if self._data:
                    out.append(Send(self._data))
            case Do.SEND:
                self._data = data
                out.append(Send(data))
            case Do.DELIVER if message is not None:
                out.append(Deliver(message))
            case Do.ACK if isinstance(message, Response):
                out.append(Send(self._acknowledge(message)))
            case Do.TIMED_OUT:
                out.append(TimedOut())
            case Do.FAILED:
                out.append(Failed())
            case Do.STOP:
                self._running.clear()
            case Do.DOUBLE_A:
                self._repeat(On.A, self._interval_s * 2, now)
            case Do.DOUBLE_E:
                self._repeat(On.E, min(self._interval_s * 2, self._timers.t2_s), now)
            case Do.DOUBLE_G:
                self._repeat(On.G, min(self._interval_s * 2, self._timers.t2_s), now)
            case Do.SLOW_E:
                self._repeat(On.E, self._timers.t2_s, now)
            case Do.START_A | Do.START_E | Do.START_G:
                if not self._reliable:
                    self._repeat(_TIMER[do], self._timers.t1_s, now)
            case _:
                self._start(_TIMER[do], now, out)

    def _start(self, timer: On, now: float, out: list[Outcome]) -> None:
        duration_s = self._duration_s(timer)
        if duration_s > 0:
            self._running[timer] = now + duration_s
        else:
            self._step(timer, now, out)

    def _duration_s(self, timer: On) -> float:
        """RFC 3261 table 4. The timers that absorb strays are zero on reliable transports."""
        match timer:
            case On.B | On.F | On.H | On.L | On.M | On.UNANSWERED:
                return self._timers.give_up_s
            case On.D:
                return 0.0 if self._reliable else self._timers.linger_s
            case On.J:
                return 0.0 if self._reliable else self._timers.give_up_s
            case On.I | On.K:
                return 0.0 if self._reliable else self._timers.t4_s
            case On.A | On.E | On.G:
                return self._timers.t1_s
            case On.REQUEST | On.ACK | On.PROVISIONAL | On.SUCCESS | On.FAILURE | On.TRANSPORT_ERROR:
                return 0.0
            case _:
                assert_never(timer)

    def _repeat(self, timer: On, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._running[timer] = now + interval_s

    def _acknowledge(self, response: Response) -> bytes:
        """The ACK for a failure; only the INVITE client has one."""
        raise NotImplementedError


class ClientTransaction(Transaction):
    """A transaction that we began."""

    __slots__ = ("request",)

    def __init__(self, request: Request, data: bytes, *, reliable: bool, timers: Timers) -> None:
        super().__init__(reliable=reliable, timers=timers)
        self.request = request
        self._data = data

    def start(self, now: float) -> list[Outcome]:
        """Send the request."""
        out: list[Outcome] = [Send(self._data)]
        for do in self._first():
            self._perform(do, now, out, None, b"")
        return out

    def receive(self, response: Response, now: float) -> list[Outcome]:
        """Take a response that matches (17.1.3)."""
        return self._take(kind_of(response.status), now, response)

    def _first(self) -> tuple[Do, ...]:
        raise NotImplementedError


class ServerTransaction(Transaction):
    """A transaction that a peer began."""

    __slots__ = ()

    def start(self, now: float) -> list[Outcome]:
        """Begin, with the request already in the user's hands."""
        raise NotImplementedError

    def repeat(self, now: float) -> list[Outcome]:
        """The request came again."""
        return self._take(On.REQUEST, now)

    def respond(self, status: int, data: bytes, now: float) -> list[Outcome]:
        """The user answers with ``status``; ``data`` is the whole response."""
        return self._take(kind_of(status), now, None, data)


def kind_of(status: int) -> On:
    """The event that a response of ``status`` is."""
    if status < 200:
        return On.PROVISIONAL
    return On.SUCCESS if status < 300 else On.FAILURE


_TIMER = {
    Do.START_A: On.A, Do.START_B: On.B, Do.START_D: On.D, Do.START_E: On.E, Do.START_F: On.F,
    Do.START_G: On.G, Do.START_H: On.H, Do.START_I: On.I, Do.START_J: On.J, Do.START_K: On.K,
    Do.START_L: On.L, Do.START_M: On.M, Do.START_UNANSWERED: On.UNANSWERED,
}  # fmt: skip
