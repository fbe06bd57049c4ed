"""A kept call as an object, as text and as a page: lanes, verdict, and nothing secret in any of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from siprec_src.machine import LogLine
from siprec_src.telemetry import drawing
from siprec_src.telemetry.ladder import Ladder
from siprec_src.telemetry.verdict import Recorded, judge
from tests.unit.telemetry.kept import call, explainer, octets, received, sent

INVITE = "INVITE sip:b@b.example SIP/2.0"
KEY = "c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXkh"
SDP = f"v=0\r\nk=clear:{KEY}\r\nm=audio 4000 RTP/SAVP 0\r\na=ice-pwd:{KEY}\r\na=crypto:1 AES inline:{KEY}\r\n"


def explained(ladder: Ladder, name: str = "1", *secret: str) -> dict[str, Any]:
    found = explainer(ladder, *secret).call(name, texts=True)
    assert found is not None
    return found


def test_messages_go_between_the_lanes_of_their_legs() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    ladder.sent(sent(octets("SIP/2.0 100 Trying", "leg-1")), 0.001, case)
    ladder.sent(sent(octets(INVITE, "leg-b")), 0.002, case)
    siprec = ("Require: siprec", "Content-Type: application/sdp")
    for host in ("one", "two"):
        ladder.sent(sent(octets(f"INVITE sip:srs@{host};lr SIP/2.0", host, *siprec, body="v=0")), 0.003, case)
    ladder.came(received(octets("SIP/2.0 486 Busy Here", "two")), 0.004)
    ladder.came(received(octets("SIP/2.0 486 Busy Here", "two")), 0.5)
    found = explained(ladder)
    assert found["lanes"] == ["caller", "siprec-src", "callee", "SRS sip:srs@one", "SRS sip:srs@two"]
    sip = [entry for entry in found["entries"] if entry["kind"] == "sip"]
    assert [(e["from"], e["to"]) for e in sip] == [(0, 1), (1, 0), (1, 2), (1, 3), (1, 4), (4, 1), (4, 1)]
    assert [e["again"] for e in sip] == [False] * 6 + [True]
    assert sip[3]["body"] == "SDP"
    assert [e["at_ms"] for e in sip[:3]] == [0.0, 1.0, 2.0]
    text = drawing.as_text(found)
    assert re.search(r"486 Busy Here \(INVITE\) again -+\|$", text, re.MULTILINE)
    assert re.search(r"^ +2\.0 +\| +\|-- INVITE -+>\|", text, re.MULTILINE)


def test_keys_credentials_and_digits_are_blanked_everywhere() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    fields = (
        f'Authorization: Digest username="a", response="{KEY}"',
        f'Proxy-Authorization: Digest response="{KEY}"',
        f"X-Vault: {KEY}",
        "Content-Type: application/sdp",
    )
    ladder.sent(sent(octets("INVITE sip:a:hidden-word@x SIP/2.0", "b", *fields, body=SDP)), 0.0, case)
    for kind in ("application/dtmf-relay", "application/vnd.nortelnetworks.digits", "audio/telephone-event"):
        info = octets("INFO sip:x SIP/2.0", "b", f"Content-Type: {kind}", body="Signal=7\r\n", cseq="2 INFO")
        ladder.came(received(info), 0.1)
    ladder.noted(LogLine("warning", "call.odd", (("what", f"a=crypto:1 AES inline:{KEY}"),)), 0.2, case)
    found = explained(ladder, "1", "x-vault")
    for shown in (json.dumps(found), drawing.as_text(found, full=True), drawing.as_html(found)):
        assert KEY not in shown
        assert "hidden-word" not in shown
        assert "Signal=7" not in shown
    assert "X-Vault" in json.dumps(found)
    assert "RTP/SAVP" in json.dumps(found)


def test_a_secret_field_named_later_is_blanked_from_then_on() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    ladder.sent(sent(octets(INVITE, "b", f"X-Vault: {KEY}")), 0.0, case)
    told = explainer(ladder)
    told.hide(["X-VAULT"])
    assert KEY not in json.dumps(told.call("1", texts=True))


def test_what_a_peer_wrote_can_neither_break_the_page_nor_command_the_terminal() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    evil = "<script>alert(1)</script>\x1b[2J"
    ladder.noted(LogLine("warning", "call.refused", (("reason", evil), ("status", 400))), 0.1, case)
    found = explained(ladder)
    page = drawing.as_html(found)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")  # it needs nothing from elsewhere
    assert "\x1b" not in page + drawing.as_text(found, full=True) + drawing.listed([found])


def test_a_huge_message_is_cut() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    ladder.sent(sent(octets(INVITE, "b", body="x" * 60_000)), 0.0, case)
    (text,) = [entry["text"] for entry in explained(ladder)["entries"] if "xxx" in entry.get("text", "")]
    assert len(text) < 17_000


def line(event: str, level: str = "info", /, **fields: object) -> LogLine:
    return LogLine(level, event, tuple(fields.items()))


BEGIN = line("call.begin", call=3, trunk="pbx", to="carrier")
END = line("call.end", call=3, outcome="answered", status=200, duration_s=12.5)
TOOK = line("recording.begin", rs=9, srs="sip:one", setup_s=0.042)
FAILED = line("recording.attempt-failed", srs="sip:one", reason="srs-refused", status=486)


def over(result: str, reason: str, **fields: object) -> LogLine:
    return line("recording.end", rs=9, result=result, reason=reason, duration_s=12.0, **fields)


@pytest.mark.parametrize(
    ("lines", "recorded", "words"),
    [
        ((BEGIN, TOOK, over("recorded", "call-ended", offered=100, delivered=100), END), Recorded.YES,
         ("by trunk pbx for carrier", "lasted 12.5 s", "sip:one took it 42 ms", "100 of 100 packets")),
        ((BEGIN, FAILED, line("recording.none", reason="srs-refused"), END), Recorded.NO,
         ("was not recorded", "it is busy (486)", "What to do: it has no free channel")),
        ((BEGIN, line("recording.none", reason="no-srs"), END), Recorded.NO, ("no SRS is configured",)),
        ((BEGIN, line("recording.decided", rule="board", record="never"),
          line("recording.command-refused", "warning", command="start", rule="board"),
          line("recording.none", reason="rule", rule="board"), END), Recorded.NO,
         ("Rule board decided on its recording: never.", "It did not let anybody start it.",
          "a rule does not want it to be recorded")),
        ((BEGIN, line("recording.decided", rule="bank", record="yes"), FAILED,
          line("recording.required", "warning", rule="bank", reason="no-recording")), Recorded.NO,
         ("It requires a recording, which no SRS had for too long, so the call was ended.",)),
        ((BEGIN, TOOK, over("partly", "overrun", offered=9, delivered=7, dropped_overrun=2)), Recorded.PARTLY,
         ("in part only", "7 of 9 packets", "lost: 2 dropped_overrun", "this machine is overloaded")),
        ((BEGIN, TOOK, over("interrupted", "srs-bye", offered=9, delivered=9), END), Recorded.PARTLY,
         ("ended before the call", "ended the session itself", "on_srs_bye")),
        ((BEGIN, TOOK, over("empty", "paused", offered=9), END), Recorded.NO, ("nothing was recorded",)),
        ((BEGIN, TOOK), Recorded.RUNNING, ("has not ended", "is recording it")),
        ((BEGIN, FAILED), Recorded.NO, ("No SRS has taken it so far",)),
        ((BEGIN,), Recorded.UNDECIDED, ("not been tried yet",)),
        ((BEGIN, line("call.end", outcome="rejected", status=486)), Recorded.NO, ("rejected by the callee",)),
        ((line("call.refused", "warning", status=403, reason="no trunk"),), Recorded.NO, ("403", "no trunk")),
        ((), Recorded.NO, ("Nothing was decided",)),
    ],
)  # fmt: skip
def test_the_verdict_says_what_happened_and_what_to_do(
    lines: tuple[LogLine, ...], recorded: Recorded, words: tuple[str, ...]
) -> None:
    found, said = judge(lines)
    assert found is recorded, said
    for word in words:
        assert word in said


def test_an_srs_that_went_down_meanwhile_is_named_once() -> None:
    down = line("srs.down", "warning", srs="sip:one", reason="srs-timeout")
    _, said = judge((BEGIN, FAILED), (down, down))
    assert said.count("sip:one was found down") == 1
