"""How busy the media threads will be decides as early as it must: calls that ring cost nothing yet."""

from __future__ import annotations

import itertools
from collections import deque

import pytest

from siprec_src.app.occupancy import expected_load
from siprec_src.sip.throttle import Throttle

CAPACITY = 1000  #: calls that keep the only media thread busy all the time
PERIOD_S = 0.1
TALK_S = 60.0


@pytest.mark.parametrize("ring_s", [0.0, 3.0, 8.0])
@pytest.mark.parametrize("offered", [1.2, 2.0, 3.0])
def test_whatever_is_offered_running_calls_have_all_the_time_they_need(offered: float, ring_s: float) -> None:
    throttle, names = Throttle(0.9), itertools.count()
    ringing: deque[float] = deque()
    talking: deque[float] = deque()
    owed, loads = 0.0, []
    for now in (period * PERIOD_S for period in range(3000)):
        owed += offered * CAPACITY / TALK_S * PERIOD_S
        for _ in range(int(owed)):
            owed -= 1
            if throttle.admits(next(names)):
                ringing.append(now + ring_s)
        while ringing and ringing[0] <= now:
            talking.append(ringing.popleft() + TALK_S)
        while talking and talking[0] <= now:
            talking.popleft()
        load = len(talking) / CAPACITY
        throttle.expected(expected_load((load, 1.0), len(talking) + len(ringing), len(talking)))
        throttle.measured(0.1)
        loads.append(load)
    assert max(loads) < 0.97
    assert sum(loads[-1000:]) / 1000 > 0.6


def test_the_least_busy_thread_gets_the_next_call() -> None:
    assert expected_load((0.9, 0.3), 100, 100) == 0.3
    assert expected_load((), 0, 0) == 0.0


def test_many_that_ring_are_no_reason_to_refuse_while_little_is_known_of_their_cost() -> None:
    assert expected_load((0.4,), 500, 1) == 0.8
    assert expected_load((0.4,), 500, 0) == 0.4


def test_a_limit_of_one_refuses_nobody_whatever_is_expected() -> None:
    throttle = Throttle(1.0)
    throttle.expected(1.0)
    assert all(throttle.admits(call) for call in range(100))
