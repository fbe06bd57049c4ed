"""``a=crypto`` lines: what is valid, what can be used, and that no key is ever shown (RFC 4568)."""

from __future__ import annotations

import base64

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.crypto import SUITES, Crypto, format_crypto, parse_crypto, parse_valid

KEY = bytes(range(30))
TEXT = base64.b64encode(KEY).decode()


@pytest.mark.rfc("4568", "9.2")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}", Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)),
        (f"0 AES_CM_128_HMAC_SHA1_32 inline:{TEXT}|2^20", Crypto(0, "AES_CM_128_HMAC_SHA1_32", KEY, 1 << 20)),
        (
            f"12 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|1000|1:4 KDR=1 -X",
            Crypto(12, "AES_CM_128_HMAC_SHA1_80", KEY, 1000, (1, 4), ("KDR=1", "-X")),
        ),
        (
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|5:1",
            Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY, None, (5, 1)),
        ),
    ],
)
def test_valid_lines_are_read_and_written_back(value: str, expected: Crypto) -> None:
    assert parse_crypto(value) == expected
    assert format_crypto(expected) == value


@pytest.mark.rfc("4568", "6.1")
@pytest.mark.req("KEY-10", "KEY-16", "KEY-17")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "1 AES_CM_128_HMAC_SHA1_80",
        f"01 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT[:-4]}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:AAA",
        f"1 AES_CM_128_HMAC_SHA1_80 other:{TEXT}",
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{TEXT}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|2^49",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|0",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|2^20|1",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|2^20|1:129",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|2^20|1:0",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|2^20|256:1",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|1:4|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT};inline:{TEXT}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT} STRANGE",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT} KDR=25",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}" + " -x" * 17,
    ],
)
def test_a_line_that_breaks_a_rule_is_invalid_as_a_whole(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_crypto(value)
    assert caught.value.status == 488
    assert TEXT not in str(caught.value)


@pytest.mark.rfc("6188", "4")
@pytest.mark.rfc("7714", "14")
@pytest.mark.req("KEY-16")
@pytest.mark.parametrize(
    ("suite", "octets"),
    [
        ("AES_CM_128_HMAC_SHA1_80", 30),
        ("AES_CM_128_HMAC_SHA1_32", 30),
        ("AES_192_CM_HMAC_SHA1_80", 38),
        ("AES_256_CM_HMAC_SHA1_80", 46),
        ("AEAD_AES_128_GCM", 28),
        ("AEAD_AES_256_GCM", 44),
    ],
)
def test_every_suite_wants_its_own_length(suite: str, octets: int) -> None:
    assert SUITES[suite] == octets
    for length in (octets - 1, octets, octets + 1):
        lines = parse_valid([f"1 {suite} inline:{base64.b64encode(bytes(length)).decode()}"])
        assert bool(lines) is (length == octets)


@pytest.mark.rfc("4568", "5.1.2")
@pytest.mark.req("KEY-12")
def test_valid_lines_are_kept_and_those_that_we_can_use_are_told() -> None:
    lines = parse_valid(
        [
            f"1 F8_128_HMAC_SHA1_80 inline:{TEXT}",
            f"2 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}|2^20|1:4",
            f"3 AES_CM_128_HMAC_SHA1_80 inline:{TEXT} UNENCRYPTED_SRTP",
            "4 broken",
            f"5 AES_CM_128_HMAC_SHA1_32 inline:{TEXT} -ignored",
            f"5 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",
        ]
    )
    assert [line.tag for line in lines] == [1, 2, 3, 5]
    assert [(line.tag, line.suite) for line in lines if line.usable] == [(5, "AES_CM_128_HMAC_SHA1_32")]


@pytest.mark.req("KEY-11")
def test_repr_shows_no_key() -> None:
    assert repr(Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)) == "Crypto(1 AES_CM_128_HMAC_SHA1_80)"
