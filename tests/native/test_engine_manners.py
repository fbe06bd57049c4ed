"""Real-time manners: who comes first, who waits for nobody, and what a pause of the engine leaves behind."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import statistics
import struct
import time
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from siprec_src.media.engine import Engine
from siprec_src.media.model import Endpoint
from siprec_src.media.plane import BridgePorts, ConnectPort, OpenPort, SilenceChanged
from tests.native.engine_support import QUIET_S, WAIT_S, Call, Peer, Plane, read_rtp, rtp
from tests.native.process import MediaProcess
from tests.native.site import ENGINES, Site
from tests.support.namespaces import Wire

CALLS = 6
NOBODY = "10.97.0.99"  #: an address on the wire
FROZEN_PACKETS = 500  #: what a party says in ten seconds
SPEAKERS = 150  #: more than one turn takes
SILENCE_S = 0.6
BEGIN = 100  #: by then every call is heard
SPACINGS_S = (0.005, 0.02, 0.001, 0.03)
SAME_SPACING_S = (
    0.005  #: a quarter of what lies between two packets of speech, for a machine that has much to do
)
_SO_TIMESTAMPNS = 35
_NS_PER_S = 1_000_000_000


@pytest.fixture
def process(site: Site) -> Iterator[MediaProcess]:
    with contextlib.closing(MediaProcess(site.io)) as made:
        yield made


@pytest.fixture
def calls(site: Site, process: MediaProcess) -> Iterator[list[Call]]:
    plane = site.plane(cast("Engine", process))
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(contextlib.closing(site.call(plane))) for _ in range(CALLS)]
        for call in made:
            call.attach()
            for party in (call.callee, call.srs):
                stamp(party)
            hear_caller(call, 1)
        yield made


def stamp(peer: Peer) -> None:
    """Have the kernel say when it received what is read there."""
    peer.rtp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def received_ns(peer: Peer) -> int:
    """When the oldest packet there came."""
    peer.rtp.settimeout(WAIT_S)
    _, control, _, _ = peer.rtp.recvmsg(2048, 64)
    ((_, _, came),) = control
    seconds, nanoseconds = struct.unpack("qq", came)
    return int(seconds * _NS_PER_S + nanoseconds)


def speech(sequence: int) -> bytes:
    """A packet that is like no other."""
    return rtp(sequence, sequence * 160, payload=sequence.to_bytes(4) * 40)


def speak_until_heard(speaker: Peer, port: OpenPort, hearers: Sequence[Peer], sequence: int) -> int:
    """A party speaks until the newest is heard by all, whatever they have still to read; its number."""
    for _ in Plane.rounds(WAIT_S):
        speaker.send(packet := speech(sequence), port)
        with contextlib.suppress(AssertionError):
            for hearer in hearers:
                while hearer.receive(0.1)[12:] != packet[12:]:
                    continue
            return sequence
        sequence += 1
    raise AssertionError("it is not served")


def hear_caller(call: Call, sequence: int) -> int:
    return speak_until_heard(call.caller, call.caller_port, (call.callee, call.srs), sequence)


def test_what_waits_is_relayed_for_all_before_any_of_it_is_copied(
    process: MediaProcess, calls: list[Call]
) -> None:
    with process.frozen():
        for call in calls:
            call.caller.send(speech(BEGIN), call.caller_port)
    relayed = [received_ns(call.callee) for call in calls]
    copied = [received_ns(call.srs) for call in calls]
    assert max(relayed) < min(copied)


def test_an_engine_that_was_frozen_under_load_serves_every_port_again(
    process: MediaProcess, calls: list[Call]
) -> None:
    with process.frozen():
        for sequence in range(BEGIN, BEGIN + FROZEN_PACKETS):
            for call in calls:
                call.caller.send(speech(sequence), call.caller_port)
                call.callee.send(speech(sequence), call.callee_port)
    for call in calls:
        last = hear_caller(call, BEGIN + FROZEN_PACKETS)
        books = call.plane.port_counters(call.caller_port)
        assert books.received + books.lost == last
        assert books.relayed == books.received
        last = speak_until_heard(call.callee, call.callee_port, (call.caller,), BEGIN + FROZEN_PACKETS)
        books = call.plane.port_counters(call.callee_port)
        assert books.received + books.lost == last - BEGIN + 1
    listening = [peer.rtp for call in calls for peer in (call.caller, call.callee, call.srs)]
    assert not select.select(listening, [], [], QUIET_S)[0], "the newest was not the last to be heard"


@pytest.fixture
def parties(site: Site) -> Iterator[tuple[Peer, Peer]]:
    with contextlib.closing(site.peer()) as one, contextlib.closing(site.peer()) as other:
        yield one, other


def test_nobody_is_called_silent_for_a_pause_of_the_engine(site: Site, parties: tuple[Peer, Peer]) -> None:
    with contextlib.closing(MediaProcess(site.io, silence_ms=int(SILENCE_S * 1000))) as process:
        plane = site.plane(cast("Engine", process))
        speakers = list(zip(plane.open(SPEAKERS), itertools.cycle(parties), strict=False))
        for port, party in speakers:
            plane.do(ConnectPort(tag=plane.next_tag(), port=port.port, remote=party.endpoint))
        for (one, _), (other, _) in zip(speakers[::2], speakers[1::2], strict=True):
            plane.do(BridgePorts(tag=plane.next_tag(), a=one.port, b=other.port))

        def speak(sequences: range) -> None:
            for sequence in sequences:
                for port, party in speakers:
                    party.send(speech(sequence), port)
                time.sleep(SILENCE_S / 10)

        speak(range(1, 3))
        with process.frozen():
            speak(range(3, 15))
        speak(range(15, 18))
        plane.port_counters(speakers[0][0])
        assert [event for event in plane.events if isinstance(event, SilenceChanged)] == []


def test_packets_leave_as_far_apart_as_they_came(call: Call) -> None:
    stamp(call.callee)
    stamp(call.srs)
    call.attach()
    hear_caller(call, 1)
    delays_ns: list[tuple[int, int]] = []
    for number in range(40):
        time.sleep(SPACINGS_S[number % len(SPACINGS_S)])
        sent_ns = time.time_ns()
        call.caller.send(speech(2 + number), call.caller_port)
        delays_ns.append((received_ns(call.callee) - sent_ns, received_ns(call.srs) - sent_ns))
    for delays in zip(*delays_ns, strict=True):
        moved = [abs(after - before) for before, after in itertools.pairwise(delays)]
        assert statistics.median(moved) < SAME_SPACING_S * _NS_PER_S


@pytest.fixture(params=ENGINES, ids=lambda io: io.value)
def own_site(request: pytest.FixtureRequest, wire: Wire) -> Iterator[Site]:
    made = Site(request.param, wire)
    with made.entered():
        yield made


def test_an_srs_that_takes_nothing_costs_nobody_else_a_packet(wire: Wire, own_site: Site) -> None:
    """Its packets wait for a neighbour that does not answer, until its socket has no room for more."""
    queue = f"/proc/sys/net/ipv4/neigh/{wire.near_device}/unres_qlen_bytes"
    wire.run("sh", "-c", f"echo 100000000 > {queue}")
    with own_site.engine() as engine, contextlib.closing(own_site.call(own_site.plane(engine))) as call:
        plane = call.plane
        healthy = call.attach()
        via = plane.open_near(call.via)
        starving = call.attach(via=via.port, remote=Endpoint(NOBODY, 40000), ssrc=3)
        for sequence in range(1, 601):
            call.caller.send(packet := speech(sequence), call.caller_port)
            assert call.callee.receive() == packet
            assert read_rtp(call.srs.receive()).payload == packet[12:]
        books = plane.reader_counters(starving)
        assert books.dropped_full > 0
        assert books.delivered + books.dropped_full == books.offered == 600
        assert plane.reader_counters(healthy).delivered == 600
        assert plane.port_counters(call.caller_port).relayed == 600
