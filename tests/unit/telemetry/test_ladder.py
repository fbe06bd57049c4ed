"""What is kept of the last calls, for how long, and how one is found."""

from __future__ import annotations

import pytest

from siprec_src.communication import id_text
from siprec_src.machine import LogLine
from siprec_src.sip.vocabulary import Resolved
from siprec_src.telemetry.ladder import MAX_CALL_BYTES, MAX_LEGS, Heard, Ladder
from tests.unit.telemetry.kept import call, explainer, octets, received, sent

INVITE = "INVITE sip:b@b.example SIP/2.0"


def test_a_call_is_found_by_its_number_each_call_id_and_its_session() -> None:
    ladder = Ladder(10)
    case = call(ladder, 7)
    ladder.sent(sent(octets(INVITE, "leg-b")), 0.1, case)
    for name in ("7", "leg-7", "leg-b", id_text((7).to_bytes(16, "big"))):
        assert ladder.find(name) is case
    for name in ("8", "leg", "", "07x", "9" * 40):
        assert ladder.find(name) is None


def test_responses_and_later_requests_of_a_leg_belong_to_its_call() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    ladder.sent(sent(octets(INVITE, "leg-b")), 0.1, case)
    before = len(case.entries)
    assert ladder.came(received(octets("SIP/2.0 200 OK", "leg-b")), 0.2) is case
    ladder.sent(sent(octets("ACK sip:b@b.example SIP/2.0", "leg-b", cseq="1 ACK")), 0.3, None)
    ladder.sent(sent(octets(INVITE, "leg-b").replace(b"Call-ID:", b"i:")), 0.4, None)
    assert len(case.entries) == before + 3


def test_a_call_that_is_recorded_ever_anew_has_so_many_legs_and_no_more() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    for leg in range(2 * MAX_LEGS):
        ladder.sent(sent(octets(INVITE, f"srs-{leg}")), 0.1, case)
    assert len(case.call_ids) == MAX_LEGS
    assert ladder.find("srs-0") is case
    assert ladder.find(f"srs-{2 * MAX_LEGS - 1}") is None


def test_an_invite_that_waits_for_a_name_belongs_to_the_call_that_asked() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    ladder.waits(99, case)
    assert ladder.came(Resolved(query=99, flows=()), 0.5) is case
    ladder.sent(sent(octets(INVITE, "leg-b")), 0.5, case)
    assert ladder.find("leg-b") is case
    assert ladder.came(Resolved(query=99, flows=()), 0.6) is None


def test_what_belongs_to_no_call_is_not_kept() -> None:
    ladder = Ladder(10)
    options = octets("OPTIONS sip:b@b.example SIP/2.0", "ping", cseq="1 OPTIONS")
    assert ladder.came(received(options), 0.0) is None
    ladder.sent(sent(octets("SIP/2.0 200 OK", "ping", cseq="1 OPTIONS")), 0.0, None)
    ladder.sent(sent(b"not even SIP"), 0.0, None)
    assert ladder.cases() == []
    ladder.noted(LogLine("warning", "srs.down", (("srs", "x"),)), 1.0, None)
    assert [noted.line.event for noted in ladder.other] == ["srs.down"]


def test_a_line_finds_its_call_by_number_or_call_id_where_its_machine_has_none() -> None:
    ladder = Ladder(10)
    case = call(ladder, 5)
    refused = ladder.came(received(octets(INVITE, "stranger")), 1.0)
    ladder.noted(LogLine("info", "recording.none", (("call", 5), ("reason", "no-srs"))), 1.0, None)
    ladder.noted(
        LogLine("warning", "call.refused", (("status", 403), ("sip_call_id", "stranger"))), 1.0, None
    )
    assert case.entries[-1].at == 1.0
    assert refused is not None
    assert refused.number == 0


def test_the_oldest_calls_give_way_but_those_with_a_fault_outlast_the_good_ones() -> None:
    ladder = Ladder(3)
    call(ladder, 1, level="error")
    for number in range(2, 12):
        call(ladder, number, at=float(number))
    assert [case.number for case in ladder.cases()] == [11, 10, 9, 1]
    assert ladder.find("1") is not None
    assert ladder.find("5") is ladder.find("leg-5") is None
    for number in range(20, 24):
        call(ladder, number, at=float(number), level="warning")
    assert ladder.find("1") is None


