"""Control and media over a real Unix socket: every command is answered once, whatever dies when."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from siprec_src.app.media_client import MediaClient, Told
from siprec_src.app.media_io import Way
from siprec_src.app.media_process import MediaServer, listen
from siprec_src.media import plane
from siprec_src.media.handshake import SendDtls
from siprec_src.media.keeping import Resumed
from siprec_src.media.model import MediaIo, PortCounters, PortId
from siprec_src.media.wire import Message, decode, encode
from tests.support.daemon import until
from tests.support.log import Log
from tests.support.media import FakeMedia, attach_reader

PATIENCE_S = 30.0
NOTHING = Resumed(resumed=False, refused=False, ports={}, readers={})
OPEN = plane.OpenPorts(tag=7, host="127.0.0.1", low=10000, high=20000, count=2)


@dataclasses.dataclass(frozen=True, slots=True)
class FakeStats:
    """What a thread has done."""

    load: float = 0.0
    notices_lost: int = 0


class FakeEngine:
    """`FakeMedia` behind a descriptor, as the native engine is."""

    def __init__(self, left: Resumed) -> None:
        self.media = FakeMedia()
        self.left = left
        self.answering = True
        self.held_up, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.notices_lost = 0
        self.load = 0.0
        self.passes_by = True
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        self._ready: deque[plane.Answer | plane.Event] = deque()

    def submit(self, command: plane.Command | SendDtls) -> None:
        if isinstance(command, SendDtls):
            return
        if isinstance(command, plane.ReadCounters) and command.ports == (PortId(666),):
            raise ValueError("not a port")
        if self.answering:
            self.tell(self.media.answer(command))

    def tell(self, message: plane.Answer | plane.Event) -> None:
        self._ready.append(message)
        os.eventfd_write(self._event, 1)

    def resumed(self) -> Resumed:
        return self.left

    def fileno(self) -> int:
        return self._event

    def drain(self) -> list[plane.Answer | plane.Event]:
        os.eventfd_read(self._event)
        self.held_up.set()
        self.go_on.wait(PATIENCE_S)
        taken = list(self._ready)
        self._ready.clear()
        return taken

    def stats(self) -> tuple[FakeStats, ...]:
        return (FakeStats(self.load, self.notices_lost), FakeStats())

    def use(self, most: MediaIo) -> None:
        self.uses = most

    def close(self) -> None:
        os.close(self._event)


class Served:
    """A media server in a thread of its own."""

    def __init__(self, path: Path, left: Resumed = NOTHING) -> None:
        self.engine = FakeEngine(left)
        self.log = Log()
        self._server = MediaServer(self.engine, listen(path), self.log)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def use(self, way: Way) -> None:
        self._server.use(way)

    def stop(self) -> None:
        self._server.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "media.sock"


@pytest.fixture
def served(path: Path) -> Iterator[Served]:
    made = Served(path)
    yield made
    made.stop()


class Control:
    """A media client with queues of what it is told."""

    def __init__(self, path: Path) -> None:
        self.told: asyncio.Queue[plane.Answer | plane.Event] = asyncio.Queue()
        self.states: asyncio.Queue[plane.MediaState] = asyncio.Queue()
        self.client = MediaClient(path, self._take)
        self.client.start()

    def _take(self, message: Told) -> None:
        if isinstance(message, plane.MediaState):
            self.states.put_nowait(message)
        else:
            self.told.put_nowait(message)

    async def next(self) -> plane.Answer | plane.Event:
        async with asyncio.timeout(PATIENCE_S):
            return await self.told.get()


async def test_a_command_goes_over_and_its_answer_and_events_come_back(path: Path, served: Served) -> None:
    control = Control(path)
    assert await control.next() == plane.MediaUp()
    control.client.submit(OPEN)
    opened = await control.next()
    assert isinstance(opened, plane.PortsOpen)
    assert opened.tag == 7
    silent = plane.SilenceChanged(port=opened.ports[0].port, silent=True)
    served.engine.tell(silent)
    assert await control.next() == silent
    control.client.close()


async def test_events_that_were_lost_are_told_and_logged_once(path: Path, served: Served) -> None:
    control = Control(path)
    assert await control.next() == plane.MediaUp()
    nobodys = plane.SilenceChanged(port=PortId(1), silent=True)
    served.engine.notices_lost = 5
    served.engine.tell(nobodys)
    assert await control.next() == plane.EventsLost(count=5)
    served.engine.notices_lost = 7
    served.engine.tell(nobodys)
    control.client.submit(OPEN)
    assert isinstance(await control.next(), plane.PortsOpen)
    assert [line for line in served.log.lines if line[0] == "warning"] == [
        ("warning", "media.events-lost", {"count": 5})
    ]
    control.client.close()


async def test_how_busy_the_threads_are_is_told_at_once_and_when_it_changes(
    path: Path, served: Served
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        control = Control(path)
        while (await control.states.get()).loads != (0.0, 0.0):
            continue
        served.engine.load = 0.4567
        assert await control.states.get() == plane.MediaState(io=MediaIo.SOCKETS, loads=(0.46, 0.0))
        served.engine.load = 0.4601
        newcomer = Control(path)
        assert await newcomer.states.get() == plane.MediaState(io=MediaIo.SOCKETS, loads=(0.46, 0.0))
    newcomer.client.close()
    control.client.close()


async def test_another_way_of_moving_packets_is_taken_told_and_logged(path: Path, served: Served) -> None:
    async with asyncio.timeout(PATIENCE_S):
        control = Control(path)
        for io in (MediaIo.PACKET, MediaIo.SOCKETS):
            served.use(Way(io=io, better_lacks="of no matter"))
            while (await control.states.get()).io is not io:
                continue
            assert served.engine.uses is io
    fields = {"io": "sockets", "better_io_lacks": "of no matter"}
    assert served.log.lines[-1] == ("warning", "media.io-changed", fields)
    control.client.close()


async def test_only_this_user_may_open_the_socket(path: Path, served: Served) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


async def test_commands_without_a_media_process_are_refused(path: Path) -> None:
    control = Control(path)
    control.client.submit(OPEN)
    assert await control.next() == plane.Refused(tag=7, reason="media-down")
    control.client.close()


async def test_a_media_process_that_begins_anew_is_told_as_the_end_of_the_other(path: Path) -> None:
    served = Served(path)
    control = Control(path)
    assert await control.next() == plane.MediaUp()
    served.engine.answering = False
    control.client.submit(OPEN)
    served.stop()
    control.client.submit(plane.ReadCounters(tag=8))
    again = Served(path)
    assert await control.next() == plane.MediaDown()
    assert await control.next() == plane.Refused(tag=7, reason="media-down")
    assert await control.next() == plane.Refused(tag=8, reason="media-down")
    assert await control.next() == plane.MediaUp()
    control.client.submit(OPEN)
    assert isinstance(await control.next(), plane.PortsOpen)
    control.client.close()
    again.stop()


async def test_what_was_under_way_is_asked_of_the_process_that_goes_on(path: Path) -> None:
    served = Served(path)
    control = Control(path)
    await control.next()
    control.client.submit(OPEN)
    opened = await control.next()
    assert isinstance(opened, plane.PortsOpen)
    ids = tuple(port.port for port in opened.ports)
    served.engine.answering = False
    control.client.submit(plane.BridgePorts(tag=8, a=ids[0], b=ids[1]))
    control.client.submit(plane.ClosePorts(tag=9, ports=ids[:1]))
    served.stop()
    control.client.submit(plane.ResumePorts(tag=10, ports=ids, readers=()))
    left = Resumed(resumed=True, refused=False, ports=dict.fromkeys(ids), readers={})
    again = Served(path, left)
    again.engine.media.ports = served.engine.media.ports
    assert await control.next() == plane.MediaUp(resumed=True)
    told = {getattr(message, "tag", 0): message for message in [await control.next() for _ in range(3)]}
    assert told == {
        8: plane.Done(tag=8),
        9: plane.PortsClosed(tag=9, counters=((ids[0], PortCounters()),)),
        10: plane.Refused(tag=10, reason="media-down"),
    }
    control.client.close()
    again.stop()


async def test_answers_of_a_media_process_that_died_over_other_commands_are_heard(path: Path) -> None:
    with listen(path) as listener:
        control = Control(path)
        with contextlib.closing(await asyncio.to_thread(_accept, listener)) as media:
            media.send(encode(plane.MediaUp()))
            assert await control.next() == plane.MediaUp()
            control.client.submit(OPEN)
            control.client.submit(plane.ClosePorts(tag=8, ports=(PortId(1),)))
            assert decode(media.recv(65536)) == OPEN
            answer = plane.Refused(tag=OPEN.tag, reason="no-room")
            media.send(encode(answer))
        assert await control.next() == answer
        control.client.close()


def test_commands_of_a_control_that_died_over_answers_are_carried_out(path: Path, served: Served) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dying:
        dying.connect(str(path))
        assert decode(dying.recv(65536)) == plane.MediaUp()
        served.engine.go_on.clear()
        served.engine.tell(plane.Done(tag=1))
        assert served.engine.held_up.wait(PATIENCE_S)
        dying.send(encode(OPEN))
    served.engine.go_on.set()
    until(lambda: any(line[1] == "media.control-gone" for line in served.log.lines), 5, "its end is seen")
    assert served.engine.media.commands == [dataclasses.replace(OPEN, tag=1)]


async def test_a_new_control_gets_nothing_of_the_old_one(path: Path, served: Served) -> None:
    old = Control(path)
    await old.next()
    old.client.submit(OPEN)
    opened = await old.next()
    assert isinstance(opened, plane.PortsOpen)
    old.client.close()
    new = Control(path)
    assert await new.next() == plane.MediaUp()
    served.engine.tell(plane.SilenceChanged(port=opened.ports[0].port, silent=True))
    new.client.submit(plane.ReadCounters(tag=8))
    assert await new.next() == plane.Counters(tag=8, ports=(), readers=())
    assert set(served.engine.media.ports) == {port.port for port in opened.ports}
    new.client.close()


async def test_a_command_that_no_engine_takes_is_refused(path: Path, served: Served) -> None:
    control = Control(path)
    await control.next()
    control.client.submit(plane.ReadCounters(tag=9, ports=(PortId(666),)))
    answer = await control.next()
    assert isinstance(answer, plane.Refused)
    assert (answer.tag, answer.reason) == (9, "bad-argument")
    control.client.close()


async def test_octets_that_are_no_command_harm_nobody(path: Path, served: Served) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as hostile:
        hostile.connect(str(path))
        for data in (b"\0", b"{}", b'["OpenPorts",{}]', b'["Done",{"tag":1}]', b"x" * 70_000):
            hostile.send(data)
    control = Control(path)
    assert await control.next() == plane.MediaUp()
    control.client.submit(OPEN)
    assert isinstance(await control.next(), plane.PortsOpen)
    control.client.close()


def test_a_control_that_is_replaced_while_it_speaks_harms_nobody(path: Path, served: Served) -> None:
    with contextlib.ExitStack() as stack:
        old, new = (
            stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) for _ in range(2)
        )
        for control in (old, new):
            control.settimeout(PATIENCE_S)
        old.connect(str(path))
        assert decode(old.recv(65536)) == plane.MediaUp()
        served.engine.go_on.clear()
        served.engine.tell(plane.Done(tag=1))
        assert served.engine.held_up.wait(PATIENCE_S)
        new.connect(str(path))
        old.send(encode(OPEN))
        served.engine.go_on.set()
        assert decode(new.recv(65536)) == plane.MediaUp()
        new.send(encode(OPEN))
        while isinstance(answer := decode(new.recv(65536)), plane.MediaState):
            continue
        assert isinstance(answer, plane.PortsOpen)


@pytest.mark.rfc("3711", "9.1")
def test_a_reader_whose_answer_was_lost_with_the_connection_is_not_attached_twice(
    path: Path, served: Served
) -> None:
    with contextlib.ExitStack() as stack:
        old, new = (
            stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) for _ in range(2)
        )
        for control in (old, new):
            control.settimeout(PATIENCE_S)
        old.connect(str(path))
        old.send(encode(OPEN))
        opened = _hear(old, plane.PortsOpen)
        stream, via = (port.port for port in opened.ports)
        attach = attach_reader(8, stream, via)
        old.send(encode(attach))
        lost = _hear(old, plane.ReaderAttached)
        new.connect(str(path))
        assert _hear(new, plane.MediaUp).resumed
        new.send(encode(plane.ResumePorts(tag=9, ports=(stream, via), readers=())))
        new.send(encode(attach))
        assert _hear(new, plane.Done).tag == 9
        assert _hear(new, plane.ReaderAttached) == lost
        assert list(served.engine.media.readers) == [lost.reader]


_M = TypeVar("_M", bound=Message)


def _hear(control: socket.socket, kind: type[_M]) -> _M:
    """The next message of that kind."""
    while not isinstance(message := decode(control.recv(65536)), kind):
        continue
    return message


async def test_a_media_process_that_speaks_otherwise_is_left_and_tried_again(path: Path) -> None:
    with listen(path) as other:
        control = Control(path)
        with contextlib.closing(await asyncio.to_thread(_accept, other)) as media:
            media.send(encode(plane.MediaUp()))
            assert await control.next() == plane.MediaUp()
            control.client.submit(OPEN)
            media.send(b"garbage")
            with contextlib.closing(await asyncio.to_thread(_accept, other)) as again:
                again.send(encode(plane.MediaUp()))
                assert await control.next() == plane.MediaDown()
                refused = await control.next()
                assert (refused.tag, refused.reason) == (7, "media-down")  # type: ignore[union-attr]
                assert await control.next() == plane.MediaUp()
        control.client.close()


def _accept(listener: socket.socket) -> socket.socket:
    listener.settimeout(PATIENCE_S)
    return listener.accept()[0]


async def test_an_answer_that_fits_no_message_is_refused(path: Path, served: Served) -> None:
    control = Control(path)
    await control.next()
    control.client.submit(OPEN)
    opened = await control.next()
    assert isinstance(opened, plane.PortsOpen)
    control.client.submit(plane.ReadCounters(tag=10, ports=(opened.ports[0].port,) * 1000))
    answer = await control.next()
    assert isinstance(answer, plane.Refused)
    assert (answer.tag, answer.reason) == (10, "no-room")
    control.client.close()
