"""Calls that end because whoever commands the daemon says so, at every stage of their set-up."""

from __future__ import annotations

import pytest

from siprec_src.communication import HangUp
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB
from tests.support.world import World


def hang_up(world: World, cause: str = "stopped by the operator") -> None:
    (call,) = world.src.calls
    world.src.feed(call, HangUp(cause))
    world.run()


@pytest.mark.rfc("3261", "15")
@pytest.mark.rfc("3326", "2")
def test_both_parties_of_an_answered_call_get_a_bye_that_says_why() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    hang_up(world)
    reasons = {p.request_seen.headers.get("reason") for p in (world.alice, world.bob)}
    assert {p.request_seen.method for p in (world.alice, world.bob)} == {"BYE"}
    assert reasons == {'SIP;cause=200;text="stopped by the operator"'}
    end = world.src.log("call.end")
    assert (end["outcome"], end["status"]) == ("hung-up", 200)
    assert world.src.published[-1].reason == "stopped by the operator"
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3261", "9.1")
def test_a_ringing_call_is_cancelled_and_its_caller_refused() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(180)
    hang_up(world)
    assert world.alice.response_seen.status == 487
    assert "src -> bob    CANCEL" in world.ladder
    world.bob.reply(487, token=world.bob.invite)
    assert (world.src.calls, world.src.media.ports) == ([], {})


def test_it_waits_for_what_the_media_plane_is_asked_and_then_ends_the_call() -> None:
    world = World()
    world.src.hold_media = True
    world.alice.call(audio(ALICE, 4000))
    hang_up(world)
    world.src.release()
    world.run()
    assert world.alice.response_seen.status == 487
    world.bob.reply(487, token=world.bob.invite)
    assert (world.src.calls, world.src.media.ports) == ([], {})


def test_a_second_word_to_a_call_that_ends_is_none() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    (call,) = world.src.calls
    world.src.hold_media = True
    world.src.feed(call, HangUp("once"))
    world.src.feed(call, HangUp("twice"))
    world.src.release()
    world.run()
    assert world.ladder.count("BYE") == 2
    assert world.src.log("call.hung-up")["cause"] == "once"
