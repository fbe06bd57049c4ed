"""`make bench`: print what a packet and a call cost; docs/benchmarks.md records such runs."""

from __future__ import annotations

import argparse
import dataclasses
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.bench import control, instructions, one_call
from tests.bench.media import calls, report
from tests.bench.media.compare import Trial
from tests.bench.media.plan import Mode


def main() -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=tuple(PARTS), help="leave the others out")
    parser.add_argument("--rate", type=int, default=40, help="calls a second, for the control process")
    parser.add_argument("--calls", type=int, default=500, help="concurrent calls through the media engines")
    parser.add_argument("--seconds", type=float, default=6, help="of each round of a media engine")
    parser.add_argument("--runs", type=int, default=3, help="of each media engine; medians are printed")
    parser.add_argument(
        "--modes", type=_modes, default=tuple(Mode), help="such as RELAY,SRTP; all by default"
    )
    parser.add_argument("--limit", action="store_true", help="look for the most calls of a media engine too")
    arguments = parser.parse_args()
    print(f"{_processor()}, Linux {platform.release()}, Python {platform.python_version()}\n")
    for part in [arguments.only] if arguments.only else PARTS:
        PARTS[part](arguments)
    return 0


def _modes(text: str) -> tuple[Mode, ...]:
    return tuple(Mode[name] for name in text.split(","))


def _show_media(arguments: argparse.Namespace) -> None:
    over_veth = Trial(
        modes=arguments.modes,
        veth=True,
        calls=arguments.calls,
        seconds=arguments.seconds,
        runs=arguments.runs,
        limit=arguments.limit,
    )
    report.show(over_veth)
    if arguments.limit:
        report.show(dataclasses.replace(over_veth, veth=False, limit=False))


def _show_control(arguments: argparse.Namespace) -> None:
    _print_one_call()
    _print_control(rate=arguments.rate)


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
    cost = control.cost_of_calls(calls=25 * rate, rate=rate)
    delays = control.added_delay(calls=1000, rate=40)
    print("\n| control process | |\n|---|---|")
    print(f"| calls, failed, recorded | {cost.calls} at {cost.rate}/s, {cost.failed}, {cost.recorded} |")
    print(f"| CPU a recorded call | {cost.cpu_ms_per_call:.2f} ms |")
    print(f"| of it in the kernel | {cost.kernel_ms_per_call:.2f} ms |")
    print(f"| INVITE in to INVITE out, p50 / p99 | {delays.p50_ms:.2f} / {delays.p99_ms:.2f} ms |")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


PARTS: Final[Mapping[str, Callable[[argparse.Namespace], None]]] = {
    "media": _show_media,
    "calls": lambda _: calls.show(),
    "instructions": lambda _: instructions.show(),
    "control": _show_control,
}

if __name__ == "__main__":
    sys.exit(main())
