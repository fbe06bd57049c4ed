"""Calls that wait for a voice application: sent on as it says, or as the trunk says, and never lost."""

from __future__ import annotations

import pytest

from siprec_src.communication import HangUp, Side
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.voice import (
    Answer,
    AskVoice,
    Dialled,
    Instructed,
    Voice,
    VoiceAnswered,
    VoiceDefault,
    VoiceUnfit,
)
from siprec_src.instructions.model import StartSiprec, StopSiprec
from siprec_src.media import plane
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.uri import parse_uri
from siprec_src.values import SecretText
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB, SRC
from tests.support.world import World, asking, is_request

VOICE = Voice(url=SecretText("http://app.example/voice"))
AS_THE_TRUNK_SAYS = Answer()
BEGUN = (StartSiprec(name="one"), StopSiprec(name="one"))


def waiting(voice: Voice = VOICE) -> World:
    """Alice has called; her application is asked."""
    world = asking(voice)
    world.alice.call(audio(ALICE, 4000))
    return world


def statuses(world: World) -> list[int]:
    """What Alice was answered."""
    return [e.response.status for e in world.alice.events if isinstance(e, sip.ResponseArrived)]


def over(world: World) -> bool:
    lines = [line.event for line in world.src.logs]
    gone = (world.src.calls, world.src.media.ports, world.src.agent.usages) == ([], {}, 0)
    return gone and lines.count("call.begin") == lines.count("call.end") == 1


def talk(world: World) -> None:
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()


@pytest.mark.feature("F056")
def test_a_call_waits_for_its_application_and_then_goes_as_the_trunk_says() -> None:
    world = waiting()
    assert "-> bob" not in world.ladder
    (asked,) = world.src.voice
    assert isinstance(asked, AskVoice)
    assert [who.names[0].aor for who in asked.session.participants] == [
        "sip:alice@pbx.example",
        "sip:bob@pbx.example",
    ]
    assert not world.src.media.ports
    world.src.answer_voice(AS_THE_TRUNK_SAYS)
    talk(world)
    assert world.src.published[0].session_id == asked.session.session_id
    assert [who.side for who in world.src.published[0].participants] == [Side.CALLER, Side.CALLEE]


def test_a_call_by_a_trunk_without_application_asks_nobody() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    assert world.src.voice == []
    assert world.bob.request_seen.method == "INVITE"


@pytest.mark.parametrize(("default", "status"), [(VoiceDefault.ROUTE, 200), (VoiceDefault.REFUSE, 503)])
def test_an_application_that_fails_leaves_the_call_to_the_default(default: VoiceDefault, status: int) -> None:
    world = waiting(Voice(url=VOICE.url, default=default))
    world.src.answer_voice(None)
    if default is VoiceDefault.ROUTE:
        talk(world)
    assert statuses(world)[-1] == status
    assert world.src.log("call.uninstructed")["default"] == default.value


def test_nobody_waits_longer_than_the_time_of_both_urls_and_the_late_answer_changes_nothing() -> None:
    world = waiting(Voice(url=VOICE.url, fallback_url=VOICE.url, timeout_s=2.0))
    world.wait(4.4)
    assert "-> bob" not in world.ladder
    world.wait(0.2)
    assert world.bob.request_seen.method == "INVITE"
    world.src.answer_voice(Answer(refused=486))
    talk(world)
    assert statuses(world)[-1] == 200


def test_a_retransmitted_invite_asks_no_second_time() -> None:
    world = asking(VOICE)
    world.lost = lambda source, target, message: source == "src" and target == "alice"
    world.alice.call(audio(ALICE, 4000))
    world.wait(1.6)
    assert world.ladder.count("alice -> src") == 3
    world.lost = lambda source, target, message: False
    assert len(world.src.voice) == 1
    world.src.answer_voice(AS_THE_TRUNK_SAYS)
    assert world.ladder.count("src -> bob") == 1


@pytest.mark.rfc("3261", "9.2")
def test_a_caller_who_hangs_up_while_he_waits_is_answered_at_once_and_nobody_is_rung() -> None:
    world = waiting()
    world.alice.cancel()
    assert statuses(world)[-1] == 487
    world.src.answer_voice(AS_THE_TRUNK_SAYS)
    world.wait(40)
    assert "-> bob" not in world.ladder
    assert over(world)
    assert world.src.log("call.end")["outcome"] == "cancelled"


