"""What the parties of a call are told of its recording, in SDP (RFC 7866 6.1.2, 6.3, 7.1.2, 7.3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from siprec_src.communication import Preference, RecordingChanged, RecordingState, Side
from siprec_src.ingest.inline.indication import PATIENCE_S
from siprec_src.ingest.inline.settings import IndicationSettings, InlineSettings
from siprec_src.media import plane
from siprec_src.media.model import Endpoint, Sound, Tone
from siprec_src.sdp.model import SessionDescription
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Message, Request
from tests.support.descriptions import audio, described, sdp
from tests.support.phone import ALICE, BOB, Phone
from tests.support.world import World, is_request

AWARE = ("Supported", "record-aware")
UPDATES = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")
ON, PAUSED, OFF = RecordingState.ON, RecordingState.PAUSED, RecordingState.OFF

Fields = tuple[tuple[str, str], ...]


def connected(caller: Fields = (), callee: Fields = (), bodies: tuple[bytes, bytes] | None = None) -> World:
    """Alice and Bob talk; each has sent these header fields."""
    first, second = bodies or (audio(ALICE, 4000), audio(BOB, 5000))
    world = World()
    world.alice.call(first, *caller)
    world.bob.reply(200, second, *callee)
    world.alice.ack()
    world.ladder_lines.clear()
    return world


def recording(world: World, state: RecordingState, cause: str = "started") -> None:
    (call,) = world.src.calls
    world.src.feed(call, RecordingChanged(call.call, state, cause))
    world.run()


def asked(phone: Phone) -> list[Request]:
    """The requests that a phone was sent in the call, behind the first INVITE."""
    return [event.request for event in phone.events if isinstance(event, sip.RequestArrived)]


def record(message: Message) -> str | None:
    return described(message).attribute("record")


def version(message: Message) -> int:
    return described(message).origin.version


def but_for_the_state(message: Message) -> SessionDescription:
    return described(message).without_attribute("record").with_version(0)


def evidence(world: World) -> list[tuple[object, ...]]:
    lines = [dict(line.fields) for line in world.src.logs if line.event == "indication.given"]
    return [(line.get("caller"), line.get("callee"), line["state"], line["cause"]) for line in lines]


@pytest.mark.rfc("7866", "6.1.2", "6.3")
@pytest.mark.req("IND-02", "IND-12")
def test_to_a_record_aware_caller_every_description_says_whether_the_call_is_recorded() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), AWARE)
    assert "record-aware" in world.bob.request_seen.tags("supported")
    assert record(world.bob.request_seen) is None
    world.bob.reply(183, audio(BOB, 5000), label="f")
    assert record(world.alice.response_seen) == "off"
    world.bob.reply(200, audio(BOB, 5000), label="f")
    assert record(world.alice.response_seen) == "off"
    world.alice.ack()
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000))
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly", version=2))
    assert record(world.alice.request_seen) == "on"


@pytest.mark.rfc("7866", "6.3")
@pytest.mark.req("IND-12", "IND-13")
def test_a_party_is_called_record_aware_only_where_the_party_behind_it_is() -> None:
    """The indication is delivered by who will show it; nobody else's awareness is claimed."""
    world = connected()
    assert not any("record-aware" in value for _, value in world.alice.response_seen.headers)
    world = connected(callee=(AWARE,))
    assert "record-aware" in world.alice.response_seen.tags("supported")
    world.bob.request(
        "INVITE", audio(BOB, 5000, version=2).replace(b"t=0 0\r\n", b"t=0 0\r\na=record:on\r\n")
    )
    assert record(world.alice.request_seen) == "on"


@pytest.mark.rfc("7866", "7.1.2")
@pytest.mark.req("IND-01", "IND-02", "IND-04")
def test_each_change_goes_to_each_aware_party_by_update_and_changes_nothing_else() -> None:
    world = connected((AWARE, UPDATES), (AWARE, UPDATES))
    known = {
        world.alice: world.alice.response_seen,
        world.bob: world.bob.last(sip.InviteArrived).request,
    }
    for state, cause in ((ON, "started"), (PAUSED, "paused"), (ON, "resumed"), (OFF, "srs-bye")):
        recording(world, state, cause)
        world.alice.reply(200, audio(ALICE, 4000))
        world.bob.reply(200, audio(BOB, 5000))
    for phone in (world.alice, world.bob):
        updates = asked(phone)
        assert [request.method for request in updates] == ["UPDATE"] * 4
        assert [record(request) for request in updates] == ["on", "paused", "on", "off"]
        assert [version(request) for request in updates] == [2, 3, 4, 5]
        assert {but_for_the_state(r) == but_for_the_state(known[phone]) for r in updates} == {True}
    assert evidence(world) == [
        ("a=record", "a=record", state, cause)
        for state, cause in (("on", "started"), ("paused", "paused"), ("on", "resumed"), ("off", "srs-bye"))
    ]


