"""Names to addresses (RFC 3263 4.2: A and AAAA): numeric ones at once, else hosts file, cache, DNS.

A lookup never blocks the loop and always ends: within `ResolverLimits.timeout_s` there is an answer, which
may be empty. Lookups of the same name under way are one question. Answers live as long as their TTL says;
while DNS itself is silent or broken the last good one is used on (RFC 8767).
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dns.asyncresolver
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer

from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.target import default_transport, domain_of
from siprec_src.sip.vocabulary import Resolve, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOSTS_FILE: Final = Path("/etc/hosts")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolverLimits:
    """What lookups may cost."""

    timeout_s: float = 3.0  #: for all records of one name together
    max_lookups: int = 256  #: names asked for at one time; above it a name has no address
    max_cached: int = 4096  #: names
    max_ttl_s: float = 3600.0  #: of an answer, however long its owner allows
    negative_ttl_s: float = 5.0  #: of "no such name" and of silence
    max_addresses: int = 16  #: of one name; the rest is left out
    max_stale_s: float = 86_400.0  #: for which a good answer stands in when DNS fails (RFC 8767 5)
    stale_patience_s: float = 0.5  #: that a question waits for DNS when there is such an answer
    stale_ttl_s: float = 30.0  #: then it is used for so long without asking (RFC 8767 5)
    hosts_check_s: float = 5.0  #: how often the hosts file is looked at for a change


@dataclasses.dataclass(frozen=True, slots=True)
class _Cached:
    addresses: tuple[str, ...]
    expires: float
    stale_until: float = 0.0  #: until when it may stand in for an answer that does not come


class Resolver:
    """Answers `Resolve` effects with `Resolved` facts."""

    def __init__(
        self,
        edges: Mapping[str, Edge],
        on_resolved: Callable[[Resolved], None],
        *,
        limits: ResolverLimits | None = None,
        hosts: Path = HOSTS_FILE,
        client: dns.asyncresolver.Resolver | None = None,
    ) -> None:
        self._edges = edges
        self._on_resolved = on_resolved
        self._limits = limits or ResolverLimits()
        self._hosts = _HostsFile(hosts, self._limits.hosts_check_s)
        self._client = client
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._waiting: dict[str, list[Resolve]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def resolve(self, question: Resolve) -> None:
        """Find the flows for a question; the answer is told later, in the loop."""
        host = question.host.strip("[]").rstrip(".").lower()
        known = self._known(host)
        if known is not None:
            asyncio.get_running_loop().call_soon(self._answer, question, known)
        elif host in self._waiting:
            self._waiting[host].append(question)
        elif len(self._waiting) >= self._limits.max_lookups:
            asyncio.get_running_loop().call_soon(self._answer, question, ())
        else:
            self._waiting[host] = [question]
            task = asyncio.get_running_loop().create_task(self._look_up(host))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _known(self, host: str) -> tuple[str, ...] | None:
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            pass
        now = asyncio.get_running_loop().time()
        local = self._hosts.addresses(host, now)
        if local:
            return local
        cached = self._cache.get(host)
        return cached.addresses if cached is not None and cached.expires > now else None

    async def _look_up(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        stale = self._cache.get(host)
        if stale is not None and (not stale.addresses or stale.stale_until <= loop.time()):
            stale = None
        stand_in = loop.call_later(self._limits.stale_patience_s, self._use_stale, host, stale)
        found: tuple[_Cached | None, ...] = (None,)
        try:
            async with asyncio.timeout(self._limits.timeout_s + 0.5):
                found = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        except TimeoutError:
            pass
        finally:
            stand_in.cancel()
            self._learn(host, found, stale)

    def _learn(self, host: str, found: tuple[_Cached | None, ...], stale: _Cached | None) -> None:
        """Keep what was found, and answer who waits for it. None: DNS did not say."""
        questions = self._waiting.pop(host, [])
        now = asyncio.get_running_loop().time()
        good = [part for part in found if part is not None and part.addresses]
        if good:
            addresses = tuple(address for part in good for address in part.addresses)
            cached = _Cached(
                addresses[: self._limits.max_addresses],
                expires=min(part.expires for part in good),
                stale_until=now + self._limits.max_stale_s,
            )
        elif stale is not None and None in found:
            cached = dataclasses.replace(stale, expires=now + self._limits.stale_ttl_s)
        else:
            cached = _Cached((), expires=now + self._limits.negative_ttl_s)
        self._keep(host, cached, questions)

    def _use_stale(self, host: str, stale: _Cached | None) -> None:
        """Answer who waits with the last good answer; the question to DNS goes on."""
        if stale is not None and host in self._waiting:
            questions, self._waiting[host] = self._waiting[host], []
            now = asyncio.get_running_loop().time()
            self._keep(host, dataclasses.replace(stale, expires=now + self._limits.stale_ttl_s), questions)

    def _keep(self, host: str, cached: _Cached, questions: list[Resolve]) -> None:
        self._cache[host] = cached
        self._cache.move_to_end(host)
        if len(self._cache) > self._limits.max_cached:
            self._cache.popitem(last=False)
        for question in questions:
            self._answer(question, cached.addresses)

    async def _ask(self, host: str, record: str) -> _Cached | None:
        """All records of one type; none when there are none, None when DNS did not say."""
        try:
            if self._client is None:
                self._client = dns.asyncresolver.Resolver()
            answer = await self._client.resolve(host, record, lifetime=self._limits.timeout_s, search=True)
        except (NXDOMAIN, NoAnswer):
            return _Cached((), 0.0)
        except (DNSException, OSError, ValueError):
            return None
        ttl_s = min(float(answer.rrset.ttl) if answer.rrset is not None else 0.0, self._limits.max_ttl_s)
        return _Cached(
            tuple(item.address for item in answer), expires=asyncio.get_running_loop().time() + ttl_s
        )

    def _answer(self, question: Resolve, addresses: tuple[str, ...]) -> None:
        edge = self._edges.get(question.edge)
        flows: tuple[Flow, ...] = ()
        transport = _transport(question, edge) if edge is not None else None
        if edge is not None and transport is not None and transport in edge.transports:
            version = ipaddress.ip_address(edge.sip_bind.host).version
            port = question.port or transport.default_port
            domain = question.domain or question.host
            flows = tuple(
                Flow(transport, Address(host, port), edge.name, domain=domain_of(transport, domain))
                for host in addresses
                if ipaddress.ip_address(host).version == version
            )
        self._on_resolved(Resolved(query=question.query, flows=flows))


def _transport(question: Resolve, edge: Edge) -> Transport:
    """The transport asked for, else UDP where the edge has it (RFC 3263 4.1, without NAPTR and SRV)."""
    if question.secure:
        return Transport.TLS
    return question.transport or default_transport(edge)


class _HostsFile:
    """The system's own list of names, read again when it changes (hosts(5))."""

    def __init__(self, path: Path, check_s: float) -> None:
        self._path = path
        self._check_s = check_s
        self._next_check = 0.0
        self._stamp: tuple[int, int] | None = None
        self._names: dict[str, tuple[str, ...]] = {}

    def addresses(self, host: str, now: float) -> tuple[str, ...]:
        if now >= self._next_check:
            self._next_check = now + self._check_s
            self._reload()
        found = self._names.get(host, ())
        # RFC 6761 6.3: localhost is this machine, whatever anybody says.
        return found or (("127.0.0.1", "::1") if host == "localhost" else ())

    def _reload(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            self._names = {}
            self._stamp = None
            return
        self._stamp = stamp
        names: dict[str, tuple[str, ...]] = {}
        for line in text.splitlines():
            address, *aliases = line.partition("#")[0].split() or ("",)
            try:
                numeric = str(ipaddress.ip_address(address.partition("%")[0]))
            except ValueError:
                continue
            for alias in aliases:
                name = alias.lower().rstrip(".")
                names[name] = (*names.get(name, ()), numeric)
        self._names = names
