"""Typed header values: what is read, what is refused, what is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip import headers as h
from siprec_src.sip.uri import parse_uri


@pytest.mark.rfc("3261", "20.42")
def test_a_via_line_gives_every_hop_in_order() -> None:
    first, second = h.parse_vias(
        "SIP / 2.0 / TCP  [2001:db8::9]:5070 ; branch = z9hG4bK1;rport , SIP/2.0/UDP host_1"
    )
    assert (first.transport, first.host, first.port, first.branch) == ("TCP", "2001:db8::9", 5070, "z9hG4bK1")
    assert first.wants_rport
    assert (second.host, second.port, second.branch, second.wants_rport) == ("host_1", None, None, False)
    assert str(first) == "SIP/2.0/TCP [2001:db8::9]:5070;branch=z9hG4bK1;rport"


@pytest.mark.rfc("3581", "4")
def test_received_and_rport_are_filled_in() -> None:
    (via,) = h.parse_vias("SIP/2.0/UDP pc33.example.com;rport;branch=z9hG4bK2")
    filled = via.with_parameter("rport", "9988").with_parameter("received", "192.0.2.1")
    assert str(filled) == "SIP/2.0/UDP pc33.example.com;rport=9988;branch=z9hG4bK2;received=192.0.2.1"
    assert (filled.received, filled.wants_rport) == ("192.0.2.1", False)
    (v6,) = h.parse_vias("SIP/2.0/UDP [::1];received=[2001:db8::1];rport=99999")
    assert v6.received == "2001:db8::1"


@pytest.mark.rfc("4475", "3.2.1")
def test_the_cookie_alone_is_no_branch() -> None:
    assert not h.Via("UDP", "a", parameters=(("branch", "z9hG4bK"),)).has_unique_branch
    assert not h.Via("UDP", "a").has_unique_branch
    assert not h.Via("UDP", "a", parameters=(("branch", "abc"),)).has_unique_branch
    assert h.Via("UDP", "a", parameters=(("branch", "z9hG4bKx"),)).has_unique_branch


@pytest.mark.rfc("3261", "20.10")
@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ('"A. G. Bell" <sip:agb@bell.example> ;tag=a48s', "A. G. Bell", "sip:agb@bell.example", "a48s"),
        ("sip:+12125551212@phone2net.com;tag=887s", "", "sip:+12125551212@phone2net.com", "887s"),
        (
            "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
            "Anonymous",
            "sip:c8oqz84zk7z@privacy.org",
            "hyh8",
        ),
        ("caller<sip:a@b>", "caller", "sip:a@b", None),
        ("<sip:a@b;lr?x=y>", "", "sip:a@b;lr?x=y", None),
        (r'"a \"b\" \\ c" <sip:a@b>', r'a "b" \ c', "sip:a@b", None),
        ("Зоя Иванова <sip:z@b>", "Зоя Иванова", "sip:z@b", None),
        ("two tokens <tel:+1201>;x", "two tokens", "tel:+1201", None),
    ],
)
def test_an_address_is_a_display_name_a_uri_and_parameters(
    text: str, display: str, uri: str, tag: str | None
) -> None:
    address = h.parse_name_address(text)
    assert (address.display, str(address.uri), address.tag) == (display, uri, tag)
    assert h.parse_name_address(str(address)) == address


@pytest.mark.rfc("3261", "25.1")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "<sip:a@b",
        "sip:a@b>",
        '"open <sip:a@b>',
        "Bell, Alexander <sip:a@b>",
        "< sip:a@b >",
        "<sip:a@b>;",
        "<sip:a@b>;;tag=1",
        "<sip:a@b>;tag=",
        "<sip:a@b>;tag=1 2",
        "<sip:a@b> junk",
        "sip:a@b?x=y",
        "<sip:a@b>,<sip:c@d>",
        '<sip:a@b>;x="open',
    ],
)
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        h.parse_name_address(text)
    assert caught.value.status == 400


@pytest.mark.rfc("3261", "7.3.1")
def test_lists_are_cut_outside_quotes_and_brackets() -> None:
    routes = h.parse_name_addresses('"a, b" <sip:a,b@c;lr>;x="1,2" , <sip:d@e>')
    assert [str(r.uri) for r in routes] == ["sip:a,b@c;lr", "sip:d@e"]
    assert routes[0].parameter("x") == "1,2"
    with pytest.raises(RemoteProtocolError):
        h.parse_name_addresses("<sip:a@b>,,<sip:c@d>")


@pytest.mark.rfc("3261", "20.10")
def test_a_contact_may_be_a_star() -> None:
    assert h.parse_contacts(" * ") == ()
    assert len(h.parse_contacts("<sip:a@b>;q=0.5, sip:c@d")) == 2


@pytest.mark.rfc("3840", "9")
@pytest.mark.req("SIP-02")
def test_a_feature_parameter_is_found_only_outside_the_brackets() -> None:
    (contact,) = h.parse_contacts("<sip:2000@src.example.com;transport=tcp>;+sip.src")
    assert (contact.parameter("+sip.src"), contact.uri.parameter("+sip.src")) == ("", None)
    (inside,) = h.parse_contacts("<sip:2000@src.example.com;+sip.src>")
    assert inside.parameter("+sip.src") is None


def test_header_parameters_are_set_and_removed() -> None:
    address = h.NameAddress('Bob "B"', parse_uri("sip:b@c"), (("tag", "1"), ("x", None)))
    assert str(address.with_parameter("tag", "2").without_parameters("X")) == '"Bob \\"B\\"" <sip:b@c>;tag=2'


def test_a_display_name_cannot_add_a_line() -> None:
    address = h.NameAddress("a\r\nRoute: <sip:evil>", parse_uri("sip:b@c"))
    assert "\r" not in str(address)
    assert "\n" not in str(address)


@pytest.mark.rfc("3261", "8.1.1.5")
def test_cseq_is_a_31_bit_number_and_a_method() -> None:
    assert h.parse_cseq("0009 INVITE") == h.CSeq(9, "INVITE")
    assert str(h.parse_cseq(f"{2**31 - 1} !odd'~")) == "2147483647 !odd'~"


MALFORMED: list[tuple[Callable[[str], object], str]] = [
    (h.parse_cseq, "2147483648 INVITE"),
    (h.parse_cseq, "36893488147419103232 REGISTER"),
    (h.parse_cseq, "1"),
    (h.parse_cseq, "-1 INVITE"),
    (h.parse_cseq, "1 IN VITE"),
    (h.parse_cseq, "١ INVITE"),
    (h.parse_call_id, ""),
    (h.parse_call_id, "a b"),
    (h.parse_call_id, "a@b@c"),
    (h.parse_vias, ""),
    (h.parse_vias, "SIP/2.0/UDP"),
    (h.parse_vias, "SIP/3.0/UDP a"),
    (h.parse_vias, "SIP/2.0/UDP a,"),
    (h.parse_vias, "SIP/2.0/UDP a:0"),
    (h.parse_vias, "SIP/2.0/UDP 192.0.2.15;;,;,,"),
    (h.parse_vias, "SIP/2.0/UDP [::g]"),
    (h.parse_media_type, "audio"),
    (h.parse_media_type, "a/b;"),
    (h.parse_media_type, "a/b, c/d"),
    (h.parse_accept, "a/b,,c/d"),
    (h.parse_disposition, ""),
    (h.parse_rseq, "0"),
    (h.parse_rseq, "4294967296"),
    (h.parse_rack, "1 2"),
    (h.parse_rack, "0 1 INVITE"),
    (h.parse_rack, f"1 {'9' * 5000} INVITE"),
    (h.parse_reasons, ""),
    (h.parse_reasons, "Q.850;cause=16,"),
    (h.parse_session_id, "xyz"),
    (h.parse_session_id, "a" * 32 + ";remote=1"),
    (h.parse_retry_after, "949302838503028349304023988"),
    (h.parse_retry_after, "soon"),
    (h.parse_retry_after, "5 (open"),
    (h.parse_retry_after, "5;duration=x"),
    (h.parse_warnings, '1812 overture "In Progress"'),
    (h.parse_warnings, "399 agent text"),
    (h.parse_warnings, '399 agent "open'),
]


@pytest.mark.rfc("3261", "20")
@pytest.mark.parametrize(("parse", "text"), MALFORMED)
def test_a_malformed_value_is_refused_with_400(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(text)
    assert caught.value.status == 400
    assert caught.value.section.startswith("RFC ")


@pytest.mark.rfc("4475", "3.1.1.2")
def test_a_call_id_is_opaque() -> None:
    call_id = "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert h.parse_call_id(call_id) == call_id


@pytest.mark.rfc("3261", "20.22")
@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("0068", 68), ("000", 0), ("255", 255), (" 70\t", 70)]
)
def test_a_number_may_have_leading_zeros(text: str, number: int) -> None:
    assert h.parse_number("Max-Forwards", text, 255, "RFC 3261 20.22") == number


@pytest.mark.rfc("4475", "3.1.2.4")
@pytest.mark.parametrize("text", ["", "256", "-1", "+1", "1.0", "1 2", "9" * 100000, "٣", "²"])
def test_a_number_out_of_range_is_refused_before_it_is_converted(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        h.parse_number("Max-Forwards", text, 255, "RFC 3261 20.22")


@pytest.mark.rfc("3261", "20.37")
def test_token_lists() -> None:
    assert h.parse_tokens("Supported", "timer, 100rel ,replaces") == ("timer", "100rel", "replaces")
    assert h.parse_tokens("Supported", "") == ()
    with pytest.raises(RemoteProtocolError):
        h.parse_tokens("Supported", "a b")
    with pytest.raises(RemoteProtocolError):
        h.parse_tokens("Supported", '"a')


@pytest.mark.rfc("3261", "20.15")
@pytest.mark.req("BOD-10")
def test_media_types_compare_in_lower_case_and_keep_their_parameters() -> None:
    value = h.parse_media_type('Multipart / Mixed ; Boundary="foo bar"; x')
    assert (value.essence, value.parameter("boundary"), value.parameter("x")) == (
        "multipart/mixed",
        "foo bar",
        "",
    )
    assert str(h.parse_media_type("application/SDP;charset=utf-8")) == "application/SDP;charset=utf-8"


@pytest.mark.rfc("3261", "20.1")
def test_accept_lists_media_ranges_and_may_be_empty() -> None:
    ranges = h.parse_accept('application/sdp, text/*;q=0.5, */*;x="a,b"')
    assert [r.essence for r in ranges] == ["application/sdp", "text/*", "*/*"]
    assert h.parse_accept("") == ()


@pytest.mark.rfc("3261", "20.11")
@pytest.mark.req("BOD-05")
def test_handling_is_required_unless_said_otherwise() -> None:
    assert h.parse_disposition("Recording-Session").handling == "required"
    optional = h.parse_disposition("recording-session; handling=Optional")
    assert (optional.type, optional.handling) == ("recording-session", "optional")
    assert str(optional) == "recording-session;handling=Optional"


@pytest.mark.rfc("3262", "7.2")
def test_rack_and_rseq() -> None:
    assert h.parse_rseq("988789") == 988789
    assert str(h.parse_rack("776656 1 INVITE")) == "776656 1 INVITE"


@pytest.mark.rfc("3326", "2")
def test_reasons_have_a_cause_and_a_text() -> None:
    first, second = h.parse_reasons('SIP ;cause=200 ;text="Call completed, elsewhere", Q.850;cause=16')
    assert (first.protocol, first.cause, first.text) == ("SIP", 200, "Call completed, elsewhere")
    assert (second.protocol, second.cause, second.text) == ("Q.850", 16, "")
    assert str(h.Reason.of("SIP", 503, 'srs "a" gone')) == 'SIP;cause=503;text="srs \\"a\\" gone"'
    assert str(h.Reason.of("Q.850", 16)) == "Q.850;cause=16"
    assert h.parse_reasons("SIP;cause=99999999999")[0].cause is None


@pytest.mark.rfc("7989", "5")
def test_session_id_has_a_local_and_a_remote_half() -> None:
    old = h.parse_session_id("AB30317F1A784DC48FF824D0D3715D86")
    assert (old.local, old.remote, str(old)) == ("ab30317f1a784dc48ff824d0d3715d86", None, old.local)
    text = "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"
    assert str(h.parse_session_id(text)) == text


@pytest.mark.rfc("3261", "20.33")
def test_retry_after_is_bounded_and_its_comment_dropped() -> None:
    assert h.parse_retry_after("18000;duration=3600") == h.RetryAfter(18000, 3600)
    assert h.parse_retry_after("120 (I'm in a \\) meeting)") == h.RetryAfter(120)


@pytest.mark.rfc("3261", "20.43")
def test_warnings() -> None:
    (one, two) = h.parse_warnings('307 isi.edu "Session, parameter \\"foo\\"", 399 10.0.0.1:5060 "x"')
    assert (one.code, one.agent, one.text) == (307, "isi.edu", 'Session, parameter "foo"')
    assert str(two) == '399 10.0.0.1:5060 "x"'
