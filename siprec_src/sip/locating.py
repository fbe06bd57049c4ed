"""From a name to addresses, as a procedure without a network: NAPTR, SRV, A and AAAA (RFC 3263 4.1, 4.2).

`locate` is a generator. It yields what must be asked, is sent an answer for each question, and returns the
targets, best first. What it may need first it asks for together, so a name costs one round trip more than
its depth, not one for each kind of record.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Final

from siprec_src.sip.flow import Transport
from siprec_src.values import immutable

MAX_SERVERS: Final = 12  #: SRV records followed for one question, the best ones
MAX_SERVICES: Final = 4  #: NAPTR records followed for one question, the best ones

Uniform = Callable[[float, float], float]


class Kind(enum.Enum):
    """Types of records."""

    NAPTR = "NAPTR"
    SRV = "SRV"
    A = "A"
    AAAA = "AAAA"


@immutable(kw_only=False)
class Ask:
    """All records of one type under one name."""

    name: str
    kind: Kind


@immutable
class Naptr:
    """A NAPTR record (RFC 3403 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@immutable
class Srv:
    """An SRV record (RFC 2782); the target ``""`` is the root: there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str  #: a string is an address
Records = tuple[Record, ...]
Step = Generator[tuple[Ask, ...], tuple[Records, ...], "tuple[Target, ...]"]


@immutable(kw_only=False)
class Target:
    """One address to try."""

    transport: Transport
    host: str
    port: int


@immutable
class Wanted:
    """What a URI says of its server, and what our side can do."""

    host: str  #: a name in lower case, without the dot at the end
    port: int | None
    transport: Transport | None  #: None: to be chosen
    secure: bool  #: sips
    transports: tuple[Transport, ...]  #: that the edge has, preferred first

    @property
    def usable(self) -> tuple[Transport, ...]:
        """The transports that may be taken."""
        asked = Transport.TLS if self.secure else self.transport
        return self.transports if asked is None else tuple(t for t in self.transports if t is asked)

    @property
    def default(self) -> Transport:
        """Where DNS leaves the choice: UDP, for sips TLS, else what there is (RFC 3263 4.1)."""
        return Transport.UDP if Transport.UDP in self.usable else self.usable[0]


def locate(wanted: Wanted, uniform: Uniform) -> Step:
    """The targets for a name, best first; none when no transport of ours leads there.

    ``uniform`` draws a random number between two others (`Identity.uniform`).
    """
    if not wanted.usable:
        return ()
    if wanted.port is not None:
        return (yield from plain(wanted))
    ways = _ways(wanted)
    hunts = tuple(Ask(f"{prefix}.{wanted.host}", Kind.SRV) for prefix, _ in ways)
    chooses = wanted.transport is None
    first = (*((Ask(wanted.host, Kind.NAPTR),) if chooses else ()), *hunts, *_address_asks(wanted.host))
    answers = yield first
    services = _services(answers[0], wanted) if chooses else []
    found: list[tuple[Srv, Transport]] = []
    absent = False
    if services:
        replies = yield tuple(Ask(record.replacement, Kind.SRV) for record, _ in services)
        found, absent = _servers(zip(replies, (by for _, by in services), strict=True), uniform)
    if not found:
        at = 1 if chooses else 0
        asked = zip(answers[at : at + len(hunts)], (by for _, by in ways), strict=True)
        found, absent = _servers(asked, uniform)
    if found:
        return (yield from _addresses_of(found))
    if absent:
        return ()
    hosts = _addresses((*answers[-2], *answers[-1]))
    return tuple(Target(wanted.default, host, wanted.default.default_port) for host in hosts)


def plain(wanted: Wanted) -> Step:
    """The name's own addresses: its port was given, or it is known on this machine (RFC 3263 4.2)."""
    if not wanted.usable:
        return ()
    answers = yield _address_asks(wanted.host)
    port = wanted.port or wanted.default.default_port
    return tuple(Target(wanted.default, host, port) for part in answers for host in _addresses(part))


def in_order(records: Iterable[Srv], uniform: Uniform) -> list[Srv]:
    """By priority, and among equals drawn by weight (RFC 2782)."""
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    ordered = []
    while left:
        same = [record for record in left if record.priority == left[0].priority]
        draw = uniform(0, sum(record.weight for record in same))
        running = 0
        for record in same:
            running += record.weight
            if running >= draw:
                break
        ordered.append(record)
        left.remove(record)
    return ordered


_SERVICES: Final = {
    "sip+d2u": Transport.UDP,
    "sip+d2t": Transport.TCP,
    "sips+d2t": Transport.TLS,
}
_PREFIXES: Final = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}


def _ways(wanted: Wanted) -> list[tuple[str, Transport]]:
    """The SRV names to look under, the default transport first (RFC 3263 4.1)."""
    usable = sorted(wanted.usable, key=lambda by: by is not wanted.default)
    return [(_PREFIXES[by], by) for by in usable]


def _services(records: Records, wanted: Wanted) -> list[tuple[Naptr, Transport]]:
    """The NAPTR records that lead to a transport of ours, in their order; the others are discarded."""
    known = [
        (record, by)
        for record in records
        if isinstance(record, Naptr) and record.flags.lower() == "s" and record.replacement
        if (by := _SERVICES.get(record.service.lower())) in wanted.usable and by is not None
    ]
    known.sort(key=lambda pair: (pair[0].order, pair[0].preference))
    return known[:MAX_SERVICES]


def _servers(
    answers: Iterable[tuple[Records, Transport]], uniform: Uniform
) -> tuple[list[tuple[Srv, Transport]], bool]:
    """The servers to try in order, and whether the name says that it has no such service."""
    found: list[tuple[Srv, Transport]] = []
    absent = False
    for records, by in answers:
        servers = [record for record in records if isinstance(record, Srv)]
        absent = absent or any(not record.target for record in servers)
        found += [(record, by) for record in in_order((s for s in servers if s.target and s.port), uniform)]
    return found[:MAX_SERVERS], absent


def _addresses_of(servers: Sequence[tuple[Srv, Transport]]) -> Step:
    """All addresses of each server, of both families (RFC 7984 3)."""
    names = list(dict.fromkeys(record.target for record, _ in servers))
    answers = yield tuple(ask for name in names for ask in _address_asks(name))
    hosts = {
        name: _addresses((*answers[2 * n], *answers[2 * n + 1])) for n, name in enumerate(names)
    }  # fmt: skip
    targets = [Target(by, host, record.port) for record, by in servers for host in hosts[record.target]]
    return tuple(dict.fromkeys(targets))


def _address_asks(name: str) -> tuple[Ask, Ask]:
    return Ask(name, Kind.A), Ask(name, Kind.AAAA)


def _addresses(records: Records) -> tuple[str, ...]:
    return tuple(record for record in records if isinstance(record, str))
