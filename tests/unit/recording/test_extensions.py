"""Extension data: where it stands, what it says, and that the schema takes it."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from siprec_src.communication import Name
from siprec_src.errors import ConfigurationError
from siprec_src.recording.extensions import SETS, At, ExtensionConfig
from siprec_src.recording.srs import SrsConfig
from tests.support.metadata import NS
from tests.unit.recording.play import Play, metadata_of, two_party_call

URN = "urn:example:ns"
CALL = dataclasses.replace(
    two_party_call(),
    headers=(
        ("From", '"A & B" <sip:alice@example.com>;tag=1'),
        ("To", "<sip:bob@example.net>"),
        ("Call-ID", "c1"),
        ("User-to-User", "00FA080019001038F725B3;encoding=hex"),
        ("X-Genesys-CallUUID", "4BOKLLA3"),
        ("X-AmznConnectAgentUserId", "agent-7"),
    ),
)


def one(at: At, **changes: object) -> ExtensionConfig:
    kept = {"namespace": URN, "prefix": "x", "element": "data", "text": "t", **changes}
    return ExtensionConfig(at=at, **kept)  # type: ignore[arg-type]


def document(*extensions: str | ExtensionConfig, **changes: object) -> ElementTree.Element:
    """The metadata of the INVITE; the stage checks it against the schema."""
    play = Play(SrsConfig(uri="sip:srs.example", extensions=extensions, **changes))  # type: ignore[arg-type]
    play.publish(CALL)
    return ElementTree.fromstring(metadata_of(play.invites[0]))


@pytest.mark.rfc("7865", "9")
@pytest.mark.req("MD-06")
def test_extension_data_ends_the_element_it_belongs_to_in_its_own_namespace() -> None:
    root = document(*(one(at) for at in At))
    parents = {"group": 1, "session": 1, "participant": 2}
    for name, count in parents.items():
        found = root.findall(f"{NS}{name}")
        assert [list(parent)[-1].tag for parent in found] == [f"{{{URN}}}data"] * count
    assert list(root)[-1].tag == f"{{{URN}}}data"
    assert len(root.findall(f".//{{{URN}}}data")) == 5


def test_order_and_case_are_kept_and_text_is_escaped() -> None:
    fields = {"zUlu": "{header:From}", "Alpha": "2", "Missing": "{header:X-None}", "mid_dle.1": "ü<&>"}
    root = document(one(At.SESSION, text="", fields=fields))
    (data,) = root.findall(f"{NS}session/{{{URN}}}data")
    assert [(child.tag.rpartition("}")[2], child.text) for child in data] == [
        ("zUlu", '"A & B" <sip:alice@example.com>;tag=1'),
        ("Alpha", "2"),
        ("mid_dle.1", "ü<&>"),
    ]


def test_an_element_with_nothing_to_say_is_left_out() -> None:
    assert document(one(At.SESSION, text="{header:X-None}")).find(f".//{{{URN}}}data") is None


def test_each_participant_is_told_of_itself() -> None:
    fields = {
        "user": "{party.user}",
        "caller": "{party.is_caller}",
        "id": "{party.id}",
        "name": "{party.name}",
    }
    root = document(one(At.PARTICIPANT, text="", fields=fields))
    found = {
        parent.attrib["participant_id"]: [child.text for child in parent.findall(f"{{{URN}}}data/*")]
        for parent in root.findall(f"{NS}participant")
    }
    for identifier, texts in found.items():
        assert identifier in texts
    assert [texts[:2] for texts in found.values()] == [["alice", "true"], ["bob", "false"]]


def test_several_sets_and_elements_stand_in_the_order_of_the_configuration() -> None:
    root = document("audiocodes", one(At.SESSION), "amazon-connect")
    names = [child.tag.rpartition("}")[2] for child in root.findall(f"{NS}session/*")]
    assert names[-4:] == ["AvayaUCID", "GenesysUUID", "data", "AmznConnectAgentUserId"]


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("apkt", "session/{http://acmepacket.com/siprec/extensiondata}extensiondata/*", CALL.headers[3][1]),
        ("apkt", "participant/{http://acmepacket.com/siprec/extensiondata}extensiondata/*", "true"),
        ("callData", "group/{urn:ietf:params:xml:ns:callData}callData/*", CALL.headers[0][1]),
        ("audiocodes", "session/{urn:ietf:params:xml:ns:Avaya}AvayaUCID", "FA080019001038F725B3"),
        ("audiocodes", "session/{urn:ietf:params:xml:ns:Genesys}GenesysUUID", "4BOKLLA3"),
        ("amazon-connect", "session/{urn:x-siprec-src:amazon-connect}AmznConnectAgentUserId", "agent-7"),
    ],
)
def test_each_known_set_says_what_its_recorders_read(name: str, path: str, text: str) -> None:
    assert name in SETS
    found = document(name).find(f"{NS}{path}")
    assert found is not None
    assert found.text == text


@pytest.mark.req("MD-33")
def test_a_wish_for_retention_travels_as_extension_data_of_the_session() -> None:
    root = document(one(At.SESSION, element="retention", text="{value:days} days"), values={"days": "90"})
    assert root.findtext(f"{NS}session/{{{URN}}}retention") == "90 days"


def test_a_change_of_extension_data_is_told() -> None:
    play = Play(SrsConfig(uri="sip:srs.example", extensions=(one(At.PARTICIPANT, text="{party.user}"),)))
    play.publish(CALL)
    play.accept()
    carol = dataclasses.replace(CALL.participants[1], names=(Name(aor="sip:carol@example.net"),))
    play.publish(dataclasses.replace(CALL, participants=(CALL.participants[0], carol)))
    root = ElementTree.fromstring(metadata_of(play.requests[0]))
    assert [e.text for e in root.findall(f".//{{{URN}}}data")] == ["alice", "carol"]


@pytest.mark.req("MD-06")
@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": ""},
        {"namespace": "urn:ietf:params:xml:ns:recording:1"},
        {"namespace": "no uri"},
        {"namespace": 'urn:x"y'},
        {"element": "a b"},
        {"element": "1a"},
        {"element": "x><y"},
        {"element": "xmlfoo"},
        {"prefix": "xml"},
        {"text": ""},
        {"text": "a", "fields": {"b": "c"}},
        {"text": "", "fields": {"b:c": "d"}},
        {"text": "{party.user}"},
        {"text": "{nonsense}"},
    ],
)
def test_an_element_that_could_not_be_written_validly_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        one(At.SESSION, **wrong)


def test_an_unknown_set_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"extensions: unknown set 'aplt'.*apkt, callData"):
        SrsConfig(uri="sip:srs.example", extensions=("aplt",))


def test_a_value_that_the_operator_owes_is_asked_for() -> None:
    with pytest.raises(ConfigurationError, match=r"values: 'queue' is missing; extensions asks for it"):
        SrsConfig(uri="sip:srs.example", extensions=(one(At.SESSION, text="{value:queue}"),))
