"""`make bench`: print what a packet and a call cost; docs/benchmarks.md records one such run."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from tests.bench import control, one_call
from tests.bench.media import report
from tests.bench.media.compare import Trial


def main() -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=("media", "control"), help="leave the other out")
    parser.add_argument("--rate", type=int, default=40, help="calls a second, for the control process")
    parser.add_argument("--calls", type=int, default=500, help="concurrent calls through the media engines")
    parser.add_argument("--seconds", type=float, default=6, help="of each round of a media engine")
    parser.add_argument("--runs", type=int, default=3, help="of each media engine; medians are printed")
    parser.add_argument("--loopback", action="store_true", help="media over lo, not over a veth pair")
    parser.add_argument("--limit", action="store_true", help="look for the most calls of a media engine too")
    arguments = parser.parse_args()
    print(f"{_processor()}, Linux {platform.release()}, Python {platform.python_version()}\n")
    if arguments.only != "control":
        trial = Trial(
            veth=not arguments.loopback,
            calls=arguments.calls,
            seconds=arguments.seconds,
            runs=arguments.runs,
            limit=arguments.limit,
        )
        report.show(trial)
    if arguments.only != "media":
        _print_one_call()
        _print_control(rate=arguments.rate)
    return 0


def _print_one_call() -> None:
    cost = one_call.measure(calls=2000)
    doors = ", ".join(f"{name} {spent_us:.0f}" for name, spent_us in cost.by_door_us.items())
    print("\n| one recorded call, in one process, without the kernel | |\n|---|---|")
    print(f"| calls, recorded | {cost.calls}, {cost.recorded} |")
    print(
        f"| SIP messages, media messages, log lines | {cost.sip_messages:.1f}, {cost.media_messages:.1f},"
        f" {cost.log_lines:.1f} |"
    )
    print(f"| CPU | {cost.total_us:.0f} µs ({doors}) |", flush=True)


def _print_control(*, rate: int) -> None:
    calls = control.cost_of_calls(calls=25 * rate, rate=rate)
    delays = control.added_delay(calls=1000, rate=40)
    print("\n| control process | |\n|---|---|")
    print(f"| calls, failed, recorded | {calls.calls} at {calls.rate}/s, {calls.failed}, {calls.recorded} |")
    print(f"| CPU a recorded call | {calls.cpu_ms_per_call:.2f} ms |")
    print(f"| of it in the kernel | {calls.kernel_ms_per_call:.2f} ms |")
    print(f"| INVITE in to INVITE out, p50 / p99 | {delays.p50_ms:.2f} / {delays.p99_ms:.2f} ms |")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


if __name__ == "__main__":
    sys.exit(main())
