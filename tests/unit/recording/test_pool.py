"""All recordings of the daemon."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from siprec_src.communication import CommunicationSession
from siprec_src.errors import ConfigurationError
from siprec_src.machine import Forward, Gone, LogLine, Observe, WallClock
from siprec_src.recording.commands import Pause, Resume
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.recording.policy import Decision, decide
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.srs import SrsConfig, SrsTarget
from tests.support.identity import CountingIdentity
from tests.unit.recording.play import Play, edge, two_party_call


def pool_of(*srs: str) -> RecordingPool:
    configs = [SrsConfig(uri=uri) for uri in srs]
    return RecordingPool(CountingIdentity(), WallClock(0.0), {"default": edge()}, configs)


def test_each_call_is_decided_on_once() -> None:
    asked: list[int] = []

    def once(call: CommunicationSession, targets: Sequence[SrsTarget]) -> Decision:
        asked.append(call.call)
        return decide(call, targets)

    pool = RecordingPool(
        CountingIdentity(), WallClock(0.0), {"default": edge()}, [SrsConfig(uri="sip:a.example")], once
    )
    other = dataclasses.replace(two_party_call(), call=8)
    for call in (two_party_call(), other, two_party_call(), dataclasses.replace(other, ended=2.0)):
        pool.receive(call, 1.0)
    assert asked == [7, 8]
    assert pool.live == 2


def test_a_call_that_is_not_recorded_is_counted_and_logged_once() -> None:
    pool = pool_of()
    effects = [*pool.receive(two_party_call(), 1.0), *pool.receive(two_party_call(), 2.0)]
    effects += pool.receive(dataclasses.replace(two_party_call(), ended=3.0), 3.0)
    assert [getattr(e, "event", getattr(e, "name", "")) for e in effects] == [
        "recording.none",
        "calls_unrecorded_total",
    ]
    assert pool.live == 0


@pytest.mark.req("SIP-22")
def test_calls_do_not_touch_each_other() -> None:
    play = Play("sip:a.example")
    play.publish(two_party_call())
    play.accept()
    play.publish(dataclasses.replace(two_party_call(), call=8, session_id=b"T" * 16))
    play.say(486)
    assert play.pool.live == 2
    assert len(play.media.readers) == 2
    assert play.invites[0].usage != play.invites[1].usage
    play.command(Pause(8))
    assert play.methods() == []
    play.command(Pause(9))
    play.command(Resume(9))
    assert play.methods() == []


def test_nothing_is_remembered_of_calls_that_are_over() -> None:
    play = Play("sip:a.example")
    for number in range(50):
        call = dataclasses.replace(two_party_call(), call=number)
        play.publish(call)
        play.accept()
        play.publish(dataclasses.replace(call, ended=play.now))
        play.say(200)
        play.say(200)
    assert play.finished == 50
    assert play.pool.live == 0
    assert play.machines == []
    assert list(play.pool.calls) == []
    assert set(play.media.ports) == {1, 2}


def test_a_call_first_heard_of_when_it_is_over_is_not_recorded() -> None:
    pool = pool_of("sip:a.example")
    pool.receive(dataclasses.replace(two_party_call(), ended=3.0), 3.0)
    assert pool.live == 0


def test_a_recording_that_fails_is_forgotten_and_named() -> None:
    pool = pool_of("sip:a.example")
    (begun,) = pool.receive(two_party_call(), 1.0)
    assert isinstance(begun, Forward)
    begun.machine.receive(begun.event, 1.0)
    (lost,) = pool.receive(Gone(begun.machine), 2.0)
    assert isinstance(lost, CopyChanged)
    assert lost.state is CopyState.FAILED
    assert pool.live == 0
    assert pool.receive(two_party_call(), 3.0) == []
    none, counted = pool.receive(dataclasses.replace(two_party_call(), ended=4.0), 4.0)
    assert isinstance(none, LogLine)
    assert none.event == "recording.none"
    assert counted == Observe("calls_unrecorded_total", (("reason", "internal-error"),))
    assert pool.receive(Gone(begun.machine), 4.0) == []


def test_an_unusable_srs_is_found_when_the_pool_is_made() -> None:
    with pytest.raises(ConfigurationError, match="edge"):
        pool_of("sip:a.example", "sip:b.example;edge=oslo")


def test_warnings_about_the_configured_srs_are_there_to_be_logged() -> None:
    pool = pool_of("sip:localhost", "sip:b.example;secure=true;transport=tcp")
    (warning,) = pool.warnings
    assert warning.startswith("sip:b.example: ")


def test_a_call_without_audio_is_recorded_once_it_has_some() -> None:
    play = Play("sip:a.example")
    play.publish(dataclasses.replace(two_party_call(), streams=()))
    assert play.invites == []
    play.publish(two_party_call())
    assert len(play.invites) == 1
