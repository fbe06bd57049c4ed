"""Whatever octets arrive, the SDP parser gives a description that writes itself back, or one exception."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.crypto import format_crypto, parse_crypto
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.offer_answer import check_answer, effective_direction
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp

VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=40)
ATTRIBUTES = st.sampled_from(
    [
        "rtpmap:0 PCMU/8000", "rtpmap:96 x/1/99", "fmtp:96 a=b", "fmtp:", "ptime:20", "ptime:²", "rtcp:1",
        "rtcp:9 IN IP4 x", "rtcp-mux", "sendonly", " inactive", "label:1", "crypto:1 A inline:AAAA", "mid:0",
    ]
)  # fmt: skip
LINE = st.one_of(
    ATTRIBUTES.map(lambda value: f"a={value}"),
    VALUE.map(lambda value: f"a={value}"),
    st.tuples(st.sampled_from("abcikxz"), VALUE).map("=".join),
    st.sampled_from(["c=IN IP4 192.0.2.1", "c=IN IP6 ::", "b=AS:64", "b=:1", "t=0 0"]),
    st.sampled_from(["m=audio 4000 RTP/AVP 0 96", "m=image 0 udptl t38", "m=audio 2/2 RTP/SAVP 8 *"]),
)
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"


def use(description: SessionDescription) -> None:
    """Touch every view."""
    assert description.origin.session_id >= 0
    for media in description.media:
        seen = (
            media.rtp_formats,
            media.crypto,
            media.packet_time_ms,
            media.label,
        )
        assert seen
        effective_direction(description, media)
        description.rtcp(media)
    check_answer(description, description)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda data: HEAD.encode() + data))
def test_octets(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        description = parse_sdp(data)
        use(description)
        assert parse_sdp(write_sdp(description)) == description


@given(st.lists(LINE, max_size=12))
def test_lines(lines: list[str]) -> None:
    data = (HEAD + "".join(f"{line}\r\n" for line in lines)).encode()
    with contextlib.suppress(RemoteProtocolError):
        description = parse_sdp(data)
        use(description)
        assert write_sdp(description) == data.rstrip(b" \r\n\x00") + b"\r\n"


@given(
    VALUE | st.from_regex(r"[0-9]{1,3} [A-Z_0-9]{1,20} inline:[A-Za-z0-9+/|:^2=;]{0,60}( [-A-Z=0-9]{0,9})?")
)
def test_crypto(value: str) -> None:
    with contextlib.suppress(RemoteProtocolError):
        crypto = parse_crypto(value)
        assert parse_crypto(format_crypto(crypto)) == crypto