def test_a_caller_who_hangs_up_while_he_is_held_is_not_sent_on() -> None:
    world = waiting()
    world.src.answer_voice(Answer(pause_s=5.0))
    world.wait(1)
    world.alice.cancel()
    world.wait(40)
    assert "-> bob" not in world.ladder
    assert over(world)


def test_a_pause_delays_the_call_and_no_longer_than_the_limit() -> None:
    world = waiting()
    world.src.answer_voice(Answer(pause_s=3600.0))
    world.wait(59)
    assert "-> bob" not in world.ladder
    world.wait(2)
    assert world.bob.request_seen.method == "INVITE"


@pytest.mark.parametrize("status", [486, 603])
def test_an_application_may_refuse_the_call_after_a_pause(status: int) -> None:
    world = waiting()
    world.src.answer_voice(Answer(refused=status, pause_s=2.0))
    world.wait(1)
    assert statuses(world) == []
    world.wait(40)
    assert statuses(world)[-1] == status
    assert "-> bob" not in world.ladder
    assert over(world)


def test_a_dialled_number_takes_the_place_of_the_callee_on_the_trunk() -> None:
    world = waiting()
    world.src.answer_voice(Answer(dialled=Dialled(to="+4930123", timeout_s=20, caller_id="+4940999")))
    invite = world.bob.request_seen
    assert invite.uri == f"sip:+4930123@{BOB}:5060"
    assert invite.headers.get("to") == f"<sip:+4930123@{BOB}:5060>"
    assert invite.from_.uri.user == "+4940999"
    talk(world)
    caller, callee = world.src.published[0].participants
    assert (caller.side, caller.names[0].aor) == (Side.CALLER, "sip:alice@pbx.example")
    assert (callee.side, callee.names[0].aor) == (Side.CALLEE, f"sip:+4930123@{BOB}:5060")


def test_a_caller_id_leaves_no_other_word_of_who_the_caller_is() -> None:
    world = asking(VOICE)
    told = (("P-Asserted-Identity", "<sip:+1@pbx.example>"), ("Remote-Party-ID", "<sip:+1@pbx.example>"))
    world.alice.call(audio(ALICE, 4000), *told)
    world.src.answer_voice(Answer(dialled=Dialled(to="+4930123", caller_id="+4940999")))
    assert "p-asserted-identity" not in world.bob.request_seen.headers
    assert "remote-party-id" not in world.bob.request_seen.headers
    assert "alice" not in (world.bob.request_seen.headers.get("from") or "")


def test_a_callee_who_does_not_answer_in_the_dialled_time_is_given_up() -> None:
    world = waiting()
    world.src.answer_voice(Answer(dialled=Dialled(to="+4930123", timeout_s=20)))
    world.bob.reply(180)
    world.wait(19)
    assert statuses(world)[-1] == 180
    world.wait(2)
    assert statuses(world)[-1] == 408
    world.wait(40)
    assert over(world)


def test_a_caller_id_alone_leaves_the_call_to_whom_it_was_placed() -> None:
    world = waiting()
    world.src.answer_voice(Answer(dialled=Dialled(to=None, caller_id="+4940999")))
    invite = world.bob.request_seen
    assert (invite.uri, invite.headers.get("to")) == (f"sip:bob@{BOB}:5060", "<sip:bob@pbx.example>")
    assert invite.from_.uri.user == "+4940999"


def test_a_dialled_sip_uri_is_both_request_uri_and_next_hop() -> None:
    world = waiting()
    world.src.answer_voice(Answer(dialled=Dialled(to=parse_uri(f"sip:desk@{BOB}:5060;x=1?X-Name=y"))))
    assert world.bob.request_seen.uri == f"sip:desk@{BOB}:5060;x=1"
    assert world.src.log("call.instructed")["to"] == "carrier"


