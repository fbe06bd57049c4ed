"""Datagrams and connections: what is a message, where it ends, what is answered and what is dropped."""

from __future__ import annotations

import re

import pytest

from siprec_src.errors import ConfigurationError
from siprec_src.sip.headers import parse_session_id
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import KeepAlive, Malformed, Parsed, StreamParser, parse_datagram
from tests.support.reference import reference_files

FIELDS = (
    "Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1",
    "From: <sip:a@example.com>;tag=1",
    "To: <sip:b@example.com>",
    "Call-ID: x",
    "CSeq: 1 OPTIONS",
    "Max-Forwards: 70",
)


def wire(*extra: str, body: bytes = b"", start: str = "OPTIONS sip:b@example.com SIP/2.0") -> bytes:
    """A message of ``start``, `FIELDS` with ``extra`` behind them or in their place, and ``body``."""
    replaced = {line.partition(":")[0] for line in extra}
    kept = [line for line in FIELDS if line.partition(":")[0] not in replaced]
    lines = [start, *kept, *(line for line in extra if not line.endswith(": DROP")), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


def malformed(parsed: object) -> Malformed:
    assert isinstance(parsed, Malformed), parsed
    assert parsed.error.section.startswith("RFC ")
    return parsed


def request(parsed: object) -> Request:
    assert isinstance(parsed, Request), parsed
    return parsed


@pytest.mark.rfc("3261", "7.1")
def test_a_request_is_read_with_its_fields_as_received() -> None:
    parsed = request(parse_datagram(wire("Subject:  a \t", "X-Unknown : y;;,", "Content-Length:0")))
    assert (parsed.method, parsed.uri, parsed.body) == ("OPTIONS", "sip:b@example.com", b"")
    assert list(parsed.headers)[-3:] == [("Subject", "a"), ("X-Unknown", "y;;,"), ("Content-Length", "0")]


@pytest.mark.rfc("3261", "7.2")
@pytest.mark.parametrize("end", ["\r", "\n"])
def test_a_status_line_with_a_line_end_inside_is_no_status_line(end: str) -> None:
    malformed(parse_datagram(wire(start=f"SIP/2.0 200 OK{end}Evil: x")))


@pytest.mark.rfc("3261", "7.2")
@pytest.mark.parametrize(
    ("start", "status", "reason"),
    [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("sip/2.0 180 ", 180, ""),
        ("SIP/2.0 699", 699, ""),
        ("SIP/2.0 486 Ё", 486, "Ё"),
    ],
)
def test_a_response_is_read(start: str, status: int, reason: str) -> None:
    parsed = parse_datagram(wire(start=start))
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.reason) == (status, reason)


@pytest.mark.rfc("3261", "7.2")
@pytest.mark.parametrize(
    "start", ["SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0 20 x", "SIP/3.0 200 OK", "SIP/2.0"]
)
def test_a_response_out_of_range_is_dropped_and_never_answered(start: str) -> None:
    assert malformed(parse_datagram(wire(start=start))).partial is None


@pytest.mark.rfc("3261", "7.3.1")
def test_continuation_lines_are_joined() -> None:
    parsed = request(parse_datagram(wire("Subject: one \r\n\t two\r\n   three", "X:\r\n y")))
    assert (parsed.headers.get("s"), parsed.headers.get("x")) == ("one two three", "y")


@pytest.mark.rfc("3261", "7.3.1")
def test_octets_that_are_no_utf8_survive() -> None:
    parsed = request(parse_datagram(wire("X: \udcff\udc80é")))
    assert (parsed.headers.get("X") or "").encode("utf-8", "surrogateescape") == b"\xff\x80\xc3\xa9"


@pytest.mark.rfc("3261", "18.3")
def test_a_datagram_is_cut_at_content_length() -> None:
    assert request(parse_datagram(wire("Content-Length: 3", body=b"abcdef"))).body == b"abc"
    assert request(parse_datagram(wire(body=b"abcdef"))).body == b"abcdef"
    short = malformed(parse_datagram(wire("l: 7", body=b"abcdef")))
    assert (short.error.status, short.error.section) == (400, "RFC 3261 18.3")


