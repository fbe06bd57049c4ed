"""SRTP on the legs: keys of their own on each, which change when the party's change."""

from __future__ import annotations

import base64

import pytest

from siprec_src.media.model import SrtpKey
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip import vocabulary as sip
from tests.flows.recording.stage import ONE
from tests.support.descriptions import described, sdp
from tests.support.phone import ALICE, BOB
from tests.support.recorded import Recorded
from tests.support.world import World, connected

S80, S32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"


def material(octet: int) -> bytes:
    return bytes([octet]) * 30


def crypto(tag: int, suite: str, octet: int) -> str:
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(material(octet)).decode()}"


def savp(host: str, port: int, *lines: str) -> bytes:
    return sdp(host, "\n".join((f"audio {port} RTP/SAVP 0", *lines)))


@pytest.mark.rfc("4568", "5.1.1")
@pytest.mark.rfc("4568", "5.1.3")
@pytest.mark.req("KEY-11", "KEY-13")
def test_each_leg_has_srtp_keys_of_its_own() -> None:
    world = connected(
        savp(ALICE, 4000, crypto(1, S80, 1), crypto(2, S32, 2)), savp(BOB, 5000, crypto(2, S32, 9))
    )
    offered = described(world.bob.last(sip.InviteArrived).request).media[0].crypto
    answered = described(world.alice.response_seen).media[0].crypto
    assert [(line.tag, line.suite) for line in offered] == [(1, S80), (2, S32)]
    assert [(line.tag, line.suite) for line in answered] == [(2, S32)]
    keys = {material(1), material(2), material(9), *(line.material for line in (*offered, *answered))}
    assert len(keys) == 6
    caller, callee = world.src.media.connections
    assert (caller.receive_key, caller.send_key) == (
        SrtpKey(S32, material(2)),
        SrtpKey(S32, answered[0].material),
    )
    assert (callee.receive_key, callee.send_key) == (
        SrtpKey(S32, material(9)),
        SrtpKey(S32, offered[1].material),
    )
    assert all(stream.encrypted and stream.source for stream in world.src.published[0].streams)


@pytest.mark.rfc("4568", "7.1.4")
def test_a_key_that_a_re_offer_repeats_stays_and_a_new_one_changes_only_that_direction() -> None:
    world = connected(savp(ALICE, 4000, crypto(1, S80, 1)), savp(BOB, 5000, crypto(1, S80, 9)))
    before = world.src.media.connections
    world.alice.request("INVITE", savp(ALICE, 4000, "a=sendonly", crypto(1, S80, 1)))
    world.bob.reply(200, savp(BOB, 5000, "a=recvonly", crypto(1, S80, 9)))
    world.alice.ack()
    assert [(c.receive_key, c.send_key) for c in world.src.media.connections] == [
        (c.receive_key, c.send_key) for c in before
    ]
    world.alice.request("INVITE", savp(ALICE, 4000, crypto(1, S80, 3)))
    world.bob.reply(200, savp(BOB, 5000, crypto(1, S80, 9)))
    world.alice.ack()
    caller, callee = world.src.media.connections
    assert caller.receive_key == SrtpKey(S80, material(3))
    assert caller.send_key == before[0].send_key
    assert callee.receive_key == before[1].receive_key
    assert callee.send_key != before[1].send_key


@pytest.mark.rfc("3711", "9.1")
@pytest.mark.req("KEY-20")
def test_a_key_that_a_party_takes_up_again_is_stood_for_by_a_new_one() -> None:
    world = connected(savp(ALICE, 4000, crypto(1, S80, 1)), savp(BOB, 5000, crypto(1, S80, 9)))
    sent = [world.src.media.connections[1].send_key]
    for octet in (2, 3, 1):
        world.alice.request("INVITE", savp(ALICE, 4000, crypto(1, S80, octet)))
        world.bob.reply(200, savp(BOB, 5000, crypto(1, S80, 9)))
        world.alice.ack()
        sent.append(world.src.media.connections[1].send_key)
        assert world.src.media.connections[0].receive_key == SrtpKey(S80, material(octet))
    assert len({key.material for key in sent if key}) == 4


@pytest.mark.rfc("4568", "5.1.3")
@pytest.mark.req("KEY-13")
def test_an_answer_with_a_key_that_was_not_offered_ends_the_call() -> None:
    world = World()
    world.alice.call(savp(ALICE, 4000, crypto(1, S80, 1)))
    world.bob.reply(200, savp(BOB, 5000, crypto(7, S80, 9)))
    assert world.alice.response_seen.status == 502
    assert world.bob.request_seen.method == "BYE"
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("7866", "12.2")
@pytest.mark.rfc("7245", "5")
@pytest.mark.req("KEY-04")
def test_what_the_srs_gets_is_under_keys_that_no_leg_has() -> None:
    call = Recorded(SrsConfig(uri=f"{ONE};secure=true"))
    call.world.alice.call(savp(ALICE, 4000, crypto(1, S80, 1)))
    call.world.bob.reply(200, savp(BOB, 5000, crypto(1, S80, 9)))
    call.world.alice.ack()
    media = call.world.src.media
    legs = {key.material for c in media.connections for key in (c.receive_key, c.send_key) if key}
    sent = [reader.attached.send_key for reader in media.readers.values()]
    copies = {key.material for key in sent if key}
    assert (len(legs), len(copies)) == (4, 2)
    assert not legs & copies
