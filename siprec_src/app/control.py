"""The control process: SIP, calls, recording sessions, HTTP; media only through the socket.

Built by the composition root, which knows what to put in; here is only how it runs and how it stops.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections.abc import Callable
from typing import Final

from siprec_src.app import orders
from siprec_src.app.driver import Driver
from siprec_src.app.media_client import MediaClient
from siprec_src.telemetry.log import Logger

IDLE_CHECK_S: Final = 0.1
ECHO_S: Final = 5.0  #: after the last call, for retransmissions of what was answered last
LAST_WORDS_S: Final = 5.0  #: that calls get to say BYE when everything must end now


class Phase(enum.Enum):
    STARTING = "starting"  #: sockets are bound, the media process has not answered yet
    SERVING = "serving"
    DRAINING = "draining"  #: no new calls, running ones finish
    ENDING = "ending"


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class Control:
    """Phases of the process, between SIGTERM and SIGTERM."""

    log: Logger
    driver: Driver
    media: MediaClient
    quiet: Callable[[], bool]  #: no SIP transaction waits for a retransmission any more
    refuse_calls: Callable[[], None]  #: from now on new calls get 503
    reload: Callable[[], None]
    tell_ready: Callable[[], None]
    phase: Phase = Phase.STARTING
    _wake: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    @property
    def ready(self) -> bool:
        """Whether a new call would be taken now."""
        return self.phase is Phase.SERVING and self.media.up

    def media_is_up(self) -> None:
        """The media process answers; the first time this is when the service is ready."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.SERVING
            self.tell_ready()

    async def run(self) -> None:
        """Serve until the order to drain and the end of the last call, or the order to end now."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(orders.DRAIN, self._drain)
        loop.add_signal_handler(orders.END_NOW, self._end_now)
        loop.add_signal_handler(orders.RELOAD, self.reload)
        orders.listening()
        while not self._over:
            await self._wait(IDLE_CHECK_S if self.phase is not Phase.SERVING else None)
        if self.phase is Phase.DRAINING:
            await self._until(lambda: self.quiet() or self.phase is Phase.ENDING, ECHO_S)
        if self.phase is Phase.ENDING and self.driver.living:
            self.log.warning("control.ending", calls_and_recordings=self.driver.living)
            self.driver.hang_up()
            await self._until(lambda: not self.driver.living, LAST_WORDS_S)

    @property
    def _over(self) -> bool:
        return self.phase is Phase.ENDING or (self.phase is Phase.DRAINING and not self.driver.living)

    async def _until(self, holds: Callable[[], bool], patience_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience_s
        while not holds() and asyncio.get_running_loop().time() < deadline:
            await self._wait(IDLE_CHECK_S)

    async def _wait(self, patience_s: float | None) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _drain(self) -> None:
        if self.phase in (Phase.STARTING, Phase.SERVING):
            self.phase = Phase.DRAINING
            self.refuse_calls()
            self.log.info("control.draining", calls_and_recordings=self.driver.living)
        self._wake.set()

    def _end_now(self) -> None:
        self.phase = Phase.ENDING
        self.refuse_calls()
        self._wake.set()