@pytest.mark.rfc("3261", "20.14")
@pytest.mark.req("BOD-09")
@pytest.mark.parametrize("value", ["-1", "x", "", "1, 1", "99999999999999999999", "0x5", "5 5"])
def test_an_unreadable_content_length_is_400(value: str) -> None:
    assert malformed(parse_datagram(wire(f"Content-Length: {value}"))).error.status == 400


@pytest.mark.rfc("5626", "3.5.1")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x80\x00rtp",
        b"\n\n",
    ],
)
def test_keep_alives_and_foreign_datagrams_are_no_messages(data: bytes) -> None:
    assert parse_datagram(data) is None


@pytest.mark.rfc("3261", "7.5")
def test_empty_lines_before_the_start_line_are_skipped() -> None:
    assert isinstance(parse_datagram(b"\r\n\r\n" + wire()), Request)


@pytest.mark.rfc("3261", "21.5.6")
@pytest.mark.parametrize(
    "version", ["SIP/7.0", "SIP/2.1", "SIP/1.0", "SIP/02.01", "SIP/999999999999999999999.0"]
)
def test_another_version_is_505_and_can_be_answered(version: str) -> None:
    refused = malformed(parse_datagram(wire(start=f"OPTIONS sip:b@example.com {version}")))
    assert refused.error.status == 505
    assert refused.partial is not None
    assert refused.partial.via.host == "a.example.com"


@pytest.mark.rfc("3261", "7.1")
@pytest.mark.parametrize(
    "start",
    [
        "OPTIONS  sip:b@example.com SIP/2.0",
        "OPTIONS sip:b@example.com  SIP/2.0",
        "OPTIONS sip:b@example.com SIP/2.0 ",
        "OPTIONS <sip:b@example.com> SIP/2.0",
        "OPTIONS sip:b; lr@example.com SIP/2.0",
        "OPTIONS sip: SIP/2.0",
        "OPTIONS noscheme SIP/2.0",
        "OPTIONS sip:b@example.com?Route=%3Csip:evil%3E SIP/2.0",
        "OPTIONS sip:b@example.com SIP/002.00",
    ],
)
def test_a_malformed_request_line_is_400_and_can_be_answered(start: str) -> None:
    refused = malformed(parse_datagram(wire(start=start)))
    assert (refused.error.status, refused.close) == (400, False)
    assert refused.partial is not None
    assert (refused.partial.method, refused.partial.via.branch) == ("OPTIONS", "z9hG4bK1")


@pytest.mark.rfc("4475", "3.1.2.1")
def test_what_can_be_read_of_a_malformed_via_is_kept_for_the_answer() -> None:
    bad = wire("Via: SIP/7.0/UDP c.example.com:5070;branch=z9hG4bK7;;x", "Via: SIP/2.0/TCP d")
    partial = malformed(parse_datagram(bad)).partial
    assert partial is not None
    assert partial.headers.all("via") == ("SIP/2.0/UDP c.example.com:5070;branch=z9hG4bK7", "SIP/2.0/TCP d")
    for hopeless in ("Via: nonsense", "Via: SIP/2.0/UDP [::g];branch=x"):
        partial = malformed(parse_datagram(wire(hopeless))).partial
        assert partial is not None
        assert partial.headers.get("via") == hopeless[5:]


@pytest.mark.rfc("3261", "8.2.2.1")
def test_an_unknown_scheme_is_left_to_whoever_serves_the_request() -> None:
    assert isinstance(parse_datagram(wire(start="OPTIONS unknown:x SIP/2.0")), Request)


@pytest.mark.rfc("3261", "8.1.1")
@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_missing_or_repeated_mandatory_field_is_400(name: str) -> None:
    assert malformed(parse_datagram(wire(f"{name}: DROP"))).error.status == 400
    if name != "Via":
        line = next(line for line in FIELDS if line.startswith(name))
        assert malformed(parse_datagram(wire(line, line))).error.status == 400


@pytest.mark.rfc("3261", "8.1.1.6")
def test_max_forwards_may_be_missing_but_not_be_nonsense() -> None:
    assert request(parse_datagram(wire("Max-Forwards: DROP"))).max_forwards is None
    assert malformed(parse_datagram(wire("Max-Forwards: 256"))).error.status == 400


