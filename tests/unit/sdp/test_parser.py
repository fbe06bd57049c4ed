"""Descriptions from the network: kept line by line, refused where media would go astray."""

from __future__ import annotations

import re

import pytest

from siprec_src.communication import Direction, Format
from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.model import Connection, Media, Origin, Rtcp, SessionDescription, new_session
from siprec_src.sdp.parser import MAX_FORMATS, MAX_LINE_BYTES, MAX_LINES, MAX_MEDIA, MAX_SDP_BYTES, parse_sdp
from siprec_src.sdp.writer import write_sdp
from tests.support.reference import reference_path

HEAD = "v=0\r\no=alice 2890844526 7 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
FULL = (
    "v=0\r\no=alice 2890844526 7 IN IP4 192.0.2.1\r\ns=a \xe9 name\r\ni=info\r\nc=IN IP4 192.0.2.1\r\n"
    "b=CT:128\r\nt=0 0\r\nx=unknown kind\r\na=tool:thing\r\na=sendonly\r\n"
    "m=audio 49170 RTP/AVP 0 96 101 13\r\ni=title\r\nc=IN IP4 192.0.2.9\r\nb=AS:64\r\nb=TIAS:x\r\n"
    "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=ptime:20\r\na=label:a_leg\r\na=mid:0\r\na=rtcp:50000 IN IP4 192.0.2.10\r\n"
    "a=candidate:1 1 UDP 1 192.0.2.1 49170 typ host\r\na=inactive\r\n"
    "m=image 0/2 udptl t38\r\na=T38FaxVersion:0\r\n"
).encode("latin-1")


def parse(text: str) -> SessionDescription:
    return parse_sdp(text.encode())


def audio(lines: str = "", formats: str = "0") -> Media:
    return parse(f"{HEAD}m=audio 4000 RTP/AVP {formats}\r\n{lines}").media[0]


@pytest.mark.rfc("8866", "5")
def test_every_line_known_or_not_is_written_back_as_it_came() -> None:
    assert write_sdp(parse_sdp(FULL)) == FULL


@pytest.mark.rfc("8866", "9")
def test_bare_line_feeds_blank_lines_and_missing_last_line_end_are_forgiven() -> None:
    assert write_sdp(parse_sdp(FULL.replace(b"\r\n", b"\n").rstrip(b"\n"))) == FULL
    assert write_sdp(parse_sdp(FULL + b"\r\n\r\n")) == FULL


@pytest.mark.rfc("8866", "5.14")
def test_typed_views_say_what_the_lines_say() -> None:
    description = parse_sdp(FULL)
    speech, fax = description.media
    assert description.origin == Origin(
        username="alice", session_id=2890844526, version=7, address="192.0.2.1"
    )
    assert description.connection(speech) == Connection("192.0.2.9")
    assert description.connection(fax) == Connection("192.0.2.1")
    assert (description.direction(speech), description.direction(fax)) == (
        Direction.INACTIVE,
        Direction.SENDONLY,
    )
    assert (speech.label, speech.packet_time_ms) == ("a_leg", 20)
    assert description.rtcp(speech) == Rtcp("192.0.2.10", 50000)
    assert description.attribute("tool") == "thing"
    assert (fax.rejected, fax.port_count, fax.is_rtp, description.rtcp(fax)) == (True, 2, False, None)


@pytest.mark.rfc("3551", "6")
@pytest.mark.req("SDP-31")
def test_formats_are_those_of_rtpmap_else_of_the_static_table() -> None:
    assert parse_sdp(FULL).media[0].rtp_formats == (
        Format(payload_type=0, encoding="PCMU", clock_rate=8000),
        Format(payload_type=96, encoding="opus", clock_rate=48000, channels=2, parameters="useinbandfec=1"),
        Format(payload_type=101, encoding="telephone-event", clock_rate=8000, parameters="0-15"),
        Format(payload_type=13, encoding="CN", clock_rate=8000),
    )


@pytest.mark.rfc("8866", "6.6")
def test_formats_that_nobody_describes_or_that_are_no_numbers_are_left_out() -> None:
    media = audio("a=rtpmap:8 X/0\r\na=rtpmap:200 A/1\r\na=rtpmap:x\r\n", "97 8 200 * 0")
    assert [form.encoding for form in media.rtp_formats] == ["PCMA", "PCMU"]


