"""The URI of an SRS as configuration writes it, and the settings beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.errors import ConfigurationError
from siprec_src.recording.srs import SrsConfig, parse_target
from siprec_src.sip.flow import Transport
from tests.unit.recording.play import edge

EDGES = {e.name: e for e in (edge(), edge("ashburn"), edge("dublin"))}
OVER_TLS = {
    "default": dataclasses.replace(edge(), transports=(Transport.UDP, Transport.TCP, Transport.TLS)),
    "dublin": edge("dublin"),
}

GOOD = [
    ("sip:srs.example", "sip:srs.example", "default", False, None),
    ("sip:rec@srs.example:5080", "sip:rec@srs.example:5080", "default", False, None),
    ("sip:srs.example;edge=dublin", "sip:srs.example", "dublin", False, None),
    ("sip:srs.example;edge=dublin;secure=false", "sip:srs.example", "dublin", False, None),
    (
        "sip:srs.example;secure=true&edge=ashburn;transport=tcp",
        "sip:srs.example;transport=tcp",
        "ashburn",
        True,
        Transport.TCP,
    ),
    (
        "sip:srs.example;transport=tcp&secure=true",
        "sip:srs.example;transport=tcp",
        "default",
        True,
        Transport.TCP,
    ),
    ("sip:srs.example&edge=dublin", "sip:srs.example", "dublin", False, None),
    ("sip:srs.example;EDGE=dublin", "sip:srs.example", "dublin", False, None),
    ("sip:a&b;c@srs.example;edge=dublin", "sip:a&b;c@srs.example", "dublin", False, None),
    (
        "sip:[2001:db8::9]:5090;transport=udp",
        "sip:[2001:db8::9]:5090;transport=udp",
        "default",
        False,
        Transport.UDP,
    ),
    ("sip:+1@srs.example;user=phone", "sip:+1@srs.example;user=phone", "default", False, None),
]

BAD = [
    ("sip:srs.example;edge=oslo", "edge"),
    ("sip:srs.example;edge", "edge"),
    ("sip:srs.example;edge=dublin&edge=dublin", "'edge' is given twice"),
    ("sip:srs.example;secure=yes", "secure=yes"),
    ("sip:srs.example;secure", "secure="),
    ("sip:srs.example;secure=TRUE;transport=tcp", "secure=TRUE"),
    ("sip:srs.example;secure=true;secure=true", "'secure' is given twice"),
    ("sip:srs.example;secure=true", "TLS"),
    ("sip:srs.example;secure=true;transport=udp", "UDP"),
    ("sip:srs.example;secure=true;transport=tls", "TLS"),
    ("sips:srs.example", "TLS"),
    ("sip:srs.example;transport=sctp", "'sctp'"),
    ("sip:srs.example;transport", "unknown transport"),
    ("sip:srs.example;colour=red", "'colour'"),
    ("sip:srs.example;;edge=dublin", "empty parameter"),
    ("sip:srs.example;edge=dublin&", "empty parameter"),
    ("sip:srs.example?Subject=x", "header"),
    ("tel:+15551234", "sip: URI"),
    ("http://srs.example", "not known"),
    ("srs.example", "scheme"),
    ("", "scheme"),
    ("sip:", "malformed"),
    ("sip:srs.example:99999", "port"),
]


@pytest.mark.feature("F020", "F023", "F024", "F025", "F026")
@pytest.mark.parametrize(("text", "wire", "where", "secure", "transport"), GOOD)
def test_secure_and_edge_are_read_and_never_on_the_wire(
    text: str, wire: str, where: str, secure: bool, transport: Transport | None
) -> None:
    target = parse_target(SrsConfig(uri=text), EDGES)
    assert str(target.uri) == wire
    assert (target.edge, target.secure, target.transport) == (where, secure, transport)


@pytest.mark.feature("F023", "F024")
@pytest.mark.parametrize(("text", "named"), BAD)
def test_anything_unknown_is_a_configuration_error_that_names_it(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        parse_target(SrsConfig(uri=text), EDGES)


@pytest.mark.req("KEY-25")
@pytest.mark.rfc("4568", "8.3")
def test_keys_over_plain_tcp_come_with_a_warning() -> None:
    target = parse_target(SrsConfig(uri="sip:srs.example;secure=true;transport=tcp"), EDGES)
    assert "in clear" in target.warning


@pytest.mark.rfc("7866", "12.3")
@pytest.mark.req("TRN-15")
@pytest.mark.parametrize(
    "text", ["sip:srs.example;transport=tcp", "sip:192.0.2.9;transport=udp", "sip:a.example"]
)
def test_metadata_without_tls_comes_with_a_warning_unless_it_stays_on_this_machine(text: str) -> None:
    assert "metadata may cross the network in clear" in parse_target(SrsConfig(uri=text), EDGES).warning
    here = re.sub("sip:[^;]*", "sip:[::1]", text)
    assert parse_target(SrsConfig(uri=here), EDGES).warning == ""


@pytest.mark.feature("F023", "F075")
@pytest.mark.req("KEY-25", "TRN-13", "TRN-14")
@pytest.mark.rfc("5630", "3.1.3", "5.1.1")
@pytest.mark.rfc("4568", "8.3")
@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("sip:srs.example;secure=true", "sip:srs.example;transport=tls"),
        ("sip:srs.example:5080;secure=true&edge=default", "sip:srs.example:5080;transport=tls"),
        ("sip:srs.example;transport=TLS", "sip:srs.example;transport=TLS"),
        ("sips:srs.example", "sips:srs.example"),
        ("sips:srs.example;secure=true", "sips:srs.example"),
        ("sips:srs.example;transport=tls", "sips:srs.example"),
        ("sips:srs.example;transport=tcp", "sips:srs.example"),
    ],
)
def test_secure_alone_and_sips_go_over_tls_and_nothing_else(text: str, wire: str) -> None:
    target = parse_target(SrsConfig(uri=text), OVER_TLS)
    assert (str(target.uri), target.transport, target.warning) == (wire, Transport.TLS, "")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sip:srs.example;secure=true;edge=dublin", 'put "tls" into the transports of edge .dublin'),
        ("sips:srs.example;edge=dublin", "has no TLS"),
        ("sips:srs.example;transport=udp", "not over UDP"),
    ],
)
def test_there_is_no_way_round_tls(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        parse_target(SrsConfig(uri=text), OVER_TLS)


def test_a_transport_that_the_edge_lacks_is_refused() -> None:
    udp_only = dataclasses.replace(edge(), transports=(Transport.UDP,))
    with pytest.raises(ConfigurationError, match="has no TCP"):
        parse_target(SrsConfig(uri="sip:srs.example;transport=tcp"), {"default": udp_only})


def test_a_password_is_neither_in_names_nor_in_errors() -> None:
    target = parse_target(SrsConfig(uri="sip:rec:hunter2@srs.example;user=phone"), EDGES)
    assert target.name == "sip:rec@srs.example"
    with pytest.raises(ConfigurationError) as raised:
        parse_target(SrsConfig(uri="sip:rec:hunter2@srs.example;colour=red"), EDGES)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"answer_timeout_s": 0}, "answer_timeout_s"),
        ({"answer_timeout_s": 65}, "answer_timeout_s"),
        ({"session_expires_s": 89}, "session_expires_s"),
        ({"session_expires_s": 86401}, "session_expires_s"),
        ({"labels": ("1", "1")}, "labels"),
        ({"labels": ("1", "a b")}, "labels"),
        ({"srtp_suites": ()}, "srtp_suites"),
        ({"srtp_suites": ("ROT13",)}, "ROT13"),
        ({"srtp_suites": ("AEAD_AES_256_GCM", "AEAD_AES_256_GCM")}, "srtp_suites"),
        ({"final_statuses": (200,)}, "final_statuses"),
    ],
)
def test_settings_are_checked_when_they_are_made(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        SrsConfig(uri="sip:srs.example", **changes)


@settings(max_examples=200)
@given(st.text(max_size=60) | st.text("sip:@;&=?.edgsctru", max_size=40).map("sip:a".__add__))
def test_no_text_raises_anything_but_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        parse_target(SrsConfig(uri=text), EDGES)
