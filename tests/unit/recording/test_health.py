"""What is known of the SRSs, shared by all calls: down, probed, up again."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.errors import ConfigurationError
from siprec_src.machine import Finished, Forward, LogLine
from siprec_src.recording import commands
from siprec_src.recording.health import Health
from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.recording.srs import SrsConfig, parse_target
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Headers, Response
from tests.unit.recording.play import Play, edge, two_party_call

A, B, C = (parse_target(SrsConfig(uri=f"sip:{n}.example"), {"default": edge()}) for n in "abc")


def health(interval_s: float = 30.0) -> Health:
    known = Health((A, B, C), interval_s)
    known.begin(1000.0)
    return known


def fail(known: Health, *times: float, wait_s: float | None = None, checked: bool = False) -> list[str]:
    """A fails at these times; the names of the log lines."""
    effects = [
        effect
        for at in times
        for effect in known.failed(A.config.uri, "srs-timeout", at, wait_s=wait_s, checked=checked)
    ]
    return [effect.event for effect in effects if isinstance(effect, LogLine)]


@pytest.mark.req("LOC-05")
def test_three_failures_in_half_a_minute_take_an_srs_down() -> None:
    known = health()
    assert fail(known, 0.0, 10.0) == []
    assert fail(known, 31.0) == []
    assert fail(known, 35.0) == ["srs.down"]
    assert known.states == (("sip:a.example", 0.0), ("sip:b.example", 1.0), ("sip:c.example", 1.0))
    assert known.choose((A, B, C), 36.0) == [B, C, A]


@pytest.mark.rfc("3261", "21.5.4")
@pytest.mark.req("ERR-08")
def test_a_503_with_retry_after_takes_it_down_at_once_for_so_long() -> None:
    known = health()
    assert fail(known, 100.0, wait_s=40.0) == ["srs.down"]
    assert known.due((A,), 139.9) == []
    assert known.due((A,), 140.0) == [A]
    for_ever = health()
    fail(for_ever, 100.0, wait_s=1e6)
    assert for_ever.due((A,), 400.0) == [A]


@pytest.mark.req("LOC-05")
def test_probes_come_after_1_2_4_to_60_seconds() -> None:
    known = health()
    fail(known, 100.0, 100.0, 100.0)
    now, pauses = 100.0, []
    for _ in range(8):
        pauses.append(known._states[A.config.uri].check_at - now)
        now += pauses[-1]
        assert known.due((A,), now - 0.01) == []
        assert known.due((A,), now) == [A]
        fail(known, now, checked=True)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_an_answer_brings_it_back_and_says_how_long_it_was_down() -> None:
    known = health()
    fail(known, 100.0, 100.0, 100.0)
    (line,) = known.alive(A.config.uri, 112.5, records=False)
    assert line == LogLine("info", "srs.up", (("srs", "sip:a.example"), ("down_s", 12.5)))
    assert known.choose((A, B), 113.0) == [A, B]
    assert known.alive(A.config.uri, 113.0, records=False) == []


def test_one_that_answers_options_but_takes_no_call_goes_down_again_for_longer() -> None:
    known = health()
    fail(known, 100.0, 100.0, 100.0)
    known.alive(A.config.uri, 101.0, records=False)
    fail(known, 102.0, 103.0)
    known.alive(A.config.uri, 103.5, records=False)
    assert fail(known, 104.0) == ["srs.down"]
    assert known.due((A,), 105.9) == []
    assert known.due((A,), 106.0) == [A]


def test_a_check_that_fails_is_soon_repeated() -> None:
    known = health()
    assert known.due((A,), 1000.0) == [A]
    assert fail(known, 1004.0, checked=True) == []
    assert known.due((A,), 1005.0) == [A]


def test_without_checks_one_call_is_the_probe() -> None:
    known = health(0)
    assert known.deadline is None
    fail(known, 100.0, 100.0, 100.0)
    assert known.choose((A, B), 100.5) == [B, A]
    assert known.choose((A, B), 101.0) == [A, B]
    assert known.choose((A, B), 101.0) == [B, A]


def test_what_is_known_of_an_srs_survives_a_change_of_the_list() -> None:
    known = health()
    fail(known, 100.0, 100.0, 100.0)
    known.know((B, A))
    assert known.down(A)
    known.know((B,))
    assert known.states == (("sip:b.example", 1.0),)
    assert fail(known, 101.0) == []
    assert known.alive(A.config.uri, 101.0, records=True) == []


@pytest.mark.req("LOC-05")
def test_an_srs_that_only_requests_name_is_checked_but_records_no_call_by_itself() -> None:
    play = Play("sip:a.example")
    other = parse_target(SrsConfig(uri="sip:a.example;transport=udp"), {"default": edge()})
    play.pool.retarget([SrsConfig(uri="sip:a.example")], asked_for=(other,))
    assert [name for name, _ in play.pool.srs_up] == ["sip:a.example", "sip:a.example;transport=udp"]
    play.pool.retarget([SrsConfig(uri="sip:a.example")], asked_for=(B,))
    assert [name for name, _ in play.pool.srs_up] == ["sip:a.example", "sip:b.example"]
    play.pool.wake(1.0)
    begun = [effect for effect in play.pool.wake(60.0) if isinstance(effect, Forward)]
    asked = [effect.machine.receive(effect.event, 60.0)[0].request_uri for effect in begun]
    assert asked == ["sip:a.example", "sip:b.example"]
    assert calls(play, 1) == ["sip:a.example"]
    play.pool.retarget([])
    assert play.pool.srs_up == ()
    play.publish(dataclasses.replace(two_party_call(), call=2))
    assert len(play.invites) == 1


def calls(play: Play, *numbers: int) -> list[str]:
    """Begin calls; whom each asks first."""
    asked = []
    for number in numbers:
        play.publish(dataclasses.replace(two_party_call(), call=number))
        asked.append(play.invites[-1].request_uri)
    return asked


@pytest.mark.rfc("3263", "4.3")
@pytest.mark.req("LOC-05", "ERR-08")
def test_a_silent_srs_costs_only_the_first_calls_their_wait() -> None:
    play = Play("sip:a.example", "sip:b.example")
    for number in range(3):
        assert calls(play, number) == ["sip:a.example"]
        play.say(408, made_here=True)
        assert play.invites[-1].request_uri == "sip:b.example"
        play.accept()
    assert [line.event for line in play.logs if line.event.startswith("srs.")] == ["srs.down"]
    assert calls(play, 3) == ["sip:b.example"]


@pytest.mark.req("ERR-13")
def test_when_all_are_down_one_is_asked_all_the_same() -> None:
    play = Play("sip:a.example", "sip:b.example")
    for number in range(3):
        calls(play, number)
        play.say(408, made_here=True)
        play.say(408, made_here=True)
    before = len(play.invites)
    assert calls(play, 3) == ["sip:a.example"]
    play.say(408, made_here=True)
    assert len(play.invites) == before + 1
    why = [dict(line.fields)["why"] for line in play.logs if line.event == "recording.failed"][-1]
    assert why == "sip:a.example: srs-timeout 408; sip:b.example: srs-down"
    play.until(play.now + 10)
    play.accept()
    assert "srs.up" in [line.event for line in play.logs]


def test_a_refusal_is_a_sign_of_life() -> None:
    play = Play("sip:a.example")
    for number in range(5):
        calls(play, number)
        play.say(486)
    assert play.pool.srs_up == (("sip:a.example", 1.0),)


def test_round_robin_gives_each_srs_its_turn() -> None:
    play = Play("sip:a.example", "sip:b.example", "sip:c.example")
    play.pool.retarget(
        [SrsConfig(uri=f"sip:{n}.example") for n in "abc"],
        RecordingSettings(distribution=Distribution.ROUND_ROBIN),
    )
    assert calls(play, 1, 2, 3, 4) == ["sip:a.example", "sip:b.example", "sip:c.example", "sip:a.example"]


def response(status: int, *fields: tuple[str, str], made_here: bool = False) -> sip.ResponseArrived:
    answer = Response(status=status, reason="", headers=Headers(fields))
    return sip.ResponseArrived(usage=1, dialog="", token=1, response=answer, made_here=made_here)


@pytest.mark.rfc("3261", "11.1")
@pytest.mark.parametrize(
    ("answer", "found"),
    [
        *(
            (response(status), commands.SrsAlive(uri="sip:a.example"))
            for status in (200, 403, 404, 405, 481, 501)
        ),
        (
            response(503, ("Retry-After", "7")),
            commands.SrsFailed(uri="sip:a.example", reason="options-503", wait_s=7.0, checked=True),
        ),
        (
            response(408, made_here=True),
            commands.SrsFailed(uri="sip:a.example", reason="options-timeout", checked=True),
        ),
        (
            response(503, made_here=True),
            commands.SrsFailed(uri="sip:a.example", reason="options-unreachable", checked=True),
        ),
    ],
    ids=lambda value: f"{value.response.status}" if isinstance(value, sip.ResponseArrived) else "",
)
def test_any_answer_to_options_but_503_says_that_the_srs_is_there(
    answer: sip.ResponseArrived, found: object
) -> None:
    play = Play("sip:a.example")
    pool = play.pool
    assert pool.wake(0.0) == []
    due = pool.deadline
    assert due is not None
    assert 15.0 <= due <= 30.0
    (begun,) = pool.wake(due)
    assert isinstance(begun, Forward)
    (options,) = begun.machine.receive(begun.event, due)
    assert options.request_uri == "sip:a.example"
    assert options.headers.get("require") is None
    told, finished = begun.machine.receive(answer, due)
    assert told.event == found
    assert isinstance(finished, Finished)
    assert pool.deadline == due + 30.0


def test_nothing_is_checked_while_draining_or_when_it_is_turned_off() -> None:
    play = Play("sip:a.example")
    play.pool.wake(0.0)
    play.pool.draining = True
    assert play.pool.deadline is None
    assert play.pool.wake(100.0) == []
    off = Play("sip:a.example")
    off.pool.retarget([SrsConfig(uri="sip:a.example")], RecordingSettings(options_interval_s=0))
    off.pool.wake(0.0)
    assert off.pool.deadline is None
    assert off.pool.wake(100.0) == []


@pytest.mark.parametrize("interval_s", [-1, 0.5, 4000])
def test_an_interval_without_sense_is_refused(interval_s: float) -> None:
    with pytest.raises(ConfigurationError, match="options_interval_s"):
        RecordingSettings(options_interval_s=interval_s)