@pytest.mark.rfc("8866", "6.7")
def test_direction_without_a_word_is_sendrecv() -> None:
    description = parse(f"{HEAD}m=audio 4000 RTP/AVP 0\r\n")
    assert description.direction(description.media[0]) is Direction.SENDRECV


@pytest.mark.rfc("3605", "2.1")
@pytest.mark.rfc("5761", "5.1.1")
@pytest.mark.req("SDP-32")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", Rtcp("192.0.2.1", 4001)),
        ("a=rtcp:5000\r\n", Rtcp("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP6 2001:db8::1\r\n", Rtcp("2001:db8::1", 5000)),
        ("a=rtcp-mux\r\n", Rtcp("192.0.2.1", 4000)),
        ("a=rtcp:99999\r\n", Rtcp("192.0.2.1", 4001)),
        ("a=rtcp:0\r\n", Rtcp("192.0.2.1", 4001)),
    ],
)
def test_rtcp_goes_to_the_next_port_unless_said_otherwise(lines: str, expected: Rtcp) -> None:
    description = parse(f"{HEAD}m=audio 4000 RTP/AVP 0\r\n{lines}")
    assert description.rtcp(description.media[0]) == expected


@pytest.mark.parametrize(
    ("value", "ms"), [("20", 20), ("0", None), ("20.5", 20), ("x", None), ("99999", None), ("-1", None)]
)
def test_packet_time_without_sense_is_none(value: str, ms: int | None) -> None:
    assert audio(f"a=ptime:{value}\r\n").packet_time_ms == ms


