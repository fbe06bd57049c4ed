"""Session timers of a recording session as ladders, in virtual time (RFC 4028)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.recording.commands import Pause
from siprec_src.recording.srs import SrsConfig, Updates
from siprec_src.sip.message import Message, Request, Response
from tests.flows.recording.stage import ONE, TWO, Stage
from tests.support.ladder import drawn
from tests.unit.recording.play import VOICE_A, two_party_call, with_stream

OURS = (("Session-Expires", "1800;refresher=uac"),)
THEIRS = (("Session-Expires", "1800;refresher=uas"),)


def recorded(
    fields: tuple[tuple[str, str], ...], *srs: str | SrsConfig, allow: str = "INVITE, ACK, BYE, UPDATE"
) -> Stage:
    """A stage on which a call is being recorded; the SRS answers with these fields."""
    stage = Stage(*srs)
    stage.one.fields, stage.one.allow = fields, allow
    stage.publish(two_party_call())
    stage.lines.clear()
    return stage


def shown(stage: Stage) -> str:
    return drawn(stage.ladder)


def watched(stage: Stage, source: str) -> list[Message]:
    """Everything that ``source`` sends from now on."""
    seen: list[Message] = []

    def note(sender: str, message: Message) -> bool:
        if sender == source:
            seen.append(message)
        return False

    stage.lost = note
    return seen


@pytest.mark.rfc("4028", "7.1")
@pytest.mark.req("TIM-01", "TIM-02")
def test_every_request_names_timers_and_the_first_asks_for_half_an_hour() -> None:
    stage = Stage()
    sent = watched(stage, "src")
    stage.one.fields = OURS
    stage.publish(two_party_call())
    stage.wait(901.0)
    stage.tell_pool(Pause(7))
    stage.publish(dataclasses.replace(two_party_call(), ended=stage.now))
    requests = [m for m in sent if isinstance(m, Request) and m.method != "ACK"]
    assert [r.method for r in requests] == ["INVITE", "UPDATE", "INVITE", "UPDATE", "BYE"]
    assert all(r.tags("supported") == ("timer",) for r in requests)
    assert requests[0].headers.get("session-expires") == "1800"
    assert requests[1].headers.get("session-expires") == "1800;refresher=uac"
    assert requests[1].headers.get("content-type") is None


@pytest.mark.rfc("4028", "7.2", "7.4")
@pytest.mark.req("TIM-03", "TIM-04")
def test_we_refresh_at_half_the_interval_by_an_update_without_offer() -> None:
    stage = recorded(OURS)
    stage.wait(899.9)
    assert shown(stage) == ""
    stage.wait(0.2)
    refresh = "src -> one  UPDATE\none -> src  200 UPDATE"
    assert shown(stage) == refresh
    stage.wait(1800.0)
    assert shown(stage) == "\n".join([refresh] * 2)


@pytest.mark.rfc("4028", "7.4")
@pytest.mark.req("TIM-04")
@pytest.mark.parametrize("updates", [Updates.AUTO, Updates.INVITE])
def test_without_update_a_re_invite_with_the_unchanged_sdp_refreshes(updates: Updates) -> None:
    allow = "INVITE, ACK, BYE" if updates is Updates.AUTO else "INVITE, ACK, BYE, UPDATE"
    stage = Stage(SrsConfig(uri=ONE, updates=updates))
    sent = watched(stage, "src")
    stage.one.fields, stage.one.allow = OURS, allow
    stage.publish(two_party_call())
    stage.lines.clear()
    stage.wait(901.0)
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly]
        one -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> one  ACK
        """
    )
    refresh = next(m for m in reversed(sent) if isinstance(m, Request) and m.method == "INVITE")
    assert refresh.headers.get("content-type") == "application/sdp"
    assert refresh.body in sent[0].body  # the same description to the octet, o= included


@pytest.mark.rfc("4028", "7.4")
@pytest.mark.req("TIM-04")
def test_an_srs_that_does_not_take_update_after_all_gets_a_re_invite_at_once() -> None:
    stage = recorded(OURS)
    stage.one.statuses.append(501)
    stage.wait(901.0)
    assert shown(stage) == drawn(
        """
        src -> one  UPDATE
        one -> src  501 UPDATE
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly]
        one -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> one  ACK
        """
    )


