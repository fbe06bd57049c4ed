"""Memory of calls that are over comes back at once: each look of the collector stops all calls."""

from __future__ import annotations

from tests.bench.one_call import circles


def test_a_recorded_call_leaves_nothing_for_the_collector() -> None:
    assert circles(calls=10) == 0
