"""What the INVITE of each profile is like on the wire."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from siprec_src.communication import CommunicationSession
from siprec_src.config.build import build_sections
from siprec_src.config.sources import Problems
from siprec_src.recording.profile import PROFILES, joined
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import split_parts
from siprec_src.sip.flow import Transport
from tests.support.metadata import NS, directions
from tests.unit.recording.play import (
    CALLEE,
    CALLER,
    DTMF,
    OPUS,
    PCMA,
    PCMU,
    VOICE_A,
    VOICE_B,
    Play,
    edge,
    metadata_of,
    offer_of,
    track,
    two_party_call,
)

FIELDS = (
    ("From", "<sip:alice@example.com>;tag=1"),
    ("To", "<sip:bob@example.net>"),
    ("Call-ID", "call.1@pbx"),
    ("User-to-User", "00FA080019001038F725B3;encoding=hex"),
    ("X-BroadWorks-Correlation-Info", "bfaf-1"),
    ("X-AmznConnectAgentUserId", "agent-7"),
)


def call(trunk: str = "pbx") -> CommunicationSession:
    forms = (OPUS, PCMU, PCMA, DTMF)
    return dataclasses.replace(
        two_party_call(),
        streams=(track(VOICE_A, CALLER, 1, *forms), track(VOICE_B, CALLEE, 2, *forms)),
        headers=FIELDS,
        trunk=trunk,
    )


def configured(profile: str, **keys: object) -> SrsConfig:
    """An ``[[srs]]`` as the file would have it."""
    problems = Problems()
    entry = {"uri": "sip:srs.example", "profile": profile, **keys}
    (config,) = build_sections({"srs": [entry]}, problems)["srs"]
    assert problems.found == []
    assert isinstance(config, SrsConfig)
    return config


def invite(profile: str, **keys: object) -> sip.StartInvite:
    over_tls = dataclasses.replace(edge(), transports=(Transport.TCP, Transport.TLS))
    play = Play(configured(profile, **keys), edges=[over_tls])
    play.publish(call())
    return play.invites[0]


def encodings(command: sip.StartInvite) -> list[list[str]]:
    return [[form.encoding for form in media.rtp_formats] for media in offer_of(command).media]


def metadata_type(command: sip.StartInvite) -> str:
    return split_parts(command.headers.get("content-type") or "", command.body)[1].essence


def extension(command: sip.StartInvite, path: str) -> str | None:
    return ElementTree.fromstring(metadata_of(command)).findtext(f"{NS}{path}")


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "google-ccai"])
def test_every_profile_has_two_labelled_tracks_and_a_complete_document(profile: str) -> None:
    command = invite(profile)
    assert [(m.label, m.attribute("sendonly")) for m in offer_of(command).media] == [("1", ""), ("2", "")]
    assert b"<datamode>complete</datamode>" in metadata_of(command)
    assert command.headers.get("require") == "siprec"


def test_rfc7866_is_what_there_is_without_profile() -> None:
    assert configured("rfc7866") == SrsConfig(uri="sip:srs.example")


def test_google_binds_the_call_to_its_conversation_and_gets_srtp_and_g711() -> None:
    command = invite("google-ccai", uri="sip:srs.example:5672", values={"project": "my-project"})
    assert command.headers.get("call-info") == (
        "<https://dialogflow.googleapis.com/v2beta1/projects/my-project/conversations/CID-call-1-pbx>"
        ";purpose=Goog-ContactCenter-Conversation"
    )
    assert command.request_uri == "sip:srs.example:5672;transport=tls"
    assert encodings(command) == [["PCMU", "PCMA"]] * 2
    for media in offer_of(command).media:
        assert media.protocol == "RTP/SAVP"
        assert [line.suite for line in media.crypto] == ["AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"]
    assert directions(metadata_of(command))[0] == {
        "sip:alice@example.com": ["1"],
        "sip:bob@example.net": ["2"],
    }


@pytest.mark.parametrize("profile", ["aws-chime", "amazon-connect"])
def test_amazon_gets_g711_alone(profile: str) -> None:
    assert encodings(invite(profile)) == [["PCMU", "PCMA"]] * 2


def test_connect_gets_the_agent_first_and_who_that_is() -> None:
    command = invite("amazon-connect")
    assert extension(command, "session/{urn:x-siprec-src:amazon-connect}AmznConnectAgentUserId") == "agent-7"
    assert directions(metadata_of(command))[0] == {
        "sip:bob@example.net": ["1"],
        "sip:alice@example.com": ["2"],
    }


def test_oracle_gets_the_caller_marked_and_the_ucid() -> None:
    data = "{http://acmepacket.com/siprec/extensiondata}extensiondata/*"
    command = invite("oracle")
    assert extension(command, f"session/{data}") == "00FA080019001038F725B3;encoding=hex"
    assert extension(command, f"participant/{data}") == "true"


def test_audiocodes_gets_the_old_media_type_and_the_ucid() -> None:
    command = invite("audiocodes")
    assert metadata_type(command) == "application/rs-metadata"
    assert extension(command, "session/{urn:ietf:params:xml:ns:Avaya}AvayaUCID") == "FA080019001038F725B3"


@pytest.mark.parametrize("profile", ["cisco", "metaswitch", "broadworks"])
def test_recorders_that_are_used_to_dtmf_get_it(profile: str) -> None:
    assert encodings(invite(profile)) == [["opus", "PCMU", "PCMA", "telephone-event"]] * 2


def test_metaswitch_gets_the_old_media_type_and_an_asserted_identity() -> None:
    command = invite("metaswitch")
    assert metadata_type(command) == "application/rs-metadata"
    assert command.headers.get("p-asserted-identity") == "<sip:alice@example.com>"


def test_broadworks_gets_its_correlation_id() -> None:
    assert invite("broadworks").headers.get("x-broadworks-correlation-info") == "bfaf-1"


def test_drachtio_gets_both_tracks_or_no_session() -> None:
    play = Play(configured("drachtio"))
    whole = call()
    play.publish(dataclasses.replace(whole, streams=whole.streams[:1]))
    assert play.invites == []
    play.publish(whole)
    assert len(offer_of(play.invites[0]).media) == 2
    first = ElementTree.fromstring(metadata_of(play.invites[0])).find(f"{NS}participant/{NS}nameID")
    assert first is not None
    assert first.attrib["aor"] == "sip:alice@example.com"


def test_what_is_written_goes_before_the_profile() -> None:
    command = invite("audiocodes", metadata_type="application/rs-metadata+xml", extensions=["apkt"])
    assert metadata_type(command) == "application/rs-metadata+xml"
    assert extension(command, "session/{urn:ietf:params:xml:ns:Avaya}AvayaUCID") is None
    command = invite("broadworks", headers={"X-Id": "1"})
    assert [command.headers.get(name) for name in ("x-id", "x-broadworks-correlation-info")] == [
        "1",
        "bfaf-1",
    ]
    command = invite("broadworks", headers={"X-BroadWorks-Correlation-Info": ""})
    assert "x-broadworks-correlation-info" not in command.headers


def test_tables_are_joined_name_by_name_and_all_else_is_replaced() -> None:
    assert joined({"a": {"x": 1, "y": 2}, "b": (1, 2), "c": 3}, {"a": {"y": 5}, "b": ()}) == {
        "a": {"x": 1, "y": 5},
        "b": (),
        "c": 3,
    }
