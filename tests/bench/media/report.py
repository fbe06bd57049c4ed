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
from tests.bench.media.plan import Mode
from tests.bench.media.rounds import ENGINES, RTPENGINE, build_load

OUT = Path("build/bench")


def show(trial: Trial) -> None:
    """Measure and print, as Markdown."""
    if os.geteuid() != 0:
        print("the media engines are measured in network namespaces, which need root: left out\n")
        return
    build_load()
    print("| " + " | ".join(_HEAD) + " |\n|" + "---|" * len(_HEAD))
    costs: list[Cost] = []
    for mode in Mode:
        for cost in compare(_engines(), mode, trial):
            print("| " + " | ".join(_row(cost)) + " |", flush=True)
            costs.append(cost)
    OUT.mkdir(parents=True, exist_ok=True)
    found = {"trial": dataclasses.asdict(trial), "costs": [_fields(cost) for cost in costs]}
    (OUT / "media.json").write_text(json.dumps(found, indent=1))
    (OUT / "media.svg").write_text(draw(costs))
    print(f"\n{OUT}/media.json, {OUT}/media.svg\n")


_HEAD = (
    "engine on one core",
    "CPU µs a packet",
    "of the core",
    "lost or late",
    "delay p50 / p99, ms",
    "resident KB a call",
    "most calls a core",
    "p99 at half of it, ms",
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
        f"{cost.median(lambda each: each.bad):.2%}",
        f"{cost.median(lambda each: each.p50_ms):.2f} / {cost.median(lambda each: each.p99_ms):.2f}",
        f"{cost.median(lambda each: each.kb_per_call):.0f}",
        f"{cost.calls_a_core:,.0f}{' (the load gave up)' if cost.load_limited else ''}" if cost.most else "",
        f"{cost.p99_ms_at_half:.2f}" if cost.half else "",
    )


def _fields(cost: Cost) -> dict[str, object]:
    return dataclasses.asdict(cost) | {"mode": cost.mode.name}
