"""Calls whose parties have both vanished: ended in the end, and no call before that (RFC 4028 8, 10)."""

from __future__ import annotations

import pytest

from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.media import plane
from siprec_src.media.model import Endpoint, PortId
from tests.support.descriptions import audio, sdp
from tests.support.phone import ALICE, BOB
from tests.support.world import World

TIMER = ("Supported", "timer")
AGREED = ("Session-Expires", "1800;refresher=uac")


def connected(
    *headers: tuple[str, str],
    answer: tuple[tuple[str, str], ...] = (),
    bodies: tuple[bytes, bytes] = (audio(ALICE, 4000), audio(BOB, 5000)),
    settings: InlineSettings | None = None,
) -> World:
    """Alice and Bob talk."""
    world = World(settings=settings)
    world.alice.call(bodies[0], *headers)
    world.bob.reply(200, bodies[1], *answer)
    world.alice.ack()
    world.ladder_lines.clear()
    return world


def with_timer() -> World:
    return connected(TIMER, ("Session-Expires", "1800"), answer=(AGREED, ("Require", "timer")))


def ports(world: World) -> tuple[PortId, ...]:
    return tuple(world.src.media.ports)


def heard(world: World, *which: PortId) -> None:
    for port in which or ports(world):
        here = Endpoint(ALICE, 4000)
        world.src.everyone(plane.FirstPacket(port=port, payload_type=0, ssrc=1, source=here))


def silent(world: World, *which: PortId, is_silent: bool = True) -> None:
    for port in which or ports(world):
        world.src.everyone(plane.SilenceChanged(port=port, silent=is_silent))


# The parties' session timer.


@pytest.mark.rfc("4028", "8", "10")
@pytest.mark.req("TIM-06")
def test_a_call_that_nobody_refreshes_is_ended_32_s_after_it_expired() -> None:
    world = with_timer()
    world.wait(1831.9)
    assert world.ladder == ""
    world.wait(0.2)
    assert world.ladder == "  src -> alice  BYE\n  src -> bob    BYE"
    byes = [p.request_seen for p in (world.alice, world.bob)]
    assert {b.headers.get("reason") for b in byes} == {'SIP;cause=408;text="session expired"'}
    end = world.src.log("call.end")
    assert (end["outcome"], end["status"], end["duration_s"]) == ("timed-out", 408, 1832.0)
    assert world.src.log("call.timed-out")["cause"] == "session expired"
    assert world.src.published[-1].reason == "session expired"
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("4028", "8")
@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("by_caller", [True, False])
def test_a_refresh_of_either_party_keeps_the_call(method: str, *, by_caller: bool) -> None:
    world = with_timer()
    asks, answers = (world.alice, world.bob) if by_caller else (world.bob, world.alice)
    for _ in range(3):
        world.wait(900.0)
        asks.request(method, b"", TIMER, AGREED)
        answers.reply(200, audio(BOB, 5000) if method == "INVITE" else b"", AGREED)
        if method == "INVITE":
            asks.ack(audio(ALICE, 4000))
    world.wait(1830.0)
    assert len(world.src.calls) == 1
    world.wait(3.0)
    assert world.src.log("call.end")["outcome"] == "timed-out"


@pytest.mark.rfc("4028", "8")
def test_a_refresh_that_fails_is_none() -> None:
    world = with_timer()
    world.wait(900.0)
    world.alice.request("UPDATE", b"", TIMER, AGREED)
    world.bob.reply(500)
    world.wait(933.0)
    assert world.src.log("call.end")["outcome"] == "timed-out"


@pytest.mark.rfc("4028", "8")
def test_a_2xx_without_an_interval_takes_the_timer_away() -> None:
    world = with_timer()
    world.alice.request("UPDATE")
    world.bob.reply(200)
    world.wait(86400.0)
    assert len(world.src.calls) == 1


@pytest.mark.rfc("4028", "8")
@pytest.mark.req("TIM-06")
def test_a_call_in_which_packets_flow_ends_by_its_timer_all_the_same() -> None:
    world = with_timer()
    heard(world)
    world.wait(1833.0)
    assert world.src.log("call.end")["outcome"] == "timed-out"


@pytest.mark.rfc("4028", "8")
def test_parties_with_a_timer_may_be_silent() -> None:
    world = with_timer()
    heard(world)
    silent(world)
    world.wait(1800.0)
    assert len(world.src.calls) == 1