@pytest.mark.req("IND-04")
def test_what_one_party_was_told_is_written_also_when_the_other_leaves_before_it_answers() -> None:
    world = connected((AWARE, UPDATES), (AWARE, UPDATES))
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000))
    assert evidence(world) == []
    world.bob.request("BYE")
    assert evidence(world) == [("a=record", None, "on", "started")]
    assert [line.event for line in world.src.logs][-2:] == ["indication.given", "call.end"]


@pytest.mark.rfc("7866", "7.1.2")
@pytest.mark.req("IND-04")
def test_a_party_that_takes_no_update_gets_a_re_invite_in_its_leg_alone() -> None:
    world = connected((AWARE,), ())
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000))
    assert (
        world.ladder
        == """\
  src -> alice  INVITE  [audio 10.0.0.9:10000]
alice -> src    100 INVITE
alice -> src    200 INVITE  [audio 10.0.0.1:4000]
  src -> alice  ACK"""
    )
    assert record(asked(world.alice)[0]) == "on"
    assert evidence(world) == [("a=record", None, "on", "started")]


@pytest.mark.rfc("3264", "8")
def test_descriptions_that_cross_later_are_counted_on_from_our_own_offers() -> None:
    world = connected((AWARE, UPDATES), ())
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000))
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly", version=2))
    assert version(world.alice.request_seen) == 3
    world.alice.reply(200, audio(ALICE, 4000, "a=recvonly", version=2))
    assert version(world.bob.response_seen) == 2
    world.bob.ack()
    recording(world, PAUSED)
    assert version(world.alice.request_seen) == 4
    assert described(world.alice.request_seen).media[0].attribute("sendonly") == ""


@pytest.mark.rfc("7866", "7.1.2")
@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("IND-04")
def test_a_change_waits_for_the_exchange_that_is_under_way() -> None:
    world = connected((AWARE, UPDATES), ())
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly", version=2))
    recording(world, ON)
    assert [request.method for request in asked(world.alice)] == ["INVITE"]
    world.alice.reply(200, audio(ALICE, 4000, "a=recvonly", version=2))
    assert len(asked(world.alice)) == 1
    world.bob.ack()
    assert [request.method for request in asked(world.alice)] == ["INVITE", "UPDATE"]
    assert record(asked(world.alice)[1]) == "on"


def test_a_state_that_changes_before_it_is_told_is_not_told() -> None:
    world = connected((AWARE, UPDATES), ())
    world.bob.request("INVITE", audio(BOB, 5000, version=2))
    recording(world, ON)
    recording(world, OFF, "stopped")
    world.alice.reply(200, audio(ALICE, 4000, version=2))
    world.bob.ack()
    assert [request.method for request in asked(world.alice)] == ["INVITE"]


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("IND-04")
def test_after_491_the_change_is_told_again_and_the_newest_state_counts() -> None:
    world = connected((AWARE, UPDATES), ())
    recording(world, ON)
    world.alice.reply(491)
    recording(world, PAUSED, "paused")
    assert [record(request) for request in asked(world.alice)] == ["on", "paused"]
    world.alice.reply(491)
    world.wait(2.1)
    assert [record(request) for request in asked(world.alice)] == ["on", "paused", "paused"]
    world.alice.reply(200, audio(ALICE, 4000))
    assert evidence(world) == [("a=record", None, "paused", "paused")]
    assert len(world.src.calls) == 1


def test_a_change_of_the_other_party_that_meets_ours_gets_491_and_goes_through_afterwards() -> None:
    world = connected((AWARE, UPDATES), ())
    recording(world, ON)
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly", version=2))
    assert world.bob.response_seen.status == 491
    world.alice.reply(200, audio(ALICE, 4000))
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly", version=3))
    assert described(world.alice.request_seen).media[0].attribute("sendonly") == ""


@pytest.mark.parametrize("status", [488, 420, 500])
def test_a_party_that_refuses_to_be_told_goes_on_talking(status: int) -> None:
    world = connected((AWARE, UPDATES), ())
    recording(world, ON)
    for _ in range(5):
        world.alice.reply(status) if world.alice.request_seen is asked(world.alice)[-1] else None
        world.wait(5.0)
    world.wait(60.0)
    assert len(world.src.calls) == 1
    assert len(asked(world.alice)) == (5 if status == 500 else 1)
    refused = world.src.log("indication.refused")
    assert (refused["side"], refused["status"]) == ("caller", status)
    assert evidence(world) == []


