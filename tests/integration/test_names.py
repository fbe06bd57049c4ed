"""Names over a real socket: name servers that err, are silent or lie; SRSs found by NAPTR and SRV."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from siprec_src.net.resolver import Resolver, ResolverLimits
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.vocabulary import Resolve, Resolved
from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, Daemon, free_port, patient, running, until
from tests.support.names import FORGED, POISON, SERVFAIL, SILENCE, NameServer, name_server
from tests.support.recorder import recorder

EDGE = Edge(
    name="default",
    sip_bind=Address(LOOPBACK, 5060),
    sip_advertised=Address(LOOPBACK, 5060),
    transports=(Transport.UDP, Transport.TCP),
    rtp_bind=LOOPBACK,
    rtp_advertised=LOOPBACK,
)
LIMITS = ResolverLimits(timeout_s=0.6, stale_patience_s=0.1, negative_ttl_s=0.05, stale_ttl_s=0.05)
PATIENCE_S = 30.0
HELD_S = 0.5  #: more CPU than this nobody may take without letting others have the loop


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


class Lookups:
    """A resolver that asks the scripted server, and how it ever held the loop."""

    def __init__(self, server: NameServer, limits: ResolverLimits = LIMITS) -> None:
        self.answers: asyncio.Queue[Resolved] = asyncio.Queue()
        self.resolver = Resolver(
            {"default": EDGE},
            self.answers.put_nowait,
            limits=limits,
            hosts=Path("/nonexistent"),
            servers=[Address(LOOPBACK, server.port)],
        )
        self.held_s = 0.0  #: the most CPU time between two turns of the loop
        self.beats = 0  #: turns of others while it looked up

    async def __call__(self, host: str) -> tuple[Flow, ...]:
        question = Resolve(query=1, host=host, port=None, transport=None, secure=False, edge="default")
        self.resolver.resolve(question)
        beat = asyncio.get_running_loop().create_task(self._beat())
        try:
            async with asyncio.timeout(PATIENCE_S):
                return (await self.answers.get()).flows
        finally:
            beat.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            self.held_s = max(self.held_s, time.thread_time() - before)
            self.beats += 1


@pytest.fixture
async def ask(names: NameServer) -> Lookups:
    return Lookups(names)


def flow(host: str, port: int = 5060, transport: Transport = Transport.UDP) -> Flow:
    return Flow(transport, Address(host, port), "default")


@pytest.mark.rfc("3263", "4.1", "4.2")
@pytest.mark.req("LOC-02", "LOC-03")
async def test_naptr_srv_and_addresses_over_the_wire(names: NameServer, ask: Lookups) -> None:
    names.zone = {
        ("srs.test", "NAPTR"): ['10 1 "s" "SIP+D2T" "" _sip._tcp.srs.test.', '5 1 "s" "X" "" x.srs.test.'],
        ("_sip._tcp.srs.test", "SRV"): ["2 0 5071 b.srs.test.", "1 0 5070 a.srs.test."],
        ("a.srs.test", "A"): ["192.0.2.1"],
        ("a.srs.test", "AAAA"): ["2001:db8::1"],
        ("b.srs.test", "A"): ["192.0.2.2"],
    }
    first, second = flow("192.0.2.1", 5070, Transport.TCP), flow("192.0.2.2", 5071, Transport.TCP)
    assert await ask("srs.test") == (first, second)
    asked = len(names.questions)
    assert await ask("srs.test") == (first, second)
    assert len(names.questions) == asked
    await ask.resolver.close()


async def test_no_such_name_and_a_server_that_fails_are_an_empty_answer(
    names: NameServer, ask: Lookups
) -> None:
    assert await ask("no.test") == ()
    names.fault = SERVFAIL
    assert await ask("other.test") == ()
    names.fault = SILENCE
    before = ask.beats
    assert await ask("third.test") == ()
    assert ask.beats > before + 3
    assert ask.held_s < HELD_S
    await ask.resolver.close()


@pytest.mark.parametrize("fault", [SERVFAIL, SILENCE])
async def test_what_was_known_stands_in_while_dns_is_down_and_is_replaced_after(
    names: NameServer, fault: str
) -> None:
    ask = Lookups(names, dataclasses.replace(LIMITS, timeout_s=2.0))
    names.zone, names.ttl_s = {("srs.test", "A"): ["192.0.2.1"]}, 0
    assert await ask("srs.test") == (flow("192.0.2.1"),)
    names.fault = fault
    before = time.monotonic()
    assert await ask("srs.test") == (flow("192.0.2.1"),)
    assert time.monotonic() - before < 2.0, "it did not wait for an answer"
    names.fault, names.zone = "", {("srs.test", "A"): ["192.0.2.2"]}
    async with asyncio.timeout(PATIENCE_S):
        while await ask("srs.test") != (flow("192.0.2.2"),):
            await asyncio.sleep(0.02)
    await ask.resolver.close()


@pytest.mark.req("LOC-05")
async def test_an_answer_without_life_is_asked_for_each_time(names: NameServer, ask: Lookups) -> None:
    names.zone, names.ttl_s = {("srs.test", "A"): ["192.0.2.1"]}, 0
    await ask("srs.test")
    names.zone = {("srs.test", "A"): ["192.0.2.2"]}
    assert await ask("srs.test") == (flow("192.0.2.2"),)
    await ask.resolver.close()


async def test_loops_floods_and_forgeries_are_bounded(names: NameServer, ask: Lookups) -> None:
    names.zone = {
        ("loop.test", "CNAME"): ["pool.test."],
        ("pool.test", "CNAME"): ["loop.test."],
        ("many.test", "A"): [f"192.0.{n // 250}.{n % 250 + 1}" for n in range(1000)],
        ("true.test", "A"): ["192.0.2.1"],
    }
    assert await ask("loop.test") == ()
    assert len(await ask("many.test")) == LIMITS.max_addresses
    names.fault = POISON
    found = await ask("true.test")
    assert FORGED not in {flow.remote.host for flow in found}
    assert ask.held_s < HELD_S
    await ask.resolver.close()


@contextlib.contextmanager
def daemon_with(
    directory: Path, names: NameServer, srs: str, bob: tuple[str, int], listen: int
) -> Iterator[Daemon]:
    config = f'[sip]\ndns_servers = ["{LOOPBACK}:{names.port}"]\n{srs}'
    route = f"sip:{bob[0]}:{bob[1]}"
    with running(directory, route=route, listen=listen, config=config) as daemon:
        yield daemon
        assert not daemon.events("machine.failed")


@pytest.mark.rfc("3263", "4.1", "4.2", "4.3")
@pytest.mark.req("SIP-15", "LOC-03", "LOC-05", "ERR-08")
def test_an_srs_is_found_by_srv_and_a_dead_target_costs_no_recording(
    tmp_path: Path, names: NameServer
) -> None:
    bob, listen = (LOOPBACK, free_port()), free_port()
    srs = '[[srs]]\nuri = "sip:recorder@srs.test"\nanswer_timeout_s = 4.0\n'
    with recorder(tmp_path) as good, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        dead = silent.getsockname()[1]
        names.zone = {
            ("srs.test", "NAPTR"): ['10 1 "s" "SIP+D2U" "" _sip._udp.srs.test.'],
            ("_sip._udp.srs.test", "SRV"): [f"1 0 {dead} a.srs.test.", f"2 0 {good.port} b.srs.test."],
            ("a.srs.test", "A"): [LOOPBACK],
            ("b.srs.test", "A"): [LOOPBACK],
        }
        with daemon_with(tmp_path, names, srs, bob, listen) as daemon:
            record_one(tmp_path, daemon, (LOOPBACK, listen), bob, 1)
            assert asked(silent) > 0
            record_one(tmp_path, daemon, (LOOPBACK, listen), bob, 2)
            assert asked(silent) == 0
            assert len(good.recordings(2)) == 2
            assert not daemon.events("recording.attempt-failed")
            assert daemon.metric("srs_up", srs="sip:recorder@srs.test") == 1


@pytest.mark.rfc("3261", "11.1")
@pytest.mark.req("LOC-05", "ERR-08")
def test_a_silent_srs_costs_only_the_first_calls_and_is_taken_again_when_it_answers(
    tmp_path: Path, names: NameServer
) -> None:
    bob, listen = (LOOPBACK, free_port()), free_port()
    with recorder(tmp_path) as good, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        name = f"sip:srs@{LOOPBACK}:{silent.getsockname()[1]}"
        uris = (f"{name};transport=udp", good.uri())
        srs = "[recording]\noptions_interval_s = 30\n" + "".join(f'[[srs]]\nuri = "{uri}"\n' for uri in uris)
        srs = srs.replace(f'{uris[0]}"\n', f'{uris[0]}"\nanswer_timeout_s = 1.0\n')
        with daemon_with(tmp_path, names, srs, bob, listen) as daemon:
            for number in (1, 2, 3, 4):
                record_one(tmp_path, daemon, (LOOPBACK, listen), bob, number)
            assert [line["srs"] for line in daemon.events("recording.attempt-failed")] == [name] * 3
            assert [line["srs"] for line in daemon.events("srs.down")] == [name]
            assert daemon.metric("srs_up", srs=name) == 0
            answer_options(silent)
            until(lambda: bool(daemon.events("srs.up")), 5, "the SRS is up again")
            assert daemon.metric("srs_up", srs=name) == 1


def record_one(
    directory: Path, daemon: Daemon, via: tuple[str, int], bob: tuple[str, int], number: int
) -> None:
    """The call of this number, which is recorded whatever SRS fails."""
    with Conversation(directory, via=via, bob_at=bob, seconds=0.5) as call:
        until(lambda: len(daemon.events("recording.begin")) == number, 10, "the recording begins")
        call.talk()
        call.assert_heard()
        call.hang_up()
    until(lambda: len(daemon.events("call.end")) == number, 5, "the end of the call")


def asked(silent: socket.socket) -> int:
    """How many INVITEs have come since this was asked last."""
    silent.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            count += silent.recv(65535).startswith(b"INVITE ")
    return count


def answer_options(server: socket.socket) -> None:
    """Refuse the next OPTIONS that comes: a sign of life all the same."""
    server.settimeout(patient(20))
    while True:
        data, peer = server.recvfrom(65535)
        if data.startswith(b"OPTIONS "):
            kept = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
            lines = [line for line in data.split(b"\r\n") if line.lower().startswith(kept)]
            server.sendto(b"\r\n".join((b"SIP/2.0 404 Not Found", *lines, b"", b"")), peer)
            return