@pytest.mark.rfc("4028", "7.4")
@pytest.mark.req("TIM-04")
def test_whatever_is_told_refreshes_too() -> None:
    stage = recorded(OURS)
    stage.wait(800.0)
    stage.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    stage.lines.clear()
    stage.wait(899.0)
    assert shown(stage) == ""
    stage.wait(2.0)
    assert shown(stage) == "src -> one  UPDATE\none -> src  200 UPDATE"


@pytest.mark.rfc("4028", "7.2")
@pytest.mark.req("TIM-03")
def test_an_srs_without_timers_is_left_in_peace() -> None:
    stage = recorded(())
    stage.wait(86400.0)
    assert shown(stage) == ""


@pytest.mark.rfc("4028", "10")
@pytest.mark.req("TIM-06")
def test_an_srs_that_does_not_refresh_gets_bye_in_time_and_the_next_one_takes_over() -> None:
    stage = recorded(THEIRS)
    stage.wait(1767.9)
    assert shown(stage) == ""
    stage.wait(0.2)
    assert shown(stage) == drawn(
        """
        fork ends
        fork ends
        src -> one  BYE
        src -> two  INVITE [1:10004 sendonly, 2:10006 sendonly] +metadata
        one -> src  200 BYE
        two -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> two  ACK
        fork 1 to two:30000 live
        fork 2 to two:30002 live
        """
    )
    (end,) = [dict(line.fields) for line in stage.client.logs if line.event == "recording.end"]
    assert (end["result"], end["reason"]) == ("interrupted", "srs-session-expired")
    assert len(stage.two.metadata) == 1


@pytest.mark.rfc("4028", "9")
@pytest.mark.req("TIM-07", "TIM-09")
@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_the_refreshes_of_the_srs_keep_the_session(method: str) -> None:
    stage = recorded(THEIRS)
    answers = watched(stage, "src")
    for _ in range(3):
        stage.wait(900.0)
        body = stage.one.describe(lambda _i, m: m) if method == "INVITE" else b""
        stage.one.ask(method, body, Supported="timer", Session_Expires="1800;refresher=uac")
    first = next(m for m in answers if isinstance(m, Response) and m.status == 200)
    assert first.headers.get("session-expires") == "1800;refresher=uac"
    assert first.tags("require") == ("timer",)
    assert first.tags("supported") == ("timer",)
    assert "BYE" not in shown(stage)
    stage.wait(1769.0)
    assert "src -> one  BYE" in shown(stage)


@pytest.mark.rfc("4028", "9")
@pytest.mark.req("TIM-07")
def test_an_interval_that_is_too_short_is_refused_and_changes_nothing() -> None:
    stage = recorded(())
    answers = watched(stage, "src")
    moved = stage.one.describe(lambda _i, m: m.with_direction(Direction.INACTIVE))
    stage.one.ask("INVITE", moved, Supported="timer", Session_Expires="60")
    refused = answers[-1]
    assert isinstance(refused, Response)
    assert (refused.status, refused.headers.get("min-se")) == (422, "90")
    assert "fork" not in shown(stage)
    stage.one.ask("UPDATE", Session_Expires="soon")
    assert answers[-1].headers.get("session-expires") is None
    assert "400 UPDATE" in shown(stage)


