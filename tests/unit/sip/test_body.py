"""Bodies: leaves in order whatever the nesting, tolerant of what real senders get wrong, bounded."""

from __future__ import annotations

import pytest

from siprec_src.errors import LocalError, RemoteProtocolError
from siprec_src.sip.body import Part, find, join_mixed, make_part, not_understood, split_body, split_parts
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.message import Headers, Message
from tests.support.reference import reference_files

SDP = b"v=0\r\ns=-\r\n"
XML = "<name>Zoë</name>".encode()
MIXED = "multipart/mixed;boundary=foo"


def essences(parts: tuple[Part, ...]) -> list[str]:
    return [part.essence for part in parts]


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("BOD-01", "BOD-04", "BOD-06", "BOD-08", "BOD-10")
def test_sdp_and_metadata_become_one_multipart_mixed() -> None:
    parts = (
        make_part("application/sdp", SDP, "session;handling=required"),
        make_part("application/rs-metadata+xml", XML, "recording-session"),
    )
    content_type, body = join_mixed(parts, "b1")
    assert content_type == "multipart/mixed;boundary=b1"
    assert body == (
        b"--b1\r\nContent-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n"
        + SDP
        + b"\r\n"
        b"--b1\r\nContent-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n"
        + XML
        + b"\r\n--b1--\r\n"
    )
    assert split_parts(content_type, body) == parts


@pytest.mark.rfc("2046", "5.1.1")
@pytest.mark.req("BOD-10")
@pytest.mark.parametrize("boundary", ["", "a b", "x" * 71, "b\r\n", "inside"])
def test_a_boundary_that_cannot_serve_is_our_fault(boundary: str) -> None:
    with pytest.raises(LocalError):
        join_mixed([make_part("text/plain", b"--inside")], boundary)


def test_a_multipart_has_parts_and_their_fields_have_no_line_ends() -> None:
    with pytest.raises(LocalError):
        join_mixed([], "b")
    with pytest.raises(LocalError):
        join_mixed([make_part("text/plain", b""), _with_line_end()], "b")


def _with_line_end() -> Part:
    part = make_part("text/plain", b"")
    return Part(
        content_type=part.content_type,
        content=b"",
        disposition=part.disposition,
        headers=Headers([("Content-Type", "text/plain\r\nX: y")]),
    )


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("BOD-02")
def test_a_body_that_is_no_multipart_is_one_part() -> None:
    headers = Headers([("c", "application/RS-metadata+xml"), ("Content-Disposition", "recording-session")])
    (part,) = split_body(Message(headers=headers, body=XML))
    assert (part.essence, part.disposition.type, part.handling) == (
        "application/rs-metadata+xml",
        "recording-session",
        "required",
    )
    assert part.content == XML
    assert split_body(Message(headers=headers)) == ()


@pytest.mark.rfc("3261", "20.11")
@pytest.mark.req("BOD-05", "BOD-06")
def test_the_default_disposition_is_session_for_sdp_and_render_for_the_rest() -> None:
    assert make_part("application/SDP", SDP).disposition.type == "session"
    assert make_part("text/plain", b"").disposition.type == "render"
    assert make_part("text/plain", b"", "icon;handling=OPTIONAL").handling == "optional"


@pytest.mark.rfc("5621", "4.2")
@pytest.mark.req("BOD-07")
def test_nested_multiparts_are_read_as_their_leaves_in_order() -> None:
    body = (
        b"preamble\r\n--foo\r\nContent-Type: application/isup\r\n"
        b"Content-Disposition: signal;handling=optional\r\n\r\n\x01\0\r\n"
        b"--foo\r\nContent-Type: multipart/mixed; boundary=foobar\r\n\r\n"
        b"--foobar \t\r\nContent-Type: application/rs-metadata+xml\r\n\r\n<a/>\r\n"
        b"--foobar\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--foobar--\r\n"
        b"--foo--\r\nepilogue\r\n--foo\r\n\r\nnot a part\r\n"
    )
    parts = split_parts(MIXED, body)
    assert essences(parts) == ["application/isup", "application/rs-metadata+xml", "application/sdp"]
    assert [part.content for part in parts] == [b"\x01\0", b"<a/>", b"v=0\r\n"]


