"""Announcements before the parties are connected: who hears them, when, and that no call waits for ever."""

from __future__ import annotations

from typing import Any

import pytest

from siprec_src.communication import HangUp
from siprec_src.ingest.inline.announcement import PATIENCE_S
from siprec_src.ingest.inline.settings import IndicationSettings, InlineSettings
from siprec_src.media import plane
from siprec_src.media.model import Sound
from siprec_src.sip import vocabulary as sip
from tests.support.descriptions import audio, sdp
from tests.support.phone import ALICE, BOB
from tests.support.world import World

FILE = "/etc/siprec-src/recorded.wav"


def answered(
    *headers: tuple[str, str],
    offer: bytes = audio(ALICE, 4000),
    answer: bytes = audio(BOB, 5000),
    refused: bool = False,
    **changes: Any,
) -> World:
    """Bob has answered; who is to hear an announcement hears it now."""
    wanted: dict[str, Any] = {
        "caller": "announcement", "callee": "announcement", "announcement_file": FILE, **changes,
    }  # fmt: skip
    world = World(settings=InlineSettings(indication=IndicationSettings(**wanted)))
    if refused:
        world.src.media.refuse(plane.Announce, "bad-argument")
        world.src.media.refuse(plane.Announce, "bad-argument")
    world.alice.call(offer, *headers)
    world.bob.reply(180, label="b")
    world.ladder_lines.clear()
    world.bob.reply(200, answer, label="b")
    return world


def announcements(world: World) -> list[plane.Announce]:
    return [c for c in world.src.media.commands if isinstance(c, plane.Announce)]


def heard(world: World, which: int) -> None:
    """The engine has said it to the end."""
    (call,) = world.src.calls
    world.src.feed(call, plane.Announced(port=announcements(world)[which].port))
    world.run()


def evidence(world: World) -> list[tuple[object, ...]]:
    lines = [dict(line.fields) for line in world.src.logs if line.event == "indication.given"]
    return [
        (side, line[side], line.get(f"{side}_why", ""))
        for line in lines
        for side in ("caller", "callee")
        if side in line
    ]


def statuses(world: World) -> list[int]:
    """What Alice was answered, in order."""
    return [e.response.status for e in world.alice.events if isinstance(e, sip.ResponseArrived)]


@pytest.mark.rfc("7866", "6.1.2")
@pytest.mark.rfc("6341", "REQ-018")
@pytest.mark.req("IND-01", "IND-03", "IND-15")
def test_both_parties_hear_it_at_once_before_the_caller_gets_the_answer() -> None:
    world = answered()
    to_alice, to_bob = announcements(world)
    assert to_alice.sound == to_bob.sound == Sound(file=FILE)
    assert (to_alice.payload_type, to_alice.encoding) == (0, "PCMU")
    assert [to_alice.port, to_bob.port] == list(world.src.media.ports)
    assert to_alice.ssrc != to_bob.ssrc
    heard(world, 1)
    assert statuses(world) == [180, 183]
    heard(world, 0)
    world.alice.ack()
    assert (
        world.ladder
        == """\
  bob -> src    200 INVITE  [audio 10.0.0.2:5000]
  src -> alice  183 INVITE  [audio 10.0.0.9:10000]
  src -> bob    ACK
  src -> alice  200 INVITE  [audio 10.0.0.9:10000]
alice -> src    ACK"""
    )
    assert evidence(world) == [("caller", "announcement", ""), ("callee", "announcement", "")]
    assert len(world.src.published) == 1
    world.alice.request("BYE")
    assert world.bob.request_seen.method == "BYE"


@pytest.mark.req("IND-03")
def test_one_party_alone_may_be_told() -> None:
    world = answered(caller="none")
    (to_bob,) = announcements(world)
    assert to_bob.port == list(world.src.media.ports)[1]
    assert statuses(world) == [180]
    heard(world, 0)
    assert statuses(world) == [180, 200]
    world = answered(callee="none")
    (to_alice,) = announcements(world)
    assert to_alice.port == next(iter(world.src.media.ports))


def test_who_is_record_aware_is_told_by_sip_instead() -> None:
    world = answered(("Supported", "record-aware"), callee="none")
    assert announcements(world) == []
    assert statuses(world) == [180, 200]


@pytest.mark.parametrize(
    ("offer", "answer", "headers", "why"),
    [
        (sdp(ALICE, "audio 4000 RTP/AVP 9"), sdp(BOB, "audio 5000 RTP/AVP 9"), (), "codec"),
        (b"", audio(BOB, 5000), (), "no-audio"),
        (audio(ALICE, 4000), audio(BOB, 5000), (("Require", "100rel"), ("Supported", "100rel")), "100rel"),
    ],
)
def test_what_cannot_be_told_holds_nothing_up(
    offer: bytes, answer: bytes, headers: tuple[tuple[str, str], ...], why: str
) -> None:
    world = answered(*headers, offer=offer, answer=answer, callee="none")
    assert announcements(world) == []
    assert statuses(world)[-1] == 200
    assert evidence(world) == [("caller", "none", why)]


