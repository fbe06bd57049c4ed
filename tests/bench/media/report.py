"""The table of ours beside rtpengine, its JSON and its picture."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import statistics
import subprocess
from pathlib import Path

from tests.bench.media.compare import Cost, Trial, compare
from tests.bench.media.picture import draw
from tests.bench.media.rounds import ENGINES, RTPENGINE, build_load

OUT = Path("build/bench")


def show(trial: Trial) -> None:
    """Measure and print, as Markdown."""
    if os.geteuid() != 0:
        print("the media engines are measured in network namespaces, which need root: left out\n")
        return
    build_load()
    print("Over a veth pair.\n" if trial.veth else "Over loopback.\n")
    print("| " + " | ".join(_HEAD) + " |\n|" + "---|" * len(_HEAD))
    costs: list[Cost] = []
    for mode in trial.modes:
        for cost in compare(_engines(), mode, trial):
            print("| " + " | ".join(_row(cost)) + " |", flush=True)
            costs.append(cost)
    if any(cost.most for cost in costs):
        _print_against(costs)
    _keep(trial, costs)


def _print_against(costs: list[Cost]) -> None:
    """Calls a core, as often as rtpengine has them."""
    print("\n| calls a core, of rtpengine's | " + " | ".join(ENGINES) + " |\n|" + "---|" * (1 + len(ENGINES)))
    for mode in dict.fromkeys(cost.mode for cost in costs):
        by_engine = {cost.engine: cost.calls_a_core for cost in costs if cost.mode is mode}
        if theirs := by_engine.get(RTPENGINE):
            print(
                f"| {mode.value} | "
                + " | ".join(f"{by_engine[each] / theirs:.2f}x" for each in ENGINES)
                + " |"
            )


def _keep(trial: Trial, costs: list[Cost]) -> None:
    name = "media" if trial.veth else "media-loopback"
    fields = dataclasses.asdict(trial) | {"modes": [mode.name for mode in trial.modes]}
    OUT.mkdir(parents=True, exist_ok=True)
    found = {"trial": fields, "costs": [_fields(cost) for cost in costs]}
    (OUT / f"{name}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    (OUT / f"{name}.svg").write_text(draw(costs), encoding="utf-8")
    print(f"\n{OUT}/{name}.json, {OUT}/{name}.svg\n", flush=True)


_HEAD = (
    "engine on one core",
    "CPU µs a packet",
    "of the core",
    "lost or late, out of order, twice",
    "delay p50 / p99, ms",
    "resident KB a call",
    "most calls a core (as found, at that share of it)",
    "p50 / p99 at half of it, ms",
)


def _engines() -> tuple[str, ...]:
    if shutil.which("rtpengine") is None:
        install = ["apt-get", "install", "-yqq", "--no-install-recommends", "rtpengine-daemon"]
        subprocess.run(install, check=False)
    return (*ENGINES, RTPENGINE) if shutil.which("rtpengine") else tuple(ENGINES)


def _row(cost: Cost) -> tuple[str, ...]:
    prices = [each.us_per_packet for each in cost.rounds]
    return (
        f"{cost.engine}: {cost.mode.value}",
        f"{statistics.median(prices):.2f} ({min(prices):.2f} to {max(prices):.2f})",
        f"{cost.median(lambda each: each.core_share):.0%}",
        f"{cost.median(lambda each: each.bad):.2%}, {_worst(cost)}",
        f"{cost.median(lambda each: each.p50_ms):.2f} / {cost.median(lambda each: each.p99_ms):.2f}",
        f"{cost.median(lambda each: each.kb_per_call):.0f}",
        _most(cost),
        f"{cost.half_ms(50):.2f} / {cost.half_ms(99):.2f}" if cost.half else "",
    )


def _worst(cost: Cost) -> str:
    reordered = max(each.reordered for each in cost.rounds)
    return f"{reordered}, {max(each.duplicate for each in cost.rounds)}"


def _most(cost: Cost) -> str:
    if not cost.most:
        return ""
    least = "at least " if cost.load_limited else ""
    found = ", ".join(f"{each.calls:,} at {each.core_share:.0%}" for each in cost.most)
    return f"{least}{cost.calls_a_core:,.0f} ({found})"


def _fields(cost: Cost) -> dict[str, object]:
    return dataclasses.asdict(cost) | {"mode": cost.mode.name}