@pytest.mark.rfc("4028", "7.3")
@pytest.mark.req("ERR-06", "TIM-05")
def test_a_422_to_the_invite_is_followed_by_one_with_the_interval_it_names() -> None:
    stage = Stage()
    sent = watched(stage, "src")
    stage.one.statuses.append(422)
    stage.one.fields = (("Min-SE", "3600"),)
    stage.publish(two_party_call())
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  422 INVITE
        src -> one  ACK
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> one  ACK
        fork 1 to one:30000 live
        fork 2 to one:30002 live
        """
    )
    retried = [m for m in sent if isinstance(m, Request) and m.method == "INVITE"][1]
    assert retried.headers.get("session-expires") == "3600"
    assert retried.headers.get("min-se") == "3600"


@pytest.mark.rfc("4028", "7.3")
@pytest.mark.req("ERR-06")
def test_a_422_that_asks_for_nothing_we_could_do_is_a_refusal() -> None:
    stage = Stage()
    stage.one.statuses.append(422)
    stage.publish(two_party_call())
    assert "fork 1 to two:30000 live" in shown(stage)


@pytest.mark.rfc("4028", "7.3")
@pytest.mark.req("ERR-06")
def test_a_422_to_a_refresh_is_followed_by_a_longer_one_at_once() -> None:
    stage = recorded(OURS)
    stage.one.statuses.append(422)
    stage.one.fields = (("Min-SE", "3600"), ("Session-Expires", "3600;refresher=uac"))
    stage.wait(901.0)
    refused = "src -> one  UPDATE\none -> src  422 UPDATE\n"
    assert shown(stage) == refused + "src -> one  UPDATE\none -> src  200 UPDATE"
    stage.wait(1790.0)
    assert shown(stage) == ""


@pytest.mark.rfc("3261", "21.4.16")
@pytest.mark.req("ERR-07")
def test_an_srs_that_wants_timers_required_gets_them_required() -> None:
    stage = Stage()
    sent = watched(stage, "src")
    stage.one.statuses.append(421)
    stage.one.fields = (("Require", "timer"),)
    stage.publish(two_party_call())
    assert "fork 1 to one:30000 live" in shown(stage)
    retried = [m for m in sent if isinstance(m, Request) and m.method == "INVITE"][1]
    assert retried.tags("require") == ("siprec", "timer")


@pytest.mark.rfc("4028", "10")
@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("TIM-08", "DLG-04", "UPD-05")
def test_an_srs_that_forgot_the_session_gets_a_new_one_with_a_complete_snapshot() -> None:
    stage = recorded(OURS)
    stage.one.statuses.append(481)
    stage.wait(901.0)
    assert shown(stage) == drawn(
        """
        src -> one  UPDATE
        one -> src  481 UPDATE
        fork ends
        fork ends
        src -> one  INVITE [1:10004 sendonly, 2:10006 sendonly] +metadata
        one -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> one  ACK
        fork 1 to one:30000 live
        fork 2 to one:30002 live
        """
    )
    assert len(stage.one.metadata) == 2


@pytest.mark.rfc("4028", "10")
@pytest.mark.req("TIM-08", "ERR-13")
def test_an_srs_that_has_vanished_is_noticed_by_the_refresh_and_followed_by_another() -> None:
    stage = recorded(OURS)
    stage.lost = lambda source, _message: source == "one"
    stage.wait(931.0)
    assert "two" not in shown(stage)
    stage.wait(2.0)
    assert "fork 1 to two:30000 live" in shown(stage)


@pytest.mark.rfc("4028", "10")
@pytest.mark.req("TIM-08")
def test_an_srs_that_refuses_every_refresh_is_asked_a_few_times_and_then_left() -> None:
    stage = recorded(OURS, ONE, TWO)
    stage.one.statuses.extend([488] * 100)
    stage.wait(1801.0)
    ladder = shown(stage)
    assert 2 < ladder.count("488 UPDATE") < 12
    assert ladder.count("src -> one  BYE") == 1
    assert "fork 1 to two:30000 live" in ladder


@pytest.mark.rfc("4028", "7.1")
@pytest.mark.req("TIM-02", "TIM-03")
def test_where_no_interval_is_asked_for_the_one_that_the_srs_sets_holds() -> None:
    stage = Stage(SrsConfig(uri=ONE, session_expires_s=0))
    sent = watched(stage, "src")
    stage.one.fields = (("Session-Expires", "90;refresher=uac"),)
    stage.publish(two_party_call())
    stage.lines.clear()
    assert sent[0].headers.get("session-expires") is None
    stage.wait(46.0)
    assert shown(stage) == "src -> one  UPDATE\none -> src  200 UPDATE"


@pytest.mark.rfc("4028", "7.4")
def test_the_end_of_the_call_ends_the_timer() -> None:
    stage = recorded(OURS)
    stage.publish(dataclasses.replace(two_party_call(), ended=stage.now))
    stage.lines.clear()
    stage.wait(4000.0)
    assert shown(stage) == ""
    assert (stage.client.finished, stage.client.agent.idle) == (1, True)
