"""What the last calls said and were decided on, kept so that `siprec-src explain` can tell it afterwards.

Kept are references to what is there anyway, octets sent, fields received, log lines; nothing is rendered
before somebody asks (`telemetry.explain`). Calls with which something was wrong are kept beside the others,
so that a busy hour of good calls does not drive them out.
"""

from __future__ import annotations

import dataclasses
import re
from collections import OrderedDict, deque
from itertools import chain
from typing import Final

from siprec_src.communication import CommunicationSession, id_text
from siprec_src.errors import RemoteProtocolError
from siprec_src.machine import LogLine
from siprec_src.sip.flow import Flow
from siprec_src.sip.message import Request
from siprec_src.sip.vocabulary import Fact, Received, Resolved, Transmit

MAX_CALL_BYTES: Final = 512 * 1024  #: of one call; what comes later is counted, not kept
MAX_LEGS: Final = 256  #: of one call whose answers are kept: it may be recorded ever anew for hours
MAX_BYTES: Final = 64 * 1024 * 1024  #: of all; the oldest calls give way
MAX_WAITING: Final = 1024  #: lookups whose request has not left yet
MAX_OTHER_LINES: Final = 256  #: lines of no call, such as those of an SRS that went down
_FIELD_BYTES: Final = 160  #: about what a header field takes in memory beside its value
_ENTRY_BYTES: Final = 300  #: and an entry without its text
_TROUBLE: Final = frozenset({"warning", "error"})
_CALL_ID: Final = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)


@dataclasses.dataclass(slots=True)
class Heard:
    """A message that came."""

    at: float
    flow: Flow
    start: tuple[str, str] | tuple[int, str]  #: method and Request-URI, or status and phrase
    fields: tuple[tuple[str, str], ...]
    body: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(slots=True)
class Told:
    """A message that was sent."""

    at: float
    flow: Flow
    data: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(slots=True)
class Decided:
    """A line of the log."""

    at: float
    line: LogLine


Entry = Heard | Told | Decided


@dataclasses.dataclass(slots=True, eq=False)
class Case:
    """One call with all its legs."""

    began: float
    number: int = 0  #: of the call inside this process; 0: it never became one
    session: str = ""  #: session_id of its metadata
    call_ids: list[str] = dataclasses.field(default_factory=list)  #: of its legs: the first is the caller's
    entries: list[Entry] = dataclasses.field(default_factory=list)
    size_bytes: int = 0  #: about
    left_out: int = 0  #: entries for which there was no room
    shelf: OrderedDict[int, Case] | None = None  #: where it is kept; None: it has given way to newer ones

    @property
    def kept(self) -> bool:
        return self.shelf is not None


