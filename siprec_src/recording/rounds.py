"""Which SRS a call is offered to next, and when: rounds over the configured list, with pauses that grow.

In one round each SRS is asked once, and in a call once more in each other way that its refusals ask for
(`refusal`). So nothing that SRSs answer makes more requests than their number allows in one pause, and
pauses of many calls that lost the same SRS drift apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from siprec_src.communication import CommunicationSession
from siprec_src.identity import Identity
from siprec_src.recording.health import Health
from siprec_src.recording.outcome import Outcome
from siprec_src.recording.policy import secure_enough, tracks_of, waits_for_track
from siprec_src.recording.refusal import Remedy, applied
from siprec_src.recording.srs import SrsTarget

FIRST_PAUSE_S: Final = 5.0  #: after a round in which no SRS took the call; doubled after each further one
LAST_PAUSE_S: Final = 60.0
NOT_YET: Final = ("no-track", "track-missing")  #: why an SRS is not asked before the call is another
MAX_REDIRECTIONS: Final = 5  #: that one round follows
SPREAD: Final = (0.5, 1.5)  #: by which the pauses of two calls may differ


class Rounds:
    """The SRSs of one copy, in the order in which they are asked.

    Args:
        take: so many streams are wanted of the call's room; whether they may be forked.
    """

    def __init__(
        self,
        identity: Identity,
        targets: Sequence[SrsTarget],
        health: Health,
        take: Callable[[int], bool],
    ) -> None:
        self.failures: list[tuple[str, str]] = []  #: of this round: SRS and why
        self.asked = False  #: whether any SRS was asked in this round
        self.retry_at: float | None = None  #: when the next round begins
        self._identity = identity
        self._health = health
        self._take = take
        self._last_resort = False  #: whether one that is down was asked in this round
        self._targets = list(targets)
        self._waiting: deque[SrsTarget] = deque()  #: not yet asked in this round
        self._tried: set[tuple[str, Remedy]] = set()  #: other ways in which an SRS was asked
        self._busy_until: dict[str, float] = {}  #: whoever said Retry-After
        self._failed = 0  #: rounds, one after the other
        self._been: set[str] = set()  #: Request-URIs of this round
        self._redirections = 0  #: followed in this round

    @property
    def hopeless(self) -> bool:
        """Whether there is nobody left to ask."""
        return not self._targets

    @property
    def newest_failure(self) -> str:
        """Why the SRS that was asked last did not take the call; "" when none was."""
        return self.failures[-1][1].partition(" ")[0] if self.failures else ""

    def begin(self, now: float, first: SrsTarget | None = None) -> None:
        """A new round; ``first`` is asked before the others, those that are down after them."""
        self.failures = []
        self.asked = False
        self.retry_at = None
        self._last_resort = False
        self._been = set()
        self._redirections = 0
        wanted = sorted(self._targets, key=lambda target: first is None or not _same(target, first))
        self._waiting = deque(self._health.choose(wanted, now))

    def next(self, call: CommunicationSession, now: float) -> SrsTarget | None:
        """Who is to be asked now; None when this round is over."""
        while self._waiting:
            target = self._waiting.popleft()
            if not (why := self._unfit(target, call, now)):
                self.asked = True
                self._been.add(str(target.uri))
                self._last_resort = self._last_resort or self._health.down(target)
                return target
            self.failures.append((target.name, why))
        return None

    def failed(self, target: SrsTarget, outcome: Outcome, now: float) -> Remedy | None:
        """A session with ``target`` has ended before the call did; in what other way it is asked next."""
        status = "" if outcome.status is None else f" {outcome.status}"
        self.failures.append((target.name, outcome.reason + status))
        if outcome.wait_s is not None:
            self._busy_until[str(target.uri)] = now + outcome.wait_s
        if outcome.unusable:
            self._targets = [known for known in self._targets if not _same(known, target)]
        change = outcome.remedy
        if change is None or (target.config.uri, change) in self._tried:
            return None
        self._tried.add((target.config.uri, change))
        self._targets = [applied(known, change) if _same(known, target) else known for known in self._targets]
        self._waiting.appendleft(applied(target, change))
        return change

    def redirect(self, targets: Sequence[SrsTarget]) -> list[tuple[SrsTarget, str]]:
        """Ask these next, whom an SRS has named: each with why it is not asked, "" when it is."""
        found = []
        for target in targets:
            why = ""
            if str(target.uri) in self._been:
                why = "it was asked in this round"
            elif self._redirections == MAX_REDIRECTIONS:
                why = "too many redirections in this round"
            else:
                self._redirections += 1
                self._been.add(str(target.uri))
            found.append((target, why))
        followed = [target for target, why in found if not why]
        named = {target.uri for target in followed}
        others = (waiting for waiting in self._waiting if waiting.uri not in named)
        self._waiting = deque([*followed, *others])
        return found

    def other_than(self, target: SrsTarget) -> SrsTarget:
        """Another SRS, or the same where there is no other."""
        return next((known for known in self._targets if not _same(known, target)), target)

    def pause(self, now: float) -> None:
        """No SRS took the call: they are asked again later, if any could be asked at all."""
        if not self.asked and not self._busy_until:
            return
        pause_s = min(FIRST_PAUSE_S * 2**self._failed, LAST_PAUSE_S)
        self.retry_at = now + pause_s * self._identity.uniform(*SPREAD)
        self._failed = min(self._failed + 1, 8)

    def steady(self) -> None:
        """A session was up long enough: pauses begin small again."""
        self._failed = 0

    def _unfit(self, target: SrsTarget, call: CommunicationSession, now: float) -> str:
        """Why this SRS is not asked now; "" when it is."""
        tracks = tracks_of(call, target.config)
        if not tracks:
            return "no-track"
        if waits_for_track(call, target.config):
            return "track-missing"
        if not secure_enough(call, target):
            return "srs-not-secure"
        if self._last_resort and target.redirected_from is None and self._health.down(target):
            return "srs-down"
        if self._busy_until.get(str(target.uri), now) > now:
            return "srs-busy"
        return "" if self._take(len(tracks)) else "max-forked-streams"


def _same(one: SrsTarget, other: SrsTarget) -> bool:
    """Whether both stand for one SRS of the configuration."""
    return one.config.uri == other.config.uri