@pytest.mark.rfc("8866", "5.7")
def test_ipv6_and_multicast_connections_are_read() -> None:
    text = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"
    description = parse(text)
    assert description.connection(description.media[0]) == Connection("2001:db8::1")
    description = parse(HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 224.2.1.1/127/3"))
    assert description.own_connection == Connection("224.2.1.1")


@pytest.mark.rfc("8866", "5.2")
def test_an_id_that_is_a_whole_ntp_timestamp_is_no_reason_to_refuse_a_call() -> None:
    """RFC 8866 suggests one, and its 64 bits are one more than RFC 3264 5 allows."""
    description = parse("v=0\r\no=- 17136478822314893312 17136478822314893313 IN IP4 1.1.1.1\r\n")
    assert description.origin.version == 17136478822314893313
    assert description.with_next_version().origin.version == 17136478822314893314


@pytest.mark.rfc("8866", "5")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n",
        "v=1\r\n",
        "o=- 1 1 IN IP4 1.1.1.1\r\nv=0\r\n",
        "v=0\r\ns=-\r\n",
        "v=0\r\no=- x 1 IN IP4 1.1.1.1\r\n",
        "v=0\r\no=- 1 1 IN IP4\r\n",
        "v=0\r\no=- 100000000000000000000 1 IN IP4 1.1.1.1\r\n",
        HEAD + "o=- 1 1 IN IP4 1.1.1.1\r\n",
        HEAD + "c=IN IP4 1.1.1.1\r\n",
        HEAD + "c=IN IP4\r\n",
        HEAD + "c=IN IP4 999.1.1.1\r\n",
        HEAD + "c=IN IP4 ::1\r\n",
        HEAD + "c=IN IP6 1.1.1.1\r\n",
        HEAD + "c=IN IP4 a b\r\n",
        HEAD + "no line\r\n",
        HEAD + "a=x\x00y\r\n",
        HEAD + "a=x\ry\r\n",
        HEAD + "m=audio\r\n",
        HEAD + "m=audio 4000 RTP/AVP\r\n",
        HEAD + "m=audio 65536 RTP/AVP 0\r\n",
        HEAD + "m=audio 4000/0 RTP/AVP 0\r\n",
        HEAD + "m=audio -1 RTP/AVP 0\r\n",
        "v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n",
        HEAD + "a=" + "x" * MAX_LINE_BYTES + "\r\n",
        HEAD + "a=x\r\n" * MAX_LINES,
        HEAD + "m=audio 0 RTP/AVP 0\r\n" * (MAX_MEDIA + 1),
        HEAD + "m=audio 4000 RTP/AVP" + " 0" * (MAX_FORMATS + 1) + "\r\n",
        HEAD + ("a=" + "x" * 1000 + "\r\n") * (MAX_SDP_BYTES // 1000 + 1),
    ],
)
def test_what_breaks_the_syntax_or_a_limit_is_400(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(text)
    assert caught.value.status == 400
    assert caught.value.section.startswith("RFC ")


@pytest.mark.rfc("8866", "5.7")
def test_a_network_that_is_not_the_internet_is_488() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(HEAD.replace("c=IN IP4 192.0.2.1", "c=ATM NSAP 47"))
    assert caught.value.status == 488


@pytest.mark.rfc("8866", "5")
def test_disabled_media_needs_no_connection() -> None:
    assert parse("v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nm=audio 0 RTP/AVP 0\r\n").media[0].rejected


@pytest.mark.rfc("8866", "5")
def test_edits_put_new_lines_where_they_belong() -> None:
    pcmu, opus = (parse_sdp(FULL).media[0].rtp_formats[i] for i in (0, 1))
    media = Media(medium="audio", port=4000, protocol="RTP/AVP", formats=())
    media = (
        media.with_formats((opus, pcmu))
        .with_direction(Direction.SENDONLY)
        .with_label("1")
        .with_packet_time(20)
    )
    media = media.with_connection("::1").with_rtcp(4009).with_direction(Direction.INACTIVE)
    origin = Origin(session_id=5, version=9, address="192.0.2.1")
    text = (
        "v=0\r\no=- 5 10 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 96 0\r\nc=IN IP6 ::1\r\na=rtpmap:96 opus/48000/2\r\n"
        "a=fmtp:96 useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n"
        "a=label:1\r\na=ptime:20\r\na=rtcp:4009\r\n"
    )
    made = new_session(origin, media, connection="192.0.2.7").with_next_version()
    assert write_sdp(made).decode() == text
    assert parse(text) == made


def test_edits_leave_every_other_line_alone() -> None:
    before = parse_sdp(FULL)
    changed = before.with_media_at(0, before.media[0].with_port(6000).without_attribute("candidate"))
    expected = FULL.replace(b"49170 RTP", b"6000 RTP")
    expected = expected.replace(b"a=candidate:1 1 UDP 1 192.0.2.1 49170 typ host\r\n", b"")
    assert write_sdp(changed) == expected
    assert write_sdp(before) == FULL


@pytest.mark.rfc("3264", "8")
@pytest.mark.req("SDP-15")
def test_next_version_changes_nothing_else_of_the_origin() -> None:
    description = parse("v=0\r\no=- 1 2 IN IP6 host.example\r\ns=-\r\nt=0 0\r\n").with_next_version()
    assert description.value("o") == "- 1 3 IN IP6 host.example"


def bodies_of(pattern: str) -> list[bytes]:
    return [
        match[0]
        for path in sorted(reference_path("examples").glob(pattern))
        for match in re.finditer(rb"(?m)^v=0\r?$(?:\r?\n[a-z]=.*)*", path.read_bytes())
    ]


@pytest.mark.rfc("8866", "5")
def test_descriptions_of_vendors_and_of_whole_messages_are_read() -> None:
    bodies = bodies_of("wire/*.sip") + bodies_of("vendor/*.txt")
    read = 0
    for body in bodies:
        if b"m=audio" in body.partition(b"\nc=")[0] and body.count(b"\nc=") < body.count(b"\nm="):
            with pytest.raises(RemoteProtocolError, match="without connection"):
                parse_sdp(body)
        else:
            assert parse_sdp(body).media
            read += 1
    assert read > 10


@pytest.mark.rfc("4568", "9.1")
@pytest.mark.req("KEY-37")
def test_the_error_of_a_malformed_key_line_shows_nothing_of_the_key() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_sdp(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\na=crypto:1 X inline:c2VjcmV0\x00\r\nt=0 0\r\n")
    assert "c2Vj" not in str(caught.value)
    assert "a=crypto" in str(caught.value)
