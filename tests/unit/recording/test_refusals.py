"""Refusals of the first INVITE that are followed by the same SRS, asked in another way."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession
from siprec_src.recording.extensions import At, ExtensionConfig
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import split_parts
from tests.unit.recording.play import (
    CALLEE,
    CALLER,
    OPUS,
    PCMA,
    PCMU,
    VOICE_A,
    VOICE_B,
    Play,
    metadata_of,
    offer_of,
    track,
    two_party_call,
    with_stream,
)

SDP_ONLY = (("Accept", "application/sdp"),)
NOTE = ExtensionConfig(at=At.SESSION, namespace="urn:x", element="note", text="{call_id}")


def play_of(**keys: object) -> Play:
    return Play(SrsConfig(**{"uri": "sip:one.example", **keys}), "sip:two.example")  # type: ignore[arg-type]


def asked(play: Play) -> list[str]:
    return [invite.request_uri for invite in play.invites]


def dispositions(invite: sip.StartInvite) -> list[str]:
    parts = split_parts(invite.headers.get("content-type") or "", invite.body)
    return [str(part.disposition) for part in parts]


def call(*formats: object, number: int = 7) -> CommunicationSession:
    tracks = (track(VOICE_A, CALLER, 1, *formats), track(VOICE_B, CALLEE, 2, *formats))  # type: ignore[arg-type]
    headers = (("Call-ID", "c1"),)
    return dataclasses.replace(two_party_call(), call=number, streams=tracks, headers=headers)


@pytest.mark.rfc("3261", "8.1.3.5")
@pytest.mark.req("ERR-02", "BOD-05")
def test_an_srs_that_accepts_sdp_alone_may_ignore_the_metadata() -> None:
    play = play_of()
    play.publish(call())
    play.say(415, headers=SDP_ONLY)
    assert asked(play) == ["sip:one.example"] * 2
    assert [dispositions(i)[1] for i in play.invites] == [
        "recording-session;handling=required",
        "recording-session;handling=optional",
    ]
    assert play.log("recording.other-way")[0]["asked_with"] == "metadata that it may ignore"
    play.say(415, headers=SDP_ONLY)
    assert asked(play)[2:] == ["sip:two.example"]


@pytest.mark.rfc("3261", "8.1.3.5")
@pytest.mark.req("ERR-02", "SIP-06")
def test_where_it_is_wanted_such_an_srs_records_without_metadata() -> None:
    play = play_of(sdp_only_if_refused=True)
    play.publish(call())
    play.say(415, headers=SDP_ONLY)
    play.say(415, headers=SDP_ONLY)
    bare = play.invites[2]
    assert bare.headers.get("content-type") == "application/sdp"
    assert bare.headers.get("require") == "siprec"
    play.accept()
    assert len(play.media.readers) == 2
    play.publish(with_stream(call(), VOICE_A, formats=(PCMA,)))
    assert play.requests[0].headers.get("content-type") == "application/sdp"
    play.accept()
    play.publish(dataclasses.replace(call(), ended=9.0))
    assert [(request.method, request.body) for request in play.requests[1:]] == [("BYE", b"")]


def test_an_srs_that_takes_no_metadata_is_told_no_change_of_the_call_alone() -> None:
    play = play_of(sdp_only_if_refused=True, metadata_required=False)
    play.publish(call())
    play.say(415, headers=SDP_ONLY)
    play.accept()
    play.publish(dataclasses.replace(call(), sip_session_ids=("a" * 32,)))
    assert play.requests == []


@pytest.mark.req("ERR-02")
@pytest.mark.parametrize("accept", ["", "application/rs-metadata+xml", "*/*", "application/*", "a b", "/"])
def test_a_415_that_says_nothing_new_is_a_refusal(accept: str) -> None:
    play = play_of(sdp_only_if_refused=True)
    play.publish(call())
    play.say(415, headers=(("Accept", accept),) if accept else ())
    assert asked(play) == ["sip:one.example", "sip:two.example"]


@pytest.mark.req("ERR-02")
def test_what_an_srs_takes_is_remembered_for_the_next_call() -> None:
    play = play_of()
    play.publish(call())
    play.say(415, headers=(("Accept", "application/sdp, application/rs-metadata"),))
    play.accept()
    play.publish(dataclasses.replace(call(number=8), session_id=b"T" * 16))
    assert asked(play) == ["sip:one.example"] * 3
    assert b"Content-Type: application/rs-metadata\r\n" in play.invites[2].body


@pytest.mark.req("ERR-02")
def test_what_was_learned_of_an_srs_ends_when_it_is_configured_otherwise() -> None:
    play = play_of()
    play.publish(call())
    play.say(415, headers=SDP_ONLY)
    play.pool.retarget([SrsConfig(uri="sip:one.example", answer_timeout_s=4.0)])
    play.accept()
    play.publish(call(number=8))
    assert dispositions(play.invites[-1])[1] == "recording-session;handling=required"


def test_what_a_call_that_was_not_taken_has_tried_is_not_remembered() -> None:
    play = play_of()
    play.publish(call())
    play.say(415, headers=SDP_ONLY)
    play.say(603)
    play.publish(call(number=8))
    assert dispositions(play.invites[-1])[1] == "recording-session;handling=required"


@pytest.mark.rfc("3261", "21.4.11")
@pytest.mark.req("ERR-03")
def test_after_413_the_metadata_is_smaller_in_this_call_alone() -> None:
    play = play_of(extensions=(NOTE,))
    play.publish(call())
    play.say(413)
    assert asked(play) == ["sip:one.example"] * 2
    assert [b"<note" in metadata_of(i) for i in play.invites] == [True, False]
    play.accept()
    play.publish(call(number=8))
    assert b"<note" in metadata_of(play.invites[2])


@pytest.mark.req("ERR-03")
def test_a_second_413_or_one_that_nothing_can_be_done_about_is_a_refusal() -> None:
    play = play_of(extensions=(NOTE,))
    play.publish(call())
    play.say(413)
    play.say(413)
    play.say(413)
    assert asked(play) == ["sip:one.example"] * 2 + ["sip:two.example"]


@pytest.mark.rfc("3261", "21.4.26")
@pytest.mark.req("ERR-04")
@pytest.mark.parametrize("status", [488, 606])
def test_after_488_the_other_codecs_are_offered_once(status: int) -> None:
    play = play_of(codecs=("opus",), fallback_codecs=("PCMU",))
    play.publish(call(OPUS, PCMU))
    play.say(status, headers=(("Warning", '305 srs.example "Incompatible media format: opus"'),))
    offers = [[m.rtp_formats[0].encoding for m in offer_of(i).media] for i in play.invites]
    assert offers == [["opus", "opus"], ["PCMU", "PCMU"]]
    assert asked(play) == ["sip:one.example"] * 2
    assert "305 Incompatible media format: opus" in str(play.log("recording.attempt-failed")[0]["detail"])
    play.say(status)
    assert asked(play)[2:] == ["sip:two.example"]


@pytest.mark.req("ERR-04")
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"fallback_codecs": ("PCMU",), "warning": '301 srs "Incompatible network address formats"'},
        {"fallback_codecs": ("PCMU",), "final_statuses": (488,)},
        {"fallback_codecs": ("G722",)},
    ],
)
def test_a_488_that_other_codecs_do_not_answer_is_a_refusal(keys: dict[str, object]) -> None:
    warning = keys.pop("warning", "")
    play = play_of(**keys)
    play.publish(call(OPUS, PCMU))
    play.say(488, headers=(("Warning", str(warning)),) if warning else ())
    assert asked(play) == (
        ["sip:one.example"] if "final_statuses" in keys else ["sip:one.example", "sip:two.example"]
    )


@pytest.mark.rfc("7866", "8.1.2")
@pytest.mark.req("ERR-04", "SDP-30")
def test_after_488_the_profile_without_feedback_is_offered_equally_secure() -> None:
    play = play_of(uri="sip:one.example;secure=true;transport=tcp", feedback=True, fallback_codecs=("PCMU",))
    play.publish(call(OPUS, PCMU))
    play.say(488)
    play.say(488)
    assert [[m.protocol for m in offer_of(i).media] for i in play.invites] == [
        ["RTP/SAVPF"] * 2,
        ["RTP/SAVP"] * 2,
        ["RTP/SAVP"] * 2,
    ]
    assert [m.rtp_formats[0].encoding for m in offer_of(play.invites[2]).media] == ["PCMU", "PCMU"]


def test_a_warning_of_codecs_alone_leaves_the_profile() -> None:
    play = play_of(feedback=True, fallback_codecs=("PCMU",))
    play.publish(call(OPUS, PCMU))
    play.say(488, headers=(("Warning", '305 srs "opus"'),))
    assert [m.protocol for m in offer_of(play.invites[1]).media] == ["RTP/AVPF"] * 2


@pytest.mark.rfc("4568", "7.4")
@pytest.mark.req("ERR-04", "KEY-03", "KEY-35")
def test_no_refusal_makes_a_secure_offer_less_secure() -> None:
    uri = "sip:one.example;secure=true;transport=tcp"
    play = Play(SrsConfig(uri=uri, codecs=("opus",), fallback_codecs=("PCMU",)))
    play.publish(call(OPUS, PCMU))
    play.say(488)
    play.say(488)
    assert [[m.protocol for m in offer_of(i).media] for i in play.invites] == [["RTP/SAVP"] * 2] * 2
    keys = [line.material for i in play.invites for m in offer_of(i).media for line in m.crypto]
    assert len(set(keys)) == len(keys)
