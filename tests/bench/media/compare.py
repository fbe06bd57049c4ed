"""What a packet costs and how many calls a core takes, ours and rtpengine in turns; medians of the runs."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from typing import Literal

from tests.bench.media.arena import Arena
from tests.bench.media.plan import Mode
from tests.bench.media.rounds import PACKETS_A_SECOND, Round, fight

STEP = 0.06  #: of the calls: how exactly the most that a core takes is looked for
STRIDE = 1.25  #: from one try to the next, until the most lies between two


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How it is measured."""

    modes: tuple[Mode, ...]
    veth: bool
    calls: int  #: of the rounds at equal load
    seconds: float  #: of a round; those that look for the most calls take half of it
    runs: int  #: of everything
    limit: bool  #: also look for the most calls that a core takes


@dataclasses.dataclass(slots=True)
class Cost:
    """One engine in one mode, as measured so far."""

    engine: str
    mode: Mode
    rounds: list[Round] = dataclasses.field(default_factory=list)  #: at the same load as all others
    most: list[Round] = dataclasses.field(default_factory=list)  #: with the most calls that the core took
    half: list[Round] = dataclasses.field(default_factory=list)  #: at half of that
    load_limited: bool = False  #: the load or its ports were at their end before the engine

    def median(self, figure: Callable[[Round], float]) -> float:
        """Of a figure of the rounds at equal load."""
        return statistics.median(map(figure, self.rounds))

    @property
    def calls_a_core(self) -> float:
        """The most calls, had the engine had all of its core: other work of the machine takes some."""
        return statistics.median(each.calls / min(1.0, each.core_share) for each in self.most)

    def half_ms(self, percent: Literal[50, 99]) -> float:
        """The delay that so many packets did not exceed at half of the most calls."""
        return statistics.median(each.p50_ms if percent == 50 else each.p99_ms for each in self.half)

    def measure(self, arena: Arena, trial: Trial) -> None:
        """Once more."""
        self.rounds.append(fight(arena, self.engine, self.mode, trial.calls, trial.seconds))
        if trial.limit:
            self.most.append(self._most(arena, trial.seconds / 2))
            self.half.append(fight(arena, self.engine, self.mode, self.most[-1].calls // 2, trial.seconds))

    def _most(self, arena: Arena, seconds: float) -> Round:
        """The round with the most calls of which at most one packet in a thousand is lost or late."""
        best, bad = None, self.mode.max_calls + 1
        calls = min(self.mode.max_calls, self.most[-1].calls if self.most else self._fill())
        while best is None or bad - best.calls > STEP * best.calls:
            found = fight(arena, self.engine, self.mode, calls, seconds)
            if found.good:
                best = found
            else:
                bad = calls
                self.load_limited = found.limited
            if bad > self.mode.max_calls:
                calls = min(self.mode.max_calls, int(calls * STRIDE))
            elif best is None:
                calls = int(calls / STRIDE)
            else:
                calls = (best.calls + bad) // 2
        self.load_limited |= best.calls == self.mode.max_calls
        return best

    def _fill(self) -> int:
        """The calls of a full core, by the price at equal load."""
        return int(1e6 / (2 * PACKETS_A_SECOND * self.rounds[-1].us_per_packet))


def compare(engines: Sequence[str], mode: Mode, trial: Trial) -> list[Cost]:
    """Each engine in turn, as often as there are runs."""
    costs = [Cost(engine, mode) for engine in engines]
    with Arena(veth=trial.veth) as arena:
        for _ in range(trial.runs):
            for cost in costs:
                cost.measure(arena, trial)
    return costs
