"""Whatever octets arrive, the SIP parsers return; and what they return can be written and read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip import headers as h
from siprec_src.sip.body import join_mixed, make_part, split_body, split_parts
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.parser import KeepAlive, Malformed, StreamParser, parse_datagram
from siprec_src.sip.uri import parse_any_uri, parse_uri, unescape
from siprec_src.sip.writer import write_message
from tests.support.reference import REFERENCE

OFTEN: Final = settings(max_examples=200)

SEED: Final = (
    b"INVITE sip:b@example.com;lr SIP/2.0\r\nVia: SIP/2.0/TCP a.example.com:5060;branch=z9hG4bK1;rport\r\n"
    b'From: "A \\" B" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: x@y\r\n'
    b"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@[2001:db8::1];transport=tcp>;+sip.src\r\n"
    b"Route: <sip:p;lr>, <sip:q;lr>\r\nRequire: siprec\r\nContent-Type: multipart/mixed;boundary=foo\r\n"
    b"Content-Length: 105\r\n\r\n--foo\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n"
    b"--foo\r\nContent-Disposition: recording-session\r\n\r\n<a/>\r\n--foo--\r\n"
)


def seeds() -> list[bytes]:
    folders = (REFERENCE / "torture" / "rfc4475", REFERENCE / "examples" / "wire")
    files = [
        path for folder in folders for path in sorted(folder.glob("*.dat")) + sorted(folder.glob("*.sip"))
    ]
    return [SEED, *(path.read_bytes() for path in files)]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A seed with pieces cut out, doubled, or replaced by what often breaks parsers."""
    data = draw(st.sampled_from(seeds()))
    piece = st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [
                b"\r\n",
                b"\r\n ",
                b"\n",
                b"\r\n\r\n",
                b"\0",
                b";",
                b",",
                b'"',
                b"\\",
                b"<",
                b"%",
                b"--foo",
                b":",
            ]
        ),
    )
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 40))
        data = data[:at] + draw(st.one_of(piece, st.just(data[at : at + size] * 2))) + data[at + size :]
    return data


def refusal(read: Callable[[], object]) -> int:
    """Status of the peer's fault that reading comes to, 0 when it comes to a value that can be shown."""
    try:
        repr(read())
    except RemoteProtocolError as error:
        return error.status
    return 0


def touch(message: Request | Response) -> None:
    """Read everything a message offers; only the peer's fault may come of it."""
    for name in ("contacts", "routes", "record_routes", "content_type", "max_forwards", "target"):
        assert refusal(lambda name=name: getattr(message, name, None)) in {0, 400, 416}  # type: ignore[misc]
    assert refusal(lambda: split_body(message)) in {0, 400, 415}


@OFTEN
@given(st.one_of(st.binary(max_size=400), mutated()))
@example(SEED)
def test_any_datagram_is_a_message_or_malformed_or_nothing(data: bytes) -> None:
    parsed = parse_datagram(data)
    match parsed:
        case Request() | Response():
            touch(parsed)
            again = parse_datagram(write_message(parsed))
            assert isinstance(again, Request | Response)
            assert again.body == parsed.body
            assert again.headers.without("l") == parsed.headers.without("l")
            assert parse_datagram(write_message(again)) == again
        case Malformed(error=error):
            assert 400 <= error.status < 600
            assert error.section.startswith("RFC ")
            repr(parsed)
        case None:
            pass


@OFTEN
@given(st.lists(mutated(), min_size=1, max_size=3), st.lists(st.integers(1, 2000), min_size=1, max_size=8))
def test_any_octets_on_a_connection_are_told_alike_however_they_are_cut(
    messages: list[bytes], steps: list[int]
) -> None:
    data = b"".join(messages)
    limits = SipLimits(head_bytes=8192, body_bytes=8192)
    whole = StreamParser(limits)
    expected = whole.feed(data)
    cut = StreamParser(limits)
    told, at, turn = [], 0, 0
    while at < len(data):
        told += cut.feed(data[at : at + steps[turn % len(steps)]])
        at += steps[turn % len(steps)]
        turn += 1
    kinds = [type(item) for item in told if not isinstance(item, KeepAlive)]
    assert kinds == [type(item) for item in expected if not isinstance(item, KeepAlive)]
    assert (cut.closed, cut.pending) == (whole.closed, whole.pending)


PARSERS: Final[list[Callable[[str], object]]] = [
    parse_uri,
    parse_any_uri,
    h.parse_vias,
    h.parse_name_address,
    h.parse_name_addresses,
    h.parse_contacts,
    h.parse_cseq,
    h.parse_call_id,
    lambda text: h.parse_number("X", text, 2**32 - 1, "RFC 3261 25.1"),
    lambda text: h.parse_tokens("X", text),
    h.parse_media_type,
    h.parse_accept,
    h.parse_disposition,
    h.parse_rack,
    h.parse_rseq,
    h.parse_reasons,
    h.parse_session_id,
    h.parse_retry_after,
    h.parse_warnings,
    h.salvage_via,
]

PIECES: Final = st.sampled_from([
    "sip:", "SIP/2.0/UDP ", "a", "example.com", "<", ">", '"', "\\", ";", "=", ",", " ", "\t", "%", "%41",
    "@", ":", "/", "[::1]", "?", "&", "1", "99999999999", "*", "(", ")", "é", "\udcff", "\0", "\r\n",
    "tel:+1", ";tag=", ";q=0.5",
])  # fmt: skip


@pytest.mark.parametrize("parse", PARSERS)
@OFTEN
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join)))
def test_a_value_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    assert refusal(lambda: parse(text)) in {0, 400, 416}


@OFTEN
@given(st.lists(PIECES, max_size=20).map("".join))
def test_an_address_that_was_read_is_written_so_that_it_reads_the_same(text: str) -> None:
    try:
        address = h.parse_name_address(text)
    except RemoteProtocolError:
        return
    assert "\n" not in str(address)
    assert h.parse_name_address(str(address)) == address
    assert parse_any_uri(str(address.uri)) == address.uri


@OFTEN
@given(st.text(max_size=30))
def test_unescaping_never_makes_a_control_character(text: str) -> None:
    before = {c for c in text if ord(c) < 32 or ord(c) == 127}
    assert {c for c in unescape(text) if ord(c) < 32 or ord(c) == 127} <= before


@OFTEN
@given(
    st.sampled_from(["multipart/mixed;boundary=foo", "multipart/alternative;boundary=foo"]),
    mutated(),
    st.binary(max_size=99),
)
def test_any_body_is_split_or_refused(content_type: str, data: bytes, tail: bytes) -> None:
    body = data.partition(b"\r\n\r\n")[2] + tail
    assert refusal(lambda: split_parts(content_type, body)) in {0, 400, 415}


@OFTEN
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_parts_that_were_joined_are_split_into_the_same(contents: list[bytes]) -> None:
    parts = tuple(make_part("application/octet-stream", content, "render") for content in contents)
    content_type, body = join_mixed(parts, "boundary-that-nobody-guesses")
    message = Request(
        headers=Headers([("Content-Type", content_type)]), body=body, method="INFO", uri="sip:a@b"
    )
    assert split_body(message) == parts
