"""DTLS-SRTP in SDP: ``a=fingerprint``, ``a=setup``, ``a=tls-id`` (RFC 5763 5, RFC 8122 5, RFC 8842 5)."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping
from typing import Final

from siprec_src.sdp.model import Media, SessionDescription
from siprec_src.values import immutable

PROTOCOL: Final = "UDP/TLS/RTP/SAVP"  #: RFC 5764 8

SUITES: Final[Mapping[str, tuple[int, int]]] = {  #: those with a DTLS profile: octets of key and of salt
    "AES_CM_128_HMAC_SHA1_80": (16, 14),  # RFC 5764 4.1.2
    "AES_CM_128_HMAC_SHA1_32": (16, 14),
    "AEAD_AES_128_GCM": (16, 12),  # RFC 7714 14.2
    "AEAD_AES_256_GCM": (32, 12),
}

HASHES: Final[Mapping[str, int]] = {  #: of certificates, octets; what is weaker proves nothing (RFC 8122 5)
    "sha-256": 32,
    "sha-384": 48,
    "sha-512": 64,
}

_FINGERPRINT: Final = re.compile(
    r"([A-Za-z0-9-]{1,20})[ \t]+([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63})[ \t]*"
)
_TLS_ID: Final = re.compile(r"[A-Za-z0-9+/_-]{20,255}")  # RFC 8842 5.1


class Setup(enum.Enum):
    """Who begins the handshake (RFC 4145 4, RFC 5763 5)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"


@immutable
class Dtls:
    """What one side of an m-line says of its end of the association."""

    fingerprints: tuple[str, ...]  #: ``sha-256 AB:CD:…``, only of hashes that are strong enough
    setup: Setup | None  #: None: ``holdconn``, or nothing that is known
    tls_id: str = ""  #: another one means another association (RFC 8842 3.1)


def is_dtls(media: Media) -> bool:
    """Whether the profile is SRTP keyed by DTLS; feedback need not be understood (RFC 5764 8)."""
    return media.protocol.upper() in (PROTOCOL, PROTOCOL + "F")


def read_dtls(description: SessionDescription, media: Media, *, default: Setup) -> Dtls:
    """What ``description`` says of one m-line, there or for the whole session.

    ``default`` is what the absence of ``a=setup`` means, in which offer and answer differ (RFC 4145 4).
    """
    own = media.attributes("fingerprint")
    setup, tls_id = (media.attribute(n) or description.attribute(n) for n in ("setup", "tls-id"))
    return Dtls(
        fingerprints=_fingerprints(own or description.attributes("fingerprint")),
        setup=_setup(setup, default),
        tls_id=tls_id if tls_id is not None and _TLS_ID.fullmatch(tls_id) else "",
    )


def agree(ours: Dtls, theirs: Dtls) -> tuple[Dtls | None, str]:
    """Their end as it will behave, active or passive, or why there will be no association."""
    if not theirs.fingerprints:
        return None, "no a=fingerprint of a strong hash"
    match ours.setup, theirs.setup:
        case (Setup.ACTPASS | Setup.PASSIVE, Setup.ACTIVE) | (Setup.ACTPASS | Setup.ACTIVE, Setup.PASSIVE):
            return theirs, ""
        case (Setup.ACTIVE | Setup.PASSIVE) as setup, Setup.ACTPASS:
            return dataclasses.replace(theirs, setup=opposite(setup)), ""
        case _:
            return None, "a=setup leaves nobody to begin, or two"


def opposite(setup: Setup) -> Setup:
    """The role of the other side."""
    return Setup.PASSIVE if setup is Setup.ACTIVE else Setup.ACTIVE


def _fingerprints(values: Iterable[str]) -> tuple[str, ...]:
    """Those that a certificate may be known by, spelled alike; weak and malformed ones are passed over."""
    found = []
    for value in values:
        match = _FINGERPRINT.fullmatch(value)
        if match and HASHES.get(match[1].lower(), 0) * 3 - 1 == len(match[2]):
            found.append(f"{match[1].lower()} {match[2].upper()}")
    return tuple(dict.fromkeys(found))


def _setup(value: str | None, default: Setup) -> Setup | None:
    if value is None:
        return default
    word = value.strip().lower()
    return Setup(word) if word in (setup.value for setup in Setup) else None
