"""An SRS that sends us elsewhere: where we go, in which order, and where never."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.recording.srs import SrsConfig
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Edge, Transport
from tests.unit.recording.play import Play, edge, offer_of, two_party_call

HOME = "sip:rec@srs.example"


def redirected(
    *contacts: str,
    uri: str = HOME,
    status: int = 302,
    hosts: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
    edges: tuple[Edge, ...] = (),
) -> Play:
    play = Play(SrsConfig(uri=uri, redirect_hosts=hosts), *others, edges=edges)
    play.publish(two_party_call())
    redirect(play, *contacts, status=status)
    return play


def redirect(play: Play, *contacts: str, status: int = 302) -> None:
    play.say(status, contact=contacts[0], headers=[("Contact", contact) for contact in contacts[1:]])


def asked(play: Play) -> list[str]:
    return [invite.request_uri for invite in play.invites[1:]]


TLS = dataclasses.replace(
    edge(),
    transports=(Transport.UDP, Transport.TCP, Transport.TLS),
    tls_bind=Address("0.0.0.0", 5061),
    tls_advertised=Address("192.0.2.1", 5061),
)


@pytest.mark.rfc("3261", "8.1.3.4", "21.3")
@pytest.mark.req("TXN-09", "ERR-12")
@pytest.mark.parametrize("status", [300, 301, 302, 399])
def test_the_contacts_of_a_3xx_are_asked_by_preference_before_the_next_srs(status: int) -> None:
    play = redirected(
        "<sip:low@srs.example>;q=0.1",
        "<sip:high@a.srs.example;transport=tcp>;q=0.9, <sip:any@srs.example:5070>",
        status=status,
        others=("sip:next.example",),
    )
    for _ in range(3):
        play.say(486)
    assert asked(play) == [
        "sip:any@srs.example:5070",
        "sip:high@a.srs.example;transport=tcp",
        "sip:low@srs.example",
        "sip:next.example",
    ]
    assert [line["to"] for line in play.log("recording.redirected")] == [
        "sip:any@srs.example:5070",
        "sip:high@a.srs.example",
        "sip:low@srs.example",
    ]


@pytest.mark.req("TXN-09")
def test_the_session_at_the_next_place_is_a_new_one_and_records() -> None:
    play = redirected("<sip:b@srs.example>")
    assert play.invites[0].usage != play.invites[1].usage
    play.accept()
    assert len(play.media.readers) == 2
    assert play.log("recording.begin")[0]["srs"] == "sip:b@srs.example"
    assert play.pool.srs_up == ((HOME, 1.0),)


def test_the_next_call_asks_the_configured_srs_again() -> None:
    play = redirected("<sip:b@srs.example>")
    play.accept()
    play.publish(dataclasses.replace(two_party_call(), call=8))
    assert asked(play) == ["sip:b@srs.example", HOME]


@pytest.mark.rfc("3261", "8.1.3.4")
@pytest.mark.req("TXN-09", "ERR-12")
def test_nobody_is_asked_twice_in_a_circle() -> None:
    play = redirected("<sip:b@srs.example>")
    redirect(play, f"<{HOME}>", "<sip:b@srs.example>", "<sip:c@srs.example>")
    redirect(play, "<sip:b@srs.example>")
    assert asked(play) == ["sip:b@srs.example", "sip:c@srs.example"]
    whys = [line["refused"] for line in play.log("recording.redirected") if "refused" in line]
    assert whys == ["it was asked in this round"] * 3


@pytest.mark.req("TXN-09")
def test_a_round_follows_five_redirections_and_no_more() -> None:
    play = redirected(*(f"<sip:n{n}@srs.example>" for n in range(9)))
    for n in range(5):
        redirect(play, f"<sip:more{n}@srs.example>")
    assert asked(play) == [f"sip:n{n}@srs.example" for n in range(5)]
    assert len(play.log("recording.failed")) == 1
    play.until(20.0)
    assert asked(play)[5:] == [HOME]


def test_an_srs_that_is_configured_too_is_asked_once() -> None:
    play = redirected("<sip:two@srs.example>", others=("sip:two@srs.example", "sip:three@srs.example"))
    play.say(486)
    assert asked(play) == ["sip:two@srs.example", "sip:three@srs.example"]


@pytest.mark.rfc("3261", "8.1.3.4")
@pytest.mark.req("TXN-09")
@pytest.mark.parametrize(
    "contact",
    [
        "sip:b@evil.example",
        "sip:b@notsrs.example",
        "sip:b@srs.example.evil.example",
        "sip:b@192.0.2.66",
        "sip:b@srs.example;maddr=192.0.2.66",
        "sip:b@srs.example;transport=sctp",
        "sip:b@srs.example;transport=tls",
        "sips:b@srs.example",
        "tel:+15551234",
        "http://srs.example/",
    ],
)
def test_no_conversation_goes_where_policy_does_not_allow_it(contact: str) -> None:
    play = redirected(f"<{contact}>", others=("sip:next.example",))
    assert asked(play) == ["sip:next.example"]
    (line,) = play.log("recording.redirected")
    assert line["refused"]


@pytest.mark.req("TXN-09")
@pytest.mark.parametrize("host", ["other.example", "a.Other.example", "192.0.2.7"])
def test_hosts_that_are_named_in_the_configuration_are_followed(host: str) -> None:
    play = redirected(f"<sip:b@{host}>", hosts=("OTHER.example", "192.0.2.7"))
    assert asked(play) == [f"sip:b@{host}"]


@pytest.mark.rfc("3261", "8.1.3.4")
@pytest.mark.req("TXN-09", "ERR-11")
@pytest.mark.parametrize(
    ("uri", "contact", "goes_to"),
    [
        ("sips:rec@srs.example", "sip:b@srs.example;transport=tls", None),
        ("sips:rec@srs.example", "sips:b@srs.example", "sips:b@srs.example"),
        ("sip:rec@srs.example;transport=tls", "sip:b@srs.example;transport=tcp", None),
        ("sip:rec@srs.example;transport=tls", "sip:b@srs.example", "sip:b@srs.example;transport=tls"),
        ("sip:rec@srs.example;transport=tls", "sips:b@srs.example", "sips:b@srs.example"),
        ("sip:rec@srs.example;secure=true", "sip:b@srs.example;transport=udp", None),
        ("sip:rec@srs.example;secure=true;transport=tcp", "sip:b@srs.example;transport=udp", None),
        ("sip:rec@srs.example", "sips:b@srs.example", "sips:b@srs.example"),
    ],
)
def test_a_redirection_never_leads_to_less_security(uri: str, contact: str, goes_to: str | None) -> None:
    play = redirected(f"<{contact}>", uri=uri, edges=(TLS,))
    assert asked(play) == ([goes_to] if goes_to else [])


@pytest.mark.req("TXN-09")
def test_secure_stays_srtp_at_the_next_place() -> None:
    play = redirected("<sip:b@srs.example>", uri="sip:rec@srs.example;secure=true", edges=(TLS,))
    offers = [offer_of(invite) for invite in play.invites]
    assert [media.protocol for offer in offers for media in offer.media] == ["RTP/SAVP"] * 4
    assert len({c.material for offer in offers for media in offer.media for c in media.crypto}) == 16


@pytest.mark.req("TXN-09")
@pytest.mark.parametrize("contact", ["*", "", "<sip:b@srs.example", "<sip:b@srs.example>;q=x"])
def test_contacts_that_cannot_be_read_are_a_refusal(contact: str) -> None:
    play = redirected(contact, others=("sip:next.example",))
    play.say(486)
    assert asked(play)[-1] == "sip:next.example"


@pytest.mark.parametrize("status", [305, 380])
def test_a_proxy_or_another_service_is_no_place_for_a_conversation(status: int) -> None:
    play = redirected("<sip:b@srs.example>", status=status, others=("sip:next.example",))
    assert asked(play) == ["sip:next.example"]


def test_credentials_and_header_fields_of_the_contact_are_not_taken() -> None:
    play = redirected("<sip:b:secret@srs.example;method=BYE?Replaces=x>")
    assert asked(play) == ["sip:b@srs.example"]


@pytest.mark.rfc("5630", "5.1.1")
@pytest.mark.req("ERR-11")
@pytest.mark.parametrize(("status", "code"), [(416, 380), (480, 380), (480, 381)])
def test_an_srs_that_has_a_problem_with_sips_is_not_asked_without(status: int, code: int) -> None:
    play = Play("sips:rec@srs.example", "sips:next.example", edges=(TLS,))
    play.publish(two_party_call())
    play.say(status, headers=(("Warning", f'{code} srs.example "SIPS Not Allowed"'),))
    assert asked(play) == ["sips:next.example"]
    play.say(status)
    play.until(200.0)
    assert all(invite.request_uri.startswith("sips:") for invite in play.invites)


def test_another_srs_takes_over_from_the_place_that_was_named() -> None:
    play = redirected("<sip:b@srs.example>", others=("sip:next.example",))
    play.accept()
    play.until(60.0)
    play.tell(sip.DialogEnded(usage=play.invites[1].usage, dialog="srs", cause="408"))
    assert asked(play)[-1] == "sip:next.example"
