"""Callbacks from the moment that somebody has one to send, to its delivery or its being told as undelivered.

`Callbacks.send` returns at once. The callback is written to disk, then tried; a process that dies between a
delivery and its note on disk leaves it to the next one, which delivers it again: each arrives at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Final

from siprec_src.api.alerts import Alerts
from siprec_src.api.callbacks.callback import Callback, Delivered, Failed, Result
from siprec_src.api.callbacks.delivery import Delivery
from siprec_src.api.callbacks.journal import Journal, Letters
from siprec_src.api.callbacks.outbox import Outbox
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.outside import check_url, shown
from siprec_src.errors import NoRoom
from siprec_src.machine import Observe, WallClock
from siprec_src.store.letter import Letter
from siprec_src.telemetry.log import Logger

RANDOM: Final = secrets.SystemRandom()
CALLBACK_FAILED: Final = 11200  #: of the error dictionary
ENDED: Final = "the process ends"
GRACE_S: Final = 2.0  #: at the end of the process, for what is due
FAULT_PAUSE_S: Final = 1.0
QUIET_LOOK_S: Final = 0.01
EXPIRY_LOOK_S: Final = 600.0


class Callbacks:
    """All callbacks of the daemon.

    Args:
        observe: counts; `telemetry.metrics` has the names.
    """

    def __init__(
        self,
        settings: CallbackSettings,
        delivery: Delivery,
        letters: Letters,
        wall: WallClock,
        *,
        observe: Callable[[Observe], None],
        alerts: Alerts,
        log: Logger,
        uniform: Callable[[float, float], float] = RANDOM.uniform,
    ) -> None:
        self._delivery = delivery
        self._wall = wall
        self._observe = observe
        self._alerts = alerts
        self._log = log
        self.outbox = Outbox(settings, uniform)
        self._journal = Journal(letters, self.outbox.everything, self._restored, log)
        self._fresh: list[Letter] = []  #: not written yet, and not tried
        self._tries: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = False  #: nothing is delivered any more

    @property
    def pending(self) -> int:
        """Callbacks on their way."""
        return self.outbox.count + len(self._fresh)

    def send(self, callback: Callback) -> None:
        """Have this told, after all that was sent before of its resource; returns at once, raises nothing."""
        now = self._now()
        letter = Letter(
            id=f"CB{secrets.token_hex(16)}",
            number=self.outbox.number(),
            account_sid=callback.account.sid,
            resource=callback.resource,
            call_sid=callback.call_sid,
            url=callback.url,
            method=callback.method,
            fields=callback.fields,
            since=now,
            due=now,
        )
        try:
            check_url(letter.url)
            self.outbox.check_room(len(self._fresh))
        except (NoRoom, ValueError) as error:
            self._lost(letter, str(error))
            return
        if self._ended:
            self._lost(letter, ENDED)
            return
        self._fresh.append(letter)
        self._stirred.set()

    def retry(self, id_: str) -> Letter:
        """Try a dead one from the beginning. Raises Gone or NoRoom, as `Outbox.again`."""
        letter = self.outbox.again(id_, self._now())
        self._stirred.set()
        return letter

    def drop(self, id_: str) -> Letter:
        """Forget one. Raises Gone, as `Outbox.drop`."""
        letter = self.outbox.drop(id_)
        self._count("dropped")
        self._log.info("callback.dropped", **_named(letter))
        self._stirred.set()
        return letter

    def start(self) -> None:
        """Take up what an earlier process has left, and what was sent before now; once is enough."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Try what is due for a little longer; keep the rest for the next process, or say that it is lost."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._quiet()
        for task in (self._task, *self._tries):
            task.cancel()
        await asyncio.gather(self._task, *self._tries, return_exceptions=True)
        self._ended = True
        await self._journal.close(self._changes())
        left = [*self.outbox.pending, *self._fresh]
        lost = [letter for letter in left if letter.id in self._journal.owes]
        for letter in lost:
            self._lost(letter, f"{ENDED}, and it could not be written to disk")
        if len(left) > len(lost):
            self._log.info("callbacks.kept", callbacks=len(left) - len(lost))

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - a fault of ours in one must not end all others
                self._log.error("callback.fault", exc_info=error)
                await asyncio.sleep(FAULT_PAUSE_S)

    async def _turn(self) -> None:
        """Write what is new, try what is due, and wait for more."""
        self._stirred.clear()
        fresh = tuple(self._fresh)
        await self._journal.write(self._changes())
        del self._fresh[: len(fresh)]
        for letter in fresh:
            self.outbox.put(letter)
        now = self._now()
        self._expire(now)
        for letter in self.outbox.start(now):
            task = asyncio.create_task(self._try(letter))
            self._tries.add(task)
            task.add_done_callback(self._tries.discard)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s(now)):
                await self._stirred.wait()

    async def _try(self, letter: Letter) -> None:
        result = await self._deliver(letter)
        now = self._now()
        after = self.outbox.settle(letter.id, result, now)
        self._stirred.set()
        if isinstance(result, Delivered):
            self._count("delivered")
            self._observe(Observe("callback_seconds", (), now - letter.since))
            told = {"status": result.status, "tries": letter.attempts + 1}
            self._log.info("callback.delivered", **_named(letter), **told)
        elif after.died is not None:
            self._count("dead")
            self._report("callback.dead", after, after.reason)
        else:
            self._count("retried")
            if after.attempts == 1:
                self._report("callback.failed", after, after.reason)

    async def _deliver(self, letter: Letter) -> Result:
        try:
            return await self._delivery.deliver(letter, self._now())
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hold up what follows
            self._log.error("callback.fault", exc_info=error, callback=letter.id)
            return Failed(reason="a fault of ours", again=True)

    async def _quiet(self) -> None:
        """Until nothing is due, nor on its way to the disk or to a server."""
        while self._fresh or self.outbox.flying or self.outbox.is_due(self._now()):
            await asyncio.sleep(QUIET_LOOK_S)

    def _expire(self, now: float) -> None:
        for letter in self.outbox.expire(now):
            self._count("forgotten")
            self._log.info("callback.forgotten", **_named(letter))

    def _changes(self) -> dict[str, Letter | None]:
        return {**self.outbox.take_changes(), **{letter.id: letter for letter in self._fresh}}

    def _patience_s(self, now: float) -> float:
        """Until when there is nothing to do, unless something happens."""
        waits = [EXPIRY_LOOK_S]
        if (due := self.outbox.deadline) is not None:
            waits.append(due - now)
        if (due := self._journal.due) is not None:
            waits.append(due - asyncio.get_running_loop().time())
        return max(0.0, min(waits))

    def _restored(self, letters: list[Letter]) -> None:
        self.outbox.restore(letters, self._now())
        if letters:
            self._log.info("callbacks.restored", callbacks=self.outbox.count, dead=len(self.outbox.dead))

    def _lost(self, letter: Letter, why: str) -> None:
        self._count("lost")
        self._report("callback.lost", letter, why)

    def _report(self, event: str, letter: Letter, text: str) -> None:
        self._alerts.report(event, CALLBACK_FAILED, text, **_named(letter), tries=letter.attempts)

    def _count(self, result: str) -> None:
        self._observe(Observe("callbacks_total", (("result", result),)))

    def _now(self) -> float:
        return self._wall.unix_at_zero_s + asyncio.get_running_loop().time()


def _named(letter: Letter) -> dict[str, object]:
    return {
        "callback": letter.id,
        "account_sid": letter.account_sid,
        "call_sid": letter.call_sid,
        "siprec_sid": letter.resource,
        "callback_event": letter.event,
        "url": shown(letter.url),
    }
