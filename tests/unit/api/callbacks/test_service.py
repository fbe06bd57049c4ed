"""Callbacks as others see them: sent, kept, told as lost; servers and the disk are made up."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace

from siprec_src.api.alerts import Alerts
from siprec_src.api.callbacks import Callback, Callbacks
from siprec_src.api.callbacks.callback import Delivered, Failed, Result
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.machine import Observe, WallClock
from siprec_src.store.failed import StoreFailed
from siprec_src.store.letter import Letter
from tests.support.log import Log


class Disk:
    """Letters in memory; `broken` is why nothing can be written now."""

    def __init__(self) -> None:
        self.kept: dict[str, Letter] = {}
        self.openings = 1
        self.broken = ""
        self.let_go: asyncio.Event | None = None  #: writing waits for it

    async def load(self) -> list[Letter]:
        if self.broken:
            raise StoreFailed(self.broken)
        return list(self.kept.values())

    async def save(self, changes: Mapping[str, Letter | None]) -> None:
        if self.let_go is not None:
            await self.let_go.wait()
        if self.broken:
            raise StoreFailed(self.broken)
        for id_, letter in changes.items():
            self.kept.pop(id_, None)
            if letter is not None:
                self.kept[id_] = letter


@dataclasses.dataclass
class Server:
    """Whoever gets the callbacks; answers each as `answers` says, then with 200."""

    answers: list[Result | Exception] = dataclasses.field(default_factory=list)
    got: list[str] = dataclasses.field(default_factory=list)
    came: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    open: asyncio.Event | None = None

    async def deliver(self, letter: Letter, now: float) -> Result:
        self.got.append(dict(letter.fields)["SiprecEvent"])
        self.came.set()
        if self.open is not None:
            await self.open.wait()
        answer = self.answers.pop(0) if self.answers else Delivered(status=200)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def gets(self, *events: str) -> None:
        async with asyncio.timeout(5):
            while self.got != list(events):
                self.came.clear()
                await self.came.wait()


class World:
    """Everything around `callbacks`."""

    def __init__(self, disk: Disk, server: Server, **settings: float) -> None:
        self.log, self.seen = Log(), list[Observe]()
        self.alerts = Alerts(self.log, self.seen.append)
        chosen = dataclasses.replace(CallbackSettings(first_retry_s=0.05), **settings)  # type: ignore[arg-type]
        self.callbacks = Callbacks(
            chosen,
            server,
            disk,
            WallClock(1_795_300_000.0),
            observe=self.seen.append,
            alerts=self.alerts,
            log=self.log,
        )

    def results(self, result: str) -> int:
        return sum(one.name == "callbacks_total" and one.labels == (("result", result),) for one in self.seen)

    def events(self) -> list[str]:
        return [event for _, event, _ in self.log.lines]


def callback(
    event: str, *, resource: str = "SR1", url: str = "http://me:secret@app.example/t?k=v"
) -> Callback:
    return Callback(
        account=SimpleNamespace(sid="AC1"),
        resource=resource,
        call_sid="CA1",
        url=url,
        method="POST",
        fields=(("SiprecEvent", event),),
    )


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[Callbacks]:
    world.callbacks.start()
    try:
        yield world.callbacks
    finally:
        await world.callbacks.close()


async def test_a_callback_is_delivered_and_nothing_of_it_is_left() -> None:
    disk, server = Disk(), Server()
    world = World(disk, server)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        callbacks.send(callback("stopped"))
        await server.gets("started", "stopped")
    assert (disk.kept, callbacks.pending, world.results("delivered")) == ({}, 0, 2)


async def test_it_stands_on_disk_before_it_is_tried() -> None:
    disk, server = Disk(), Server(open=asyncio.Event())
    async with running(World(disk, server)) as callbacks:
        callbacks.send(callback("started"))
        await server.gets("started")
        assert [letter.fields for letter in disk.kept.values()] == [(("SiprecEvent", "started"),)]
        assert server.open is not None
        server.open.set()


async def test_one_that_fails_at_first_is_not_overtaken() -> None:
    server = Server(answers=[Failed(reason="HTTP status 503", again=True)])
    world = World(Disk(), server)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        callbacks.send(callback("stopped"))
        await server.gets("started", "started", "stopped")
    assert (world.results("retried"), world.results("delivered")) == (1, 2)


async def test_a_new_process_delivers_what_was_not_confirmed_in_order() -> None:
    disk, hanging = Disk(), Server(open=asyncio.Event())
    killed = World(disk, hanging)
    killed.callbacks.start()
    killed.callbacks.send(callback("started"))
    await hanging.gets("started")
    killed.callbacks.send(callback("stopped"))
    async with asyncio.timeout(5):
        while len(disk.kept) < 2:
            await asyncio.sleep(0)
    at_death = dict(disk.kept)
    await _abandon(killed.callbacks)
    next_disk, server = Disk(), Server()
    next_disk.kept = at_death
    async with running(World(next_disk, server)):
        await server.gets("started", "stopped")
    assert next_disk.kept == {}


async def _abandon(callbacks: Callbacks) -> None:
    """As a process that is killed: nothing more is done."""
    tasks = [task for task in (callbacks._task, *callbacks._tries) if task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_without_a_disk_callbacks_go_on_and_the_log_says_what_that_means() -> None:
    disk, server = Disk(), Server()
    disk.broken = "No space left on device"
    world = World(disk, server)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        await server.gets("started")
    warnings = [fields for level, event, fields in world.log.lines if event == "store.failed"]
    assert [fields["error"] for fields in warnings] == ["No space left on device"]
    assert "do not outlive" in str(warnings[0]["consequence"])


async def test_a_disk_that_hangs_holds_nothing_up_for_long(monkeypatch: object) -> None:
    from siprec_src.api.callbacks import journal

    monkeypatch.setattr(journal, "PATIENCE_S", 0.01)  # type: ignore[attr-defined]
    disk, server = Disk(), Server()
    disk.let_go = asyncio.Event()
    world = World(disk, server)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        await server.gets("started")
        callbacks.send(callback("stopped"))
        await server.gets("started", "stopped")
        disk.let_go.set()
    assert disk.kept == {}


async def test_a_disk_in_trouble_is_not_owed_what_is_over() -> None:
    owed: dict[str, Letter | None] = {}

    class Full(Disk):
        async def save(self, changes: Mapping[str, Letter | None]) -> None:
            owed.clear()
            owed.update(changes)
            await super().save(changes)

    disk, server = Full(), Server()
    world = World(disk, server)
    async with running(world) as callbacks:
        callbacks.send(callback("1"))
        await server.gets("1")
        disk.broken = "disk full"
        for number in range(2, 9):
            callbacks.send(callback(str(number)))
            await server.gets(*map(str, range(1, number + 1)))
    assert world.results("delivered") == 8
    assert len(owed) <= 1


async def test_what_could_not_be_kept_is_told_as_lost_when_the_process_ends() -> None:
    disk = Disk()
    disk.broken = "read-only"
    world = World(disk, Server(answers=[Failed(reason="refused", again=True)] * 99), first_retry_s=3600.0)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        async with asyncio.timeout(5):
            while not world.results("retried"):
                await asyncio.sleep(0)
    assert world.results("lost") == 1
    assert "callback.lost" in world.events()


async def test_what_is_left_at_the_end_is_kept_and_what_comes_later_is_lost_by_name() -> None:
    disk = Disk()
    world = World(disk, Server(answers=[Failed(reason="refused", again=True)]), first_retry_s=3600.0)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        async with asyncio.timeout(5):
            while not world.results("retried"):
                await asyncio.sleep(0)
    assert len(disk.kept) == 1
    assert ("info", "callbacks.kept", {"callbacks": 1}) in world.log.lines
    callbacks.send(callback("stopped"))
    assert world.results("lost") == 1


async def test_a_callback_for_which_there_is_no_room_is_lost_by_name_and_nothing_is_raised() -> None:
    world = World(Disk(), Server(), max_pending=1)
    world.callbacks.send(callback("started"))
    world.callbacks.send(callback("stopped"))
    world.callbacks.send(callback("stopped", url="http://[::1/"))
    assert (world.callbacks.pending, world.results("lost")) == (1, 2)
    lost = [fields for _, event, fields in world.log.lines if event == "callback.lost"]
    assert lost[0]["callback_event"] == "stopped"
    assert lost[0]["code"] == 11200


async def test_one_that_is_dead_is_told_listed_kept_and_can_be_tried_again() -> None:
    disk, server = Disk(), Server(answers=[Failed(reason="HTTP status 404", again=False)])
    world = World(disk, server)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        callbacks.send(callback("stopped"))
        await server.gets("started", "stopped")
        (dead,) = callbacks.outbox.dead
        (alert,) = world.alerts.newest(account_sid="AC1")
        assert (alert.event, alert.code, alert.text) == ("callback.dead", 11200, "HTTP status 404")
        assert "secret" not in repr(world.log.lines)
        assert "secret" not in repr(alert)
        callbacks.retry(dead.id)
        await server.gets("started", "stopped", "started")
    assert disk.kept == {}


async def test_a_fault_of_ours_while_delivering_holds_up_nothing() -> None:
    server = Server(answers=[RuntimeError("a bug")])
    world = World(Disk(), server)
    async with running(world) as callbacks:
        callbacks.send(callback("started"))
        await server.gets("started", "started")
    assert "callback.fault" in world.events()


async def test_a_new_file_gets_everything_that_is_on_its_way() -> None:
    disk, server = Disk(), Server(open=asyncio.Event())
    async with running(World(disk, server)) as callbacks:
        callbacks.send(callback("one", resource="SR1"))
        await server.gets("one")
        disk.kept, disk.openings = {}, 2  # as when the first file was found damaged
        callbacks.send(callback("two", resource="SR2"))
        await server.gets("one", "two")
        assert {dict(letter.fields)["SiprecEvent"] for letter in disk.kept.values()} == {"one", "two"}
        assert server.open is not None
        server.open.set()