@pytest.mark.parametrize("uri", [f"sip:desk@{SRC}:5060", f"sip:desk@{BOB};transport=tls", "tel:+4930123"])
def test_what_cannot_be_dialled_is_told_and_the_default_applies(uri: str) -> None:
    world = waiting()
    world.src.answer_voice(Answer(dialled=Dialled(to=parse_uri(uri)), begun=BEGUN))
    unfit = world.src.voice[-1]
    assert isinstance(unfit, VoiceUnfit)
    assert unfit.why
    assert world.bob.request_seen.uri == f"sip:bob@{BOB}:5060"
    talk(world)
    assert isinstance(world.src.voice[-1], Instructed)


def test_what_shall_be_begun_is_told_once_right_after_the_call_is_published() -> None:
    world = waiting()
    world.src.answer_voice(Answer(begun=BEGUN))
    assert len(world.src.voice) == 1
    talk(world)
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly", version=2))
    world.bob.reply(200, audio(BOB, 5000, "a=recvonly", version=2))
    world.alice.ack()
    assert len(world.src.published) == 2
    (instructed,) = [effect for effect in world.src.voice if isinstance(effect, Instructed)]
    assert (instructed.session, instructed.instructions) == (world.src.published[0], BEGUN)


def test_a_media_process_that_dies_and_comes_back_meanwhile_is_not_noticed() -> None:
    world = waiting()
    world.src.everyone(world.src.media.lose())
    assert len(world.src.calls) == 1
    world.src.everyone(world.src.media.serve())
    world.src.answer_voice(AS_THE_TRUNK_SAYS)
    talk(world)
    assert statuses(world)[-1] == 200
    assert len(world.src.media.ports) == 2


def test_an_offer_that_cannot_be_relayed_is_refused_without_asking() -> None:
    world = asking(VOICE)
    world.alice.call(audio("host.example", 4000))
    assert world.src.voice == []
    assert statuses(world)[-1] == 488


def test_a_call_that_is_ended_from_here_while_it_waits_is_declined() -> None:
    world = waiting()
    (call,) = world.src.calls
    world.src.feed(call, HangUp("api"))
    world.run()
    world.wait(40)
    assert statuses(world)[-1] == 603
    assert over(world)


def test_an_answer_after_the_end_of_the_call_is_heard_by_nobody() -> None:
    world = waiting()
    (call,) = world.src.calls
    world.alice.cancel()
    world.run()
    assert call.receive(VoiceAnswered(AS_THE_TRUNK_SAYS), world.now) == []
    assert call.wake(world.now + 100) == []


def test_no_ports_left_refuses_the_call_as_without_application() -> None:
    world = waiting()
    world.src.media.refuse(plane.OpenPorts, "ports-exhausted")
    world.src.answer_voice(AS_THE_TRUNK_SAYS)
    assert statuses(world)[-1] == 503
    assert not world.bob.events or not is_request(world.bob.request_seen, "INVITE")


@pytest.mark.parametrize("timeout_s", [0.0, 0.05, 10.5])
def test_a_timeout_out_of_bounds_is_refused(timeout_s: float) -> None:
    with pytest.raises(ConfigurationError, match="voice_timeout_s"):
        Voice(url=VOICE.url, timeout_s=timeout_s)


@pytest.mark.parametrize("answer", [None, Answer(dialled=Dialled(to=parse_uri(f"sip:desk@{SRC}:5060")))])
@pytest.mark.rfc("3261", "15")
def test_a_call_that_went_on_by_the_default_ends_as_any_other(answer: Answer | None) -> None:
    world = waiting()
    world.src.answer_voice(answer)
    talk(world)
    world.alice.request("BYE")
    assert world.bob.request_seen.method == "BYE"
    world.bob.reply(200)
    world.wait(40)
    assert world.src.log("call.end")["outcome"] == "answered"
    assert over(world)


@pytest.mark.rfc("3261", "9.2")
def test_a_ringing_call_that_went_on_by_the_default_is_cancelled_as_any_other() -> None:
    world = waiting()
    world.src.answer_voice(None)
    world.bob.reply(180)
    world.alice.cancel()
    assert "src -> bob    CANCEL" in world.ladder
    world.bob.reply(487, token=world.bob.invite)
    world.wait(40)
    assert over(world)