@pytest.mark.parametrize("allow", [(UPDATES,), ()])
def test_a_party_that_does_not_answer_our_request_keeps_its_call(allow: Fields) -> None:
    world = connected((AWARE, *allow), ())
    world.lost = lambda source, target, message: (
        (source, target) == ("src", "alice") and not is_request(message, "BYE")
    )
    recording(world, ON)
    world.wait(33.0)
    world.lost = lambda source, target, message: False
    assert len(world.src.calls) == 1
    assert world.src.log("indication.refused")["status"] == 408
    world.bob.request("BYE")
    assert asked(world.alice)[-1].method == "BYE"


@pytest.mark.rfc("3261", "14.1")
def test_a_party_that_lets_our_re_invite_lie_does_not_keep_the_other_from_changing_the_call() -> None:
    world = connected((AWARE,), ())
    recording(world, ON)
    world.alice.reply(180)
    world.wait(PATIENCE_S + 1)
    assert isinstance(world.alice.events[-1], sip.CancelArrived)
    world.alice.reply(487)
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly", version=2))
    world.alice.reply(200, audio(ALICE, 4000, "a=recvonly", version=2))
    assert world.bob.response_seen.status == 200
    assert record(asked(world.alice)[-1]) == "on"


@pytest.mark.rfc("3261", "9.1")
def test_a_party_that_takes_our_re_invite_as_it_is_withdrawn_has_taken_it() -> None:
    world = connected((AWARE,), ())
    recording(world, ON)
    world.alice.reply(180)
    world.wait(PATIENCE_S + 1)
    world.alice.reply(200, audio(ALICE, 4000, version=2))
    assert evidence(world) == [("a=record", None, "on", "started")]
    world.bob.request("BYE")
    assert asked(world.alice)[-1].method == "BYE"


@pytest.mark.rfc("7866", "7.3.1")
@pytest.mark.req("IND-05", "IND-10", "IND-11")
def test_what_another_client_says_crosses_and_on_of_either_stays_until_both_are_off() -> None:
    def said(state: str, number: int) -> bytes:
        body = audio(BOB, 5000, version=number)
        return body.replace(b"t=0 0\r\n", b"t=0 0\r\na=record:%s\r\n" % state.encode())

    world = connected((AWARE, UPDATES), (), (audio(ALICE, 4000), said("on", 1)))
    assert record(world.alice.response_seen) == "on"
    recording(world, ON)
    recording(world, OFF, "stopped")
    assert asked(world.alice) == []  # on it was and on it stays: nothing to tell
    recording(world, ON)
    world.bob.request("INVITE", said("off", 2))
    assert record(world.alice.request_seen) == "on"
    world.alice.reply(200, audio(ALICE, 4000, version=2))
    world.bob.ack()
    recording(world, OFF, "stopped")
    assert record(world.alice.request_seen) == "off"


@pytest.mark.rfc("7866", "7.3.1")
@pytest.mark.req("IND-10")
def test_the_word_of_another_client_reaches_a_party_that_is_not_aware_as_it_came() -> None:
    body = audio(BOB, 5000).replace(b"t=0 0\r\n", b"t=0 0\r\na=record:paused\r\n")
    world = connected((), (), (audio(ALICE, 4000), body))
    recording(world, ON)
    assert record(world.alice.response_seen) == "paused"
    assert asked(world.alice) == []


@pytest.mark.rfc("4028", "7.4")
def test_our_request_keeps_the_session_timer_of_the_parties_as_it_is() -> None:
    timer = ("Supported", "timer, record-aware")
    world = connected(
        (timer, UPDATES, ("Session-Expires", "1800")),
        ((timer), UPDATES, ("Session-Expires", "1800;refresher=uac"), ("Require", "timer")),
    )
    recording(world, ON)
    assert asked(world.alice)[0].headers.get("session-expires") == "1800;refresher=uas"
    assert asked(world.bob)[0].headers.get("session-expires") == "1800;refresher=uac"
    agreed = (("Supported", "timer"), ("Require", "timer"))
    world.alice.reply(200, audio(ALICE, 4000), *agreed, ("Session-Expires", "1800;refresher=uas"))
    world.bob.reply(200, audio(BOB, 5000), *agreed, ("Session-Expires", "1800;refresher=uac"))
    # Alice's refresh has moved to 1700 s, Bob hangs up at 1768 s: she must not put it off any further.
    world.wait(800.0)
    recording(world, PAUSED, "paused")
    assert asked(world.alice)[1].headers.get("session-expires") == "1800;refresher=uas"
    world.alice.reply(200, audio(ALICE, 4000), *agreed, ("Session-Expires", "1800;refresher=uas"))
    world.wait(100.0)
    recording(world, ON, "resumed")
    assert asked(world.alice)[2].headers.get("session-expires") == "1726;refresher=uas"


