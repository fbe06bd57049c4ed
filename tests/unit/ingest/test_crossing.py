"""Session descriptions on their way across the B2BUA."""

from __future__ import annotations

import pytest

from siprec_src.communication import Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.crossing import OurPlace, Treatment, check_offer, rewritten, treatment
from siprec_src.ingest.inline.keys import MAX_LINES, MAX_OWN_KEYS, OwnKeys, usable_lines
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Media
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from tests.support.descriptions import sdp
from tests.support.identity import CountingIdentity

OFFER = b"""v=0\r
o=alice 7 3 IN IP4 10.0.0.1\r
s=call\r
i=as it came\r
c=IN IP4 10.0.0.1\r
b=AS:80\r
t=0 0\r
a=tool:phone\r
a=group:LS audio\r
m=audio 4000/2 RTP/AVP 0 101\r
c=IN IP4 10.0.0.2\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=ptime:20\r
a=rtcp:4001\r
a=ssrc:17 cname:x\r
a=x-unknown:kept\r
m=application 9 TCP/BFCP *\r
a=setup:active\r
m=audio 0 RTP/AVP 8\r
"""

CROSSED = b"""v=0\r
o=alice 7 3 IN IP4 10.0.0.1\r
s=call\r
i=as it came\r
c=IN IP4 192.0.2.9\r
b=AS:80\r
t=0 0\r
a=tool:phone\r
a=group:LS audio\r
m=audio 10000 RTP/AVP 0 101\r
c=IN IP4 192.0.2.9\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=ptime:20\r
a=rtcp:10001\r
a=ssrc:17 cname:x\r
a=x-unknown:kept\r
m=application 9 TCP/BFCP *\r
c=IN IP4 10.0.0.1\r
a=setup:active\r
m=audio 0 RTP/AVP 8\r
"""


@pytest.mark.rfc("3264", "5.1")
@pytest.mark.rfc("8866", "5")
def test_only_where_media_goes_is_rewritten() -> None:
    places = [
        OurPlace(port=10000, treatment=Treatment.RTP),
        OurPlace(port=None, treatment=Treatment.DIRECT),
        OurPlace(port=None, treatment=Treatment.RTP),
    ]
    assert write_sdp(rewritten(parse_sdp(OFFER), places, "192.0.2.9")) == CROSSED


@pytest.mark.rfc("8866", "5.7")
def test_an_ipv6_edge_is_named_as_such() -> None:
    offer = parse_sdp(sdp("10.0.0.1", "audio 4000 RTP/AVP 0"))
    out = rewritten(offer, [OurPlace(port=10000, treatment=Treatment.RTP)], "2001:db8::9")
    assert out.value("c") == "IN IP6 2001:db8::9"


@pytest.mark.rfc("4568", "4")
@pytest.mark.parametrize(
    ("protocol", "lines", "expected"),
    [
        ("RTP/AVP", "", Treatment.RTP),
        ("rtp/avpf", "", Treatment.RTP),
        ("RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40, Treatment.RTP),
        ("RTP/SAVP", "a=crypto:1 AES_192_CM_HMAC_SHA1_80 inline:" + "A" * 51 + "=", Treatment.RTP),
        ("RTP/SAVP", "a=crypto:1 SEED_CTR_128_HMAC_SHA1_80 inline:" + "A" * 40, Treatment.RAW),
        ("RTP/SAVP", "a=fingerprint:sha-256 AA", Treatment.RAW),
        ("UDP/TLS/RTP/SAVPF", "a=fingerprint:sha-256 AA", Treatment.RAW),
        ("udptl", "", Treatment.RAW),
        ("TCP/MSRP", "", Treatment.DIRECT),
        ("X/UNKNOWN", "", Treatment.RAW),
    ],
)
def test_the_profile_says_how_an_m_line_is_relayed(protocol: str, lines: str, expected: Treatment) -> None:
    assert treatment(_first(sdp("10.0.0.1", f"audio 4000 {protocol} 0\n{lines}"))) is expected


@pytest.mark.rfc("3264", "5.2")
@pytest.mark.parametrize(
    ("host", "version"),
    [("phone.example", 4), ("224.2.1.1", 4), ("ff0e::1", 6), ("2001:db8::1", 4), ("192.0.2.1", 6)],
)
def test_addresses_that_the_relay_cannot_serve_are_refused(host: str, version: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_offer(parse_sdp(sdp(host, "audio 4000 RTP/AVP 0")), version)
    assert caught.value.status == 488
    rtcp = f"a=rtcp:5001 IN {'IP6' if ':' in host else 'IP4'} {host}"
    served = sdp("192.0.2.1" if version == 4 else "2001:db8::1", f"audio 4000 RTP/AVP 0\n{rtcp}")
    with pytest.raises(RemoteProtocolError) as caught:
        check_offer(parse_sdp(served), version)
    assert caught.value.status == 488


@pytest.mark.rfc("4568", "7.1.4")
def test_one_key_of_ours_stands_for_one_key_of_a_party_as_long_as_it_is_in_use() -> None:
    own = OwnKeys(CountingIdentity())
    suite = "AES_CM_128_HMAC_SHA1_80"
    first = own.standing_for(Crypto(1, suite, b"a" * 30), Side.CALLER)
    assert own.standing_for(Crypto(4, suite, b"a" * 30), Side.CALLER) == Crypto(4, suite, first.material)
    assert own.standing_for(Crypto(1, suite, b"a" * 30), Side.CALLEE).material != first.material
    for number in range(2 * MAX_OWN_KEYS):
        own.standing_for(Crypto(1, suite, number.to_bytes(30, "big")), Side.CALLER)
        assert own.standing_for(Crypto(1, suite, b"a" * 30), Side.CALLER) == first
    old = own.standing_for(Crypto(1, suite, bytes(30)), Side.CALLER).material
    assert old not in (bytes(30), first.material)
    assert len(own) <= MAX_OWN_KEYS


@pytest.mark.rfc("4568", "5.1.2")
def test_of_countless_keys_in_an_offer_only_the_first_are_served() -> None:
    lines = (f"a=crypto:{n} AES_CM_128_HMAC_SHA1_80 inline:{n:040d}" for n in range(1, 400))
    offer = _first(sdp("10.0.0.1", "\n".join(("audio 4000 RTP/SAVP 0", *lines))))
    assert [line.tag for line in usable_lines(offer)] == list(range(1, MAX_LINES + 1))


def _first(body: bytes) -> Media:
    return parse_sdp(body).media[0]
