"""Instructions of each step of a packet's way, by callgrind: a busy machine changes nothing in them.

valgrind has neither AVX-512 nor SHA instructions: in it libcrypto takes other ways than on most machines.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "native"
PROGRAM = NATIVE / "build" / "release" / "bench" / "instructions"
OUT = Path("build/bench/instructions.json")
STEPS = 1000  #: of each kind, as the program has it


def show() -> None:
    """Print a table, as Markdown, beside what the last run here counted."""
    if shutil.which("valgrind") is None:
        print("instructions are counted by valgrind, which is not installed: left out\n")
        return
    subprocess.run(["make", "--no-print-directory", "-s", "-C", NATIVE, "bench"], check=True)
    before: dict[str, float] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    names = subprocess.run([PROGRAM], capture_output=True, text=True, check=True).stdout.splitlines()
    print("\n| step of a packet of 172 bytes | instructions | the last time |\n|---|---|---|")
    found = {}
    for name in sorted(names):
        found[name] = _count(name)
        print(
            f"| {name} | {found[name]:,.0f} | {f'{before[name]:,.0f}' if name in before else ''} |",
            flush=True,
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _count(name: str) -> float:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=step"]
    said = subprocess.run([*command, PROGRAM, name], capture_output=True, text=True, check=True).stderr
    collected = re.search(r"Collected : (\d+)", said)
    assert collected, said
    return int(collected[1]) / STEPS