@pytest.mark.rfc("3261", "8.2.3")
@pytest.mark.req("BOD-07")
def test_an_unknown_part_matters_only_when_it_is_required() -> None:
    known = {"application/sdp", "application/rs-metadata+xml"}
    optional = make_part("application/gtd", b"x", "signal;handling=optional")
    required = make_part("application/isup", b"x", "signal")
    assert not_understood([make_part("application/sdp", SDP), optional], known) == ()
    assert not_understood([make_part("application/sdp", SDP), required], known) == (required,)


@pytest.mark.rfc("5621", "8.4")
def test_the_parts_of_an_optional_multipart_are_optional() -> None:
    body = (
        b"--foo\r\nContent-Type: multipart/related;boundary=in\r\n"
        b"Content-Disposition: render;handling=optional\r\n\r\n"
        b"--in\r\nContent-Type: text/odd\r\n\r\nx\r\n--in--\r\n--foo--"
    )
    (part,) = split_parts(MIXED, body)
    assert part.handling == "optional"
    assert not_understood([part], ()) == ()


@pytest.mark.rfc("2046", "5.1.4")
@pytest.mark.req("BOD-07")
def test_of_alternatives_one_that_is_understood_is_enough_and_the_last_is_best() -> None:
    body = (
        b"--foo\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
        b"--foo\r\nContent-Type: application/sdp\r\n\r\nfirst\r\n"
        b"--foo\r\nContent-Type: application/sdp\r\n\r\nsecond\r\n--foo--\r\n"
    )
    parts = split_parts("Multipart/Alternative;Boundary=foo", body)
    assert len({part.alternative for part in parts} - {0}) == 1
    assert not_understood(parts, {"application/sdp"}) == ()
    assert not_understood(parts, {"text/html"}) == parts
    best = find(parts, "application/sdp")
    assert best is not None
    assert best.content == b"second"


def test_the_first_part_of_a_type_is_found() -> None:
    parts = (make_part("application/rs-metadata", b"1"), make_part("application/rs-metadata", b"2"))
    assert find(parts, "application/rs-metadata+xml", "application/rs-metadata") is parts[0]
    assert find(parts, "application/sdp") is None


@pytest.mark.rfc("2046", "5.1.1")
@pytest.mark.req("BOD-10")
@pytest.mark.parametrize(
    ("body", "contents"),
    [
        (b"--foo\r\nContent-Type: a/b\r\n\r\nx\r\n--foo\r\n\r\ny", [b"x", b"y"]),
        (b"--foo\r\nContent-Type: a/b\r\n\r\nx\r\n--foo\r\n\r\ny\r\n", [b"x", b"y"]),
        (b"--foo\r\n\r\nx\r\n--foo\r\n", [b"x"]),
        (b"\r\n--foo\r\n\r\nx\r\n--foo--", [b"x"]),
        (b"--foo\nContent-Type: a/b\n\nx\ny\n--foo\n\nz\n--foo--\n", [b"x\ny", b"z"]),
        (b"--foo\r\n\r\n--foobar\r\n --foo\r\nx--foo\r\n--foo--", [b"--foobar\r\n --foo\r\nx--foo"]),
        (b"--foo\r\nContent-Type: a/b\r\n--foo\r\n--foo--", [b"", b""]),
        (b"--foo\r\ncontent-TYPE:\r\n a/b\r\n\r\nx\r\n--foo--", [b"x"]),
        (b"--foo--\r\n", []),
    ],
)
def test_what_real_senders_leave_out_is_forgiven(body: bytes, contents: list[bytes]) -> None:
    assert [part.content for part in split_parts(MIXED, body)] == contents


