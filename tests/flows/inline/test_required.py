"""Calls that a rule does not let be without a recording: refused before anybody is asked, or ended."""

from __future__ import annotations

import pytest

from siprec_src.communication import CallDirection, CommunicationSession, HangUp, Side
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB
from tests.support.world import World


@pytest.mark.rfc("3261", "20.33", "21.5.4")
@pytest.mark.rfc("3326", "2")
def test_a_call_that_may_not_be_made_is_refused_before_it_rings() -> None:
    world = World()
    asked: list[CommunicationSession] = []

    def admit(call: CommunicationSession, now: float) -> str:
        assert now == world.now
        asked.append(call)
        return "rule bank requires a recording: srs-down"

    world.src.ingest.admit = admit
    world.alice.call(audio(ALICE, 4000))
    refusal = world.alice.response_seen
    assert (refusal.status, refusal.headers.get("retry-after")) == (503, "10")
    assert refusal.headers.get("reason") == 'SIP;cause=503;text="recording required"'
    assert "src -> bob" not in world.ladder
    assert (world.src.calls, world.src.media.ports, world.src.ingest.calls) == ([], {}, 0)
    assert world.src.log("call.refused")["reason"] == "rule bank requires a recording: srs-down"
    (call,) = asked
    names = {party.side: party.names[0].aor for party in call.participants}
    assert names[Side.CALLER].startswith("sip:alice@")
    assert names[Side.CALLEE].startswith("sip:bob@")
    assert (call.streams, call.ended, call.direction) == ((), None, CallDirection.INBOUND)
    assert ("To", dict(call.headers)["To"]) in call.headers


def test_a_call_that_may_be_made_is_the_one_that_was_asked_about() -> None:
    world = World()
    asked: list[CommunicationSession] = []
    world.src.ingest.admit = lambda call, _now: asked.append(call) or ""  # type: ignore[func-returns-value]
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    assert asked[0].session_id == world.src.published[0].session_id
    assert asked[0].call == world.src.published[0].call


@pytest.mark.rfc("3326", "2")
def test_a_call_that_loses_its_recording_ends_with_a_reason_for_both() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    (call,) = world.src.calls
    world.src.feed(call, HangUp("recording required", status=503))
    world.run()
    reasons = [p.request_seen.headers.get("reason") for p in (world.alice, world.bob)]
    assert reasons == ['SIP;cause=503;text="recording required"'] * 2
    assert world.src.log("call.end")["status"] == 503
