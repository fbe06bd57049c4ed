"""The ring in which a thread is told what the kernel relays is one for all its flows."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import cast

import pytest

from siprec_src.app.lifeline import die_with
from siprec_src.media.engine import Engine
from siprec_src.media.model import MediaIo, ReaderId
from tests.native.engine_support import WAIT_S, Call, read_rtp, rtp
from tests.native.process import MediaProcess
from tests.native.site import Site
from tests.support import bpffs
from tests.support.namespaces import Wire

_SIZE = 528
_RING_PACKETS = 27_594  #: of that size fill it
_CALLS = 64
_EACH = 440  #: packets of a flow, which at no time are too much of it
_SPOKEN = 20
_REVIEW_S = 0.03  #: meanwhile an engine that runs has looked again which flows it can place

Recorded = list[tuple[Call, ReaderId]]


@pytest.fixture
def site(common_wire: Wire) -> Iterator[Site]:
    made = Site(MediaIo.BPF, common_wire)
    with made.entered():
        with bpffs.built():
            Engine(threads=1, io=MediaIo.BPF).close()
        yield made


@pytest.fixture
def process(site: Site) -> Iterator[MediaProcess]:
    with contextlib.closing(MediaProcess(site.io)) as made:
        yield made


@contextlib.contextmanager
def recorded_calls(site: Site, engine: Engine, count: int) -> Iterator[Recorded]:
    plane = site.plane(engine)
    with contextlib.ExitStack() as stack:
        calls = [stack.enter_context(contextlib.closing(site.call(plane))) for _ in range(count)]
        yield [(call, call.attach()) for call in calls]


def said(sequence: int, size: int = 160) -> bytes:
    return rtp(sequence, sequence * 160, payload=sequence.to_bytes(4) * (size // 4))


def is_heard(call: Call, packet: bytes, wait_s: float) -> bool:
    try:
        return call.callee.receive(wait_s) == packet
    except AssertionError:
        return False


def until_in_the_kernel(process: MediaProcess, recorded: Recorded) -> int:
    """All callers speak until a frozen engine relays all of it; how many packets each has said."""
    for sequence in range(1, 100):
        packet = said(sequence)
        with process.frozen():
            for call, _ in recorded:
                call.caller.send(packet, call.caller_port)
            late = [call for call, _ in recorded if not is_heard(call, packet, 0.01)]
        if not late:
            return sequence
        assert all(is_heard(call, packet, WAIT_S) for call in late)
        for _ in late[0].plane.rounds(_REVIEW_S):
            late[0].plane.port_counters(late[0].caller_port)
    raise AssertionError("it is not relayed in the kernel")


def test_an_engine_that_stands_still_loses_no_packet_of_a_call_and_names_those_of_the_recording(
    site: Site, process: MediaProcess
) -> None:
    assert _CALLS * _EACH > _RING_PACKETS
    with recorded_calls(site, cast("Engine", process), _CALLS) as recorded:
        before = until_in_the_kernel(process, recorded)
        with process.frozen():
            for sequence in range(before + 1, before + _EACH + 1):
                packet = said(sequence, _SIZE)
                for call, _ in recorded:
                    call.caller.send(packet, call.caller_port)
                assert all(is_heard(call, packet, WAIT_S) for call, _ in recorded)
        dropped = 0
        for call, reader in recorded:
            books, copies = call.plane.port_counters(call.caller_port), call.plane.reader_counters(reader)
            assert (books.received, books.relayed, books.lost) == (before + _EACH, before + _EACH, 0)
            assert copies.offered == before + _EACH
            assert copies.delivered + copies.dropped_send + copies.dropped_overrun == copies.offered
            dropped += copies.dropped_overrun
        assert 0 < dropped < _CALLS * _EACH


def test_a_flood_of_one_call_costs_another_none_of_its_copies(site: Site, process: MediaProcess) -> None:
    with recorded_calls(site, cast("Engine", process), 2) as recorded:
        (loud, _), (other, reader) = recorded
        before = until_in_the_kernel(process, recorded)
        with process.frozen():
            for sequence in range(before + 1, before + _RING_PACKETS + 1):
                loud.caller.send(said(sequence, _SIZE), loud.caller_port)
            for sequence in range(before + 1, before + _SPOKEN + 1):
                other.caller.send(packet := said(sequence), other.caller_port)
                assert is_heard(other, packet, WAIT_S)
        for sequence in range(1, before + _SPOKEN + 1):
            assert read_rtp(other.srs.receive()).payload == said(sequence)[12:]
        copies = other.plane.reader_counters(reader)
        assert (copies.delivered, copies.dropped_overrun) == (before + _SPOKEN, 0)


@contextlib.contextmanager
def flooded(recorded: Recorded) -> Iterator[None]:
    """The callers say more than can be copied, in a process of its own."""
    parent = os.getpid()
    child = os.fork()
    while child == 0:
        die_with(parent)
        for sequence in range(1 << 16):
            packet = rtp(sequence)
            for call, _ in recorded:
                call.caller.send(packet, call.caller_port)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_command_is_carried_out_while_packets_come_faster_than_they_are_taken(site: Site) -> None:
    with site.engine() as engine, recorded_calls(site, engine, _CALLS // 2) as recorded:
        for call, _ in recorded:
            for ssrc in range(1, 4):
                call.attach(ssrc=ssrc)
        call, _ = recorded[0]
        with flooded(recorded):
            call.plane.until(lambda: call.plane.port_counters(call.caller_port).received > 500)
