"""SDES: the ``a=crypto`` line (RFC 4568 4, 6, 9.2; suites also of RFC 6188 4 and 7714 14).

A line that breaks a rule is invalid as a whole. Key material never appears in a repr or an error.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.values import immutable

SUITES: Final[Mapping[str, int]] = {  #: octets of master key and salt together
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_192_CM_HMAC_SHA1_80": 38,
    "AES_192_CM_HMAC_SHA1_32": 38,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}

_KEY_BITS: Final = (256, 192, 128)  # of AES, as each suite's name has it

MAX_MATERIAL_BYTES: Final = 256  #: of a suite we do not know, decoded
MAX_PARAMETERS: Final = 16
_MAX_LIFETIME_BITS: Final = 48  # SRTP packets under one key (RFC 3711 9.2)
_MAX_MKI_BYTES: Final = 128  # RFC 4568 6.1

_LINE: Final = re.compile(r"([0-9]{1,9})[ \t]+([A-Za-z0-9_]{1,64})[ \t]+(\S+)(?:[ \t]+(.*\S))?[ \t]*")
_INLINE: Final = re.compile(r"inline:([A-Za-z0-9+/]+={0,2})((?:\|[^|;]*){0,2})")
_LIFETIME: Final = re.compile(r"(2\^)?([0-9]{1,18})")
_MKI: Final = re.compile(r"([0-9]{1,400}):([0-9]{1,3})")
_PARAMETER: Final = re.compile(
    r"KDR=(?:[0-9]|1[0-9]|2[0-4])|UNENCRYPTED_SRTCP|UNENCRYPTED_SRTP|UNAUTHENTICATED_SRTP"
    r"|FEC_ORDER=(?:FEC_SRTP|SRTP_FEC)|FEC_KEY=\S+|WSH=[0-9]{2,9}"
)


@immutable(kw_only=False, repr=False)
class Crypto:
    """One ``a=crypto`` line. Its repr never shows the key."""

    tag: int
    suite: str
    material: bytes  #: master key followed by master salt
    lifetime: int | None = None  #: packets
    mki: tuple[int, int] | None = None  #: value and its length in octets
    parameters: tuple[str, ...] = ()  #: session parameters in order, the ignorable unknown ones too

    def __repr__(self) -> str:
        return f"Crypto({self.tag} {self.suite})"

    @property
    def usable(self) -> bool:
        """Whether we can protect media by it: a suite we know, no MKI, nothing that weakens it."""
        return (
            self.suite in SUITES
            and self.mki is None
            and all(item.startswith("-") for item in self.parameters)
        )


def key_bits(suite: str) -> int:
    """The length of the suite's encryption key, by which keys are compared (RFC 7866 12.2)."""
    return next(bits for bits in _KEY_BITS if str(bits) in suite)


def parse_crypto(value: str) -> Crypto:
    """Read the value of one ``a=crypto`` line, the text behind the colon.

    Raises:
        RemoteProtocolError: 488; the line is invalid (RFC 4568 6.1, 6.3.7, 6.6, 9.2).
    """
    if not (match := _LINE.fullmatch(value)):
        raise _invalid("syntax", "9.2")
    tag, suite, keys, rest = match.groups()
    if len(tag) > 1 and tag.startswith("0"):
        raise _invalid("leading zero in tag", "4.1")
    parameters = tuple((rest or "").split())
    _check_parameters(parameters)
    material, lifetime, mki = _parse_keys(keys)
    expected = SUITES.get(suite)
    if expected is not None and len(material) != expected:
        raise _invalid("key and salt have the wrong length for the suite", "6.1")
    return Crypto(int(tag), suite, material, lifetime, mki, parameters)


def parse_valid(values: Iterable[str]) -> tuple[Crypto, ...]:
    """The valid lines among ``values``; invalid ones and repeated tags are passed over (RFC 4568 5.1.2)."""
    found: dict[int, Crypto] = {}
    for value in values:
        try:
            crypto = parse_crypto(value)
        except RemoteProtocolError:
            continue
        found.setdefault(crypto.tag, crypto)
    return tuple(found.values())


def format_crypto(crypto: Crypto) -> str:
    """The value of the ``a=crypto`` line. This text is a secret."""
    text = f"{crypto.tag} {crypto.suite} inline:{base64.b64encode(crypto.material).decode('ascii')}"
    if crypto.lifetime is not None:
        power = crypto.lifetime.bit_length() - 1
        exact = crypto.lifetime == 1 << power
        text += f"|2^{power}" if exact else f"|{crypto.lifetime}"
    if crypto.mki is not None:
        text += f"|{crypto.mki[0]}:{crypto.mki[1]}"
    return " ".join((text, *crypto.parameters))


def _check_parameters(parameters: tuple[str, ...]) -> None:
    if len(parameters) > MAX_PARAMETERS:
        raise _invalid(f"more than {MAX_PARAMETERS} session parameters", "6.3")
    for item in parameters:
        if not item.startswith("-") and not _PARAMETER.fullmatch(item):
            raise _invalid("unknown mandatory session parameter", "6.3.7")


def _parse_keys(text: str) -> tuple[bytes, int | None, tuple[int, int] | None]:
    """The first key of the list; several are only valid when each has an MKI (RFC 4568 6.1)."""
    keys = [_parse_key(item) for item in text.split(";", MAX_PARAMETERS)]
    if len(keys) > 1 and any(mki is None for _, _, mki in keys):
        raise _invalid("several keys without MKI", "6.1")
    return keys[0]


def _parse_key(text: str) -> tuple[bytes, int | None, tuple[int, int] | None]:
    if not (match := _INLINE.fullmatch(text)):
        raise _invalid("key parameter", "6.1")
    try:
        material = base64.b64decode(match[1], validate=True)
    except binascii.Error as error:
        raise _invalid("key is not base64", "6.1") from error
    if not 0 < len(material) <= MAX_MATERIAL_BYTES:
        raise _invalid("key length", "6.1")
    lifetime: int | None = None
    mki: tuple[int, int] | None = None
    for position, field in enumerate(match[2].split("|")[1:]):
        if position == 0 and ":" not in field:
            lifetime = _parse_lifetime(field)
        elif mki is None:
            mki = _parse_mki(field)
        else:
            raise _invalid("key parameter", "6.1")
    return material, lifetime, mki


def _parse_lifetime(text: str) -> int:
    if not (match := _LIFETIME.fullmatch(text)) or (match[1] and int(match[2]) > _MAX_LIFETIME_BITS):
        raise _invalid("lifetime", "6.1")
    lifetime = 1 << int(match[2]) if match[1] else int(match[2])
    if not 0 < lifetime <= 1 << _MAX_LIFETIME_BITS:
        raise _invalid("lifetime", "6.1")
    return lifetime


def _parse_mki(text: str) -> tuple[int, int]:
    if not (match := _MKI.fullmatch(text)):
        raise _invalid("MKI", "6.1")
    value, length_bytes = int(match[1]), int(match[2])
    if not 0 < length_bytes <= _MAX_MKI_BYTES or value >= 1 << (8 * length_bytes):
        raise _invalid("MKI", "6.1")
    return value, length_bytes


def _invalid(what: str, section: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"a=crypto: {what}", status=488, section=f"RFC 4568 {section}")
