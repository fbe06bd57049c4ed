"""Lost events are told soon, all of them, and seldom."""

from __future__ import annotations

from siprec_src.app.losses import INTERVAL_S, Losses


def test_the_first_loss_is_told_at_once() -> None:
    losses = Losses()
    assert (losses.due(50.0), losses.deadline) == (0, None)
    losses.counted(3)
    assert losses.due(50.0) == 3
    assert (losses.due(50.0), losses.deadline) == (0, None)


def test_what_is_lost_soon_after_is_told_together_and_in_time() -> None:
    losses = Losses()
    losses.counted(3)
    losses.due(50.0)
    told = []
    for tenth in range(1, 100):
        losses.counted(3 + tenth)
        told.append(losses.due(50.0 + tenth / 10))
    assert not any(told)
    assert losses.deadline == 50.0 + INTERVAL_S
    assert losses.due(50.0 + INTERVAL_S) == 99
    assert losses.deadline is None
