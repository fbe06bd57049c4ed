"""A process whose loop does not turn is found out; one that is slow to start is not."""

from __future__ import annotations

import os

import pytest

from siprec_src.app.pulse import READY, START_PATIENCE_S, Heart, Pulse


def checked(pulse: Pulse, since: float, until: float) -> bool:
    """Whether it was lost when asked as often as it wants to be asked."""
    now = since
    while now < until:
        now += pulse.interval_s
        if pulse.lost(now):
            return True
    return False


def test_silence_beyond_the_limit_is_a_hang() -> None:
    pulse = Pulse(5.0)
    pulse.started(0.0)
    pulse.beat(1.0)
    assert not checked(pulse, 0.0, 6.0)
    assert checked(pulse, 6.0, 7.5)


def test_a_process_that_starts_has_longer_for_its_first_beat() -> None:
    pulse = Pulse(5.0)
    pulse.started(0.0)
    assert not checked(pulse, 0.0, START_PATIENCE_S)
    assert checked(pulse, START_PATIENCE_S, START_PATIENCE_S + 2)


def test_a_supervisor_that_was_stopped_itself_blames_nobody() -> None:
    pulse = Pulse(5.0)
    pulse.started(0.0)
    pulse.beat(1.0)
    assert not pulse.lost(2.0)
    assert not pulse.lost(100.0)
    assert not checked(pulse, 100.0, 104.0)
    assert checked(pulse, 104.0, 107.0)


def test_a_limit_of_zero_is_no_watch() -> None:
    pulse = Pulse(0.0)
    pulse.started(0.0)
    pulse.beat(1.0)
    assert not checked(pulse, 1.0, 10_000.0)


@pytest.fixture
def pipe() -> tuple[int, int]:
    return os.pipe()


async def test_the_heart_beats_and_a_full_or_broken_pipe_does_not_stop_it(pipe: tuple[int, int]) -> None:
    heart = Heart(pipe[1])
    heart.start()
    heart.tell_ready()
    assert READY in os.read(pipe[0], 100)
    for _ in range(70_000):
        heart.tell_ready()
    os.close(pipe[0])
    heart.tell_ready()
    os.close(pipe[1])
