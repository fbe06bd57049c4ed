"""SRTP when the media process dies: nothing is sent again under a key that it has used."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest

from siprec_src.media.model import SrtpKey
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Message, Request
from tests.support.descriptions import described, sdp
from tests.support.phone import ALICE, Phone
from tests.support.world import World, connected

SUITE = "AES_CM_128_HMAC_SHA1_80"
AWARE = (("Supported", "record-aware"), ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE"))


def said(phone: Phone, octet: int, version: int = 1) -> bytes:
    """What a phone says of itself, with a key of these octets."""
    key = base64.b64encode(bytes([octet]) * 30).decode()
    line = f"audio {4000 if phone.host == ALICE else 5000} RTP/SAVP 0\na=crypto:1 {SUITE} inline:{key}"
    return sdp(phone.host, line, version=version)


def secure_call(*headers: tuple[str, str]) -> World:
    world = World()
    world.alice.call(said(world.alice, 1), *headers)
    world.bob.reply(200, said(world.bob, 9), *headers)
    world.alice.ack()
    world.ladder_lines.clear()
    return world


def restart(world: World) -> None:
    """The media process dies and another one comes."""
    world.src.everyone(world.src.media.lose())
    world.src.everyone(world.src.media.serve())


def key(message: Message) -> SrtpKey:
    """Ours, as a party was told it."""
    (line,) = described(message).media[0].crypto
    return SrtpKey(line.suite, line.material)


def sent_under(world: World) -> tuple[SrtpKey | None, SrtpKey | None]:
    """The keys under which Alice and Bob are sent media now."""
    facing_alice, facing_bob = world.src.media.connections
    return facing_alice.send_key, facing_bob.send_key


def offers(phone: Phone) -> list[Request]:
    """Those of our own, behind the INVITE that began the call."""
    arrived = (event.request for event in phone.events if isinstance(event, sip.RequestArrived))
    return [request for request in arrived if request.body]


def names(world: World, event: str) -> list[object]:
    return [dict(line.fields)["side"] for line in world.src.logs if line.event == event]


@pytest.mark.rfc("3711", "9.1")
@pytest.mark.rfc("4568", "7.1.4")
@pytest.mark.req("KEY-20")
def test_each_party_is_offered_a_new_key_in_its_leg_and_is_sent_media_under_no_other() -> None:
    world = secure_call()
    before = (key(world.alice.response_seen), key(world.bob.last(sip.InviteArrived).request))
    assert sent_under(world) == before
    restart(world)
    after = (key(world.alice.request_seen), key(world.bob.request_seen))
    assert len({*before, *after}) == 4
    assert sent_under(world) == after
    world.alice.reply(200, said(world.alice, 1))
    world.bob.reply(200, said(world.bob, 9))
    assert sent_under(world) == after
    assert [c.receive_key for c in world.src.media.connections] == [
        SrtpKey(SUITE, bytes([octet]) * 30) for octet in (1, 9)
    ]
    assert (
        world.ladder
        == """\
  src -> alice  INVITE  [audio 10.0.0.9:10000]
  src -> bob    INVITE  [audio 10.0.0.9:10002]
alice -> src    100 INVITE
  bob -> src    100 INVITE
