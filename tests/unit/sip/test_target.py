"""The way to a URI over TLS, and what the peer is told of us there."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.target import Question, Unreachable, contact_value, way_to
from siprec_src.sip.uri import parse_uri
from tests.support.phone import edge

PLAIN = edge("192.0.2.1")
OVER_TLS = dataclasses.replace(
    PLAIN,
    transports=(Transport.UDP, Transport.TCP, Transport.TLS),
    tls_bind=Address("192.0.2.1", 5061),
    tls_advertised=Address("192.0.2.1", 5061),
)


@pytest.mark.rfc("3261", "26.2.2")
@pytest.mark.rfc("5630", "3.1.3")
@pytest.mark.req("TRN-13", "TRN-14")
@pytest.mark.parametrize(
    "text", ["sips:192.0.2.9", "sips:192.0.2.9;transport=tcp", "sip:192.0.2.9;transport=tls"]
)
def test_a_sips_uri_is_reached_over_tls_or_not_at_all(text: str) -> None:
    remote = Address("192.0.2.9", 5061)
    assert way_to(parse_uri(text), OVER_TLS) == (Flow(Transport.TLS, remote, PLAIN.name, domain="192.0.2.9"),)
    assert way_to(parse_uri(text), PLAIN) == Unreachable()
    assert way_to(parse_uri("sips:192.0.2.9;transport=udp"), OVER_TLS) == Unreachable()


@pytest.mark.rfc("5922", "7.1")
@pytest.mark.req("TRN-10", "TRN-12")
def test_whom_the_peer_must_prove_to_be_is_the_host_of_the_uri_whatever_maddr_says() -> None:
    (way,) = _flows("sips:srs.example;maddr=192.0.2.9")
    assert (way.remote, way.domain) == (Address("192.0.2.9", 5061), "srs.example")
    question = way_to(parse_uri("sips:srs.example;maddr=other.example"), OVER_TLS)
    assert isinstance(question, Question)
    assert (question.host, question.domain) == ("other.example", "srs.example")
    (plain,) = _flows("sip:192.0.2.9")
    assert plain.domain == ""


@pytest.mark.rfc("5630", "5.1.1")
@pytest.mark.req("TRN-13")
def test_our_contact_over_tls_names_where_we_accept_it() -> None:
    assert contact_value(OVER_TLS, Transport.TLS, secure=True) == "<sips:192.0.2.1:5061>"
    assert contact_value(OVER_TLS, Transport.TLS, secure=False) == "<sip:192.0.2.1:5061;transport=tls>"
    assert contact_value(OVER_TLS, Transport.UDP, secure=False) == "<sip:192.0.2.1:5060>"


def _flows(text: str) -> tuple[Flow, ...]:
    way = way_to(parse_uri(text), OVER_TLS)
    assert isinstance(way, tuple)
    return way
