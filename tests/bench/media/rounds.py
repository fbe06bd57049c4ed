"""One round: an engine on its core, the load on the other, and what came of every packet."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from siprec_src.media.model import MediaIo
from tests.bench.media.arena import Arena
from tests.bench.media.plan import Mode, Plan

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "native"
LOAD = NATIVE / "build" / "release" / "bench" / "rtpload"
RTPENGINE = "rtpengine"
ENGINES = {f"siprec-src, {io.value}": io for io in (MediaIo.SOCKETS, MediaIo.PACKET, MediaIo.BPF)}
PACKETS_A_SECOND = 50  #: of a party
WARM_S = 1.0
BAD = 0.001  #: share of packets lost or late that a round may have
SLOTS_A_SECOND = 2000  #: in which the load speaks
BUSY = 0.02  #: share of slots in which the load may be late itself


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What came of one load on one engine."""

    engine: str
    mode: str
    calls: int
    us_per_packet: float  #: of the engine's core, kernel included, for each packet that the parties sent
    core_share: float
    bad: float  #: share of what was to come that was lost or later than 100 ms
    misrouted: int  #: packets that came to a place where they do not belong
    p50_ms: float
    p99_ms: float
    kb_per_call: float  #: resident memory of the engine's processes
    reordered: int
    duplicate: int
    load_late: float  #: share of its slots in which the load was late itself, and so the limit
    unread: int  #: packets that the load had no room for: likewise

    @property
    def good(self) -> bool:
        return self.bad <= BAD and self.misrouted == 0

    @property
    def limited(self) -> bool:
        """The load was at its end, not the engine."""
        return self.load_late > BUSY or self.unread > 0


def build_load() -> None:
    """Compile ``rtpload``."""
    subprocess.run(["make", "--no-print-directory", "-s", "-C", NATIVE, "bench"], check=True)


def fight(arena: Arena, engine: str, mode: Mode, calls: int, seconds: float) -> Round:
    """Run one engine under so many calls."""
    plan = Plan(
        mode=mode,
        host=arena.engine_host,
        load_host=arena.load_host,
        count=calls,
        io=ENGINES.get(engine, MediaIo.SOCKETS),
    )
    host_module = "tests.bench.media." + ("rtpengine" if engine == RTPENGINE else "ours")
    command = arena.at_engine(sys.executable, "-m", host_module)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as host:
        assert host.stdin
        assert host.stdout
        host.stdin.write(plan.write() + "\n")
        host.stdin.flush()
        ready = json.loads(host.stdout.readline())
        before_s = arena.spent_s(ready["pid"])
        load = subprocess.run(
            arena.at_load(str(LOAD), "-s", str(seconds), "-w", str(WARM_S), *arena.wire),
            input=plan.table(ready["ports"]), capture_output=True, text=True, check=True,
            start_new_session=True,
        )  # fmt: skip
        busy = arena.spent_s(ready["pid"]) - before_s
        host.stdin.close()
        host.wait(60)
    account = json.loads(load.stdout)
    # What the engine's interface had no room for is lost as well.
    sent, copies = account["sent"] + account["unsent"], account["copies_wanted"]
    missing = sent - account["relayed"] + max(0, copies - account["copied"])
    return Round(
        engine=engine,
        mode=mode.name,
        calls=calls,
        us_per_packet=busy / (2 * calls * (seconds + WARM_S) * PACKETS_A_SECOND) * 1e6,
        core_share=busy / (seconds + WARM_S),
        bad=(missing + account["late"]) / (sent + copies),
        misrouted=account["misrouted"] + account["foreign"],
        p50_ms=account["p50_ms"],
        p99_ms=account["p99_ms"],
        kb_per_call=ready["grown_bytes"] / 1024 / calls,
        reordered=account["relay_reordered"] + account["copies_reordered"],
        duplicate=account["relay_duplicate"] + account["copies_duplicate"],
        load_late=account["slots_late"] / (seconds * SLOTS_A_SECOND),
        unread=account["unread"],
    )
