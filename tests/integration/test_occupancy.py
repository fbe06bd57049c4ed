"""How busy the event loop and the media threads are decides whether new calls are taken."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from siprec_src.app.occupancy import Occupancy
from siprec_src.sip.throttle import Throttle
from tests.support.log import Log

PATIENCE_S = 20.0


async def until_it_is_told(throttle: Throttle, occupancy: Occupancy, log: Log) -> None:
    """Offer calls until the log says that some were refused."""
    occupancy.start()
    async with asyncio.timeout(PATIENCE_S):
        for call in itertools.count():
            throttle.admits(call)
            await asyncio.sleep(0.02)
            if log.lines:
                return


@pytest.mark.rfc("3261", "21.5.4")
def test_calls_are_refused_while_every_media_thread_is_busy_although_control_is_not() -> None:
    throttle, log = Throttle(0.9), Log()
    occupancy = Occupancy(throttle, log, lambda: 1.0)
    with asyncio.Runner(loop_factory=occupancy.new_loop) as runner:
        runner.run(until_it_is_told(throttle, occupancy, log))
    ((level, event, fields),) = log.lines
    assert (level, event) == ("warning", "control.overloaded")
    assert fields["media_load"] == 1.0
    assert fields["load"] == round(occupancy.load, 2)
    assert fields["calls_refused"] == throttle.refused >= 1
