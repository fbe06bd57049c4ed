"""Several copies of one call, each at an SRS of its own; and calls that are recorded when somebody asks."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Direction
from siprec_src.machine import Gone
from siprec_src.media import plane
from siprec_src.metadata.model import DataMode, Recording
from siprec_src.metadata.reader import read_metadata
from siprec_src.recording.commands import Pause, Resume, Start, Stop
from siprec_src.recording.outcome import Outcome, Result, of_several
from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.recording.srs import SrsConfig, Track
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    CALLER,
    Play,
    answer_to,
    metadata_of,
    offer_of,
    track,
    two_party_call,
)

PARALLEL = RecordingSettings(distribution=Distribution.PARALLEL)


def srs(host: str, copy: str = "", track: Track = Track.BOTH) -> SrsConfig:
    return SrsConfig(uri=f"sip:{host}.example", copy=copy, track=track)


def ended(play: Play) -> CommunicationSession:
    return dataclasses.replace(two_party_call(), ended=play.now)


def hosts(play: Play) -> list[str]:
    return [invite.request_uri.removeprefix("sip:").removesuffix(".example") for invite in play.invites]


def answer(play: Play, invite: sip.StartInvite) -> None:
    play.say(200, invite, answer_to(offer_of(invite)), (("Allow", "INVITE, ACK, BYE, UPDATE"),))


def directions(invite: sip.StartInvite) -> list[Direction | None]:
    return [media.own_direction for media in offer_of(invite).media]


def end(play: Play) -> None:
    """The call ends, and every SRS answers for it."""
    play.publish(ended(play))
    answered: set[int] = set()
    while waiting := [r for r in play.requests if r.token not in answered]:
        answered.add(waiting[0].token)
        play.say(200, waiting[0])


@pytest.mark.rfc("6341", "REQ-021")
@pytest.mark.rfc("7865", "6.10")
@pytest.mark.req("SIP-22", "PER-05")
def test_each_copy_has_a_session_of_its_own_under_the_ids_of_the_call() -> None:
    play = Play(srs("a"), srs("b"), settings=PARALLEL)
    play.publish(two_party_call())
    assert hosts(play) == ["a", "b"]
    one, two = play.invites
    assert one.usage != two.usage
    ports = [{media.port for media in offer_of(invite).media} for invite in (one, two)]
    assert not ports[0] & ports[1]
    for invite in (one, two):
        answer(play, invite)
    attached = [c for c in play.commands if isinstance(c, plane.AttachReader)]
    assert len({command.ssrc for command in attached}) == len({c.cname for c in attached}) == 4
    first, second = (read_metadata(metadata_of(invite)) for invite in (one, two))
    assert isinstance(first, Recording)
    assert isinstance(second, Recording)
    assert first.mode is second.mode is DataMode.COMPLETE
    assert first.sessions[0].session_id == second.sessions[0].session_id
    assert [group.group_id for group in first.groups] == [group.group_id for group in second.groups]


@pytest.mark.req("SIP-22")
def test_keys_of_two_copies_are_never_the_same() -> None:
    uris = (f"sip:{host}.example;secure=true;transport=tcp" for host in "ab")
    play = Play(*(SrsConfig(uri=uri) for uri in uris), settings=PARALLEL)
    play.publish(two_party_call())
    keys = [crypto.material for i in play.invites for media in offer_of(i).media for crypto in media.crypto]
    assert len(set(keys)) == len(keys) == 16


@pytest.mark.req("SIP-22")
def test_a_copy_that_fails_neither_stops_nor_delays_the_other() -> None:
    play = Play(srs("a"), srs("b"), settings=PARALLEL)
    play.publish(two_party_call())
    one, two = play.invites
    play.say(486, one)
    answer(play, two)
    assert len(play.media.readers) == 2
    assert all(reader.live for reader in play.media.readers.values())
    play.until(30.0)
    assert hosts(play)[2:]
    assert set(hosts(play)[2:]) == {"a"}
    assert play.methods() == []


@pytest.mark.req("SIP-22")
def test_changes_reach_each_copy_by_its_own_dialog_and_at_its_own_pace() -> None:
    play = Play(srs("a"), srs("b"), settings=PARALLEL)
    play.publish(two_party_call())
    for invite in play.invites:
        answer(play, invite)
    people = two_party_call().participants
    renamed = dataclasses.replace(people[1], names=people[0].names)
    play.publish(dataclasses.replace(two_party_call(), participants=(people[0], renamed)))
    assert {r.usage for r in play.requests} == {i.usage for i in play.invites}
    play.say(200, play.requests[1])
    play.publish(two_party_call())
    assert [r.usage for r in play.requests].count(play.invites[1].usage) == 2
    assert [r.usage for r in play.requests].count(play.invites[0].usage) == 1


def test_srss_of_one_copy_stand_in_for_each_other() -> None:
    play = Play(srs("a", "live"), srs("b", "archive"), srs("c", "live"))
    play.publish(two_party_call())
    assert hosts(play) == ["a", "b"]
    play.say(486, play.invites[0])
    assert hosts(play) == ["a", "b", "c"]
    answer(play, play.invites[2])
    assert play.log("recording.begin")[0]["copy"] == "live"


def test_round_robin_goes_round_in_each_copy() -> None:
    settings = RecordingSettings(distribution=Distribution.ROUND_ROBIN, max_forked_streams=8)
    play = Play(srs("a", "x"), srs("b", "x"), srs("c"), srs("d"), settings=settings)
    for number in (1, 2, 3):
        play.publish(dataclasses.replace(two_party_call(), call=number))
    assert hosts(play) == ["a", "c", "b", "d", "a", "c"]


def test_a_copy_that_does_not_fit_is_refused_whole_and_said() -> None:
    play = Play(srs("a"), srs("b"), srs("c"), srs("d", track=Track.INBOUND), settings=PARALLEL)
    play.publish(two_party_call())
    assert hosts(play) == ["a", "b"]
    failed = play.log("recording.failed")
    assert [line["copy"] for line in failed] == ["sip:c.example", "sip:d.example"]
    assert failed[0]["why"] == "sip:c.example: max-forked-streams"
    for invite in play.invites:
        answer(play, invite)
    end(play)
    (summary,) = play.log("recording.summary")
    assert summary["copies"] == (
        "sip:a.example=recorded sip:b.example=recorded "
        "sip:c.example=failed:max-forked-streams sip:d.example=failed:max-forked-streams"
    )


def test_room_for_one_track_is_used_by_a_copy_of_one_track() -> None:
    settings = RecordingSettings(distribution=Distribution.PARALLEL, max_forked_streams=3)
    play = Play(srs("a"), srs("b"), srs("c", track=Track.INBOUND), settings=settings)
    play.publish(two_party_call())
    assert hosts(play) == ["a", "c"]


def test_a_track_that_comes_later_and_has_no_room_is_described_and_said_once() -> None:
    play = Play(srs("a"), settings=RecordingSettings(max_forked_streams=2))
    play.publish(two_party_call())
    answer(play, play.invites[0])
    more = dataclasses.replace(
        two_party_call(), streams=(*two_party_call().streams, track(b"c" * 16, CALLER, 3))
    )
    play.publish(more)
    play.publish(dataclasses.replace(more, sip_session_ids=("1;remote=2",)))
    (said,) = play.log("recording.fork-failed")
    assert said["what"] == "max-forked-streams"
    assert len(offer_of(play.requests[0]).media) == 2
    told = read_metadata(metadata_of(play.requests[0]))
    assert isinstance(told, Recording)
    assert [stream.label for stream in told.streams] == ["1", "2", None]


def test_a_failover_needs_no_more_room_than_the_session_that_was_lost() -> None:
    play = Play(srs("a"), srs("b"), settings=RecordingSettings(max_forked_streams=2))
    play.publish(two_party_call())
    play.accept()
    play.until(40.0)
    play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="408"))
    assert hosts(play) == ["a", "b"]


def test_the_verdict_over_several_sessions_is_stated_once() -> None:
    play = Play(srs("a"), srs("b"))
    play.publish(two_party_call())
    play.accept()
    play.until(40.0)
    play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="408"))
    play.accept()
    end(play)
    (summary,) = play.log("recording.summary")
    assert (summary["result"], summary["reason"], summary["sessions"]) == ("partly", "srs-dialog-lost", 2)
    assert summary["copies"] == "default=partly:srs-dialog-lost"
    assert play.log("recording.none") == []
    assert play.counted("calls_unrecorded_total") == []


def test_one_session_that_says_all_gets_no_summary() -> None:
    play = Play(srs("a"))
    play.publish(two_party_call())
    play.accept()
    end(play)
    assert play.log("recording.summary") == play.log("recording.none") == []
    assert len(play.log("recording.end")) == 1


def test_what_was_missed_before_the_first_session_makes_the_call_partly_recorded() -> None:
    play = Play(srs("a"))
    play.publish(two_party_call())
    play.say(486)
    play.until(10.0)
    play.accept()
    end(play)
    (summary,) = play.log("recording.summary")
    assert (summary["result"], summary["reason"], summary["sessions"]) == ("partly", "srs-refused", 1)


@pytest.mark.parametrize(
    ("results", "all_in_all"),
    [
        ((Result.RECORDED, Result.RECORDED), Result.RECORDED),
        ((Result.RECORDED, Result.UNCONFIRMED), Result.UNCONFIRMED),
        ((Result.INTERRUPTED,), Result.PARTLY),
        ((Result.EMPTY, Result.EMPTY), Result.EMPTY),
        ((Result.EMPTY, Result.RECORDED), Result.PARTLY),
        ((Result.FAILED, Result.FAILED), Result.FAILED),
        ((Result.FAILED, Result.RECORDED), Result.PARTLY),
    ],
)
def test_ends_that_followed_each_other_make_one(results: tuple[Result, ...], all_in_all: Result) -> None:
    ends = [Outcome(result=result, reason=result.value) for result in results]
    assert of_several(ends).result is all_in_all


def test_a_machine_that_fails_takes_its_own_copy_only() -> None:
    play = Play(srs("a"), srs("b"), settings=PARALLEL)
    play.publish(two_party_call())
    for invite in play.invites:
        answer(play, invite)
    broken = play.machines.pop(0)
    play.command(Gone(broken))  # type: ignore[arg-type]
    end(play)
    (summary,) = play.log("recording.summary")
    assert summary["copies"] == "sip:a.example=failed:internal-error sip:b.example=recorded"


# Calls that are recorded when somebody asks.

ON_COMMAND = RecordingSettings(automatic=False)


def test_a_call_is_recorded_from_when_it_is_asked_for() -> None:
    play = Play(srs("a"), settings=ON_COMMAND)
    play.publish(two_party_call())
    play.until(20.0)
    assert play.invites == []
    people = two_party_call().participants
    renamed = dataclasses.replace(two_party_call(), participants=(people[0], people[1]), group_id=b"H" * 16)
    play.publish(renamed)
    play.command(Start(7))
    play.command(Start(7))
    (invite,) = play.invites
    told = read_metadata(metadata_of(invite))
    assert isinstance(told, Recording)
    assert told.mode is DataMode.COMPLETE
    assert told.groups[0].group_id == b"H" * 16
    play.accept()
    end(play)
    assert play.log("recording.none") == []


def test_a_call_that_nobody_asked_for_is_no_alarm() -> None:
    play = Play(srs("a"), settings=ON_COMMAND)
    play.publish(two_party_call())
    play.publish(ended(play))
    (line,) = [line for line in play.logs if line.event == "recording.none"]
    assert line.level == "info"
    assert dict(line.fields)["reason"] == "on-command"
    assert play.counted("calls_unrecorded_total") == []
    play.command(Start(7))
    assert play.invites == []


@pytest.mark.req("UPD-02")
def test_a_call_that_was_stopped_is_recorded_again_with_a_complete_snapshot() -> None:
    play = Play(srs("a"))
    play.publish(two_party_call())
    play.accept()
    play.command(Stop(7))
    play.command(Start(7))
    assert len(play.invites) == 2
    told = read_metadata(metadata_of(play.invites[1]))
    assert isinstance(told, Recording)
    assert told.mode is DataMode.COMPLETE
    first = read_metadata(metadata_of(play.invites[0]))
    assert isinstance(first, Recording)
    assert told.sessions[0].session_id == first.sessions[0].session_id
    play.say(200, play.requests[0])
    answer(play, play.invites[1])
    end(play)
    (summary,) = play.log("recording.summary")
    assert (summary["result"], summary["sessions"]) == ("recorded", 2)


def test_only_the_copies_that_are_not_kept_are_begun() -> None:
    play = Play(srs("a", "x"), srs("b", "y"))
    play.publish(two_party_call())
    play.say(420, play.invites[0])
    answer(play, play.invites[1])
    play.command(Start(7))
    assert hosts(play) == ["a", "b", "a"]


def test_a_call_that_is_paused_is_begun_paused() -> None:
    play = Play(srs("a"), settings=ON_COMMAND)
    play.publish(two_party_call())
    play.command(Pause(7))
    play.command(Start(7))
    assert directions(play.invites[0]) == [Direction.INACTIVE] * 2
    play.accept()
    assert not any(reader.live for reader in play.media.readers.values())
    play.command(Resume(7))
    play.accept()
    assert all(reader.live for reader in play.media.readers.values())


def test_stop_ends_a_pause_too() -> None:
    play = Play(srs("a"))
    play.publish(two_party_call())
    play.accept()
    play.command(Pause(7))
    play.command(Stop(7))
    play.command(Start(7))
    assert directions(play.invites[1]) == [Direction.SENDONLY] * 2


def test_commands_for_calls_that_are_not_known_do_nothing() -> None:
    play = Play(srs("a"))
    for command in (Pause(9), Resume(9), Stop(9), Start(9)):
        play.command(command)
    assert play.order == []


def test_what_goes_on_can_be_seen() -> None:
    play = Play(srs("a"), srs("b"), settings=PARALLEL)
    play.publish(two_party_call())
    play.accept()
    play.say(486, play.invites[0])
    play.command(Pause(7))
    (view,) = play.pool.calls
    assert view == play.pool.view(7)
    assert (view.call.call, view.paused) == (7, True)
    assert [(r.copy, r.state) for r in view.recordings] == [
        ("sip:a.example", "waiting"),
        ("sip:b.example", "recording"),
    ]
    assert play.pool.view(8) is None