def test_the_parties_bye_is_the_end_of_the_watch() -> None:
    world = with_timer()
    world.alice.request("BYE")
    world.bob.reply(200)
    world.wait(4000.0)
    assert world.src.log("call.end")["outcome"] == "answered"


def test_parties_that_do_not_answer_our_bye_hold_nothing() -> None:
    world = with_timer()
    world.lost = lambda source, _target, _message: source != "src"
    world.wait(1833.0)
    assert (world.src.calls, world.src.media.ports) == ([], {})
    world.wait(64.0)
    assert world.src.agent.idle


# Silence.


def test_without_a_timer_a_call_ends_when_both_have_been_silent_for_five_minutes() -> None:
    world = connected()
    heard(world)
    world.wait(1000.0)
    silent(world)
    world.wait(299.9)
    assert world.ladder == ""
    world.wait(0.2)
    assert "src -> bob    BYE" in world.ladder
    assert world.src.log("call.timed-out")["cause"] == "no media"
    assert world.src.log("call.end")["outcome"] == "timed-out"


def test_one_party_that_is_heard_keeps_the_call() -> None:
    world = connected()
    heard(world)
    silent(world, ports(world)[0])
    world.wait(5000.0)
    assert len(world.src.calls) == 1


def test_packets_that_come_again_in_time_keep_the_call() -> None:
    world = connected()
    heard(world)
    silent(world)
    world.wait(290.0)
    silent(world, ports(world)[1], is_silent=False)
    world.wait(5000.0)
    assert len(world.src.calls) == 1


def test_a_party_that_never_sent_counts_for_nothing() -> None:
    world = connected()
    heard(world, ports(world)[0])
    silent(world, ports(world)[0])
    world.wait(301.0)
    assert world.src.log("call.end")["outcome"] == "timed-out"


def test_a_call_in_which_nobody_was_ever_heard_is_left_alone() -> None:
    world = connected()
    world.wait(86400.0)
    assert len(world.src.calls) == 1


def test_sip_of_a_party_is_a_sign_of_life() -> None:
    world = connected()
    heard(world)
    silent(world)
    world.wait(200.0)
    world.alice.request("INFO")
    world.bob.reply(200)
    world.wait(299.0)
    assert len(world.src.calls) == 1
    world.wait(2.0)
    assert world.src.calls == []


@pytest.mark.rfc("3264", "8.4")
def test_a_call_on_hold_may_be_silent_and_has_its_time_again_afterwards() -> None:
    world = connected()
    heard(world)
    for version, direction in ((2, "a=sendonly"), (3, "a=sendrecv")):
        world.alice.request("INVITE", audio(ALICE, 4000, direction, version=version))
        other = "a=recvonly" if version == 2 else "a=sendrecv"
        world.bob.reply(200, audio(BOB, 5000, other, version=version))
        world.alice.ack()
        if version == 2:
            silent(world)
            world.wait(3600.0)
    world.wait(290.0)
    assert len(world.src.calls) == 1
    world.wait(20.0)
    assert world.src.calls == []


def test_media_that_is_not_looked_into_tells_nothing() -> None:
    fingerprint = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
    bodies = tuple(
        sdp(host, f"audio {port} UDP/TLS/RTP/SAVP 0\n{fingerprint}\na=setup:{setup}")
        for host, port, setup in ((ALICE, 4000, "actpass"), (BOB, 5000, "active"))
    )
    world = connected(bodies=(bodies[0], bodies[1]))
    heard(world)
    silent(world)
    world.wait(5000.0)
    assert len(world.src.calls) == 1


def test_a_new_media_process_hears_the_parties_anew() -> None:
    world = connected()
    heard(world)
    world.src.everyone(world.src.media.lose())
    world.wait(1000.0)
    assert len(world.src.calls) == 1
    world.src.everyone(world.src.media.serve())
    world.wait(299.0)
    assert len(world.src.calls) == 1
    world.wait(2.0)
    assert world.src.log("call.end")["outcome"] == "timed-out"


def test_silence_can_be_allowed_for_ever() -> None:
    world = connected(settings=InlineSettings(media_timeout_s=0))
    heard(world)
    silent(world)
    world.wait(86400.0)
    assert len(world.src.calls) == 1
