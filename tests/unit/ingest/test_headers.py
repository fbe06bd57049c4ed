"""Header fields on their way across the B2BUA."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.ingest.inline import headers as crossing
from siprec_src.sip.message import Headers, Request, Response

OURS = (
    ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx"),
    ("m", "<sip:alice@10.0.0.1>"),
    ("Record-Route", "<sip:10.0.0.2;lr>"),
    ("Route", "<sip:10.0.0.9;lr>"),
    ("i", "abc@10.0.0.1"),
    ("CSeq", "7 INVITE"),
    ("RAck", "1 7 INVITE"),
    ("RSeq", "1"),
    ("l", "0"),
)
THEIRS = (
    ("P-Asserted-Identity", '"A. B" <sip:100@pbx.example>, <tel:+49>'),
    ("Diversion", "<sip:200@pbx.example>;reason=no-answer"),
    ("History-Info", "<sip:200@pbx.example>;index=1"),
    ("User-to-User", "00FA;encoding=hex"),
    ("Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"),
    ("X-Custom", "  spaced;and=\"odd\"  "),
    ("Supported", "100rel, timer"),
    ("k", "replaces"),
    ("Require", "timer"),
    ("Allow", "INVITE,BYE"),
    ("Session-Expires", "1800;refresher=uac"),
    ("Authorization", 'Digest username="a", response="b"'),
    ("WWW-Authenticate", 'Digest realm="r"'),
    ("Unknown-\udce9", "caf\udce9"),
    ("c", "application/sdp"),
)  # fmt: skip


def invite(*fields: tuple[str, str]) -> Request:
    return Request(method="INVITE", uri="sip:bob@pbx.example", headers=Headers(fields))


@pytest.mark.rfc("3261", "16.6")
def test_what_is_ours_stays_and_everything_else_crosses_octet_by_octet_in_order() -> None:
    mixed = [field for pair in zip(THEIRS, OURS, strict=False) for field in pair] + list(THEIRS[len(OURS) :])
    assert tuple(crossing.for_new_dialog(invite(*mixed))) == THEIRS
    assert tuple(crossing.for_dialog(invite(*mixed))) == THEIRS
    response = Response(status=200, reason="OK", headers=Headers(mixed))
    assert tuple(crossing.for_response(response)) == THEIRS


@pytest.mark.rfc("3261", "16.6")
def test_max_forwards_is_one_less() -> None:
    assert crossing.for_new_dialog(invite(("Max-Forwards", "70"))).get("max-forwards") == "69"
    assert "max-forwards" not in crossing.for_new_dialog(invite())


@pytest.mark.rfc("3261", "8.1.1.3")
@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ('"A;tag=no" <sip:a@x;tag=u>;tag=123', '"A;tag=no" <sip:a@x;tag=u>'),
        ('"q\\"<" <sip:a@x> ; TAG = 5 ;x=1', '"q\\"<" <sip:a@x> ;x=1'),
        ("sip:a@x;tag=1;y", "sip:a@x;y"),
        ('<sip:a@x>;n="b;tag=c";tag=d', '<sip:a@x>;n="b;tag=c"'),
        ("<sip:a@x>", "<sip:a@x>"),
    ],
)
def test_only_the_tag_is_taken_from_from_and_to(received: str, sent: str) -> None:
    assert crossing.for_new_dialog(invite(("From", received))).get("from") == sent


@pytest.mark.rfc("3261", "21.3")
@pytest.mark.parametrize(("status", "crosses"), [(200, False), (302, True), (485, True), (486, False)])
def test_contact_crosses_where_it_names_alternatives(status: int, crosses: bool) -> None:
    response = Response(status=status, reason="", headers=Headers((("Contact", "<sip:c@x>;q=0.1"),)))
    assert ("contact" in crossing.for_response(response)) is crosses


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_taking_a_tag_out_never_fails_and_never_adds(value: str) -> None:
    out = crossing.without_tag(value)
    assert len(out) <= len(value)
    assert crossing.without_tag(out) == out
