"""Which rule decides: what each condition asks of a call, and which of those that hold wins."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import zoneinfo

import pytest

from siprec_src.communication import CallDirection, CommunicationSession, Name
from siprec_src.errors import ConfigurationError
from siprec_src.instructions.model import Track as TrackName
from siprec_src.recording.hours import parse_hours
from siprec_src.recording.patterns import text_matches
from siprec_src.recording.rule import Policy, Record, Rule
from siprec_src.recording.rules import CallFacts, facts_of, judge, share_of
from tests.unit.recording.play import WALL, two_party_call

FORCE, YES, DONT_CARE, NO, NEVER = Record


def called(
    caller: str = "sip:alice@example.com", callee: str = "sip:bob@example.net", **more: object
) -> CommunicationSession:
    call = two_party_call()
    first, second = call.participants
    parties = (
        dataclasses.replace(first, names=(Name(aor=caller),)),
        dataclasses.replace(second, names=(Name(aor=callee),)),
    )
    return dataclasses.replace(call, participants=parties, **more)  # type: ignore[arg-type]


def facts(call: CommunicationSession | None = None) -> CallFacts:
    return facts_of(call or called(), WALL)


def holds(rule: Rule, call: CommunicationSession) -> bool:
    return judge([rule], facts(call)).failed == ("",)


def test_no_call_waits_until_patterns_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule(callee=tuple(f"+4930{number}*" for number in range(2000)))
    monkeypatch.setattr("fnmatch.translate", lambda pattern: pytest.fail(f"{pattern} is read now"))
    assert not holds(rule, called(callee="sip:+49999@x.example"))
    assert holds(rule, called(callee="sip:+493019991@x.example"))


@pytest.mark.parametrize(
    ("records", "winner"),
    [
        ([], None),
        ([DONT_CARE], None),
        ([DONT_CARE, DONT_CARE, NO, YES], 2),
        ([YES, NO], 0),
        ([NO, YES], 0),
        ([YES, NO, NEVER], 2),
        ([NO, FORCE, NEVER], 1),
        ([NEVER, FORCE], 0),
        ([DONT_CARE, YES, DONT_CARE, FORCE], 3),
    ],
)
def test_the_first_that_binds_wins_else_the_first_that_decides(
    records: list[Record], winner: int | None
) -> None:
    rules = [Rule(name=str(number), record=record) for number, record in enumerate(records)]
    found = judge(rules, facts()).winner
    assert (None if found is None else rules.index(found)) == winner


def test_a_rule_that_does_not_hold_wins_nothing() -> None:
    rules = [Rule(name="a", trunk="other", record=FORCE), Rule(name="b", record=NO)]
    verdict = judge(rules, facts(called(trunk="pbx")))
    assert verdict.winner is rules[1]
    assert verdict.failed == ("trunk", "")
    assert verdict.why(rules[0]) == "trunk does not hold"
    assert verdict.why(rules[1]) == "decides: the first yes or no that holds"


def test_it_is_said_why_each_rule_that_holds_does_not_decide() -> None:
    rules = [Rule(name="a"), Rule(name="b", record=DONT_CARE), Rule(name="c", record=NEVER)]
    rules.append(Rule(name="d", record=FORCE))
    verdict = judge(rules, facts())
    assert [verdict.why(rule) for rule in rules] == [
        "holds, but 'c' is stronger",
        "holds, and decides nothing",
        "decides: the first force or never that holds",
        "holds, but 'c' comes before it",
    ]


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = Rule(trunk="pbx", caller="alice", header={"X-Queue": "sales*", "X-Site": "?"})
    fields = (("X-Queue", "Sales-1"), ("x-site", "7"))
    assert holds(rule, called(trunk="pbx", headers=fields))
    assert not holds(rule, called(trunk="carrier", headers=fields))
    assert not holds(rule, called("sip:carol@example.com", trunk="pbx", headers=fields))
    assert not holds(rule, called(trunk="pbx", headers=fields[:1]))
    assert not holds(rule, called(trunk="pbx", headers=(*fields[:1], ("X-Site", "77"))))


@pytest.mark.parametrize(
    ("pattern", "party", "matches"),
    [
        ("+49*", "sip:+4930123@carrier.example", True),
        ("+49*", "tel:+49-30-123", True),
        ("+4930123", "tel:+49(30)123", True),
        ("+4930123", "sip:+4930123;npdi@carrier.example", True),
        ("+49*", "sip:0049301@carrier.example", False),
        ("30*", "sip:+4930123@carrier.example", False),
        ("alice", "sip:Alice@example.com:5070", True),
        ("alice", "sip:alice2@example.com", False),
        ("al?ce", "sip:alice@example.com", True),
        ("*@example.com", "sip:alice@example.com:5070;transport=tcp", True),
        ("*@example.com", "sip:alice@example.com.evil.example", False),
        ("sip:alice@example.com", "sip:alice@example.com;user=phone", True),
        ("sips:*", "sip:alice@example.com", False),
        ("tel:*", "tel:+4930123", True),
        ("[ab]*", "sip:alice@example.com", False),
        ("b%6Fb", "sip:bob@example.com", False),
        ("bob", "sip:b%6Fb@example.com", True),
    ],
)
def test_patterns_mean_the_user_or_with_an_at_or_a_scheme_more(
    pattern: str, party: str, *, matches: bool
) -> None:
    assert holds(Rule(caller=pattern), called(party)) is matches
    assert holds(Rule(callee=("nobody", pattern)), called(callee=party)) is matches


def test_caller_and_callee_are_never_taken_for_each_other() -> None:
    assert not holds(Rule(caller="bob"), called())
    assert not holds(Rule(callee="alice"), called())


def test_the_callee_is_whom_the_caller_has_called_whoever_answered() -> None:
    call = called(callee="sip:agent7@example.net", headers=(("To", "<sip:hotline@example.net>;tag=1"),))
    assert holds(Rule(callee="hotline"), call)
    assert not holds(Rule(callee="agent7"), call)
    broken = dataclasses.replace(call, headers=(("To", "<sip:"),))
    assert holds(Rule(callee="agent7"), broken)


def test_a_party_without_a_readable_address_matches_no_pattern() -> None:
    assert not holds(Rule(caller="*"), called("urn:service:sos"))


def test_no_text_of_a_call_keeps_a_pattern_busy() -> None:
    began = time.perf_counter()
    for _ in range(20):
        assert not text_matches("*a" * 120 + "b", "a" * 60_000)
    assert time.perf_counter() - began < 5


def test_a_direction_is_that_of_the_trunk() -> None:
    outbound = called(direction=CallDirection.OUTBOUND)
    assert holds(Rule(direction=CallDirection.OUTBOUND), outbound)
    assert not holds(Rule(direction=CallDirection.OUTBOUND), called())
    assert holds(Rule(direction=CallDirection.INBOUND), called())


@pytest.mark.parametrize(
    ("hours", "at", "among"),
    [
        ("mon-fri 08:00-18:00", "2026-11-20T08:00", True),  # a Friday
        ("mon-fri 08:00-18:00", "2026-11-20T17:59", True),
        ("mon-fri 08:00-18:00", "2026-11-20T18:00", False),
        ("mon-fri 08:00-18:00", "2026-11-21T10:00", False),
        ("sat,sun", "2026-11-22T23:59", True),
        ("fri-mon", "2026-11-23T00:00", True),
        ("fri-mon", "2026-11-24T00:00", False),
        ("22:00-06:00", "2026-11-20T05:59", True),
        ("22:00-06:00", "2026-11-20T06:00", False),
        ("fri 22:00-06:00", "2026-11-21T05:00", True),
        ("fri 22:00-06:00", "2026-11-20T05:00", False),
        ("sun 22:00-06:00", "2026-11-23T01:00", True),
        ("20:00-24:00", "2026-11-20T23:59", True),
        ("20:00-24:00", "2026-11-20T00:00", False),
        ("20:00-00:00", "2026-11-20T23:59", True),
    ],
)
def test_hours_may_go_over_midnight_and_weeks_around(hours: str, at: str, *, among: bool) -> None:
    assert parse_hours(hours).hold(dt.datetime.fromisoformat(at)) is among


@pytest.mark.parametrize(
    "text",
    ["", "noon", "mon fri", "fro-sun", "8:00-9:00", "08:00-08:00", "24:00-08:00", "08:00-25:00", "mon-"],
)
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_hours(text)


def test_hours_are_those_of_the_rules_zone_also_when_its_clock_is_changed() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    rule = Rule(time="08:00-09:00", zone=berlin)
    for utc, among in (
        ("2026-01-02T07:30+00:00", True),
        ("2026-01-02T06:30+00:00", False),
        ("2026-07-02T06:30+00:00", True),
        ("2026-07-02T07:30+00:00", False),
    ):
        at = dt.datetime.fromisoformat(utc).timestamp() - WALL.unix_at_zero_s
        assert holds(rule, called(started=at)) is among


def test_a_percentage_says_the_same_of_a_call_each_time_and_is_that_of_many() -> None:
    ids = [number.to_bytes(16) for number in range(4000)]
    assert round(share_of(ids[0]), 6) == round(share_of(bytes(16)), 6) == 21.592766
    tenth = [each for each in ids if holds(Rule(percentage=10), called(session_id=each))]
    half = [each for each in ids if holds(Rule(percentage=50), called(session_id=each))]
    assert 340 < len(tenth) < 460
    assert 1880 < len(half) < 2120
    assert set(tenth) < set(half)
    assert not any(holds(Rule(percentage=0), called(session_id=each)) for each in ids)
    assert all(holds(Rule(percentage=100), called(session_id=each)) for each in ids)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"percentage": 101}, "percentage: "),
        ({"percentage": float("nan")}, "percentage: "),
        ({"caller": ""}, "caller: "),
        ({"callee": ("a", "b\r\nc")}, "callee: "),
        ({"caller": "*" * 257}, "caller: "),
        ({"trunk": ""}, "trunk: "),
        ({"header": {"X Queue": "a"}}, "header: 'X Queue'"),
        ({"header": {"X-Queue": ""}}, "header: "),
        ({"time": "noon"}, "time: 'noon'"),
        ({"record": NEVER, "track": TrackName.INBOUND}, 'track: means nothing with record = "never"'),
        ({"record": DONT_CARE, "connector": "a"}, "connector: means nothing"),
        ({"record": NEVER, "parameters": {"a": "b"}}, "parameters: means nothing"),
        ({"record": NO, "policy": Policy.REQUIRED}, "policy: needs "),
        ({"parameters": {"a": "{nobody}"}}, "parameters: unknown placeholder"),
        ({"parameters": {"a": "{value:b}"}}, "parameters: "),
        ({"parameters": {"a": "{header:Authorization}"}}, "parameters: "),
        ({"parameters": {"": "b"}}, "parameters: '' is no name"),
        ({"parameters": {str(n): "" for n in range(100)}}, "parameters: more than 99"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_key(keys: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Rule(**keys)  # type: ignore[arg-type]
    assert str(refused.value).startswith(problem)
