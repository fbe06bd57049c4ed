"""Rules against whatever a call may say: they hold or do not, and nothing escapes."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from siprec_src.communication import Name
from siprec_src.recording.rule import Policy, Record, Rule
from siprec_src.recording.rules import RuleBook
from siprec_src.recording.srs import SrsConfig, parse_target
from tests.unit.recording.play import WALL, edge, two_party_call

RULES = (
    Rule(name="a", caller=("*@*?", "sip:*"), callee="+49*", record=Record.NO),
    Rule(
        name="b",
        header={"X-Queue": "*a*b*"},
        time="fri-mon 22:00-06:00",
        percentage=50,
        policy=Policy.REQUIRED,
        parameters={"Queue": "{header:X-Queue}", "To": "{to.uri}", "Who": "{from.name}"},
    ),
)
TARGET = parse_target(SrsConfig(uri="sip:a.example", parameters_as_headers=True), {"default": edge()})
said = st.text(max_size=60) | st.text('<>"@:;%+49 ab\r\n\\sip', max_size=60)


@given(st.lists(st.tuples(st.sampled_from(["To", "From", "X-Queue"]), said), max_size=4), said, said)
def test_no_call_breaks_the_decision_on_it(fields: list[tuple[str, str]], aor: str, other: str) -> None:
    call = two_party_call()
    parties = (dataclasses.replace(call.participants[0], names=(Name(aor=aor), Name(aor=other))),)
    call = dataclasses.replace(
        call, participants=(*parties, call.participants[1]), headers=tuple(fields), session_id=aor.encode()
    )
    decision = RuleBook(RULES, WALL).decide(call, [TARGET])
    assert decision.rule in ("", "a", "b")
    assert decision == RuleBook(RULES, WALL).decide(call, [TARGET])
