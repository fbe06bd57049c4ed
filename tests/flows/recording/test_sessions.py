"""Whole recording sessions as ladders: from the published call to the last BYE."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Direction
from siprec_src.metadata.model import SnapshotRequest
from siprec_src.metadata.writer import write_snapshot_request
from siprec_src.recording.commands import Pause, Resume
from siprec_src.recording.srs import SrsConfig, Updates
from siprec_src.sip.message import Message
from tests.flows.recording.stage import ONE, TWO, Stage
from tests.support.ladder import drawn
from tests.unit.recording.play import VOICE_A, two_party_call, with_stream

SET_UP = """
    src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
    one -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
    src -> one  ACK
    fork 1 to one:30000 live
    fork 2 to one:30002 live
"""
TEAR_DOWN = """
    fork ends
    fork ends
    src -> one  UPDATE +final
    one -> src  200 UPDATE
    src -> one  BYE
    one -> src  200 BYE
"""


def ended(stage: Stage) -> CommunicationSession:
    return dataclasses.replace(two_party_call(), ended=stage.now)


def recorded(*srs: str | SrsConfig) -> Stage:
    """A stage on which a call is being recorded; its ladder begins behind the set-up."""
    stage = Stage(*srs)
    stage.publish(two_party_call())
    stage.lines.clear()
    return stage


def shown(stage: Stage) -> str:
    return drawn(stage.ladder)


@pytest.mark.rfc("7866", "5.1")
@pytest.mark.rfc("8068", "3.2.1")
@pytest.mark.req("SIP-14", "SIP-16", "UPD-02", "UPD-14")
def test_a_call_is_recorded_from_its_answer_to_its_end() -> None:
    stage = Stage()
    stage.publish(two_party_call())
    assert shown(stage) == drawn(SET_UP)
    stage.wait(30.0)
    stage.publish(ended(stage))
    assert shown(stage) == drawn(TEAR_DOWN)
    assert len(stage.one.metadata) == 2
    assert (stage.client.finished, stage.client.pool.live) == (1, 0)
    stage.wait(64.0)
    assert shown(stage) == ""
    assert stage.client.agent.idle
    assert set(stage.client.media.ports) == {1, 2}


@pytest.mark.req("SIP-02", "SIP-03", "SIP-04")
def test_every_contact_of_ours_says_src() -> None:
    stage = Stage()
    contacts: list[str] = []

    def note(source: str, message: Message) -> bool:
        if source == "src" and message.headers.get("contact"):
            contacts.append(message.headers.get("contact") or "")
        return False

    stage.lost = note
    stage.publish(two_party_call())
    stage.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    stage.tell_pool(Pause(7))
    stage.one.ask("UPDATE")
    stage.one.ask("INVITE", stage.one.describe(lambda _i, m: m))
    assert len(contacts) == 5
    assert all(contact.endswith(">;+sip.src") for contact in contacts)


@pytest.mark.req("ERR-08", "SIP-22")
def test_a_refusal_is_followed_by_the_next_srs() -> None:
    stage = Stage()
    stage.one.statuses.append(486)
    stage.publish(two_party_call())
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  486 INVITE
        src -> one  ACK
        src -> two  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        two -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> two  ACK
        fork 1 to two:30000 live
        fork 2 to two:30002 live
        """
    )


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.req("TXN-06", "TXN-08")
def test_a_silent_srs_is_cancelled_and_followed_by_the_next() -> None:
    stage = Stage()
    stage.one.silent = True
    stage.publish(two_party_call())
    stage.wait(8.1)
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        src -> one  CANCEL
        one -> src  200 CANCEL
        one -> src  487 INVITE
        src -> one  ACK
        src -> two  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        two -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> two  ACK
        fork 1 to two:30000 live
        fork 2 to two:30002 live
        """
    )


@pytest.mark.req("SDP-07")
def test_a_track_that_the_srs_does_not_want_is_not_sent() -> None:
    stage = Stage()
    stage.one.change = lambda i, m: m.with_port(0) if i == 1 else m
    stage.publish(two_party_call())
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  200 INVITE [1:30000 recvonly, 2:0 recvonly]
        src -> one  ACK
        fork 1 to one:30000 live
        """
    )