@pytest.mark.rfc("3264", "8.4")
@pytest.mark.req("IND-15")
@pytest.mark.parametrize(
    "offer",
    [audio(ALICE, 4000, "a=sendonly"), audio(ALICE, 4000, "a=inactive"), audio("0.0.0.0", 4000)],
)
def test_a_party_that_takes_no_media_is_not_said_to_have_heard(offer: bytes) -> None:
    world = answered(offer=offer)
    (to_bob,) = announcements(world)
    assert to_bob.port == list(world.src.media.ports)[1]
    heard(world, 0)
    assert statuses(world) == [180, 200]
    assert evidence(world) == [("caller", "none", "held"), ("callee", "announcement", "")]


def test_a_sound_that_there_is_not_holds_nothing_up() -> None:
    world = answered(refused=True)
    assert statuses(world) == [180, 183, 200]
    assert {mode for _, mode, _ in evidence(world)} == {"none"}


def test_an_engine_that_never_comes_to_the_end_is_not_waited_for() -> None:
    world = answered()
    world.wait(PATIENCE_S + 0.1)
    assert statuses(world)[-1] == 200
    assert {why for _, _, why in evidence(world)} == {"cut-short"}


def test_the_end_of_the_media_process_ends_it_and_not_the_call() -> None:
    world = answered()
    world.src.everyone(world.src.media.lose())
    assert statuses(world)[-1] == 200
    world.src.everyone(world.src.media.serve())
    world.alice.ack()
    world.alice.request("BYE")
    assert world.bob.request_seen.method == "BYE"


@pytest.mark.rfc("3261", "9.1")
def test_a_caller_who_gives_up_ends_the_call_at_once() -> None:
    world = answered()
    world.alice.cancel()
    assert statuses(world) == [180, 183, 487]
    assert world.src.published == []
    assert world.bob.request_seen.method == "BYE"
    assert world.src.calls == []


@pytest.mark.rfc("3261", "15")
def test_a_callee_who_hangs_up_meanwhile_ends_the_call_at_once() -> None:
    world = answered()
    world.bob.request("BYE")
    assert world.bob.response_seen.status == 200
    assert statuses(world)[-1] == 200
    world.alice.ack()
    assert world.alice.request_seen.method == "BYE"
    assert world.src.calls == []


def test_a_call_that_is_ended_from_here_meanwhile_ends_at_once() -> None:
    world = answered()
    (call,) = world.src.calls
    world.src.feed(call, HangUp("stopped by the operator"))
    world.run()
    world.alice.ack()
    assert (world.alice.request_seen.method, world.bob.request_seen.method) == ("BYE", "BYE")
    assert world.src.calls == []


def test_a_callee_who_hangs_up_before_it_has_begun_does_not_hear_it() -> None:
    world = World(
        settings=InlineSettings(indication=IndicationSettings(caller="announcement", announcement_file=FILE))
    )
    world.alice.call(audio(ALICE, 4000))
    world.src.hold_media = True
    world.bob.reply(200, audio(BOB, 5000), label="b")
    while not announcements(world):
        world.src.feed(*world.src.held.popleft())
        world.run()
    world.bob.request("BYE")
    world.src.release()
    assert statuses(world) == [183, 200]
    world.alice.ack()
    assert world.alice.request_seen.method == "BYE"
    assert world.bob.response_seen.status == 200


@pytest.mark.rfc("3262", "5")
@pytest.mark.req("IND-01")
@pytest.mark.parametrize(("offer", "in_prack"), [(audio(ALICE, 4000), b""), (b"", audio(ALICE, 4000))])
def test_who_has_the_description_reliably_before_the_answer_needs_no_183(
    offer: bytes, in_prack: bytes
) -> None:
    world = World(
        settings=InlineSettings(
            indication=IndicationSettings(
                caller="announcement", callee="announcement", announcement_file=FILE
            )
        )
    )
    world.alice.call(offer, ("Require", "100rel"))
    invite = world.bob.last(sip.InviteArrived).token
    world.bob.reply(183, audio(BOB, 5000), label="b", reliable=True)
    world.alice.request("PRACK", in_prack, dialog=world.alice.last(sip.ResponseArrived).dialog)
    world.bob.reply(200)
    world.bob.reply(200, label="b", token=invite)
    assert statuses(world) == [183, 200]  # to INVITE and PRACK
    assert world.bob.last(sip.AckArrived).request.body == b""
    heard(world, 0)
    heard(world, 1)
    assert statuses(world) == [183, 200, 200]
    assert evidence(world) == [("caller", "announcement", ""), ("callee", "announcement", "")]


@pytest.mark.rfc("3891", "3")
def test_a_call_that_was_announced_can_be_replaced_by_the_ids_that_the_caller_knows() -> None:
    """The 183 of the announcement makes the caller's dialog when the callee has answered without ringing."""
    world = World(
        settings=InlineSettings(indication=IndicationSettings(caller="announcement", announcement_file=FILE))
    )
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    heard(world, 0)
    world.alice.ack()
    known = world.alice.response_seen
    at_bob = world.bob.last(sip.AckArrived).request
    old = f"{known.call_id};to-tag={known.to.tag};from-tag={known.from_.tag}"
    world.alice.call(audio(ALICE, 4100), ("Replaces", old), ("Require", "replaces"))
    told = world.bob.request_seen.headers.get("replaces")
    assert told == f"{at_bob.call_id};to-tag={at_bob.to.tag};from-tag={at_bob.from_.tag}"
