"""Whose track comes first, and what of the call an SRS is not told."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.metadata.model import ANONYMOUS, Recording
from siprec_src.metadata.reader import read_metadata
from siprec_src.recording.srs import Hidden, LateTrack, Order, SrsConfig, Track
from tests.support.metadata import directions
from tests.unit.recording.play import (
    VOICE_A,
    VOICE_B,
    Play,
    metadata_of,
    offer_of,
    two_party_call,
    with_stream,
)

ALICE, BOB = "sip:alice@example.com", "sip:bob@example.net"


def begun(call: object = None, **keys: object) -> Play:
    play = Play(SrsConfig(uri="sip:srs.example", **keys))  # type: ignore[arg-type]
    play.publish(call or two_party_call())  # type: ignore[arg-type]
    return play


def document(play: Play) -> Recording:
    found = read_metadata(metadata_of(play.invites[0]))
    assert isinstance(found, Recording)
    return found


@pytest.mark.req("MD-61")
@pytest.mark.parametrize(
    ("order", "agents", "trunk", "first", "second"),
    [
        (Order.CALLER_FIRST, (), "pbx", ALICE, BOB),
        (Order.CALLER_FIRST, ("pbx",), "pbx", ALICE, BOB),
        (Order.AGENT_FIRST, (), "pbx", BOB, ALICE),
        (Order.AGENT_FIRST, ("pbx",), "carrier", BOB, ALICE),
        (Order.AGENT_FIRST, ("pbx",), "pbx", ALICE, BOB),
    ],
)
def test_the_first_party_has_the_first_label_the_first_m_line_and_stands_first(
    order: Order, agents: tuple[str, ...], trunk: str, first: str, second: str
) -> None:
    call = dataclasses.replace(two_party_call(), trunk=trunk)
    play = begun(call, order=order, agents=agents, labels=("x", "y"))
    assert [media.label for media in offer_of(play.invites[0]).media] == ["x", "y"]
    sends, receives = directions(metadata_of(play.invites[0]))
    assert list(sends.items()) == [(first, ["x"]), (second, ["y"])]
    assert receives == {first: ["y"], second: ["x"]}
    play.accept()
    to = {reader.attached.stream: reader.attached.remote.port for reader in play.media.readers.values()}
    assert to == ({1: 30000, 2: 30002} if first == ALICE else {2: 30000, 1: 30002})


@pytest.mark.parametrize(
    ("wanted", "label", "voice"), [(Track.INBOUND, "2", VOICE_A), (Track.OUTBOUND, "1", VOICE_B)]
)
def test_inbound_is_the_caller_whoever_comes_first(wanted: Track, label: str, voice: bytes) -> None:
    play = begun(order=Order.AGENT_FIRST, track=wanted)
    (media,) = offer_of(play.invites[0]).media
    assert media.label == label
    assert {s.label: s.stream_id for s in document(play).streams if s.label} == {label: voice}


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("UPD-13")
def test_what_an_srs_shall_not_know_is_in_no_document() -> None:
    call = dataclasses.replace(two_party_call(), sip_session_ids=("a" * 32,))
    play = begun(call, hide=tuple(Hidden))
    play.accept()
    play.publish(dataclasses.replace(call, ended=9.0, reason="busy with Bob", reason_cause=17))
    for command in (play.invites[0], play.requests[0]):
        told = read_metadata(metadata_of(command))
        assert isinstance(told, Recording)
        assert [[(n.aor, n.name) for n in p.names] for p in told.participants] == [[(ANONYMOUS, "")]] * 2
        assert told.sessions[0].sip_session_ids == ()
        assert told.sessions[0].reasons == ()


@pytest.mark.req("UPD-13")
def test_only_what_is_hidden_is_hidden() -> None:
    names = document(begun(hide=(Hidden.NAMES,))).participants[0].names
    assert [(name.aor, name.name) for name in names] == [(ALICE, "")]
    names = document(begun(hide=(Hidden.ADDRESSES,))).participants[0].names
    assert [(name.aor, name.name) for name in names] == [(ANONYMOUS, "Alice & Co")]


def test_a_change_of_what_is_hidden_is_not_told() -> None:
    play = begun(hide=(Hidden.SIP_SESSION_IDS,))
    play.accept()
    play.publish(dataclasses.replace(two_party_call(), sip_session_ids=("b" * 32,)))
    assert play.requests == []


def test_a_session_can_wait_until_both_tracks_are_there() -> None:
    whole = two_party_call()
    alone = dataclasses.replace(whole, streams=whole.streams[:1])
    assert len(begun(alone).invites) == 1
    play = begun(alone, late_track=LateTrack.WAIT)
    assert play.invites == []
    play.publish(whole)
    assert len(offer_of(play.invites[0]).media) == 2
    assert len(begun(alone, late_track=LateTrack.WAIT, track=Track.INBOUND).invites) == 1


def test_a_waiting_session_begins_though_a_party_holds() -> None:
    held = with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY)
    assert len(begun(held, late_track=LateTrack.WAIT).invites) == 1
