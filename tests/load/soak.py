"""`make soak`: very many recorded calls, and what memory the control process holds meanwhile."""

from __future__ import annotations

import argparse
import sys

from tests.load.crowd import Crowd

PARTS = 20  #: of the run; after each the memory is told
SETTLED = 5  #: parts after which tables, caches and the allocator have their size
FLAT = 0.05  #: growth from there to the end that counts as none


def main() -> int:
    """0 when no call failed and memory stayed flat."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=80, help="calls a second")
    arguments = parser.parse_args()
    resident: list[int] = []
    failed = calls = 0
    with Crowd() as crowd:
        for _ in range(PARTS):
            step = crowd.offer(arguments.rate, arguments.calls / PARTS / arguments.rate)
            calls += step.recorded
            failed += step.callers.failed + step.refused
            resident.append(step.resident_bytes)
            print(
                f"{calls:7d} calls recorded, {failed} failed, {resident[-1] / 2**20:6.1f} MiB,"
                f" {step.cpu_ms:.2f} ms of control CPU a call",
                flush=True,
            )
    growth = resident[-1] / resident[SETTLED - 1] - 1
    print(f"memory grew by {growth:.1%} over the last {(PARTS - SETTLED) * calls // PARTS} calls")
    return 0 if growth <= FLAT and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
