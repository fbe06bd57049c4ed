"""An engine goes on with the memory and the sockets of another; what a kill leaves is a copy of them here."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import pytest

from siprec_src.media.engine import Engine
from siprec_src.media.keeping import PortSockets, Resumed, SocketsOpened
from siprec_src.media.model import PortId, Sound, Tone
from siprec_src.media.plane import (
    ClosePorts,
    DetachReader,
    OpenPort,
    OpenPorts,
    PlayTone,
    PortsClosed,
    PortsOpen,
    ReaderDetached,
    Refused,
)
from tests.native.engine_support import Call, read_rtp, rtp
from tests.native.site import Site

SMALL: dict[str, Any] = {"max_ports_per_thread": 64, "max_readers_per_thread": 64}
LOUD = Sound(frequency_hz=1000, length_ms=1000)


@contextlib.contextmanager
def memory() -> Iterator[int]:
    fd = os.memfd_create("test")
    try:
        yield fd
    finally:
        os.close(fd)


def copied(left: int, to: int) -> None:
    """What a process leaves at this moment."""
    os.truncate(to, 0)
    os.lseek(left, 0, os.SEEK_SET)
    for chunk in iter(lambda: os.read(left, 1 << 20), b""):
        os.write(to, chunk)


class Life:
    """A call in an engine with a memory; `killed` is what it leaves, and the engine that finds it."""

    def __init__(self, site: Site, stack: contextlib.ExitStack) -> None:
        self._site = site
        self._stack = stack
        self._memory = stack.enter_context(memory())
        self.plane = site.plane(self.begin(self._memory, ()))
        self.call: Call = site.call(self.plane)
        stack.callback(self.call.close)

    def begin(self, fd: int, kept: tuple[PortSockets, ...], **options: Any) -> Engine:
        engine: Engine = self._stack.enter_context(
            self._site.engine(memory=fd, kept=kept, render=lambda _: bytes(16000), **{**SMALL, **options})
        )
        return engine

    def killed(self, *lost: OpenPort, **options: Any) -> Resumed:
        opened = [event for event in self.plane.events if isinstance(event, SocketsOpened)]
        gone = {port.port for port in lost}
        kept = tuple(
            PortSockets(port=one.port, rtp=os.dup(one.rtp), rtcp=os.dup(one.rtcp))
            for event in opened
            for one in event.sockets
            if one.port not in gone
        )
        left = self._stack.enter_context(memory())
        copied(self._memory, left)
        self.plane.engine.close()
        self.plane.events.clear()
        self.plane.engine = self.begin(left, kept, **options)
        return self.plane.engine.resumed()


@pytest.fixture
def life(site: Site) -> Iterator[Life]:
    with contextlib.ExitStack() as stack:
        yield Life(site, stack)


def test_ports_bridges_and_readers_go_on(life: Life) -> None:
    call = life.call
    reader = call.attach()
    call.plane.do(
        PlayTone(
            tag=call.plane.next_tag(),
            port=call.callee_port.port,
            tone=Tone(LOUD, interval_ms=5000, recorded=False),
            payload_types=((0, "PCMU"),),
        )
    )
    call.caller.send(rtp(1, 160), call.caller_port)
    assert read_rtp(call.srs.receive()).sequence == 500
    call.callee.receive()
    a, b, via = (port.port for port in (call.caller_port, call.callee_port, call.via))
    assert life.killed() == Resumed(
        resumed=True, refused=False, ports={a: b, b: a, via: None}, readers={reader: (a, via)}
    )
    call.caller.send(rtp(2, 320), call.caller_port)
    assert read_rtp(call.srs.receive()).sequence == 501
    assert read_rtp(call.callee.receive()).sequence == 2
    assert call.plane.reader_counters(reader).delivered == 2
    assert call.plane.port_counters(call.callee_port).tones == 1


def test_a_port_whose_sockets_nobody_kept_is_closed_with_its_readers(life: Life) -> None:
    call = life.call
    call.attach()
    left = life.killed(call.via)
    assert left.ports.keys() == {call.caller_port.port, call.callee_port.port}
    assert not left.readers


def test_what_has_ended_is_ended_again_with_its_last_books(life: Life) -> None:
    call, plane = life.call, life.call.plane
    reader = call.attach()
    call.caller.send(rtp(1, 160), call.caller_port)
    call.srs.receive()
    detached = plane.ask(DetachReader(tag=plane.next_tag(), reader=reader))
    assert isinstance(detached, ReaderDetached)
    assert detached.counters.delivered == 1
    caller, callee = call.caller_port.port, call.callee_port.port
    closed = plane.ask(ClosePorts(tag=plane.next_tag(), ports=(caller,)))
    assert isinstance(closed, PortsClosed)
    assert dict(closed.counters)[caller].relayed == 1
    assert caller not in life.killed(call.caller_port).ports
    again = plane.ask(DetachReader(tag=plane.next_tag(), reader=reader))
    assert again == dataclasses.replace(detached, tag=again.tag)
    all_of_it = plane.ask(ClosePorts(tag=plane.next_tag(), ports=(callee, caller)))
    assert isinstance(all_of_it, PortsClosed)
    assert dict(all_of_it.counters)[caller] == dict(closed.counters)[caller]
    stranger = ClosePorts(tag=plane.next_tag(), ports=(PortId(caller + 1000),))
    refused = plane.ask(stranger)
    assert isinstance(refused, Refused)
    assert refused.reason == "gone"


def test_memory_of_another_shape_is_of_no_use_and_its_sockets_are_closed(life: Life) -> None:
    port = life.call.caller_port
    left = life.killed(max_ports_per_thread=32)
    assert left == Resumed(resumed=False, refused=True, ports={}, readers={})
    command = OpenPorts(
        tag=life.plane.next_tag(), host=life.plane.host, low=port.rtp_port, high=port.rtp_port + 1, count=1
    )
    assert isinstance(life.plane.ask(command), PortsOpen)


def test_numbers_that_rest_do_so_in_the_next_process_unless_they_are_opened_again(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        life = Life(site, stack)
        life.killed(port_rest_ms=60_000)
        ports = (life.call.caller_port, life.call.callee_port)
        for port, again in zip(ports, (True, False), strict=True):
            closing = ClosePorts(tag=life.plane.next_tag(), ports=(port.port,), again=again)
            assert isinstance(life.plane.ask(closing), PortsClosed)
        for port, again in zip(ports, (True, False), strict=True):
            number, tag = port.rtp_port, life.plane.next_tag()
            command = OpenPorts(tag=tag, host=life.plane.host, low=number, high=number + 1, count=1)
            assert isinstance(life.plane.ask(command), PortsOpen) is again
