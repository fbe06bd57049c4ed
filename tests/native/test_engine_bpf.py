"""The relay in the kernel outlives the process that made it, and leaves nothing when it is told to end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from siprec_src.media.engine import Engine, try_relay
from siprec_src.media.model import MediaIo
from tests.native.engine_apart import LOW, EngineApart
from tests.native.engine_support import WAIT_S, Peer, read_rtp, rtp
from tests.native.site import Site
from tests.native.test_host import bpf
from tests.native.wired import Wired
from tests.support import bpffs
from tests.support.namespaces import Wire

_MAP_CREATE, _OBJ_PIN = 0, 6
_ARRAY = 2


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Path]:
    with bpffs.mounted(tmp_path) as place:
        yield place / "test"


@pytest.fixture
def peers(common_wire: Wire) -> Iterator[list[Peer]]:
    """Caller, callee and SRS at the far end; the test is at the near one."""
    site = Site(MediaIo.BPF, common_wire)
    made = [site.peer() for _ in range(3)]
    with common_wire.inside():
        with bpffs.built():
            Engine(threads=1, io=MediaIo.BPF).close()
        yield made
    for peer in made:
        peer.close()


class Apart:
    """An engine in a process of its own, whose caller says one packet after the other."""

    def __init__(self, wire: Wire, pins: Path, peers: list[Peer]) -> None:
        self.wire, self.pins, self.peers = wire, pins, peers
        self.caller, self.callee, self.srs = peers
        self.sequence = 0

    def engine(self, io: MediaIo = MediaIo.BPF, *, bridged: bool = True) -> EngineApart:
        return EngineApart(self.wire.near_host, self.pins, self.peers, io=io, bridged=bridged)

    def say(self) -> bytes:
        self.sequence += 1
        packet = rtp(self.sequence, self.sequence * 160, payload=self.sequence.to_bytes(4) * 40)
        self.caller.rtp.sendto(packet, (self.wire.near_host, LOW + LOW % 2))
        return packet

    def is_heard(self, wait_s: float) -> bool:
        packet = self.say()
        try:
            return self.callee.receive(wait_s) == packet
        except AssertionError:
            return False

    def until_in_the_kernel(self, engine: EngineApart) -> None:
        """Speak until a stopped engine relays all the same."""
        for _ in range(200):
            assert self.is_heard(WAIT_S)
            engine.stop()
            heard = self.is_heard(0.05)
            engine.process.send_signal(signal.SIGCONT)
            if heard:
                return
            self.callee.receive()
        raise AssertionError("it is not relayed in the kernel")

    def leave_it_to_the_kernel(self) -> None:
        """Let an engine be killed as soon as the call is relayed in the kernel."""
        with self.engine() as killed:
            assert killed.is_ready(WAIT_S)
            self.until_in_the_kernel(killed)
            killed.process.kill()
            killed.process.wait()

    def until_told(self, engine: EngineApart) -> int:
        """Speak until the engine knows of it; the packets that it knows of."""
        for _ in range(1000):
            assert self.is_heard(WAIT_S)
            known: int = engine.ask("books")[0]["received"]
            if known != 0:
                return known
        raise AssertionError("the engine is not told of what is relayed")

    def is_attached(self) -> bool:
        told = self.wire.run("tc", "filter", "show", "dev", self.wire.near_device, "ingress")
        return "siprec_relay" in told


@pytest.fixture
def apart(common_wire: Wire, pins: Path, peers: list[Peer]) -> Apart:
    return Apart(common_wire, pins, peers)


def test_a_killed_engine_loses_no_packet_of_the_call_and_the_next_one_takes_it_up(apart: Apart) -> None:
    apart.leave_it_to_the_kernel()
    assert all(apart.is_heard(WAIT_S) for _ in range(50))
    with apart.engine() as engine:
        while not engine.is_ready(0.005):
            apart.say()  # it has no memory, so the call is made anew, and before it is bridged it is no flow
        apart.callee.hear_out()
        before = apart.until_told(engine)
        assert all(apart.is_heard(WAIT_S) for _ in range(50))
        assert engine.ask("books")[0]["received"] == before + 50
        engine.ask("close")
        assert not apart.is_attached()
        assert not apart.pins.exists()


def test_what_a_killed_engine_relayed_ends_when_its_port_is_no_flow_any_more(apart: Apart) -> None:
    apart.leave_it_to_the_kernel()
    with apart.engine(bridged=False) as engine:
        assert engine.is_ready(WAIT_S)
        assert not apart.is_heard(0.1)
        engine.ask("close")


def test_an_engine_that_wants_no_relay_ends_the_one_that_a_crash_has_left(apart: Apart) -> None:
    apart.leave_it_to_the_kernel()
    assert apart.is_attached()
    with apart.engine(MediaIo.SOCKETS) as engine:
        assert engine.is_ready(WAIT_S)
        assert not apart.is_attached()
        assert not apart.pins.exists()
        assert apart.is_heard(WAIT_S)


def _put_over(wire: Wire, kind: str) -> None:
    """Give the near end's addresses to an interface over its own."""
    lower, hosts = wire.near_device, (f"{wire.near_host}/24", f"{wire.near_host6}/64")
    if kind == "bridge":
        wire.ip("link", "add", "over0", "type", "bridge")
        wire.ip("link", "set", lower, "master", "over0")
    else:
        wire.ip("link", "add", "link", lower, "name", "over0", "type", kind, "mode", "bridge")
    wire.ip("address", "flush", "dev", lower)
    for host in hosts:
        wire.ip("address", "add", host, "dev", "over0", *(("nodad",) if ":" in host else ()))
    wire.ip("link", "set", "over0", "up")


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_an_interface_over_another_is_served_where_the_address_is(wire: Wire, pins: Path, kind: str) -> None:
    try:
        _put_over(wire, kind)
    except subprocess.CalledProcessError:
        pytest.skip(f"this kernel has no {kind}")
    site = Site(MediaIo.BPF, wire)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(contextlib.closing(site.peer())) for _ in range(3)]
        stack.enter_context(wire.inside())
        with bpffs.built():
            try_relay(str(pins))
        apart = Apart(wire, pins, peers)
        engine = stack.enter_context(apart.engine())
        assert engine.is_ready(WAIT_S)
        apart.until_in_the_kernel(engine)
        engine.ask("close")


