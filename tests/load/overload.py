"""`make overload`: what one control process can do, what becomes of twice as much, and how it recovers."""

from __future__ import annotations

import argparse
import sys
import time

from tests.load.crowd import Crowd, Step

GROWTH = 1.15  #: from one step to the next, until something is refused
STEP_S = 8.0
OVERLOAD_S = 20.0
RECOVERY_S = 5.0  #: so long after an overload everybody must be taken


def main() -> int:
    """0 when the promises of docs/benchmarks.md hold."""
    parser = argparse.ArgumentParser(prog="make overload", description=__doc__)
    parser.add_argument("--rate", type=int, default=60, help="calls a second to begin with")
    rate = parser.parse_args().rate
    with Crowd() as crowd:
        capacity = _capacity(crowd, rate)
        if capacity is None:
            print(f"not even {rate} calls a second")
            return 1
        half = crowd.offer(capacity.rate // 2, STEP_S, probe=True)
        _show("half of it", half)
        over = crowd.offer(2 * capacity.rate, OVERLOAD_S)
        _show("twice as much", over)
        time.sleep(RECOVERY_S)
        after = crowd.offer(capacity.rate // 2, STEP_S)
        _show(f"{RECOVERY_S:.0f} s later", after)
    kept = over.steady / capacity.rate
    print(f"capacity {capacity.rate} calls/s; of it {kept:.0%} completes when twice as much is offered")
    return 0 if kept >= 0.9 and not over.callers.failed and after.clean else 1


def _capacity(crowd: Crowd, rate: int) -> Step | None:
    """The last step at which nobody was refused and nothing failed."""
    best = None
    while (step := crowd.offer(rate, STEP_S)).clean:
        _show("capacity?", step)
        best, rate = step, int(rate * GROWTH)
    _show("too much", step)
    return best


def _show(name: str, step: Step) -> None:
    delays = step.delays
    text = "" if delays is None else f"; INVITE in to out p50 {delays.p50_ms:.1f}, p99 {delays.p99_ms:.1f} ms"
    print(
        f"{name:14} {step.rate:4d}/s offered, {step.steady:5.0f}/s recorded, {step.refused} refused,"
        f" {step.callers.failed} failed, {step.callers.retransmissions} retransmissions,"
        f" {step.cpu_ms:.2f} ms of control CPU a recorded call{text}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
