"""The engine alone: 500 duplex G.711 calls on one engine thread, over loopback, by its own C load tool."""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "native"
BINARY = NATIVE / "build" / "release" / "bench" / "rtpfork_bench"
MODES = {
    "relay": "relay",
    "fork": "relay + RTP fork",
    "srtp": "relay + SRTP fork, AES-CM with HMAC-SHA1-80",
    "gcm": "relay + SRTP fork, AES-128-GCM",
}


@dataclasses.dataclass(frozen=True, slots=True)
class EngineCost:
    """Medians over the runs of one mode."""

    mode: str
    calls: int
    packets_per_s: int  #: ingress
    cpu_us_per_packet: float  #: of the engine thread, user and system, per ingress packet
    cpu_share: float  #: of one core
    lost: int  #: relayed or forked copies missing, worst run
    late: int  #: later than 100 ms, worst run
    resident_kb_per_call: float

    @property
    def packets_per_core(self) -> int:
        """Ingress packets a second that would fill one core at this price."""
        return int(1e6 / self.cpu_us_per_packet)


def measure(*, calls: int, seconds: int, runs: int) -> list[EngineCost]:
    """Every mode, interleaved ``runs`` times."""
    subprocess.run(
        ["make", "--no-print-directory", "-C", str(NATIVE), str(BINARY.relative_to(NATIVE))], check=True
    )
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(runs):
        for mode, results in found.items():
            command = [str(BINARY), "-m", mode, "-n", str(calls), "-s", str(seconds), "-t", "1"]
            results.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return [_cost(mode, results) for mode, results in found.items()]


def _cost(mode: str, results: list[dict[str, float]]) -> EngineCost:
    def median(name: str) -> float:
        return statistics.median(run[name] for run in results)

    return EngineCost(
        mode=mode,
        calls=int(results[0]["calls"]),
        packets_per_s=int(median("packets_per_s")),
        cpu_us_per_packet=median("cpu_us_per_packet"),
        cpu_share=median("cpu_share"),
        lost=int(max(run["lost_relay"] + run["lost_fork"] for run in results)),
        late=int(max(run["late"] for run in results)),
        resident_kb_per_call=median("rss_kb_per_call"),
    )
