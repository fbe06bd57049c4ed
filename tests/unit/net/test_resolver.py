"""Names become flows: numeric at once, hosts file, cache by TTL, DNS, and always an answer."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.exception
import dns.rdata
import dns.resolver
import pytest

from siprec_src.net.resolver import Resolver, ResolverLimits
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.vocabulary import Resolve, Resolved

EDGE = Edge(
    name="default",
    sip_bind=Address("127.0.0.1", 5060),
    sip_advertised=Address("127.0.0.1", 5060),
    transports=(Transport.UDP, Transport.TCP),
    rtp_bind="127.0.0.1",
    rtp_advertised="127.0.0.1",
)


class Dns:
    """Answers from a dictionary; counts questions; an unknown name does not exist."""

    def __init__(self, records: dict[tuple[str, str], list[str]], ttl: int = 60) -> None:
        self.records = records
        self.ttl = ttl
        self.questions: list[tuple[str, str]] = []
        self.gate: asyncio.Event | None = None
        self.broken = False
        self.mute: set[str] = set()  #: types that are never answered

    async def resolve(self, host: str, record: str, lifetime: float, **_: Any) -> Any:
        self.questions.append((host, record))
        if self.gate is not None:
            await self.gate.wait()
        if record in self.mute:
            await asyncio.sleep(lifetime)
            raise dns.exception.Timeout
        if self.broken:
            raise dns.exception.DNSException
        if (host, record) not in self.records:
            raise dns.resolver.NXDOMAIN
        data = [dns.rdata.from_text("IN", record, text) for text in self.records[host, record]]
        return Answer(data, self.ttl)

    def asked(self, record: str) -> int:
        """How often records of this type were asked for."""
        return sum(kind == record for _, kind in self.questions)


class Answer(list[Any]):
    def __init__(self, items: list[Any], ttl: int) -> None:
        super().__init__(items)
        self.chaining_result = SimpleNamespace(minimum_ttl=ttl)


class Asked:
    """A resolver whose answers can be awaited."""

    def __init__(self, dns: Dns, hosts: Path, limits: ResolverLimits | None = None) -> None:
        self.answers: asyncio.Queue[Resolved] = asyncio.Queue()
        edges = {
            "default": EDGE,
            "six": dataclasses.replace(EDGE, name="six", sip_bind=Address("::1", 5060)),
            "tls": dataclasses.replace(EDGE, name="tls", transports=(Transport.TLS,)),
        }
        self.resolver = Resolver(edges, self.answers.put_nowait, limits=limits, hosts=hosts, client=dns)  # type: ignore[arg-type] # has what is used

    async def __call__(self, host: str, **changes: Any) -> tuple[Flow, ...]:
        question = Resolve(query=1, host=host, port=None, transport=None, secure=False, edge="default")
        self.resolver.resolve(dataclasses.replace(question, **changes))
        async with asyncio.timeout(5):
            return (await self.answers.get()).flows


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    file = tmp_path / "hosts"
    file.write_text("# comment\n192.0.2.7  recorder recorder.lan # here\n::1 six.lan\nnonsense\n")
    return file


def flow(host: str, port: int = 5060, transport: Transport = Transport.UDP, edge: str = "default") -> Flow:
    return Flow(transport, Address(host, port), edge)


@pytest.mark.rfc("3263", "4.2")
async def test_a_numeric_host_is_no_question(hosts: Path) -> None:
    dns = Dns({})
    ask = Asked(dns, hosts)
    assert await ask("192.0.2.1") == (flow("192.0.2.1"),)
    assert await ask("192.0.2.1", port=5080, transport=Transport.TCP) == (
        flow("192.0.2.1", 5080, Transport.TCP),
    )
    assert await ask("[2001:db8::1]", edge="six") == (flow("2001:db8::1", edge="six"),)
    assert dns.questions == []


async def test_an_address_of_the_other_family_than_the_edge_is_no_way(hosts: Path) -> None:
    dns = Dns({("dual.example", "A"): ["192.0.2.1"], ("dual.example", "AAAA"): ["2001:db8::1"]})
    ask = Asked(dns, hosts)
    assert await ask("dual.example") == (flow("192.0.2.1"),)
    assert await ask("dual.example", edge="six") == (flow("2001:db8::1", edge="six"),)


async def test_the_hosts_file_goes_before_dns(hosts: Path) -> None:
    dns = Dns({("recorder.lan", "A"): ["192.0.2.99"]})
    ask = Asked(dns, hosts, ResolverLimits(hosts_check_s=0.0))
    assert await ask("Recorder.LAN.") == (flow("192.0.2.7"),)
    assert await ask("localhost") == (flow("127.0.0.1"),)
    hosts.write_text("192.0.2.8 recorder.lan now\n")
    assert await ask("recorder.lan") == (flow("192.0.2.8"),)
    assert dns.questions == []


@pytest.mark.rfc("5922", "7.1")
@pytest.mark.req("TRN-10")
async def test_who_is_to_be_proved_is_the_host_of_the_uri_not_what_it_became(hosts: Path) -> None:
    dns = Dns({("srs.example", "A"): ["192.0.2.1", "192.0.2.2"]})
    ask = Asked(dns, hosts)
    found = await ask("srs.example", edge="tls", transport=Transport.TLS, domain="SRS.Example")
    assert [(way.remote.port, way.domain) for way in found] == [(5061, "srs.example")] * 2
    assert await ask("srs.example", edge="tls", secure=True) == found
    assert await ask("srs.example", edge="tls") == found
    assert await ask("srs.example", secure=True) == ()


async def test_an_answer_lives_as_long_as_its_ttl(hosts: Path) -> None:
    dns = Dns({("srs.example", "A"): ["192.0.2.1", "192.0.2.2"]}, ttl=60)
    ask = Asked(dns, hosts)
    both = (flow("192.0.2.1"), flow("192.0.2.2"))
    assert await ask("srs.example") == await ask("SRS.example") == both
    assert dns.asked("A") == dns.asked("NAPTR") == 1
    brief = Asked(dns, hosts, ResolverLimits(max_ttl_s=0.0))
    assert await brief("srs.example") == await brief("srs.example") == both
    assert dns.asked("A") == 3


async def test_a_name_that_does_not_exist_is_answered_and_not_asked_for_again_at_once(hosts: Path) -> None:
    dns = Dns({})
    ask = Asked(dns, hosts)
    assert await ask("no.example") == await ask("no.example") == ()
    assert dns.asked("A") == dns.asked("SRV") / 2 == 1


async def test_silence_of_dns_is_an_empty_answer(hosts: Path) -> None:
    dns = Dns({})
    dns.gate = asyncio.Event()
    ask = Asked(dns, hosts, ResolverLimits(timeout_s=0.01))
    assert await ask("slow.example") == ()


async def test_one_name_is_one_question_however_many_wait(hosts: Path) -> None:
    dns = Dns({("srs.example", "A"): ["192.0.2.1"]})
    dns.gate = asyncio.Event()
    ask = Asked(dns, hosts, ResolverLimits(max_lookups=1))
    question = Resolve(query=1, host="srs.example", port=None, transport=None, secure=False, edge="default")
    for _ in range(3):
        ask.resolver.resolve(question)
    assert await ask("other.example") == ()
    dns.gate.set()
    async with asyncio.timeout(5):
        answers = [await ask.answers.get() for _ in range(3)]
    assert answers == [Resolved(query=1, flows=(flow("192.0.2.1"),))] * 3
    assert dns.asked("A") == 1


@pytest.mark.parametrize(
    "changes", [{"secure": True}, {"transport": Transport.TLS}, {"edge": "nowhere"}], ids=str
)
async def test_a_transport_or_edge_that_is_not_there_is_no_way(hosts: Path, changes: dict[str, Any]) -> None:
    assert await Asked(Dns({}), hosts)("192.0.2.1", **changes) == ()


STALE = ResolverLimits(timeout_s=5.0, stale_patience_s=0.0, stale_ttl_s=30.0)


async def test_the_last_good_answer_stands_in_while_dns_is_broken(hosts: Path) -> None:
    dns = Dns({("a.example", "A"): ["192.0.2.1"]}, ttl=0)
    asked = Asked(dns, hosts, STALE)
    good = await asked("a.example")
    dns.broken = True
    assert await asked("a.example") == good
    assert await asked("a.example") == good
    assert dns.asked("A") == 2


async def test_with_a_good_answer_nobody_waits_for_a_silent_dns(hosts: Path) -> None:
    dns = Dns({("a.example", "A"): ["192.0.2.1"]}, ttl=0)
    asked = Asked(dns, hosts, STALE)
    good = await asked("a.example")
    dns.gate = asyncio.Event()
    assert await asked("a.example") == good
    assert await asked("a.example") == good
    dns.records = {("a.example", "A"): ["192.0.2.2"]}
    dns.gate.set()
    await asyncio.gather(*asked.resolver._tasks)
    dns.broken = True
    assert [flow.remote.host for flow in await asked("a.example")] == ["192.0.2.2"]


async def test_a_name_that_is_gone_is_gone(hosts: Path) -> None:
    dns = Dns({("a.example", "A"): ["192.0.2.1"]}, ttl=0)
    asked = Asked(dns, hosts, ResolverLimits())
    assert await asked("a.example")
    dns.records = {}
    assert await asked("a.example") == ()


async def test_a_thousand_records_are_not_all_tried(hosts: Path) -> None:
    dns = Dns({("a.example", "A"): [f"192.0.2.{n % 250 + 1}" for n in range(1000)]})
    assert len(await Asked(dns, hosts)("a.example")) == 16


NAPTR = [
    '10 10 "s" "SIPS+D2T" "" _sips._tcp.a.example.',
    '20 10 "s" "SIP+D2T" "" _sip._tcp.a.example.',
    '30 10 "s" "SIP+D2U" "" _sip._udp.a.example.',
]


@pytest.mark.rfc("3263", "4.1", "4.2")
@pytest.mark.req("LOC-02", "SIP-15")
async def test_naptr_leads_to_srv_and_srv_to_addresses(hosts: Path) -> None:
    dns = Dns(
        {
            ("a.example", "NAPTR"): NAPTR,
            ("_sip._tcp.a.example", "SRV"): ["20 0 5070 two.example.", "10 0 5080 one.example."],
            ("one.example", "A"): ["192.0.2.1"],
            ("two.example", "A"): ["192.0.2.2", "192.0.2.3"],
            ("a.example", "A"): ["192.0.2.9"],
        }
    )
    ask = Asked(dns, hosts)
    assert await ask("a.example") == (
        flow("192.0.2.1", 5080, Transport.TCP),
        flow("192.0.2.2", 5070, Transport.TCP),
        flow("192.0.2.3", 5070, Transport.TCP),
    )
    before = len(dns.questions)
    assert len(await ask("a.example")) == 3
    assert len(dns.questions) == before


@pytest.mark.rfc("3263", "4.1")
async def test_a_server_that_is_silent_about_naptr_does_not_hide_the_address(hosts: Path) -> None:
    dns = Dns({("a.example", "A"): ["192.0.2.1"]})
    dns.mute = {"NAPTR", "SRV"}
    ask = Asked(dns, hosts, ResolverLimits(timeout_s=0.03))
    assert await ask("a.example") == (flow("192.0.2.1"),)


@pytest.mark.req("LOC-05")
async def test_a_service_that_is_gone_from_dns_is_used_on_only_while_dns_does_not_say(hosts: Path) -> None:
    records = {("_sip._udp.a.example", "SRV"): ["0 0 5080 b.example."], ("b.example", "A"): ["192.0.2.1"]}
    dns = Dns(records, ttl=0)
    ask = Asked(dns, hosts, STALE)
    good = (flow("192.0.2.1", 5080),)
    assert await ask("a.example") == good
    dns.broken = True
    assert await ask("a.example") == good
    fresh = Asked(Dns({("a.example", "A"): ["192.0.2.2"]}), hosts)
    assert await fresh("a.example") == (flow("192.0.2.2"),)


async def test_the_cache_is_bounded(hosts: Path) -> None:
    dns = Dns({(f"{n}.example", "A"): ["192.0.2.1"] for n in range(20)})
    ask = Asked(dns, hosts, ResolverLimits(max_cached=10))
    for n in range(20):
        assert await ask(f"{n}.example", port=5060)
    assert len(ask.resolver._cache) == 10
    assert not ask.resolver._pending
    assert not ask.resolver._names
