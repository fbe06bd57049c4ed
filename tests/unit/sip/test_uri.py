"""URIs: what is read, what is refused, what is written back."""

from __future__ import annotations

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.uri import Uri, parse_any_uri, parse_uri, unescape

ROUND_TRIPS = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
    "sip:[2001:db8::10]:5070;lr",
    "sip:*31#5551234@pbx.example.com",
    "sip:srs_1:5080",
    "tel:+1-201-555-0123",
    "tel:7042;phone-context=example.com",
]


@pytest.mark.rfc("3261", "19.1.3")
@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_a_uri_is_written_as_it_was_read(text: str) -> None:
    uri = parse_uri(text)
    assert str(uri) == text
    assert parse_uri(str(uri)) == uri


@pytest.mark.rfc("3261", "19.1.1")
def test_every_part_is_found() -> None:
    uri = parse_uri("SIP:alice:pw@[2001:DB8::1]:5070;Transport=TCP;lr;maddr=239.255.255.1?a=b")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sip",
        "alice",
        "pw",
        "2001:DB8::1",
        5070,
    )
    assert (uri.transport, uri.lr, uri.parameter("MADDR"), uri.headers) == (
        "tcp",
        True,
        "239.255.255.1",
        "a=b",
    )
    assert (uri.parameter("lr"), uri.parameter("absent"), uri.secure) == ("", None, False)


@pytest.mark.rfc("3261", "25.1")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@example.com",
        "sip:",
        "sip:@example.com",
        "sip:a@b@c",
        "sip:a b@example.com",
        "sip:a@example.com:",
        "sip:a@example.com:0",
        "sip:a@example.com:65536",
        "sip:a@example.com:999999",
        "sip:a@-example.com",
        "sip:a@example.com;;lr",
        "sip:a@example.com;=x",
        "sip:a@example.com;x=",
        'sip:a"b@example.com',
        "sip:a%4@example.com",
        "sip:a%zz@example.com",
        "sip:a@[::1",
        "sip:a@[12345::]",
        "sip:a@[fe80::1%25eth0]",
        "sip:a@example.com?x=<y>",
        "sip:a@example.com\r\nX: y",
        "sip:a\0@example.com",
        "tel:",
        "tel:+1 201",
        "sip:é@example.com",
    ],
)
def test_bad_syntax_is_400(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(text)
    assert caught.value.status == 400


@pytest.mark.rfc("3261", "8.2.2.1")
def test_an_unknown_scheme_is_416_and_kept_opaque_where_it_is_not_routed_by() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri("nobodyKnowsThisScheme:totallyopaquecontent")
    assert caught.value.status == 416
    assert str(parse_any_uri("isbn:2983792873")) == "isbn:2983792873"


def test_a_password_is_neither_in_the_repr_nor_in_an_error() -> None:
    assert "hunter2" not in repr(parse_uri("sip:alice:hunter2@example.com"))
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri("sip:alice:hunter2@exa mple.com")
    assert "hunter2" not in str(caught.value)


@pytest.mark.rfc("4475", "3.1.1.3")
def test_one_level_is_unescaped_and_controls_stay_escaped() -> None:
    assert unescape("v%61lue%25%34%31") == "value%41"
    assert unescape("null-%00-null") == "null-%00-null"
    assert unescape("%0d%0A%7f") == "%0D%0A%7F"
    assert unescape("caf%C3%A9") == "café"


def test_parameters_are_removed_and_the_host_is_replaced() -> None:
    uri = parse_uri("sip:a@example.com;lr;transport=udp;x")
    assert str(uri.without_parameters("LR", "x")) == "sip:a@example.com;transport=udp"
    assert str(uri.with_host_port("2001:db8::1", 5061)) == "sip:a@[2001:db8::1]:5061;lr;transport=udp;x"
    assert str(uri.with_host_port("[2001:db8::1]", None)) == "sip:a@[2001:db8::1];lr;transport=udp;x"


def test_parameters_of_an_srs_address_joined_by_ampersands_are_read() -> None:
    uri = parse_uri("sip:srs.example.com;secure=true&edge=ashburn")
    assert uri.parameter("secure") == "true&edge=ashburn"


def test_a_uri_can_be_made_from_parts() -> None:
    assert (
        str(Uri("sip", "7000", host="pbx", port=5062, parameters=(("lr", None),))) == "sip:7000@pbx:5062;lr"
    )


@pytest.mark.parametrize(
    "text", ["sip:" + "a" * 60000, "sip:" + ":@" * 30000, "sip:a;" * 9000, "sip:x;" + "a=" * 30000 + "<"]
)
def test_long_garbage_costs_one_pass(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_uri(text)