def test_invites_that_never_become_calls_do_not_drive_out_those_that_did() -> None:
    ladder = Ladder(3)
    call(ladder, 1)
    for number in range(50):
        ladder.came(received(octets(INVITE, f"flood-{number}")), float(number))
        ladder.sent(sent(octets("SIP/2.0 503 Service Unavailable", f"flood-{number}")), float(number), None)
    assert ladder.find("1") is not None
    assert len(ladder.cases()) == 4
    found = explainer(ladder).call("flood-49", texts=False)
    assert found is not None
    assert "refused with 503" in found["verdict"]
    assert found["recorded"] == "no"


def test_a_call_that_has_given_way_is_forgotten_whatever_it_still_says() -> None:
    ladder = Ladder(1)
    old = call(ladder, 1)
    call(ladder, 2)
    ladder.sent(sent(octets(INVITE, "late leg")), 1.0, old)
    ladder.noted(LogLine("error", "machine.failed", ()), 1.0, old)
    assert ladder.find("late leg") is None
    assert [case.number for case in ladder.cases()] == [2]


def test_one_call_keeps_no_more_than_its_share_and_counts_the_rest() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    loud = sent(octets("INFO sip:b@b.example SIP/2.0", "leg-1", body="x" * 10_000, cseq="2 INFO"))
    for _ in range(100):
        ladder.sent(loud, 1.0, case)
    assert case.size_bytes <= MAX_CALL_BYTES
    assert case.left_out > 40


def test_all_calls_together_keep_no_more_than_their_share() -> None:
    ladder = Ladder(1000, max_bytes=100_000)
    for number in range(200):
        case = call(ladder, number)
        ladder.sent(sent(octets(INVITE, f"b-{number}", body="x" * 5000)), 0.0, case)
        assert ladder.size_bytes <= 110_000
    assert 5 < len(ladder.cases()) < 20
    assert ladder.find("199") is not None


@pytest.mark.parametrize("calls", [0])
def test_switched_off_it_keeps_nothing(calls: int) -> None:
    ladder = Ladder(calls)
    assert ladder.came(received(octets(INVITE, "a")), 0.0) is None
    ladder.sent(sent(octets(INVITE, "a")), 0.0, None)
    ladder.noted(LogLine("error", "x", (("call", 1),)), 0.0, None)
    assert ladder.cases() == []
    assert not ladder.other
    assert ladder.size_bytes == 0


def test_what_a_peer_says_in_header_fields_counts_too() -> None:
    ladder = Ladder(10)
    case = call(ladder, 1)
    long = octets("INFO sip:b@b.example SIP/2.0", "leg-1", f"X-Long: {'x' * 16_000}", cseq="2 INFO")
    for _ in range(100):
        ladder.came(received(long), 1.0)
        ladder.noted(LogLine("info", "call.odd", (("why", "x" * 1000),)), 1.0, case)
    kept = sum(len(octet) for entry in case.entries if isinstance(entry, Heard) for octet in entry.fields[-2])
    assert kept < MAX_CALL_BYTES
    assert case.left_out > 60


def test_a_call_that_has_given_way_holds_no_memory_while_it_lasts() -> None:
    ladder = Ladder(1)
    old = call(ladder, 1)
    call(ladder, 2)
    ladder.sent(sent(octets("BYE sip:b@b.example SIP/2.0", "leg-1", cseq="2 BYE")), 1.0, old)
    assert old.entries == []


def test_calls_that_go_on_talking_keep_no_more_than_their_share() -> None:
    ladder = Ladder(1000, max_bytes=100_000)
    cases = [call(ladder, number) for number in range(20)]
    for number, case in enumerate(cases):
        ladder.sent(sent(octets(INVITE, f"b-{number}", body="x" * 20_000)), 0.0, case)
        assert ladder.size_bytes <= 100_000
