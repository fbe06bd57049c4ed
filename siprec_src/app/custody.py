"""Whose ports the media process serves, and what becomes of those whose control process died.

One control is served at a time. Its tags are exchanged for our own, so that a late answer for a control
that is gone never reaches its successor. Ports of a control that went away, or of a media process before
this one, are orphans: they relay on until a control resumes them, and
are closed once nothing came in on them, nor on any port they are bridged with or recorded through, for
`ORPHAN_SILENCE_S`. A machine: commands and messages in, commands and messages out, no I/O.

A reader is attached once between two ports, whatever control was not told of it: a second one would use the
keys of the first again, with the same SSRC and sequence numbers (RFC 3711 9.1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Set
from typing import Final, TypeAlias, assert_never

from siprec_src.media import plane
from siprec_src.media.keeping import Resumed
from siprec_src.media.model import PortCounters, PortId, ReaderId
from siprec_src.media.wire import Message

ORPHAN_SILENCE_S: Final = (
    60.0  #: longer than any pause of a call that still has media, shorter than a port leak
)
ORPHAN_CHECK_S: Final = 5.0

_Ends: TypeAlias = tuple[PortId, PortId]  # the port that is read, and the one that is sent from


@dataclasses.dataclass(slots=True)
class _Orphans:
    """Ports that live and die together."""

    ports: tuple[PortId, ...]
    since: float  #: when something last came in
    books: int = -1  #: packets in, over all ports, at the last look


class Custody:
    """Tags, ports and readers of the control process in charge."""

    def __init__(self) -> None:
        self._last_tag = 0
        self._commands: dict[int, tuple[int, plane.Command]] = {}
        self._ports: set[PortId] = set()
        self._readers: dict[_Ends, ReaderId] = {}  # all that there are
        self._ends: dict[ReaderId, _Ends] = {}
        self._attaching: dict[_Ends, int] = {}  # by which tag of ours
        self._left_readers: set[ReaderId] = set()  # those that control has not got, or not taken up
        self._links: dict[PortId, set[PortId]] = {}
        self._abandoned: dict[int, plane.Command] = {}
        self._orphans: list[_Orphans] = []
        self._checks: dict[int, _Orphans] = {}
        self._next_check: float | None = None

    @property
    def deadline(self) -> float | None:
        return self._next_check

    @property
    def orphaned_ports(self) -> int:
        return sum(len(group.ports) for group in self._orphans)

    def inherit(self, left: Resumed, now: float) -> None:
        """Take the ports of a media process before, which are nobody's yet."""
        for port, peer in left.ports.items():
            self._ports.add(port)
            if peer is not None:
                self._link(port, peer)
        for reader, ends in left.readers.items():
            self._attached(reader, ends)
        self.release(now)

    def command(self, command: plane.Command) -> plane.Command | plane.Answer | None:
        """The same command under a tag of our own, or its answer; None: it is under way, and is answered."""
        if isinstance(command, plane.ResumePorts):
            return self._resume(command)
        if isinstance(command, plane.AttachReader):
            return self._attach(command)
        return self._tagged(command.tag, command, command)

    def _attach(self, command: plane.AttachReader) -> plane.Command | plane.Answer | None:
        """Attach one reader at most; control is told of the one whose answer it has not got."""
        ends = command.stream, command.via
        reader, under_way = self._readers.get(ends), self._attaching.get(ends)
        if reader in self._left_readers:
            self._left_readers.discard(reader)
            return plane.ReaderAttached(tag=command.tag, reader=reader)
        if under_way is not None and self._abandoned.get(under_way) == command:
            del self._abandoned[under_way]
            self._commands[under_way] = command.tag, command
            return None
        if reader is not None or under_way is not None:
            return plane.Refused(tag=command.tag, reason="bad-argument", detail="a reader is there already")
        tagged = self._tagged(command.tag, command, command)
        self._attaching[ends] = tagged.tag
        return tagged

    def _tagged(self, tag: int, asked: plane.Command, command: plane.Command) -> plane.Command:
        self._last_tag += 1
        self._commands[self._last_tag] = (tag, asked)
        return dataclasses.replace(command, tag=self._last_tag)

    def _resume(self, command: plane.ResumePorts) -> plane.Command | plane.Answer:
        """Give control all of its ports and readers back; if one is missing, close the others."""
        wanted = frozenset(command.ports)
        there = {port for group in self._orphans for port in group.ports} & wanted
        self._disown(there)
        if there == wanted and self._left_readers.issuperset(command.readers):
            self._ports |= there
            self._left_readers.difference_update(command.readers)
            return plane.Done(tag=command.tag)
        if not there:
            return plane.Refused(tag=command.tag, reason="gone")
        closing = plane.ClosePorts(tag=0, ports=tuple(sorted(there)), again=True)
        return self._tagged(command.tag, command, closing)

    def _disown(self, ports: Set[PortId]) -> None:
        """They are no orphans any more."""
        for group in tuple(self._orphans):
            group.ports = tuple(port for port in group.ports if port not in ports)
            if not group.ports:
                self._orphans.remove(group)

    def release(self, now: float) -> None:
        """The control in charge is gone: its ports become orphans."""
        self._abandoned.update((tag, command) for tag, (_, command) in self._commands.items())
        self._commands.clear()
        while self._ports:
            group = self._component(next(iter(self._ports)))
            self._ports -= group
            self._adopt(tuple(sorted(group)), now)
        self._left_readers.update(self._ends)

    def message(self, message: Message, now: float) -> Message | None:
        """What the control in charge is told of this answer or event; None: it is not for it."""
        match message:
            case plane.FirstPacket() | plane.DtmfReceived() | plane.SilenceChanged() | plane.Announced():
                return message if message.port in self._ports else None
            case (
                plane.ReaderReport()
                | plane.ReaderUnreachable()
                | plane.ReaderSilence()
                | plane.ReaderCollision()
            ):
                held = message.reader in self._ends and message.reader not in self._left_readers
                return message if held else None
            case plane.EventsLost() | plane.MediaDown() | plane.MediaUp():
                return None  # the media process says these itself
            case (
                plane.PortsOpen()
                | plane.ReaderAttached()
                | plane.ReaderDetached()
                | plane.PortsClosed()
                | plane.Counters()
                | plane.Done()
                | plane.Refused()
            ):
                return self._answer(message, now)
            case _:
                # Only commands are left, and an engine does not give any.
                return None

    def wake(self, now: float) -> list[plane.Command]:
        """Look at the books of the orphans, or close those that were silent too long."""
        if self._next_check is None or now < self._next_check:
            return []
        commands: list[plane.Command] = []
        for group in tuple(self._orphans):
            self._last_tag += 1
            if now - group.since >= ORPHAN_SILENCE_S:
                self._orphans.remove(group)
                self._forget(group.ports)
                commands.append(plane.ClosePorts(tag=self._last_tag, ports=group.ports))
            else:
                self._checks[self._last_tag] = group
                commands.append(plane.ReadCounters(tag=self._last_tag, ports=group.ports))
        self._next_check = now + ORPHAN_CHECK_S if self._orphans else None
        return commands

    def _answer(self, answer: plane.Answer, now: float) -> plane.Answer | None:
        if (group := self._checks.pop(answer.tag, None)) is not None:
            self._checked(group, answer, now)
            return None
        if (abandoned := self._abandoned.pop(answer.tag, None)) is not None:
            if isinstance(answer, plane.PortsOpen):
                self._adopt(tuple(port.port for port in answer.ports), now)
                return None
            if isinstance(answer, plane.ReaderAttached):
                self._left_readers.add(answer.reader)
            self._learn(abandoned, answer)
            return None
        known = self._commands.pop(answer.tag, None)
        if known is None:
            return None
        tag, command = known
        self._learn(command, answer)
        if isinstance(command, plane.ResumePorts):
            return plane.Refused(tag=tag, reason="gone")
        return dataclasses.replace(answer, tag=tag)

    def _learn(self, command: plane.Command, answer: plane.Answer) -> None:
        if isinstance(command, plane.AttachReader):
            self._attaching.pop((command.stream, command.via), None)
        match answer:
            case plane.PortsOpen():
                self._ports.update(port.port for port in answer.ports)
            case plane.PortsClosed():
                closed = {port for port, _ in answer.counters}
                self._disown(closed)
                self._forget(closed)
            case plane.ReaderAttached():
                if isinstance(command, plane.AttachReader):
                    self._attached(answer.reader, (command.stream, command.via))
            case plane.ReaderDetached() | plane.Refused(reason="gone"):
                if isinstance(command, plane.DetachReader):
                    self._ended(command.reader)
            case plane.Done():
                if isinstance(command, plane.BridgePorts):
                    self._link(command.a, command.b)
            case plane.Counters() | plane.Refused():
                pass
            case _:
                assert_never(answer)

    def _attached(self, reader: ReaderId, ends: _Ends) -> None:
        self._readers[ends] = reader
        self._ends[reader] = ends
        self._link(*ends)

    def _ended(self, reader: ReaderId) -> None:
        ends = self._ends.pop(reader, None)
        if ends is not None:
            self._readers.pop(ends, None)
            self._left_readers.discard(reader)

    def _link(self, a: PortId, b: PortId) -> None:
        self._links.setdefault(a, set()).add(b)
        self._links.setdefault(b, set()).add(a)

    def _forget(self, ports: Iterable[PortId]) -> None:
        for port in ports:
            self._ports.discard(port)
            for other in self._links.pop(port, ()):
                self._links.get(other, set()).discard(port)
                for ends in ((port, other), (other, port)):
                    if ends in self._readers:
                        self._ended(self._readers[ends])

    def _component(self, start: PortId) -> set[PortId]:
        found = {start}
        frontier = [start]
        while frontier:
            fresh = (self._links.get(frontier.pop(), set()) & self._ports) - found
            found |= fresh
            frontier.extend(fresh)
        return found

    def _adopt(self, ports: tuple[PortId, ...], now: float) -> None:
        self._orphans.append(_Orphans(ports, now))
        if self._next_check is None:
            self._next_check = now + ORPHAN_CHECK_S

    def _checked(self, group: _Orphans, answer: plane.Answer, now: float) -> None:
        if group not in self._orphans:
            return
        if not isinstance(answer, plane.Counters):
            # Ids that mean nothing any more: the ports are closed already.
            self._orphans.remove(group)
            self._forget(group.ports)
            return
        books = sum(_came_in(counters) for _, counters in answer.ports)
        if books != group.books:
            group.books = books
            group.since = now


def _came_in(counters: PortCounters) -> int:
    return counters.received + counters.rtcp_received + counters.raw_relayed
