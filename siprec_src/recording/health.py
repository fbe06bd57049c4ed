"""Which SRSs are there: what calls and checks have found, shared by all calls.

An SRS that was silent, could not be reached or said 503 three times in half a minute is down, one that says
Retry-After with its 503 is so at once (RFC 3261 21.5.4). It is asked last, and probed after 1, 2, 4 to 60
seconds: by an OPTIONS where checks are on, else by one call. Any other answer brings it back. Being down
takes no SRS away: when none is left, one of those that are down is asked all the same.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from siprec_src.machine import LogLine
from siprec_src.recording.ground import Effects
from siprec_src.recording.srs import SrsTarget

FAILURES: Final = 3  #: within `WINDOW_S`, then an SRS is down
WINDOW_S: Final = 30.0
FIRST_PROBE_S: Final = 1.0  #: after it went down; doubled after each probe that fails
LAST_PROBE_S: Final = 60.0  #: also: up for so long, the next time begins with the first again
LONGEST_WAIT_S: Final = 300.0  #: however long a Retry-After asks for
RECHECK_S: Final = 1.0  #: after a check that failed while the SRS is up


@dataclasses.dataclass(slots=True, kw_only=True)
class _State:
    """What is known of one SRS."""

    name: str
    check_at: float  #: when it is due to be checked or probed
    up: bool = True
    since: float = 0.0  #: when it went up or down
    probe_s: float = FIRST_PROBE_S
    failures: deque[float] = dataclasses.field(default_factory=lambda: deque(maxlen=FAILURES))


class Health:
    """The states of the configured SRSs, by URI.

    Args:
        interval_s: between two checks of an SRS that is up; 0: none is ever checked.
    """

    def __init__(self, targets: Iterable[SrsTarget], interval_s: float) -> None:
        self._interval_s = interval_s
        self._states: dict[str, _State] = {}
        self.know(targets)

    def know(self, targets: Iterable[SrsTarget], interval_s: float | None = None) -> None:
        """These are the SRSs now; what was known of those that stay is kept."""
        if interval_s is not None:
            self._interval_s = interval_s
        states: dict[str, _State] = {}
        for target in targets:
            uri = target.config.uri
            states[uri] = self._states.get(uri) or _State(name=target.name, check_at=0.0)
        self._states = states

    @property
    def states(self) -> tuple[tuple[str, float], ...]:
        """Name and 1 for each SRS that is up, 0 for each that is down."""
        return tuple((state.name, float(state.up)) for state in self._states.values())

    def down(self, target: SrsTarget) -> bool:
        state = self._states.get(target.config.uri)
        return state is not None and not state.up

    def hopeful(self, target: SrsTarget, now: float) -> bool:
        """Whether a call could be recorded there now: it is up, or a call is what it is probed by."""
        state = self._states.get(target.config.uri)
        return state is None or state.up or (not self._interval_s and now >= state.check_at)

    # For calls.

    def choose(self, targets: Sequence[SrsTarget], now: float) -> list[SrsTarget]:
        """In the order in which a call asks them: those that are down last.

        Where there are no checks, one that is down keeps its place for one call each time a probe is due.
        """
        last = {
            target.config.uri for target in targets if self.down(target) and not self._probed(target, now)
        }
        return sorted(targets, key=lambda target: target.config.uri in last)

    # For checks.

    @property
    def deadline(self) -> float | None:
        """When the next check is due."""
        if not self._interval_s:
            return None
        return min((state.check_at for state in self._states.values()), default=None)

    def begin(self, first: float) -> None:
        """The first check of each SRS is due at ``first``."""
        for state in self._states.values():
            state.check_at = state.check_at or first

    def due(self, targets: Iterable[SrsTarget], now: float) -> list[SrsTarget]:
        """Those to be checked now; the next time of each is set as if there were no answer."""
        found = []
        for target in targets:
            state = self._states[target.config.uri]
            if self._interval_s and state.check_at <= now:
                found.append(target)
                state.check_at = now + (self._interval_s if state.up else LAST_PROBE_S)
        return found

    # What was found.

    def alive(self, uri: str, now: float, *, records: bool) -> Effects:
        """It has answered; ``records``: it has taken a recording session."""
        state = self._states.get(uri)
        if state is None:
            return []
        if records or not state.up:
            state.failures.clear()
        if state.up:
            return []
        down_s = round(now - state.since, 1)
        state.up, state.since = True, now
        state.check_at = now + self._interval_s
        return [LogLine("info", "srs.up", (("srs", state.name), ("down_s", down_s)))]

    def failed(
        self, uri: str, reason: str, now: float, *, wait_s: float | None = None, checked: bool = False
    ) -> Effects:
        """It was silent, not to be reached, or said 503; ``wait_s``: its Retry-After."""
        state = self._states.get(uri)
        if state is None:
            return []
        state.failures.append(now)
        if not state.up:
            if checked:
                state.probe_s = min(2 * state.probe_s, LAST_PROBE_S)
                state.check_at = now + state.probe_s
            if wait_s is not None:
                state.check_at = max(state.check_at, now + min(wait_s, LONGEST_WAIT_S))
            return []
        often = len(state.failures) == FAILURES and now - state.failures[0] <= WINDOW_S
        if wait_s is None and not often:
            if checked:
                state.check_at = now + RECHECK_S
            return []
        settled = now - state.since > LAST_PROBE_S
        state.probe_s = FIRST_PROBE_S if settled else min(2 * state.probe_s, LAST_PROBE_S)
        state.up, state.since = False, now
        probe_s = state.probe_s if wait_s is None else min(wait_s, LONGEST_WAIT_S)
        state.check_at = now + probe_s
        said = (("srs", state.name), ("reason", reason), ("probe_s", round(probe_s, 1)))
        return [LogLine("warning", "srs.down", said)]

    def _probed(self, target: SrsTarget, now: float) -> bool:
        """Whether this call is the probe of an SRS that is down."""
        state = self._states[target.config.uri]
        if self._interval_s or now < state.check_at:
            return False
        state.probe_s = min(2 * state.probe_s, LAST_PROBE_S)
        state.check_at = now + state.probe_s
        return True