alice -> src    200 INVITE  [audio 10.0.0.1:4000]
  src -> alice  ACK
  bob -> src    200 INVITE  [audio 10.0.0.2:5000]
  src -> bob    ACK"""
    )
    assert names(world, "call.rekeyed") == ["caller", "callee"]


@pytest.mark.req("KEY-20")
def test_the_keys_are_offered_while_the_new_process_is_still_on_its_way() -> None:
    world = secure_call()
    world.src.everyone(world.src.media.lose())
    world.alice.reply(200, said(world.alice, 1))
    world.bob.reply(200, said(world.bob, 9))
    world.src.everyone(world.src.media.serve())
    assert sent_under(world) == (key(offers(world.alice)[0]), key(offers(world.bob)[0]))
    assert (len(offers(world.alice)), len(offers(world.bob))) == (1, 1)


@pytest.mark.rfc("3264", "8")
def test_what_crosses_later_is_counted_on_from_the_offer_with_the_new_key() -> None:
    world = secure_call()
    restart(world)
    world.alice.reply(200, said(world.alice, 1))
    world.bob.reply(200, said(world.bob, 9))
    fresh = sent_under(world)
    world.alice.request("INVITE", said(world.alice, 1, version=2))
    world.bob.reply(200, said(world.bob, 9, version=2))
    world.alice.ack()
    assert [described(request).origin.version for request in offers(world.bob)] == [2, 3]
    assert sent_under(world) == fresh == (key(world.alice.response_seen), key(offers(world.bob)[1]))


@pytest.mark.rfc("4568", "7.1.4")
def test_a_party_may_change_its_own_key_in_its_answer() -> None:
    world = secure_call()
    restart(world)
    world.alice.reply(200, said(world.alice, 2, version=2))
    world.bob.reply(200, said(world.bob, 9))
    assert world.src.media.connections[0].receive_key == SrtpKey(SUITE, bytes([2]) * 30)
    assert sent_under(world) == (key(offers(world.alice)[0]), key(offers(world.bob)[0]))


@pytest.mark.rfc("3711", "3.3.1")
def test_keys_that_the_parties_go_on_under_are_joined_by_the_new_process_and_new_ones_begun() -> None:
    world = secure_call()
    before = [c.receive_key for c in world.src.media.connections]
    world.src.everyone(world.src.media.lose())
    world.alice.reply(200, said(world.alice, 1))
    world.bob.reply(200, said(world.bob, 8, version=2))
    world.src.everyone(world.src.media.serve())
    after = [c.receive_key for c in world.src.media.connections]
    assert [key.joined for key in (*before, *after) if key is not None] == [False, False, True, False]


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("KEY-20")
def test_after_glare_the_key_is_offered_again() -> None:
    world = secure_call()
    restart(world)
    world.bob.reply(200, said(world.bob, 9))
    world.alice.reply(491)
    world.wait(2.1)
    assert [key(request) for request in offers(world.alice)] == [sent_under(world)[0]] * 2
    world.alice.reply(200, said(world.alice, 1))
    assert names(world, "call.rekeyed") == ["callee", "caller"]


@pytest.mark.req("KEY-20")
def test_a_party_that_refuses_the_new_key_keeps_its_call_and_is_named() -> None:
    world = secure_call()
    restart(world)
    world.alice.reply(488)
    world.bob.reply(200, said(world.bob, 9))
    world.wait(60.0)
    assert len(world.src.calls) == 1
    assert len(offers(world.alice)) == 1
    refused = world.src.log("call.rekey-refused")
    assert (refused["side"], refused["status"]) == ("caller", 488)
    assert sent_under(world)[0] == key(offers(world.alice)[0])
    world.bob.request("INVITE", said(world.bob, 9, version=2))
    assert key(world.alice.request_seen) == sent_under(world)[0]


def test_an_answer_that_cannot_be_used_is_named_and_asked_for_no_more() -> None:
    world = secure_call()
    restart(world)
    world.alice.reply(200, b"rubbish")
    world.bob.reply(200, said(world.bob, 9))
    world.wait(60.0)
    assert len(offers(world.alice)) == 1
    assert world.src.log("call.bad-answer")


@pytest.mark.req("KEY-20")
def test_keys_wait_for_the_change_under_way_which_shows_them_already() -> None:
    world = secure_call()
    world.bob.request("INVITE", said(world.bob, 9, version=2))
    shown = key(world.alice.request_seen)
    restart(world)
    assert len(offers(world.alice)) == 1
    world.alice.reply(200, said(world.alice, 1, version=2))
    world.bob.ack()
    known = (key(offers(world.alice)[1]), key(world.bob.response_seen))
    assert shown not in known
    assert sent_under(world) == known
    assert key(offers(world.bob)[0]) == known[1]


@pytest.mark.req("KEY-20")
def test_an_early_dialog_gets_its_keys_when_it_is_confirmed() -> None:
    world = World()
    world.alice.call(said(world.alice, 1))
    world.bob.reply(183, said(world.bob, 9), label="f")
    early = key(world.alice.response_seen)
    offered = key(world.bob.request_seen)
    restart(world)
    world.bob.reply(200, said(world.bob, 9), label="f")
    assert offers(world.alice) == offers(world.bob) == []
    world.alice.ack()
    fresh = (key(offers(world.alice)[0]), key(offers(world.bob)[0]))
    assert sent_under(world) == fresh
    assert len({early, offered, *fresh}) == 4


def test_keys_that_nothing_was_sent_under_stay() -> None:
    world = World()
    world.alice.call(said(world.alice, 1))
    offered = key(world.bob.request_seen)
    restart(world)
    world.bob.reply(200, said(world.bob, 9))
    world.alice.ack()
    assert sent_under(world)[1] == offered
    assert offers(world.alice) == offers(world.bob) == []


@pytest.mark.req("KEY-20")
def test_every_death_of_the_media_process_has_its_keys() -> None:
    world = secure_call()
    seen = [sent_under(world)]
    for _ in range(3):  # the second and third while the offers of the first are not answered yet
        restart(world)
        seen.append(sent_under(world))
    world.alice.reply(200, said(world.alice, 1))
    world.bob.reply(200, said(world.bob, 9))
    assert len({material for keys in seen for material in keys}) == 8
    assert sent_under(world) == seen[-1] == (key(offers(world.alice)[1]), key(offers(world.bob)[1]))
    world.alice.reply(200, said(world.alice, 1))
    world.bob.reply(200, said(world.bob, 9))
    assert sent_under(world) == seen[-1]
    assert (len(offers(world.alice)), len(offers(world.bob))) == (2, 2)
    versions = [described(request).origin.version for request in offers(world.alice)]
    assert all(later > earlier for earlier, later in pairwise(versions))


def test_a_party_that_takes_update_is_told_so_of_its_key() -> None:
    world = secure_call(*AWARE)
    restart(world)
    assert [request.method for request in (*offers(world.alice), *offers(world.bob))] == ["UPDATE"] * 2
    assert described(offers(world.alice)[0]).attribute("record") == "off"
    world.alice.reply(488)
    assert not [line for line in world.src.logs if line.event == "indication.refused"]


def test_a_call_without_srtp_is_told_of_nothing() -> None:
    world = connected()
    restart(world)
    assert world.ladder == ""
