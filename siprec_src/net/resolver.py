"""Names to addresses (RFC 3263 4.2: A and AAAA): numeric ones at once, else hosts file, cache, DNS.

A lookup never blocks the loop and always ends: within `ResolverLimits.timeout_s` there is an answer, which
may be empty. Lookups of the same name under way are one question. Answers live as long as their TTL says.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.vocabulary import Resolve, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dns.asyncresolver import Resolver as DnsResolver

HOSTS_FILE: Final = Path("/etc/hosts")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolverLimits:
    """What lookups may cost."""

    timeout_s: float = 3.0  #: for all records of one name together
    max_lookups: int = 256  #: names asked for at one time; above it a name has no address
    max_cached: int = 4096  #: names
    max_ttl_s: float = 3600.0  #: of an answer, however long its owner allows
    negative_ttl_s: float = 5.0  #: of "no such name" and of silence
    hosts_check_s: float = 5.0  #: how often the hosts file is looked at for a change


class Resolver:
    """Answers `Resolve` effects with `Resolved` facts."""

    def __init__(
        self,
        edges: Mapping[str, Edge],
        on_resolved: Callable[[Resolved], None],
        *,
        limits: ResolverLimits | None = None,
        hosts: Path = HOSTS_FILE,
        dns: DnsResolver | None = None,
    ) -> None:
        self._edges = edges
        self._on_resolved = on_resolved
        self._limits = limits or ResolverLimits()
        self._hosts = _HostsFile(hosts, self._limits.hosts_check_s)
        self._dns = dns
        self._cache: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
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
        expires, addresses = self._cache.get(host, (0.0, ()))
        return addresses if expires > now else None

    async def _look_up(self, host: str) -> None:
        addresses: tuple[str, ...] = ()
        ttl_s = self._limits.negative_ttl_s
        try:
            async with asyncio.timeout(self._limits.timeout_s + 0.5):
                found = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
            addresses = tuple(address for part, _ in found for address in part)
            if addresses:
                ttl_s = min(ttl for part, ttl in found if part)
        except TimeoutError:
            pass
        finally:
            loop = asyncio.get_running_loop()
            self._cache[host] = (loop.time() + min(ttl_s, self._limits.max_ttl_s), addresses)
            self._cache.move_to_end(host)
            if len(self._cache) > self._limits.max_cached:
                self._cache.popitem(last=False)
            for question in self._waiting.pop(host, ()):
                self._answer(question, addresses)

    async def _ask(self, host: str, record: str) -> tuple[tuple[str, ...], float]:
        from dns.exception import DNSException

        try:
            answer = await self._client().resolve(host, record, lifetime=self._limits.timeout_s, search=True)
        except (DNSException, OSError, ValueError):
            return (), 0.0
        ttl_s = float(answer.rrset.ttl) if answer.rrset is not None else 0.0
        return tuple(item.address for item in answer), ttl_s

    def _client(self) -> DnsResolver:
        if self._dns is None:
            import dns.asyncresolver

            self._dns = dns.asyncresolver.Resolver()
        return self._dns

    def _answer(self, question: Resolve, addresses: tuple[str, ...]) -> None:
        edge = self._edges.get(question.edge)
        flows: tuple[Flow, ...] = ()
        transport = _transport(question)
        if edge is not None and transport in edge.transports:
            version = ipaddress.ip_address(edge.sip_bind.host).version
            port = question.port or transport.default_port
            flows = tuple(
                Flow(transport, Address(host, port), edge.name)
                for host in addresses
                if ipaddress.ip_address(host).version == version
            )
        self._on_resolved(Resolved(query=question.query, flows=flows))


def _transport(question: Resolve) -> Transport:
    """The transport asked for, else UDP (RFC 3263 4.1, without NAPTR and SRV)."""
    if question.secure:
        return Transport.TLS
    return question.transport or Transport.UDP


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