@pytest.mark.rfc("2046", "5.1")
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--foo--"),
        ("multipart/mixed;boundary=", b"--foo--"),
        ('multipart/mixed;boundary=""', b"----"),
        (f"multipart/mixed;boundary={'x' * 71}", b"--foo--"),
        (MIXED, b"no boundary at all"),
        (MIXED, b"--foo\r\nno colon\r\n\r\nx\r\n--foo--"),
        (MIXED, b"--foo\r\nContent-Type: nonsense\r\n\r\nx\r\n--foo--"),
        (MIXED, b"--foo\r\nContent-Disposition: ;\r\n\r\nx\r\n--foo--"),
        (MIXED, b"--foo\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--foo--"),
        ("nonsense", b"x"),
    ],
)
def test_a_malformed_body_is_400(content_type: str, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        split_parts(content_type, body)
    assert caught.value.status == 400


@pytest.mark.rfc("3261", "20.15")
def test_a_body_without_a_type_is_400() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        split_body(Message(headers=Headers(), body=b"x"))
    assert caught.value.status == 400


@pytest.mark.rfc("3261", "8.2.3")
@pytest.mark.parametrize("name", ["Content-Encoding", "Content-Transfer-Encoding"])
def test_an_unknown_encoding_is_415(name: str) -> None:
    headers = Headers([("Content-Type", "text/plain"), (name, "gzip")])
    with pytest.raises(RemoteProtocolError) as caught:
        split_body(Message(headers=headers, body=b"x"))
    assert caught.value.status == 415


@pytest.mark.rfc("5621", "3.2")
def test_base64_of_a_gateway_is_decoded_and_an_unknown_encoding_of_an_optional_part_is_left() -> None:
    body = (
        b"--foo\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: BASE64\r\n\r\ndj0w\r\nDQo=\r\n"
        b"--foo\r\nContent-Disposition: signal;handling=optional\r\n"
        b"Content-Transfer-Encoding: odd\r\n\r\nx\r\n--foo--"
    )
    assert [part.content for part in split_parts(MIXED, body)] == [b"v=0\r\n", b"x"]


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        (SipLimits(parts=3), b"--foo\r\n\r\nx\r\n" * 3 + b"--foo--"),
        (SipLimits(part_head_bytes=50), b"--foo\r\nX: " + b"y" * 100 + b"\r\n\r\n--foo--"),
        (SipLimits(part_head_bytes=50), b"--foo\r\nX: " + b"y" * 100 + b"\r\n--foo--"),
        (SipLimits(nesting=1), b"--foo\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b--\r\n--foo--"),
    ],
)
def test_every_limit_is_kept(limits: SipLimits, body: bytes) -> None:
    split_parts(MIXED, body)
    with pytest.raises(RemoteProtocolError):
        split_parts(MIXED, body, limits)


def test_a_body_full_of_near_boundaries_costs_one_pass() -> None:
    assert len(split_parts(MIXED, b"--foo\r\n\r\n" + b"--foo" * 100_000 + b"\n--foo--")) == 1


def test_keys_in_a_part_do_not_show() -> None:
    assert "inline" not in repr(make_part("application/sdp", b"a=crypto:1 AES inline:KEY"))


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("BOD-01", "BOD-07", "BOD-10")
def test_the_offers_of_real_recording_clients_are_read() -> None:
    for path in reference_files("examples", "vendor", pattern="*.txt"):
        data = path.read_bytes().lstrip()
        boundary = data.partition(b"\n")[0].strip()[2:].decode()
        parts = split_parts(f"multipart/mixed;boundary={boundary}", data)
        assert "application/sdp" in essences(parts), path.name
        metadata = [part for part in parts if part.disposition.type == "recording-session"]
        assert len(metadata) == 1, path.name
        assert b"</" in metadata[0].content, path.name