def test_media_follows_an_answer_that_names_another_place() -> None:
    world = connected((AWARE, UPDATES), ())
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4444, version=2))
    facing_alice = next(iter(world.src.media.ports.values()))
    assert facing_alice.connection is not None
    assert facing_alice.connection.remote == Endpoint(ALICE, 4444)
    assert asked(world.bob) == []


@pytest.mark.req("IND-03")
def test_the_books_of_a_call_name_the_ways_in_which_each_party_was_told() -> None:
    world = connected((AWARE, UPDATES), ())
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000))
    world.alice.request("BYE")
    end = world.src.log("call.end")
    assert (end["caller_told"], end["callee_told"]) == ("a=record", "none")
    counted = [o.labels for o in world.src.observed if o.name == "indications_total"]
    assert counted == [(("mode", "a=record"), ("outcome", "given"))]


@pytest.mark.parametrize("side", Side)
def test_nothing_is_told_in_a_call_that_ends(side: Side) -> None:
    world = connected((AWARE, UPDATES), (AWARE, UPDATES))
    phone = world.alice if side is Side.CALLER else world.bob
    recording(world, ON)
    phone.request("BYE")
    assert world.src.calls == []


def wished(world: World) -> Preference:
    return world.src.published[-1].preference


@pytest.mark.rfc("7866", "7.3.2")
@pytest.mark.req("IND-08")
def test_the_wishes_of_either_party_are_published_as_they_change() -> None:
    world = connected(bodies=(audio(ALICE, 4000, "a=recordpref:off"), audio(BOB, 5000)))
    assert wished(world) is Preference.OFF
    world.alice.request("UPDATE", audio(ALICE, 4000, version=2))
    world.bob.reply(200, audio(BOB, 5000, "a=recordpref:pause"))
    assert wished(world) is Preference.PAUSE
    recording(world, ON)
    world.bob.request("INVITE", audio(BOB, 5000, "a=recordpref:on", version=2))
    assert wished(world) is Preference.PAUSE  # an offer that is not answered changes nothing
    world.alice.reply(488)
    assert wished(world) is Preference.PAUSE


@pytest.mark.rfc("7866", "7.1.3")
@pytest.mark.req("IND-07")
def test_the_state_that_a_wish_has_changed_is_in_a_later_offer() -> None:
    world = connected((AWARE, UPDATES))
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000, "a=recordpref:pause"))
    assert wished(world) is Preference.PAUSE
    recording(world, PAUSED, "paused")
    assert record(world.alice.request_seen) == "paused"


@pytest.mark.rfc("7866", "6.1.2")
@pytest.mark.req("IND-14")
def test_contact_names_a_recording_client_where_the_operator_wants_it() -> None:
    def contacts(*, said: bool) -> set[str]:
        world = World(settings=InlineSettings(indication=IndicationSettings(contact=said)))
        world.alice.call(audio(ALICE, 4000))
        world.bob.reply(200, audio(BOB, 5000))
        shown = (world.bob.request_seen, world.alice.response_seen)
        return {(message.headers.get("contact") or "").partition(">")[2] for message in shown}

    assert contacts(said=True) == {";+sip.src"}
    assert contacts(said=False) == {""}


# Tones for parties that are not record-aware.

SOUND = Sound(frequency_hz=1400, length_ms=200, level_dbfs=-20.0)


def toned(caller: Fields = (), bodies: tuple[bytes, bytes] | None = None, **changes: Any) -> World:
    """Alice and Bob talk; both are to hear tones as long as they are recorded."""
    wanted: dict[str, Any] = {"caller": "tone", "callee": "tone", **changes}
    first, second = bodies or (audio(ALICE, 4000), audio(BOB, 5000))
    world = World(settings=InlineSettings(indication=IndicationSettings(**wanted)))
    world.alice.call(first, *caller)
    world.bob.reply(200, second)
    world.alice.ack()
    return world


def heard(world: World) -> list[plane.PlayTone | None]:
    """What Alice and Bob are let hear, in this order."""
    return [port.tone for port in world.src.media.ports.values()]


@pytest.mark.rfc("6341", "REQ-018")
@pytest.mark.req("IND-15")
def test_the_recording_has_the_tones_too_where_the_operator_wants_it() -> None:
    world = toned(record_tone=True)
    recording(world, ON)
    assert [tone.tone.recorded for tone in heard(world) if tone and tone.tone] == [True, True]


