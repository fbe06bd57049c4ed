"""The control process: SIP, calls, recording sessions, HTTP; media only through the socket.

Built by the composition root, which knows what to put in; here is only how it runs and how it stops.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import signal
from collections.abc import Callable
from typing import Final

from siprec_src.app.driver import Driver
from siprec_src.app.media_client import MediaClient
from siprec_src.telemetry.log import Logger

IDLE_CHECK_S: Final = 0.1
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
        """Serve until SIGTERM and the end of the last call, or a second SIGTERM."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        while not self._over:
            await self._wait(IDLE_CHECK_S if self.phase is not Phase.SERVING else None)
        if self.phase is Phase.ENDING and self.driver.living:
            self.log.warning("control.ending", calls_and_recordings=self.driver.living)
            self.driver.hang_up()
            deadline = loop.time() + LAST_WORDS_S
            while self.driver.living and loop.time() < deadline:
                await self._wait(IDLE_CHECK_S)

    @property
    def _over(self) -> bool:
        return self.phase is Phase.ENDING or (self.phase is Phase.DRAINING and not self.driver.living)

    async def _wait(self, patience_s: float | None) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _terminate(self) -> None:
        if self.phase is Phase.DRAINING:
            self.phase = Phase.ENDING
        else:
            self.phase = Phase.DRAINING
            self.refuse_calls()
            self.log.info("control.draining", calls_and_recordings=self.driver.living)
        self._wake.set()
