"""Whose ports the media process serves, and what becomes of those whose control process died.

One control is served at a time. Its tags are exchanged for our own, so that a late answer for a control
that is gone never reaches its successor. Ports of a control that went away, or of a media process before
this one, are orphans: they relay on until a control resumes them, and
are closed once nothing came in on them, nor on any port they are bridged with or recorded through, for
`ORPHAN_SILENCE_S`. A machine: commands and messages in, commands and messages out, no I/O.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Set
from typing import Final, assert_never

from siprec_src.media import plane
from siprec_src.media.keeping import Resumed
from siprec_src.media.model import PortCounters, PortId, ReaderId
from siprec_src.media.wire import Message

ORPHAN_SILENCE_S: Final = (
    60.0  #: longer than any pause of a call that still has media, shorter than a port leak
)
ORPHAN_CHECK_S: Final = 5.0


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
        self._readers: set[ReaderId] = set()
        self._left_readers: set[ReaderId] = set()
        self._unanswered: dict[tuple[PortId, PortId], ReaderId] = {}
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
            self._readers.add(reader)
            self._unanswered[ends] = reader
            self._link(*ends)
        self.release(now)

    def command(self, command: plane.Command) -> plane.Command | plane.Answer:
        """The same command under a tag of our own, or its answer."""
        if isinstance(command, plane.ResumePorts):
            return self._resume(command)
        if isinstance(command, plane.AttachReader) and (answer := self._attached_before(command)) is not None:
            return answer
        return self._tagged(command.tag, command, command)

    def _attached_before(self, command: plane.AttachReader) -> plane.Answer | None:
        """The answer that a process before had no time for: a second reader would use the keys again."""
        ends = command.stream, command.via
        reader = self._unanswered.pop(ends, None)
        if reader in self._left_readers:
            self._left_readers.discard(reader)
            self._readers.add(reader)
            return plane.ReaderAttached(tag=command.tag, reader=reader)
        under_way = (c for c in self._abandoned.values() if isinstance(c, plane.AttachReader))
        if any((c.stream, c.via) == ends for c in under_way):
            return plane.Refused(tag=command.tag, reason="media-down")
        return None

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
            self._readers.update(command.readers)
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
        self._left_readers |= self._readers
        self._readers.clear()

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
                return message if message.reader in self._readers else None
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
        if not self._orphans:
            self._left_readers.clear()
            self._unanswered.clear()
        return commands

    def _answer(self, answer: plane.Answer, now: float) -> plane.Answer | None:
        if (group := self._checks.pop(answer.tag, None)) is not None:
            self._checked(group, answer, now)
            return None
        if (abandoned := self._abandoned.pop(answer.tag, None)) is not None:
            if isinstance(answer, plane.PortsOpen):
                self._adopt(tuple(port.port for port in answer.ports), now)
            elif isinstance(answer, plane.ReaderAttached) and isinstance(abandoned, plane.AttachReader):
                self._left_readers.add(answer.reader)
                self._unanswered[abandoned.stream, abandoned.via] = answer.reader
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
        match answer:
            case plane.PortsOpen():
                self._ports.update(port.port for port in answer.ports)
            case plane.PortsClosed():
                closed = {port for port, _ in answer.counters}
                self._disown(closed)
                self._forget(closed)
            case plane.ReaderAttached():
                self._readers.add(answer.reader)
                if isinstance(command, plane.AttachReader):
                    self._link(command.stream, command.via)
            case plane.ReaderDetached():
                if isinstance(command, plane.DetachReader):
                    self._readers.discard(command.reader)
                    self._left_readers.discard(command.reader)
            case plane.Done():
                if isinstance(command, plane.BridgePorts):
                    self._link(command.a, command.b)
            case plane.Counters() | plane.Refused():
                pass
            case _:
                assert_never(answer)

    def _link(self, a: PortId, b: PortId) -> None:
        self._links.setdefault(a, set()).add(b)
        self._links.setdefault(b, set()).add(a)

    def _forget(self, ports: Iterable[PortId]) -> None:
        for port in ports:
            self._ports.discard(port)
            for other in self._links.pop(port, ()):
                self._links.get(other, set()).discard(port)

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