@pytest.mark.rfc("7866", "6.1.2")
@pytest.mark.rfc("6341", "REQ-018")
@pytest.mark.req("IND-01", "IND-03", "IND-15")
def test_parties_that_are_not_aware_hear_tones_as_long_as_they_are_recorded() -> None:
    world = toned()
    assert heard(world) == [None, None]
    recording(world, ON)
    for tone in heard(world):
        assert tone is not None
        assert tone.tone == Tone(SOUND, 15_000, recorded=False)
        assert tone.payload_types == ((0, "PCMU"),)
    recording(world, PAUSED, "paused")
    assert heard(world) == [None, None]
    recording(world, ON, "resumed")
    assert None not in heard(world)
    recording(world, OFF, "stopped")
    assert heard(world) == [None, None]
    states = (("on", "started"), ("paused", "paused"), ("on", "resumed"), ("off", "stopped"))
    assert evidence(world) == [("tone", "tone", state, cause) for state, cause in states]


@pytest.mark.req("IND-03")
def test_a_tone_is_for_the_side_that_it_is_wanted_for_and_not_for_who_is_aware() -> None:
    world = toned(callee="none")
    recording(world, ON)
    assert [tone is not None for tone in heard(world)] == [True, False]
    world = toned(caller=(AWARE, UPDATES))
    recording(world, ON)
    world.alice.reply(200, audio(ALICE, 4000))
    assert [tone is not None for tone in heard(world)] == [False, True]
    assert evidence(world) == [("a=record", "tone", "on", "started")]


@pytest.mark.req("IND-03")
def test_where_no_tone_can_be_mixed_in_the_evidence_says_so_and_why() -> None:
    g722 = "audio {} RTP/AVP 9 0\na=rtpmap:9 G722/8000"
    world = toned(bodies=(sdp(ALICE, g722.format(4000)), sdp(BOB, g722.format(5000))))
    recording(world, ON)
    assert heard(world) == [None, None]
    (line,) = [dict(line.fields) for line in world.src.logs if line.event == "indication.given"]
    assert [line[name] for name in ("caller", "caller_why", "callee", "callee_why")] == ["none", "codec"] * 2
    # They change to G.711: now they can hear it.
    world.alice.request("INVITE", audio(ALICE, 4000, version=2))
    world.bob.reply(200, audio(BOB, 5000, version=2))
    world.alice.ack()
    assert None not in heard(world)
    assert evidence(world)[1:] == [("tone", "tone", "on", "started")]


def test_a_tone_follows_the_payload_types_that_the_party_takes() -> None:
    world = toned(bodies=(sdp(ALICE, "audio 4000 RTP/AVP 8 0"), sdp(BOB, "audio 5000 RTP/AVP 0 8")))
    recording(world, ON)
    types = [tone.payload_types for tone in heard(world) if tone is not None]
    assert types == [((8, "PCMA"), (0, "PCMU")), ((0, "PCMU"), (8, "PCMA"))]


def test_tones_are_there_again_when_the_media_process_is() -> None:
    world = toned()
    recording(world, ON)
    world.src.everyone(world.src.media.lose())
    world.src.everyone(world.src.media.serve())
    assert [tone is not None for tone in heard(world)] == [True, True]


def test_a_call_goes_on_when_there_is_no_such_sound() -> None:
    world = toned()
    world.src.media.refuse(plane.PlayTone, "bad-argument")
    recording(world, ON)
    assert world.src.log("call.media-refused")["reason"] == "bad-argument"
    assert heard(world) == [None, None]
    assert evidence(world) == [("none", "none", "on", "started")]
    world.alice.request("BYE")
    assert world.bob.request_seen.method == "BYE"


@pytest.mark.rfc("3264", "8")
def test_an_offer_of_ours_has_a_version_beyond_those_said_before_the_party_was_known_to_be_aware() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"), UPDATES)
    invite = world.bob.last(sip.InviteArrived).token
    world.bob.reply(183, audio(BOB, 5000), label="b", reliable=True)
    early = world.alice.last(sip.ResponseArrived).dialog
    world.alice.request("PRACK", dialog=early)
    world.bob.reply(200)
    world.alice.request("UPDATE", audio(ALICE, 4000, "a=sendonly", version=2), dialog=early)
    assert version(world.bob.request_seen) == 2
    world.bob.reply(488)
    world.bob.reply(200, b"", AWARE, UPDATES, label="b", token=invite)
    world.alice.ack()
    recording(world, ON)
    assert (record(world.bob.request_seen), version(world.bob.request_seen)) == ("on", 3)
