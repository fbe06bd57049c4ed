"""Messages: header fields keep their order and text, typed accessors read them, secrets do not show."""

from __future__ import annotations

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.message import Headers, Request, Response, header_key

FIELDS = Headers(
    [("v", "SIP/2.0/UDP a"), ("To", "<sip:b@c>"), ("VIA", "SIP/2.0/TCP b, SIP/2.0/TLS c"), ("X", "1")]
)


@pytest.mark.rfc("3261", "7.3.3")
def test_names_compare_without_case_and_compact_forms_are_the_same_field() -> None:
    assert FIELDS.all("via") == ("SIP/2.0/UDP a", "SIP/2.0/TCP b, SIP/2.0/TLS c")
    assert (FIELDS.get("t"), FIELDS.get("absent"), "VIA" in FIELDS, "k" in FIELDS) == (
        "<sip:b@c>",
        None,
        True,
        False,
    )
    assert header_key("L") == "content-length"


@pytest.mark.rfc("3261", "7.3.1")
def test_editing_keeps_the_order_of_the_others() -> None:
    replaced = FIELDS.replaced("Via", "SIP/2.0/UDP new")
    assert list(replaced) == [("Via", "SIP/2.0/UDP new"), ("To", "<sip:b@c>"), ("X", "1")]
    assert list(FIELDS.replaced("Y", "2"))[-1] == ("Y", "2")
    assert list(FIELDS.replaced("x"))[-1][0] == "VIA"
    assert list(FIELDS.without("via", "T")) == [("X", "1")]
    assert list(FIELDS.only("x")) == [("X", "1")]
    assert next(iter(FIELDS.prepended("Route", "<sip:r>"))) == ("Route", "<sip:r>")
    assert list(FIELDS.appended(("A", "1"), ("B", "2")))[-2:] == [("A", "1"), ("B", "2")]
    assert (len(FIELDS), Headers(FIELDS) == FIELDS, hash(FIELDS) == hash(Headers(FIELDS))) == (4, True, True)


def test_typed_accessors_read_every_line_of_a_list_header() -> None:
    headers = Headers(
        [
            *FIELDS,
            ("From", '"A" <sip:a@b>;tag=1'),
            ("Call-ID", "x@y"),
            ("CSeq", "1 INVITE"),
            ("Contact", "<sip:a@1>, <sip:a@2>"),
            ("m", "<sip:a@3>"),
            ("Route", "<sip:r1;lr>"),
            ("Route", "<sip:r2;lr>, <sip:r3>"),
            ("Record-Route", "<sip:rr;lr>"),
            ("Max-Forwards", "70"),
            ("c", "application/sdp"),
            ("k", "timer"),
            ("Supported", "100rel, replaces"),
        ]
    )
    request = Request(headers=headers, method="INVITE", uri="sip:b@c")
    assert [v.host for v in request.vias] == ["a", "b", "c"]
    assert (request.via.transport, request.from_.tag, request.to.tag) == ("UDP", "1", None)
    assert (request.call_id, request.cseq.number, request.max_forwards) == ("x@y", 1, 70)
    assert [str(c.uri) for c in request.contacts] == ["sip:a@1", "sip:a@2", "sip:a@3"]
    assert [str(r.uri) for r in request.routes] == ["sip:r1;lr", "sip:r2;lr", "sip:r3"]
    assert request.record_routes[0].uri.lr
    assert request.content_type is not None
    assert request.content_type.essence == "application/sdp"
    assert request.tags("supported") == ("timer", "100rel", "replaces")
    assert str(request.target) == "sip:b@c"


@pytest.mark.rfc("3261", "8.1.1")
@pytest.mark.parametrize("name", ["from_", "to", "call_id", "cseq", "via"])
def test_a_missing_field_is_the_peers_fault(name: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        getattr(Response(headers=Headers(), status=200, reason="OK"), name)
    assert caught.value.section.startswith("RFC 3261 8.1.1")


def test_absent_optional_fields_are_none_or_empty() -> None:
    response = Response(headers=Headers(), status=200, reason="OK")
    assert (response.max_forwards, response.content_type, response.contacts, response.routes) == (
        None,
        None,
        (),
        (),
    )
    assert (response.record_routes, response.tags("allow"), response.vias) == ((), (), ())


def test_neither_credentials_nor_bodies_show_in_a_repr() -> None:
    headers = Headers([("Authorization", 'Digest response="c0ffee"'), ("To", "<sip:b@c>")])
    shown = repr(Request(headers=headers, method="INVITE", uri="sip:b@c", body=b"a=crypto:1 AES inline:KEY"))
    assert "c0ffee" not in shown
    assert "KEY" not in shown
    assert "sip:b@c" in shown