class Ladder:
    """The calls of one process, the newest last; ``calls`` 0 keeps nothing."""

    def __init__(self, calls: int, *, max_bytes: int = MAX_BYTES) -> None:
        self._calls = calls
        self._max_bytes = max_bytes
        self._size_bytes = 0
        # By identity: INVITEs that were refused before they became a call, good calls, those with a fault.
        self._fresh: OrderedDict[int, Case] = OrderedDict()
        self._good: OrderedDict[int, Case] = OrderedDict()
        self._troubled: OrderedDict[int, Case] = OrderedDict()
        self._by_call_id: dict[str, Case] = {}
        self._by_number: dict[int, Case] = {}
        self._waiting: OrderedDict[int, Case] = OrderedDict()
        self.other: Final[deque[Decided]] = deque(maxlen=MAX_OTHER_LINES)  #: lines of no call

    @property
    def size_bytes(self) -> int:
        """About how much memory all calls take."""
        return self._size_bytes

    # what the driver tells

    def came(self, fact: Fact, now: float) -> Case | None:
        """A fact for the user agent; the call that it is about, when that is known."""
        if not self._calls:
            return None
        if isinstance(fact, Resolved):
            return self._waiting.pop(fact.query, None)
        return self._heard(fact, now) if isinstance(fact, Received) else None

    def sent(self, transmit: Transmit, now: float, case: Case | None) -> None:
        """A message has left; ``case``: the call whose doing it was, where that is known."""
        if not self._calls:
            return
        data = transmit.data
        if case is None:
            case = self._by_call_id.get(_call_id(data))
            if case is None:
                return
        elif data.startswith(b"INVITE ") and (call_id := _call_id(data)) not in self._by_call_id:
            self._leg(case, call_id)
        self._add(case, Told(now, transmit.flow, data), len(data))

    def waits(self, query: int, case: Case | None) -> None:
        """A request of this call leaves when a name has been looked up."""
        if case is not None:
            self._waiting[query] = case
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)

    def published(self, case: Case | None, session: CommunicationSession) -> None:
        """The call of this case is told to recording."""
        if case is not None and not case.session:
            case.session = id_text(session.session_id)
            self._number(case, session.call)

    def noted(self, line: LogLine, now: float, case: Case | None) -> None:
        """A line for the log, of a call or of none."""
        if not self._calls:
            return
        case = case or self._named(line)
        if case is None:
            self.other.append(Decided(now, line))
            return
        name, value = line.fields[0] if line.fields else ("", 0)
        if not case.number and name == "call" and isinstance(value, int):
            self._number(case, value)
        if line.level in _TROUBLE:
            self._move(case, self._troubled)
        elif case.shelf is self._fresh:
            self._move(case, self._good)
        self._add(case, Decided(now, line), sum(len(v) for _, v in line.fields if isinstance(v, str)))

    def of_event(self, event: object) -> Case | None:
        """The case of a call that somebody is told of."""
        return self._by_number.get(event.call) if isinstance(event, CommunicationSession) else None

    def of_request(self, request: Request) -> Case | None:
        """The case that a received INVITE has begun."""
        return self._by_call_id.get(request.call_id) if self._calls else None

    # what is asked

    def find(self, name: str) -> Case | None:
        """By the number of the call, the Call-ID of a leg, or the session id."""
        if name.isascii() and name.isdigit() and len(name) < 20 and int(name) in self._by_number:
            return self._by_number[int(name)]
        known = self._by_call_id.get(name)
        return known or next((case for case in self.cases() if case.session == name), None)

    def numbered(self, call: int) -> Case | None:
        """The call with this number."""
        return self._by_number.get(call)

    def cases(self) -> list[Case]:
        """All calls that are kept, the newest first."""
        kept = [case for shelf in self._shelves for case in shelf.values()]
        return sorted(kept, key=lambda case: case.began, reverse=True)

    # keeping

    def _heard(self, received: Received, now: float) -> Case | None:
        message = received.message
        try:
            call_id = message.call_id
        except RemoteProtocolError:
            return None
        case = self._by_call_id.get(call_id)
        start: tuple[str, str] | tuple[int, str]
        if isinstance(message, Request):
            start = (message.method, message.uri)
            if case is None and message.method == "INVITE":
                case = self._open(call_id, now)
        else:
            start = (message.status, message.reason)
        if case is None:
            return None
        fields = tuple(message.headers)
        size_bytes = _FIELD_BYTES * len(fields) + len(message.body) + len(start[1])
        size_bytes += sum(map(len, chain.from_iterable(fields)))
        self._add(case, Heard(now, received.flow, start, fields, message.body), size_bytes)
        return case

    def _add(self, case: Case, entry: Entry, size_bytes: int) -> None:
        if not case.kept:
            return
        size_bytes += _ENTRY_BYTES
        if case.size_bytes + size_bytes > MAX_CALL_BYTES:
            case.left_out += 1
            return
        case.entries.append(entry)
        case.size_bytes += size_bytes
        self._size_bytes += size_bytes
        if self._size_bytes > self._max_bytes:
            self._make_room()

    def _open(self, call_id: str, now: float) -> Case:
        case = Case(now, shelf=self._fresh)
        self._fresh[id(case)] = case
        self._leg(case, call_id)
        self._make_room()
        return case

    def _leg(self, case: Case, call_id: str) -> None:
        if case.kept and len(case.call_ids) < MAX_LEGS:
            case.call_ids.append(call_id)
            self._by_call_id[call_id] = case

    def _number(self, case: Case, number: int) -> None:
        case.number = number
        if case.kept:
            self._by_number[number] = case

    def _named(self, line: LogLine) -> Case | None:
        """The case that a line names, where its machine has none."""
        for name, value in line.fields:
            if name == "call" and isinstance(value, int):
                return self._by_number.get(value)
            if name == "sip_call_id" and isinstance(value, str):
                return self._by_call_id.get(value)
        return None

    @property
    def _shelves(self) -> tuple[OrderedDict[int, Case], ...]:
        return self._fresh, self._good, self._troubled

    def _move(self, case: Case, shelf: OrderedDict[int, Case]) -> None:
        if case.shelf is not None and case.shelf is not shelf:
            del case.shelf[id(case)]
            case.shelf = shelf
            shelf[id(case)] = case
            self._make_room()

    def _make_room(self) -> None:
        for shelf in self._shelves:
            while len(shelf) > self._calls:
                self._let_go(shelf)
        while self._size_bytes > self._max_bytes and sum(map(len, self._shelves)) > 1:
            self._let_go(max(self._shelves, key=len))

    def _let_go(self, shelf: OrderedDict[int, Case]) -> None:
        _, case = shelf.popitem(last=False)
        case.shelf = None
        self._size_bytes -= case.size_bytes
        case.entries.clear()  # its call may last for hours
        for call_id in case.call_ids:
            if self._by_call_id.get(call_id) is case:
                del self._by_call_id[call_id]
        if self._by_number.get(case.number) is case:
            del self._by_number[case.number]


def _call_id(data: bytes) -> str:
    """The Call-ID of a message that was written here; "" without one."""
    start = data.find(b"\r\nCall-ID: ")
    if start >= 0:
        start += 11
        found = data[start : data.find(b"\r\n", start)]
    else:
        match = _CALL_ID.search(data)
        found = match[1].strip() if match else b""
    return found.decode("utf-8", "surrogateescape")