def test_rings_of_another_number_of_threads_are_not_taken_up(apart: Apart) -> None:
    apart.leave_it_to_the_kernel()
    with apart.wire.inside(), Site(MediaIo.BPF, apart.wire).engine(threads=2, pins=str(apart.pins)):
        assert {pin.name for pin in apart.pins.iterdir()} >= {"ring0", "ring1"}
        assert apart.is_heard(WAIT_S), "it is still relayed as before"
    assert not apart.pins.exists()


def test_what_another_build_has_pinned_is_no_hindrance(common_wire: Wire, pins: Path) -> None:
    pins.mkdir(parents=True)
    strange = bpf(_MAP_CREATE, struct.pack("=IIIII", _ARRAY, 4, 8, 1, 0))
    path = ctypes.create_string_buffer(os.fsencode(pins / "flows"))
    bpf(_OBJ_PIN, struct.pack("=QI", ctypes.addressof(path), strange))
    os.close(strange)
    with common_wire.inside(), Site(MediaIo.BPF, common_wire).engine(pins=str(pins)):
        assert (pins / "ring0").exists()
    assert not pins.exists()


@pytest.fixture
def wired(common_wire: Wire, peers: list[Peer]) -> Iterator[Wired]:
    site = Site(MediaIo.BPF, common_wire)
    with site.engine() as engine, contextlib.closing(Wired(site, site.plane(engine))) as made:
        made.settle()
        yield made


def test_a_change_of_the_way_neither_loses_nor_repeats_a_packet_of_call_or_recording(wired: Wired) -> None:
    call, plane = wired.call, wired.call.plane
    before = plane.port_counters(call.caller_port)
    said = [rtp(before.received + 1 + number, payload=number.to_bytes(4) * 40) for number in range(1200)]
    for at in range(0, len(said), 25):
        way = (MediaIo.SOCKETS, MediaIo.PACKET, MediaIo.BPF, MediaIo.BPF)[at // 25 % 4]
        plane.engine.use(way)
        for packet in said[at : at + 25]:
            call.caller.send(packet, call.caller_port)
        heard = [call.callee.receive() for _ in range(25)]
        copies = [read_rtp(call.srs.receive()).payload for _ in range(25)]
        assert sorted(heard) == said[at : at + 25]
        assert sorted(copies) == [packet[12:] for packet in said[at : at + 25]]
    assert call.callee.is_quiet()
    books, reader = plane.port_counters(call.caller_port), plane.reader_counters(wired.reader)
    assert books.received - before.received == len(said)
    assert (books.lost, books.duplicate, reader.dropped_overrun, reader.dropped_stale) == (0, 0, 0, 0)


def test_two_engines_on_one_host_do_not_disturb_each_other(common_wire: Wire, pins: Path) -> None:
    site = Site(MediaIo.BPF, common_wire)
    with common_wire.inside(), contextlib.ExitStack() as stack:
        one = stack.enter_context(site.engine(pins=str(pins)))
        mine = stack.enter_context(contextlib.closing(Wired(site, site.plane(one))))
        mine.settle()
        with site.engine(pins=str(pins.with_name("other"))) as other:
            theirs = stack.enter_context(contextlib.closing(Wired(site, site.plane(other, 22000, 22999))))
            theirs.settle()
            assert mine.by_sockets(20) < 4
        assert mine.by_sockets(20) < 4
        assert pins.exists()
        assert not pins.with_name("other").exists()
