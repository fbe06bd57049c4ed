"""What a packet costs and how many calls a core takes, ours and rtpengine in turns; medians of the runs."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable

from tests.bench.media.arena import Arena
from tests.bench.media.plan import MAX_CALLS, Mode
from tests.bench.media.rounds import BUSY, Round, fight

STEP = 0.06  #: of the calls: how exactly the most that a core takes is looked for
FIRST_CALLS = 400


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How it is measured."""

    veth: bool
    calls: int  #: of the rounds at equal load
    seconds: float  #: of a round
    runs: int  #: of everything
    limit: bool  #: also look for the most calls that a core takes


@dataclasses.dataclass(slots=True)
class Cost:
    """One engine in one mode, as measured so far."""

    engine: str
    mode: Mode
    rounds: list[Round] = dataclasses.field(default_factory=list)  #: at the same load as all others
    most: list[int] = dataclasses.field(default_factory=list)  #: calls that the core took
    half: list[Round] = dataclasses.field(default_factory=list)  #: at half of that
    load_limited: bool = False  #: the load was at its end before the engine

    def median(self, figure: Callable[[Round], float]) -> float:
        """Of a figure of the rounds at equal load."""
        return statistics.median(map(figure, self.rounds))

    @property
    def calls_a_core(self) -> float:
        return statistics.median(self.most)

    @property
    def p99_ms_at_half(self) -> float:
        return statistics.median(each.p99_ms for each in self.half)

    def measure(self, arena: Arena, trial: Trial) -> None:
        """Once more."""
        self.rounds.append(fight(arena, self.engine, self.mode, trial.calls, trial.seconds))
        if trial.limit:
            self.most.append(self._most(arena, trial.seconds))
            self.half.append(fight(arena, self.engine, self.mode, self.most[-1] // 2, trial.seconds))

    def _most(self, arena: Arena, seconds: float) -> int:
        """The most calls of which at most one packet in a thousand is lost or late."""
        good, bad = 0, MAX_CALLS + 1
        calls = self.most[-1] if self.most else FIRST_CALLS
        while bad - good > max(1, STEP * good):
            found = fight(arena, self.engine, self.mode, calls, seconds)
            if found.good:
                good = calls
            else:
                bad = calls
                self.load_limited = found.load_late > BUSY
            if bad > MAX_CALLS:
                calls = min(MAX_CALLS, calls * 3 // 2)
            elif good == 0:
                calls = calls * 2 // 3
            else:
                calls = (good + bad) // 2
        return good


def compare(engines: tuple[str, ...], mode: Mode, trial: Trial) -> list[Cost]:
    """Each engine in turn, as often as there are runs."""
    costs = [Cost(engine, mode) for engine in engines]
    with Arena(veth=trial.veth) as arena:
        for _ in range(trial.runs):
            for cost in costs:
                cost.measure(arena, trial)
    return costs