@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("SDP-08", "SDP-25")
def test_an_srs_that_is_not_ready_says_so_and_begins_later() -> None:
    stage = Stage()
    stage.one.change = lambda _i, m: m.with_direction(Direction.INACTIVE)
    stage.publish(two_party_call())
    stage.one.ask("INVITE", stage.one.describe(lambda _i, m: m.with_direction(Direction.RECVONLY)))
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  200 INVITE [1:30000 inactive, 2:30002 inactive]
        src -> one  ACK
        fork 1 to one:30000 paused
        fork 2 to one:30002 paused
        one -> src  INVITE [1:30000 recvonly, 2:30002 recvonly]
        fork live
        fork live
        src -> one  200 INVITE [1:10000 sendonly, 2:10002 sendonly]
        one -> src  ACK
        """
    )


@pytest.mark.req("SDP-05")
def test_an_answer_with_too_few_m_lines_is_acknowledged_and_ended() -> None:
    stage = Stage()
    stage.one.most = 1
    stage.publish(two_party_call())
    assert shown(stage).splitlines()[:5] == [
        "src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata",
        "one -> src  200 INVITE [1:30000 recvonly]",
        "src -> one  ACK",
        "src -> one  BYE",
        "src -> two  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata",
    ]


@pytest.mark.rfc("3261", "15.1.2")
@pytest.mark.req("DLG-11")
def test_the_srs_may_hang_up() -> None:
    stage = recorded()
    stage.one.ask("BYE")
    assert shown(stage) == drawn(
        """
        one -> src  BYE
        fork ends
        fork ends
        src -> one  200 BYE
        """
    )
    stage.wait(120.0)
    assert shown(stage) == ""
    assert stage.client.finished == 1


@pytest.mark.rfc("7866", "9.2")
@pytest.mark.req("UPD-06", "UPD-08")
def test_a_snapshot_request_is_served_at_once() -> None:
    stage = recorded()
    stage.one.ask("UPDATE", write_snapshot_request(SnapshotRequest()), "application/rs-metadata+xml")
    assert shown(stage) == drawn(
        """
        one -> src  UPDATE +request
        src -> one  200 UPDATE
        src -> one  UPDATE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  200 UPDATE [1:30000 recvonly, 2:30002 recvonly]
        """
    )


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-19")
def test_pause_and_resume() -> None:
    stage = recorded()
    stage.one.change = lambda _i, m: m.with_direction(Direction.INACTIVE)
    stage.tell_pool(Pause(7))
    assert shown(stage) == drawn(
        """
        fork paused
        fork paused
        src -> one  INVITE [1:10000 inactive, 2:10002 inactive] +metadata
        one -> src  200 INVITE [1:30000 inactive, 2:30002 inactive]
        src -> one  ACK
        """
    )
    stage.one.change = lambda _i, m: m
    stage.tell_pool(Resume(7))
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  200 INVITE [1:30000 recvonly, 2:30002 recvonly]
        src -> one  ACK
        fork live
        fork live
        """
    )


@pytest.mark.rfc("8068", "3.2.2")
@pytest.mark.req("MD-50", "MD-51", "SDP-20")
@pytest.mark.parametrize(("updates", "method"), [(Updates.AUTO, "UPDATE"), (Updates.INVITE, "INVITE")])
def test_hold_and_resume_of_the_call_are_told(updates: Updates, method: str) -> None:
    stage = recorded(SrsConfig(uri=ONE, updates=updates))
    stage.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    stage.publish(two_party_call())
    acknowledged = "src -> one  ACK\n" if method == "INVITE" else ""
    told = (
        f"src -> one  {method} [1:10000 sendonly, 2:10002 sendonly] +metadata\n"
        f"one -> src  200 {method} [1:30000 recvonly, 2:30002 recvonly]\n"
    )
    assert shown(stage) == drawn((told + acknowledged) * 2)
    assert len({*stage.one.metadata}) == 2


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.req("TXN-08")
def test_a_call_that_ends_during_set_up_leaves_nothing_behind() -> None:
    stage = Stage()
    stage.one.silent = True
    stage.publish(two_party_call())
    stage.publish(ended(stage))
    assert shown(stage) == drawn(
        """
        src -> one  INVITE [1:10000 sendonly, 2:10002 sendonly] +metadata
        src -> one  CANCEL
        one -> src  200 CANCEL
        one -> src  487 INVITE
        src -> one  ACK
        """
    )
    stage.wait(64.0)
    assert shown(stage) == ""
    assert stage.client.agent.idle
    assert set(stage.client.media.ports) == {1, 2}


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("DLG-06")
def test_after_glare_the_update_goes_out_again() -> None:
    stage = recorded()
    stage.one.statuses.append(491)
    stage.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    stage.wait(3.2)
    assert shown(stage) == drawn(
        """
        src -> one  UPDATE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  491 UPDATE
        src -> one  UPDATE [1:10000 sendonly, 2:10002 sendonly] +metadata
        one -> src  200 UPDATE [1:30000 recvonly, 2:30002 recvonly]
        """
    )


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-04", "UPD-05")
def test_an_srs_that_forgot_the_dialog_gets_a_new_session() -> None:
    stage = recorded()
    stage.wait(40.0)
    stage.one.statuses.append(481)
    stage.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    assert shown(stage) == drawn(
        """
        src -> one  UPDATE [1:10000 sendonly, 2:10002 sendonly] +metadata
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


@pytest.mark.req("ERR-13")
def test_an_srs_that_vanishes_is_followed_by_another() -> None:
    stage = recorded()
    stage.lost = lambda source, _message: source == "one"
    stage.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    stage.wait(31.0)
    assert "two" not in shown(stage)
    stage.wait(2.0)
    assert "fork 1 to two:30000 live" in shown(stage)


@pytest.mark.rfc("4568", "5.1")
@pytest.mark.req("KEY-01", "KEY-13")
def test_a_secure_session_is_srtp_on_both_m_lines() -> None:
    stage = Stage(ONE + "&secure=true")
    stage.publish(two_party_call())
    assert shown(stage).splitlines()[:2] == [
        "src -> one  INVITE [1:10000 sendonly srtp, 2:10002 sendonly srtp] +metadata",
        "one -> src  200 INVITE [1:30000 recvonly srtp, 2:30002 recvonly srtp]",
    ]
    assert all(r.attached.send_key for r in stage.client.media.readers.values())


@pytest.mark.req("KEY-03", "KEY-35")
def test_a_refused_secure_session_goes_to_the_next_secure_srs_never_to_rtp() -> None:
    stage = Stage(ONE + ";secure=true", TWO + ";secure=true")
    stage.one.statuses.append(488)
    stage.publish(two_party_call())
    rungs = shown(stage).splitlines()
    assert rungs[3] == "src -> two  INVITE [1:10000 sendonly srtp, 2:10002 sendonly srtp] +metadata"
    assert rungs[-2:] == ["fork 1 to two:30000 live", "fork 2 to two:30002 live"]