@pytest.mark.rfc("3261", "8.1.1.5")
def test_the_method_of_cseq_must_be_that_of_the_request() -> None:
    assert malformed(parse_datagram(wire("CSeq: 1 INVITE"))).error.status == 400


@pytest.mark.rfc("3261", "25.1")
@pytest.mark.parametrize(
    "line", ["no colon", "X y: z", ": z", "X: a\nRoute: <sip:evil>", "X: a\rb", "X: a\0b"]
)
def test_a_line_that_is_no_header_field_is_400(line: str) -> None:
    assert malformed(parse_datagram(wire(line))).error.status == 400


@pytest.mark.rfc("4475", "3.1.1.2")
def test_a_nul_is_taken_only_behind_a_backslash() -> None:
    assert request(parse_datagram(wire('Subject: "a\\\0b"'))).headers.get("subject") == '"a\\\0b"'
    assert malformed(parse_datagram(wire('Subject: "a\\\\\0b"'))).error.status == 400


def test_a_datagram_without_an_empty_line_is_400_and_can_be_answered() -> None:
    for cut in (2, 4):
        refused = malformed(parse_datagram(wire()[:-cut]))
        assert refused.error.status == 400
        assert refused.partial is not None
        assert refused.partial.cseq.method == "OPTIONS"


def test_what_is_no_sip_is_dropped() -> None:
    assert malformed(parse_datagram(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).partial is None
    assert malformed(parse_datagram(b"hello")).partial is None


@pytest.mark.rfc("3261", "21.5.7")
@pytest.mark.parametrize(
    ("limits", "extra"),
    [
        (SipLimits(header_fields=10), [f"X-{i}: y" for i in range(10)]),
        (SipLimits(line_bytes=100), [f"X: {'y' * 400}"]),
        (SipLimits(head_bytes=500), [f"X: {'y' * 400}"]),
        (SipLimits(vias=2), ["Via: SIP/2.0/UDP a, SIP/2.0/UDP b, SIP/2.0/UDP c"]),
        (SipLimits(vias=2), ["Via: SIP/2.0/UDP a", "Via: SIP/2.0/UDP b", "Via: SIP/2.0/UDP c"]),
        (SipLimits(datagram_bytes=100), []),
    ],
)
def test_every_limit_is_answered_with_513(limits: SipLimits, extra: list[str]) -> None:
    assert malformed(parse_datagram(wire(*extra), limits)).error.status == 513
    assert isinstance(parse_datagram(wire(*extra)), Request)


def test_a_limit_of_nothing_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="body_bytes"):
        SipLimits(body_bytes=0)


def fed(
    data: bytes, *, step: int, limits: SipLimits | None = None
) -> tuple[list[Parsed | KeepAlive], StreamParser]:
    parser = StreamParser(limits or SipLimits())
    told = [item for at in range(0, len(data), step) for item in parser.feed(data[at : at + step])]
    return told, parser


@pytest.mark.rfc("3261", "18.3")
@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 10000])
def test_messages_are_cut_out_of_a_connection_wherever_reads_end(step: int) -> None:
    first, second = wire("Content-Length: 5", body=b"\r\n\r\nx"), wire("l: 0", start="SIP/2.0 200 OK")
    told, parser = fed(first + b"\r\n" + second + first, step=step)
    assert [type(item) for item in told] == [Request, Response, Request]
    assert request(told[0]).body == b"\r\n\r\nx"
    assert (parser.pending, parser.closed) == (False, False)


@pytest.mark.rfc("5626", "4.4.1")
def test_a_double_line_end_is_a_ping_and_a_single_one_is_not() -> None:
    parser = StreamParser()
    assert parser.feed(b"\r\n") == []
    assert parser.feed(b"\r\n") == [KeepAlive()]
    assert parser.feed(b"\r") == []
    assert parser.feed(b"\n\r\n") == [KeepAlive()]
    assert parser.feed(b"\r\n" * 30000) == [KeepAlive()]
    assert [type(item) for item in parser.feed(wire("l: 0") + b"\r\n\r\n")] == [Request, KeepAlive]


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.req("TRN-07")
def test_the_answers_to_our_own_pings_are_no_pings() -> None:
    parser = StreamParser()
    for between in (b"", b"", wire("l: 0"), b""):
        parser.pinged()
        told = parser.feed(between + b"\r\n")
        assert KeepAlive() not in told
    assert parser.feed(b"\r\n\r\n") == [KeepAlive()]


