"""Re-INVITE and UPDATE in every state of a call: who goes on, who waits, who comes too late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from siprec_src.sip import vocabulary as sip
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB
from tests.support.world import World, connected


def quiet() -> World:
    return connected()


def their_re_invite() -> World:
    world = connected()
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly"))
    return world


def their_re_invite_without_ack() -> World:
    world = their_re_invite()
    world.alice.reply(200, audio(ALICE, 4000, "a=recvonly"))
    return world


def their_late_offer() -> World:
    world = connected()
    world.alice.request("INVITE")
    world.bob.reply(200, audio(BOB, 5000))
    return world


def their_update() -> World:
    world = connected()
    world.bob.request("UPDATE", audio(BOB, 5000, "a=sendonly"))
    return world


def their_info() -> World:
    world = connected()
    world.bob.request("INFO")
    return world


def ended() -> World:
    world = connected()
    world.bob.request("BYE")
    world.alice.reply(200)
    return world


CROSSES: Final = None


@pytest.mark.rfc("3261", "14.1", "14.2")
@pytest.mark.rfc("3311", "5.1", "5.2")
@pytest.mark.rfc("6337", "2.3")
@pytest.mark.req("DLG-07", "DLG-08", "SDP-21")
@pytest.mark.parametrize(
    ("state", "invite", "offer", "empty"),
    [
        (quiet, CROSSES, CROSSES, CROSSES),
        (their_re_invite, 491, 491, CROSSES),
        (their_re_invite_without_ack, 491, CROSSES, CROSSES),
        (their_late_offer, 491, 491, CROSSES),
        (their_update, 491, 491, CROSSES),
        (their_info, CROSSES, CROSSES, CROSSES),
        (ended, 481, 481, 481),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_change_of_the_session_waits_for_the_one_under_way(
    state: Callable[[], World], invite: int | None, offer: int | None, empty: int | None
) -> None:
    body = audio(ALICE, 4000, version=3)
    for method, content, expected in (
        ("INVITE", body, invite),
        ("UPDATE", body, offer),
        ("UPDATE", b"", empty),
    ):
        world = state()
        before = len([e for e in world.bob.events if isinstance(e, sip.RequestArrived)])
        world.alice.request(method, content)
        after = len([e for e in world.bob.events if isinstance(e, sip.RequestArrived)])
        if expected is CROSSES:
            assert after == before + 1, (method, content)
        else:
            assert world.alice.response_seen.status == expected, (method, content)
            assert after == before
