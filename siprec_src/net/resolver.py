"""Names to flows: what RFC 3263 asks for (`sip.locating`) answered from the hosts file, a cache, and DNS.

A lookup never blocks the loop and always ends: within `ResolverLimits.timeout_s` there is an answer, which
may be empty. The same question to DNS under way is one question, whoever waits. Answers live as long as
their TTL says; while DNS itself is silent or broken the last one is used on (RFC 8767).
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import secrets
from collections import Counter, OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dns.asyncresolver
import dns.nameserver
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer

from siprec_src.net.hosts import HOSTS_FILE, HostsFile
from siprec_src.sip import locating
from siprec_src.sip.flow import Address, Edge, Flow
from siprec_src.sip.locating import Ask, Kind, Naptr, Record, Records, Srv, Step, Target, Uniform, Wanted
from siprec_src.sip.target import domain_of
from siprec_src.sip.vocabulary import Resolve, Resolved
from siprec_src.values import immutable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SYSTEM_RANDOM: Final = secrets.SystemRandom()


@immutable
class ResolverLimits:
    """What lookups may cost."""

    timeout_s: float = 3.0  #: for what is asked for together; a third of it for each further step
    max_lookups: int = 256  #: names asked for at one time; above it a name has no address
    max_cached: int = 2_048  #: answers
    max_ttl_s: float = 3600.0  #: of an answer, however long its owner allows
    negative_ttl_s: float = 5.0  #: of "no such name" and of silence
    max_records: int = 64  #: of one answer; the rest is left out
    max_addresses: int = 16  #: of one name; the rest is left out
    max_stale_s: float = 86_400.0  #: for which an answer stands in when DNS fails (RFC 8767 5)
    stale_patience_s: float = 0.5  #: that a question waits for DNS when there is such an answer
    stale_ttl_s: float = 30.0  #: then it is used for so long without asking (RFC 8767 5)
    hosts_check_s: float = 5.0  #: how often the hosts file is looked at for a change


@immutable(kw_only=False)
class _Cached:
    records: Records
    expires: float
    stale_until: float = 0.0  #: until when it may stand in for an answer that does not come


class Resolver:
    """Answers `Resolve` effects with `Resolved` facts.

    Args:
        servers: name servers as (address, port); none: those of the system.
    """

    def __init__(
        self,
        edges: Mapping[str, Edge],
        on_resolved: Callable[[Resolved], None],
        *,
        limits: ResolverLimits | None = None,
        hosts: Path = HOSTS_FILE,
        client: dns.asyncresolver.Resolver | None = None,
        servers: Sequence[Address] = (),
        uniform: Uniform = SYSTEM_RANDOM.uniform,
    ) -> None:
        self._edges = edges
        self._on_resolved = on_resolved
        self._limits = limits or ResolverLimits()
        self._hosts = HostsFile(hosts, self._limits.hosts_check_s)
        self._client = client
        self._servers = tuple(servers)
        self._uniform = uniform
        self._cache: OrderedDict[Ask, _Cached] = OrderedDict()
        self._pending: dict[Ask, asyncio.Task[Records]] = {}
        self._names: Counter[str] = Counter()  #: being looked up, and for how many
        self._tasks: set[asyncio.Task[Any]] = set()

    def resolve(self, question: Resolve) -> None:
        """Find the flows for a question; the answer is told later, in the loop."""
        loop = asyncio.get_running_loop()
        wanted = self._wanted(question)
        numeric = _numeric(question, wanted)
        if wanted is None or numeric is not None:
            loop.call_soon(self._answer, question, numeric or ())
            return
        local = bool(self._hosts.addresses(wanted.host, loop.time()))
        steps = locating.plain(wanted) if local else locating.locate(wanted, self._uniform)
        asks, targets = self._advance(steps, None)
        if not asks:
            loop.call_soon(self._answer, question, targets)
        elif wanted.host not in self._names and len(self._names) >= self._limits.max_lookups:
            loop.call_soon(self._answer, question, ())
        else:
            self._names[wanted.host] += 1
            self._spawn(self._look_up(question, wanted.host, steps, asks))

    @property
    def known(self) -> dict[Ask, Records | None]:
        """What name servers have said of each question, the newest last; None: no answer came."""
        return {ask: cached.records if cached.stale_until else None for ask, cached in self._cache.items()}

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wanted(self, question: Resolve) -> Wanted | None:
        edge = self._edges.get(question.edge)
        if edge is None:
            return None
        return Wanted(
            host=question.host.strip("[]").rstrip(".").lower(),
            port=question.port,
            transport=question.transport,
            secure=question.secure,
            transports=edge.transports,
        )

    def _advance(
        self, steps: Step, answers: tuple[Records, ...] | None
    ) -> tuple[tuple[Ask, ...], tuple[Target, ...]]:
        """Go on as far as the cache leads: what must be asked next, or the targets."""
        try:
            asks = next(steps) if answers is None else steps.send(answers)
            while True:
                known = [self._known(ask) for ask in asks]
                if None in known:
                    return asks, ()
                asks = steps.send(tuple(records for records in known if records is not None))
        except StopIteration as end:
            return (), end.value

    async def _look_up(self, question: Resolve, host: str, steps: Step, asks: tuple[Ask, ...]) -> None:
        targets: tuple[Target, ...] = ()
        now = asyncio.get_running_loop().time
        deadline = now() + self._limits.timeout_s
        try:
            while asks:
                answers = await asyncio.gather(*(self._records(ask, deadline) for ask in asks))
                asks, targets = self._advance(steps, tuple(answers))
                deadline = max(deadline, now() + self._limits.timeout_s / 3)
        finally:
            self._names[host] -= 1
            if not self._names[host]:
                del self._names[host]
        self._answer(question, targets)

    def _known(self, ask: Ask) -> Records | None:
        now = asyncio.get_running_loop().time()
        if ask.kind in (Kind.A, Kind.AAAA):
            local = self._hosts.addresses(ask.name, now)
            if local:
                version = 4 if ask.kind is Kind.A else 6
                return tuple(a for a in local if ipaddress.ip_address(a).version == version)
        cached = self._cache.get(ask)
        return cached.records if cached is not None and cached.expires > now else None

    async def _records(self, ask: Ask, deadline: float) -> Records:
        """The records; those known before, or none, when DNS takes too long. The question to it goes on."""
        known = self._known(ask)
        if known is not None:
            return known
        task = self._pending.get(ask)
        if task is None:
            task = self._pending[ask] = self._spawn(self._fetch(ask))
            task.add_done_callback(lambda _: self._pending.pop(ask, None))
        stale = self._stale(ask)
        patience_s = max(0.0, deadline - asyncio.get_running_loop().time())
        if stale is not None:
            patience_s = min(patience_s, self._limits.stale_patience_s)
        await asyncio.wait({task}, timeout=patience_s)
        if task.done() and not task.cancelled():
            return task.result()
        return () if stale is None else self._use_stale(ask, stale)

    async def _fetch(self, ask: Ask) -> Records:
        """Ask DNS and keep what it says; what it does not say is what it said last."""
        now = asyncio.get_running_loop().time
        found = await self._query(ask)
        if found is None:
            stale = self._stale(ask)
            if stale is not None:
                return self._use_stale(ask, stale)
            return self._keep(ask, _Cached((), now() + self._limits.negative_ttl_s))
        records, ttl_s = found
        ttl_s = min(ttl_s, self._limits.max_ttl_s) if records else self._limits.negative_ttl_s
        return self._keep(ask, _Cached(records, now() + ttl_s, now() + self._limits.max_stale_s))

    def _stale(self, ask: Ask) -> _Cached | None:
        cached = self._cache.get(ask)
        usable = cached is not None and cached.stale_until > asyncio.get_running_loop().time()
        return cached if usable else None

    def _use_stale(self, ask: Ask, stale: _Cached) -> Records:
        ttl_s = self._limits.stale_ttl_s if stale.records else self._limits.negative_ttl_s
        expires = asyncio.get_running_loop().time() + ttl_s
        return self._keep(ask, dataclasses.replace(stale, expires=expires))

    def _keep(self, ask: Ask, cached: _Cached) -> Records:
        self._cache[ask] = cached
        self._cache.move_to_end(ask)
        if len(self._cache) > self._limits.max_cached:
            self._cache.popitem(last=False)
        return cached.records

    async def _query(self, ask: Ask) -> tuple[Records, float] | None:
        """Records and their TTL; no records when there are none, None when DNS did not say."""
        address = ask.kind in (Kind.A, Kind.AAAA)
        # A server that drops what it does not know must leave time for the addresses.
        lifetime_s = self._limits.timeout_s if address else self._limits.timeout_s / 3
        try:
            if self._client is None:
                self._client = _client(self._servers, self._limits.timeout_s / 6)
            answer = await self._client.resolve(ask.name, ask.kind.value, lifetime=lifetime_s, search=address)
            records = tuple(_record(ask.kind, item) for item in answer)
        except (NXDOMAIN, NoAnswer):
            return (), 0.0
        except (DNSException, OSError, ValueError):
            return None
        if ask.kind is Kind.SRV:
            records = tuple(sorted(records, key=lambda r: r.priority if isinstance(r, Srv) else 0))
        return records[: self._limits.max_records], float(answer.chaining_result.minimum_ttl)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _answer(self, question: Resolve, targets: tuple[Target, ...]) -> None:
        edge = self._edges.get(question.edge)
        flows: tuple[Flow, ...] = ()
        if edge is not None:
            version = ipaddress.ip_address(edge.sip_bind.host).version
            fitting = [t for t in targets if ipaddress.ip_address(t.host).version == version]
            domain = (
                question.domain or question.host
            )  # the name that was asked for, not a server's (RFC 5922 7.1)
            flows = tuple(
                Flow(t.transport, Address(t.host, t.port), edge.name, domain=domain_of(t.transport, domain))
                for t in fitting[: self._limits.max_addresses]
            )
        self._on_resolved(Resolved(query=question.query, flows=flows))


def _numeric(question: Resolve, wanted: Wanted | None) -> tuple[Target, ...] | None:
    """The target when the host is an address and no name; None when it is one."""
    try:
        host = str(ipaddress.ip_address(question.host.strip("[]")))
    except ValueError:
        return None
    if wanted is None or not wanted.usable:
        return ()
    return (Target(wanted.default, host, question.port or wanted.default.default_port),)


def _client(servers: Sequence[Address], patience_s: float) -> dns.asyncresolver.Resolver:
    """One that asks the next server when one has been silent for ``patience_s``."""
    client = dns.asyncresolver.Resolver(configure=not servers)
    if servers:
        client.nameservers = [dns.nameserver.Do53Nameserver(server.host, server.port) for server in servers]
    client.timeout = patience_s
    return client


def _record(kind: Kind, item: Any) -> Record:
    match kind:
        case Kind.NAPTR:
            return Naptr(
                order=item.order,
                preference=item.preference,
                flags=item.flags.decode("latin-1"),
                service=item.service.decode("latin-1"),
                replacement=_name(item.replacement),
            )
        case Kind.SRV:
            return Srv(priority=item.priority, weight=item.weight, port=item.port, target=_name(item.target))
        case Kind.A | Kind.AAAA:
            return str(item.address)


def _name(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower() if len(name) > 1 else ""