@pytest.mark.rfc("3261", "18.3")
@pytest.mark.req("BOD-09")
@pytest.mark.parametrize("extra", [[], ["l: -1"], ["l: 1", "Content-Length: 1"], ["l: 99999999999"]])
def test_without_a_sound_content_length_the_connection_is_lost(extra: list[str]) -> None:
    told, parser = fed(wire(*extra) + wire("l: 0"), step=64)
    assert len(told) == 1
    lost = malformed(told[0])
    assert (lost.error.status, lost.close, parser.closed, parser.pending) == (400, True, True, False)
    assert lost.partial is not None
    assert lost.partial.method == "OPTIONS"
    assert parser.feed(wire("l: 0")) == []


@pytest.mark.rfc("4475", "3.1.2.1")
def test_a_malformed_message_whose_end_is_known_costs_only_itself() -> None:
    bad = wire("Via: SIP/2.0/UDP a;;", "l: 4", body=b"body")
    told, parser = fed(bad + wire("l: 0"), step=50)
    assert [type(item) for item in told] == [Malformed, Request]
    assert not malformed(told[0]).close
    assert not parser.closed


@pytest.mark.rfc("3261", "7.5")
@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"\r\n\0", b"\n", b"GET / HTTP/1.1\r\n\r\n", wire("no colon", "l: 0")]
)
def test_what_is_not_sip_closes_the_connection(data: bytes) -> None:
    told, parser = fed(data, step=1)
    assert malformed(told[-1]).close
    assert parser.closed


def test_what_a_connection_holds_back_is_bounded() -> None:
    limits = SipLimits(head_bytes=1000, body_bytes=1000)
    told, _ = fed(wire(f"X: {'y' * 2000}", "l: 0"), step=100, limits=limits)
    assert (malformed(told[0]).error.status, malformed(told[0]).close) == (513, True)
    told, _ = fed(b"A" * 1100, step=100, limits=limits)
    assert (malformed(told[0]).partial, malformed(told[0]).close) == (None, True)
    told, _ = fed(wire("l: 1001"), step=100, limits=limits)
    assert (malformed(told[0]).error.status, malformed(told[0]).close) == (413, True)


def test_a_message_that_is_not_whole_is_pending() -> None:
    parser = StreamParser()
    assert not parser.pending
    parser.feed(b"OPT")
    assert parser.pending
    parser.feed(wire("l: 5")[3:])
    assert parser.pending
    assert len(parser.feed(b"12345")) == 1
    assert not parser.pending


@pytest.mark.rfc("3261", "18.3")
def test_the_complete_wire_examples_are_read_the_same_from_a_datagram_and_a_connection() -> None:
    for path in reference_files("examples", "wire", pattern="*.sip"):
        data = path.read_bytes()
        assert StreamParser().feed(data) == [request(parse_datagram(data))], path.name


@pytest.mark.rfc("8068", "3")
def test_the_messages_printed_in_the_rfcs_are_read() -> None:
    printed = reference_files("examples", pattern="rfc*/*.sip.txt")
    assert len(printed) == 16
    for path in printed:
        data = unprinted(path.read_text())
        if path.name == "s3.5-turret-two-cs.sip.txt":  # printed without CSeq and most of its head
            assert malformed(parse_datagram(data)).error.section == "RFC 3261 8.1.1.5"
            continue
        parsed = request(parse_datagram(data))
        assert parsed.content_type is not None, path.name
        if parsed.headers.get("session-id") is not None:
            assert parse_session_id(parsed.headers.get("session-id") or "").remote is not None, path.name


def unprinted(text: str) -> bytes:
    """A message as an RFC prints it, as octets: no indent, no ``[length]``, broken lines folded."""
    head, _, body = (
        re.sub(r" *Content-Length: \[length\]\n", "", text).replace("\n\n", "\0", 1).partition("\0")
    )
    first, *rest = (line.strip() for line in head.split("\n"))
    fields = [line if re.match(r"[A-Za-z-]+:", line) else f" {line}" for line in rest if line]
    return "\r\n".join([first, *fields, "", *body.split("\n")]).encode()
