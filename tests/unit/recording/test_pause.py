"""A pause holds whatever else happens, until it is undone and the SRS has agreed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from siprec_src.communication import Direction
from siprec_src.media import plane
from siprec_src.recording.commands import Pause, Resume
from siprec_src.sdp.model import Media
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    VOICE_A,
    Play,
    answer_to,
    offer_of,
    two_party_call,
    with_stream,
)


def inactive(_index: int, media: Media) -> Media:
    return media.with_direction(Direction.INACTIVE)


def lives(play: Play) -> list[bool]:
    return [reader.live for reader in play.media.readers.values()]


def glare(play: Play) -> None:
    play.say(491)
    assert lives(play) == [False, False]
    play.until(play.now + 4.1)
    play.accept(inactive)


def hold_by_the_srs(play: Play) -> None:
    play.accept(inactive)
    play.ask("UPDATE", write_sdp(answer_to(offer_of(play.invites[0]), inactive)))
    play.ask("UPDATE", write_sdp(answer_to(offer_of(play.invites[0]))))


def hold_in_the_call(play: Play) -> None:
    play.accept(inactive)
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    play.accept(inactive)
    play.publish(two_party_call())
    play.accept(inactive)


def other_address(play: Play) -> None:
    play.accept(inactive)
    moved = answer_to(offer_of(play.invites[0]), lambda _i, m: m.with_port(m.port + 100))
    play.ask("UPDATE", write_sdp(moved))


def failover(play: Play) -> None:
    play.until(40.0)
    play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="408"))
    assert [m.own_direction for m in offer_of(play.invites[1]).media] == [Direction.INACTIVE] * 2
    play.accept()


def a_new_media_process(play: Play) -> None:
    play.accept(inactive)
    play.tell(play.media.lose())
    play.tell(play.media.serve())
    opened = play.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=20000, high=20003, count=2))
    assert isinstance(opened, plane.PortsOpen)
    caller, callee = (port.port for port in opened.ports)
    play.publish(two_party_call((caller, callee)))
    play.accept()


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-19")
@pytest.mark.parametrize(
    "happens", [glare, hold_by_the_srs, hold_in_the_call, other_address, failover, a_new_media_process]
)
def test_a_pause_outlives_everything_but_resume(happens: Callable[[Play], None]) -> None:
    play = Play("sip:a.example", "sip:b.example")
    play.publish(two_party_call())
    play.accept()
    play.command(Pause(7))
    happens(play)
    begun = [c for c in play.commands if isinstance(c, plane.AttachReader | plane.SetReaderLive) and c.live]
    assert len(begun) == 2  # those of before
    assert not any(lives(play))
    play.command(Resume(7))
    assert not any(lives(play))
    play.accept()
    assert lives(play) == [True, True]


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-19")
def test_glare_on_resume_leaves_the_media_stopped_until_the_srs_agrees() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    play.command(Pause(7))
    play.accept(inactive)
    play.command(Resume(7))
    play.say(491)
    assert lives(play) == [False, False]
    play.until(play.now + 4.1)
    assert lives(play) == [False, False]
    play.accept()
    assert lives(play) == [True, True]


@pytest.mark.req("SDP-19")
def test_a_pause_that_comes_before_the_answer_to_resume_wins() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    play.command(Pause(7))
    play.accept(inactive)
    play.command(Resume(7))
    play.command(Pause(7))
    play.accept()
    assert lives(play) == [False, False]
    assert [m.own_direction for m in offer_of(play.requests[-1]).media] == [Direction.INACTIVE] * 2


def update_answered_without_sdp(play: Play) -> None:
    play.say(200)


def update_answered_with_sdp(play: Play) -> None:
    play.accept()


def update_refused(play: Play) -> None:
    play.say(488)


@pytest.mark.req("SDP-19")
@pytest.mark.parametrize(
    "ends", [update_answered_without_sdp, update_answered_with_sdp, update_refused], ids=lambda f: f.__name__
)
def test_a_pause_that_is_undone_while_an_update_is_out_leaves_the_media_running(
    ends: Callable[[Play], None],
) -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    play.command(Pause(7))
    play.command(Resume(7))
    assert play.methods() == ["UPDATE"]
    ends(play)
    assert lives(play) == [True, True]
    assert play.methods() == ["UPDATE"]


@pytest.mark.req("SDP-19")
def test_a_pause_that_is_undone_before_the_ack_of_the_srs_leaves_the_media_running() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    answered = play.ask("INVITE", write_sdp(answer_to(offer_of(play.invites[0]))))
    play.command(Pause(7))
    play.command(Resume(7))
    play.ack(answered)
    assert lives(play) == [True, True]
    assert play.methods() == []


@pytest.mark.req("SDP-19")
def test_a_pause_that_is_undone_while_the_srs_holds_leaves_its_hold() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    play.ask("UPDATE", write_sdp(answer_to(offer_of(play.invites[0]), inactive)))
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    play.command(Pause(7))
    play.command(Resume(7))
    play.say(200)
    assert lives(play) == [False, False]
