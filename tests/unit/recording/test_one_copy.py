"""One copy of a call is paused, resumed, ended and begun again apart from the others (RFC 7866 7.1.1.1)."""

from __future__ import annotations

from siprec_src.recording.commands import End, Pause, Resume, Start
from tests.unit.recording.play import Play, two_party_call
from tests.unit.recording.test_copies import PARALLEL, answer, srs


def two_copies() -> Play:
    play = Play(srs("a", copy="a"), srs("b", copy="b"), settings=PARALLEL)
    play.publish(two_party_call())
    for invite in play.invites:
        answer(play, invite)
    return play


def copying(play: Play) -> dict[str, bool]:
    view = play.pool.view(7)
    assert view is not None
    return {one.copy: one.copying for one in view.recordings}


def told(play: Play) -> list[str]:
    return [state for state, _ in play.states]


def test_a_copy_rests_while_the_other_goes_on() -> None:
    play = two_copies()
    play.command(Pause(7, "a"))
    assert copying(play) == {"a": False, "b": True}
    assert told(play) == ["on"]


def test_the_call_is_told_when_all_its_copies_rest_and_when_one_goes_on() -> None:
    play = two_copies()
    for command in (Pause(7, "a"), Pause(7, "b"), Resume(7, "b")):
        play.command(command)
    assert told(play) == ["on", "paused", "on"]


def test_a_copy_of_a_call_that_is_paused_stays_so() -> None:
    play = two_copies()
    play.command(Pause(7))
    play.command(Resume(7, "a"))
    assert copying(play) == {"a": False, "b": False}


def test_the_end_of_a_pause_of_the_call_ends_that_of_each_copy() -> None:
    play = two_copies()
    for command in (Pause(7, "a"), Pause(7), Resume(7)):
        play.command(command)
    view = play.pool.view(7)
    assert view is not None
    assert [one.paused for one in view.recordings] == [False, False]


def test_a_copy_is_begun_again_by_itself() -> None:
    play = two_copies()
    for copy in ("a", "b"):
        play.command(End(7, copy))
    for request in play.requests:
        play.say(200, request)
    play.command(Start(7, "b"))
    assert [invite.request_uri for invite in play.invites[2:]] == ["sip:b.example"]
