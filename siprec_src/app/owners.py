"""Who owns what: usages, media tags, ports and readers, each of exactly one machine.

The driver learns it from the commands and answers that pass by, so machines need no registration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from siprec_src.app.usage import UsageTrace
from siprec_src.communication import CommunicationSession
from siprec_src.machine import Machine
from siprec_src.media import plane
from siprec_src.media.model import PortId, ReaderId
from siprec_src.telemetry.ladder import Case


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class Owner:
    """One machine and what is its."""

    machine: Machine[Any, Any]
    permanent: bool = False  #: an ingest or the recording pool: it is never forgotten
    aside: bool = False  #: it belongs to no call; nobody waits for its end
    parent: Owner | None = None  #: whose `Forward` began this machine
    published: CommunicationSession | None = None  #: the last that recording was told, until it has ended
    case: Case | None = None  #: where it is kept what was said and decided of its call
    usages: dict[int, UsageTrace] = dataclasses.field(default_factory=dict)
    tags: set[int] = dataclasses.field(default_factory=set)
    ports: set[PortId] = dataclasses.field(default_factory=set)
    readers: set[ReaderId] = dataclasses.field(default_factory=set)
    call: int | None = None  #: the handle of the call that it publishes
    forgotten: bool = False
    invited_at: float | None = None  #: when the INVITE that made this machine came in

    @property
    def name(self) -> str:
        return type(self.machine).__name__


class Owners:
    """All machines of the driver."""

    def __init__(self) -> None:
        self._owners: dict[int, Owner] = {}
        self._usages: dict[int, Owner] = {}
        self._tags: dict[int, Owner] = {}
        self._ports: dict[PortId, Owner] = {}
        self._readers: dict[ReaderId, Owner] = {}
        self._calls: dict[int, Owner] = {}

    def add(self, machine: Machine[Any, Any]) -> Owner:
        """The owner of a machine that stays for ever."""
        return self._add(Owner(machine=machine, permanent=True))

    def of(self, machine: Machine[Any, Any], parent: Owner) -> Owner:
        """The owner of this machine, made now if it is new; then ``parent`` has begun it."""
        return self._owners.get(id(machine)) or self._add(Owner(machine=machine, parent=parent))

    def __iter__(self) -> Iterator[Owner]:
        return iter(tuple(self._owners.values()))

    @property
    def living(self) -> int:
        """Machines that come and go: calls and recording sessions."""
        return sum(not (owner.permanent or owner.aside) for owner in self._owners.values())

    def usage(self, owner: Owner, usage: int) -> UsageTrace:
        """Take ``usage`` for this owner, or say what is known of it."""
        trace = owner.usages.get(usage)
        if trace is None:
            trace = owner.usages[usage] = UsageTrace(usage)
            self._usages[usage] = owner
        return trace

    def owner_of_usage(self, usage: int) -> Owner | None:
        return self._usages.get(usage)

    def published(self, owner: Owner, session: CommunicationSession) -> None:
        """The call is this owner's."""
        owner.published = session if session.ended is None else None
        self.names_call(owner, session.call)

    def names_call(self, owner: Owner, call: int) -> None:
        """The call is known by this handle from now on."""
        owner.call = call
        self._calls[call] = owner

    def owner_of_call(self, call: int) -> Owner | None:
        return self._calls.get(call)

    def submitted(self, owner: Owner, command: plane.Command) -> None:
        """The answer is for this owner; what the command ends is its no more."""
        owner.tags.add(command.tag)
        self._tags[command.tag] = owner
        match command:
            case plane.ClosePorts(ports=ports):
                for port in ports:
                    owner.ports.discard(port)
                    self._ports.pop(port, None)
            case plane.DetachReader(reader=reader):
                owner.readers.discard(reader)
                self._readers.pop(reader, None)
            case _:
                pass

    def answered(self, answer: plane.Answer) -> Owner | None:
        """Who asked; what the answer gives is its from now on."""
        owner = self._tags.pop(answer.tag, None)
        if owner is None:
            return None
        owner.tags.discard(answer.tag)
        match answer:
            case plane.PortsOpen():
                for opened in answer.ports:
                    owner.ports.add(opened.port)
                    self._ports[opened.port] = owner
            case plane.ReaderAttached():
                owner.readers.add(answer.reader)
                self._readers[answer.reader] = owner
            case (
                plane.ReaderDetached()
                | plane.PortsClosed()
                | plane.Counters()
                | plane.Done()
                | plane.Refused()
            ):
                pass
        return owner

    def concerned(self, event: plane.Event) -> Owner | None:
        """Whose port or reader an event of the media plane speaks of."""
        match event:
            case plane.FirstPacket() | plane.DtmfReceived() | plane.SilenceChanged() | plane.Announced():
                return self._ports.get(event.port)
            case (
                plane.ReaderReport()
                | plane.ReaderUnreachable()
                | plane.ReaderSilence()
                | plane.ReaderCollision()
            ):
                return self._readers.get(event.reader)
            case plane.EventsLost() | plane.MediaDown() | plane.MediaUp():
                return None

    def void_media(self) -> None:
        """The media process is gone: no id means anything now."""
        for owner in self._owners.values():
            owner.ports.clear()
            owner.readers.clear()
        self._ports.clear()
        self._readers.clear()

    def void_media_of(self, owner: Owner) -> None:
        """Its ports and readers are gone."""
        for port in owner.ports:
            self._ports.pop(port, None)
        for reader in owner.readers:
            self._readers.pop(reader, None)
        owner.ports.clear()
        owner.readers.clear()

    def forget(self, owner: Owner) -> None:
        owner.forgotten = True
        self._owners.pop(id(owner.machine), None)
        if owner.call is not None:
            self._calls.pop(owner.call, None)
        for usage in owner.usages:
            self._usages.pop(usage, None)
        for tag in owner.tags:
            self._tags.pop(tag, None)
        for port in owner.ports:
            self._ports.pop(port, None)
        for reader in owner.readers:
            self._readers.pop(reader, None)

    def _add(self, owner: Owner) -> Owner:
        self._owners[id(owner.machine)] = owner
        return owner
