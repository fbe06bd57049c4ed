"""Which of the operator's rules decides on a call.

The first of the rules that hold for a call and say ``force`` or ``never`` decides; where there is none, the
first that says ``yes`` or ``no``; where there is none either, ``automatic`` of ``[recording]``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from siprec_src.communication import CallDirection, CommunicationSession, Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.machine import WallClock
from siprec_src.recording.copies import TRACKS, tailored
from siprec_src.recording.hours import parse_hours
from siprec_src.recording.patterns import party_matches, text_matches
from siprec_src.recording.policy import Decision, decide
from siprec_src.recording.rule import Policy, Record, Rule, listed
from siprec_src.recording.settings import Distribution
from siprec_src.recording.srs import SrsTarget
from siprec_src.recording.templates import Facts, fill, parse_template
from siprec_src.sip.headers import parse_name_address
from siprec_src.sip.message import Headers
from siprec_src.sip.uri import Uri, parse_uri
from siprec_src.values import immutable


@immutable
class CallFacts:
    """What the conditions of rules ask of a call."""

    trunk: str
    direction: CallDirection
    caller: tuple[Uri, ...]  #: its identities: those that its own side asserts, else From
    callee: tuple[Uri, ...]  #: whom the caller has called: To
    headers: Headers  #: of the INVITE
    at: dt.datetime  #: of its beginning, with a time zone
    share: float | None  #: 0 to less than 100, out of its session id; None: any call like it


@immutable
class Verdict:
    """Which rule decides, and why each other one does not."""

    rules: tuple[Rule, ...]
    failed: tuple[str, ...]  #: of each rule the key of the first condition that does not hold; "" when all do
    winner: Rule | None  #: None: no rule decides

    def why(self, rule: Rule) -> str:
        """In words, what has become of one of the rules."""
        failed = self.failed[self.rules.index(rule)]
        if failed:
            return f"{failed} does not hold"
        if rule is self.winner:
            first = "force or never" if rule.record.binds else "yes or no"
            return f"decides: the first {first} that holds"
        if rule.record is Record.DONT_CARE or self.winner is None:
            return "holds, and decides nothing"
        stronger = self.winner.record.binds and not rule.record.binds
        return f"holds, but {self.winner.name!r} {'is stronger' if stronger else 'comes before it'}"


def judge(rules: Sequence[Rule], facts: CallFacts) -> Verdict:
    """Hold every rule against a call."""
    failed = tuple(_failing(rule, facts) for rule in rules)
    holding = [rule for rule, why in zip(rules, failed, strict=True) if not why]
    binding = (rule for rule in holding if rule.record.binds)
    deciding = (rule for rule in holding if rule.record is not Record.DONT_CARE)
    winner = next(binding, None) or next(deciding, None)
    return Verdict(rules=tuple(rules), failed=failed, winner=winner)


def facts_of(call: CommunicationSession, wall: WallClock) -> CallFacts:
    """What rules may ask of a call."""
    headers = Headers(call.headers)
    return CallFacts(
        trunk=call.trunk,
        direction=call.direction,
        caller=_identities(call, Side.CALLER),
        callee=_addressed(headers) or _identities(call, Side.CALLEE),
        headers=headers,
        at=wall.at(call.started),
        share=share_of(call.session_id),
    )


class RuleBook:
    """Decides on calls by the rules of the configuration.

    Args:
        rules: in order.
    """

    def __init__(self, rules: Sequence[Rule], wall: WallClock) -> None:
        self._rules = tuple(rules)
        self._wall = wall

    def decide(self, call: CommunicationSession, targets: Sequence[SrsTarget]) -> Decision:
        """What is done about a call; ``targets``: the SRSs of those rules that name none."""
        rule = judge(self._rules, facts_of(call, self._wall)).winner if self._rules else None
        return decided(rule, call, targets)


def decided(rule: Rule | None, call: CommunicationSession, targets: Sequence[SrsTarget]) -> Decision:
    """What is done about a call by the rule that decides on it; None: there is none."""
    if rule is None:
        return decide(call, targets)
    found = decide(call, targets_of(rule, call, targets))
    return replace(
        found,
        record=rule.record,
        rule=rule.name,
        required=rule.policy is Policy.REQUIRED,
        distribution=None if rule.via is None else Distribution.ORDERED,
    )


def targets_of(rule: Rule, call: CommunicationSession, targets: Iterable[SrsTarget]) -> tuple[SrsTarget, ...]:
    """The SRSs that a call goes to by this rule, and what each gets."""
    if rule.via is not None:
        targets = rule.via.targets
    facts = Facts(call=call, values={})
    filled = ((name, fill(parse_template(text), facts)) for name, text in rule.parameters.items())
    parameters = tuple((name, value) for name, value in filled if value)
    if rule.via is None and rule.track is None and not parameters:
        return tuple(targets)  # as they are: what is found out of one is remembered of it
    name = None if rule.via is None else rule.via.sid
    track = None if rule.track is None else TRACKS[rule.track]
    return tailored(targets, name, track=track, parameters=parameters)


def share_of(session_id: bytes) -> float:
    """A number from 0 to less than 100, always the same for one call and evenly spread over many."""
    return 100 * int.from_bytes(hashlib.sha256(session_id).digest()[:6]) / (1 << 48)


def _failing(rule: Rule, facts: CallFacts) -> str:
    return next((key for key, holds in _CONDITIONS if not holds(rule, facts)), "")


def _trunk(rule: Rule, facts: CallFacts) -> bool:
    return not rule.trunk or facts.trunk in listed(rule.trunk)


def _direction(rule: Rule, facts: CallFacts) -> bool:
    return rule.direction in (None, facts.direction)


def _caller(rule: Rule, facts: CallFacts) -> bool:
    return not rule.caller or party_matches(listed(rule.caller), facts.caller)


def _callee(rule: Rule, facts: CallFacts) -> bool:
    return not rule.callee or party_matches(listed(rule.callee), facts.callee)


def _header(rule: Rule, facts: CallFacts) -> bool:
    return all(
        any(text_matches(pattern, value.strip()) for value in facts.headers.all(name))
        for name, pattern in rule.header.items()
    )


def _time(rule: Rule, facts: CallFacts) -> bool:
    if not rule.time:
        return True
    there = facts.at.astimezone(rule.zone)
    return any(parse_hours(hours).hold(there) for hours in listed(rule.time))


def _percentage(rule: Rule, facts: CallFacts) -> bool:
    return rule.percentage > (facts.share or 0)


_CONDITIONS: Final[tuple[tuple[str, Callable[[Rule, CallFacts], bool]], ...]] = (
    ("trunk", _trunk),
    ("direction", _direction),
    ("caller", _caller),
    ("callee", _callee),
    ("header", _header),
    ("time", _time),
    ("percentage", _percentage),
)


def _identities(call: CommunicationSession, side: Side) -> tuple[Uri, ...]:
    there = (who for who in call.participants if who.side is side and who.left is None)
    return _uris(name.aor for who in there for name in who.names)


def _addressed(headers: Headers) -> tuple[Uri, ...]:
    value = headers.get("to")
    try:
        return () if value is None else (parse_name_address(value).uri,)
    except RemoteProtocolError:
        return ()


def _uris(texts: Iterable[str]) -> tuple[Uri, ...]:
    found = []
    for text in texts:
        try:
            found.append(parse_uri(text))
        except RemoteProtocolError:
            continue
    return tuple(found)
