"""SRTP through pylibsrtp (RFC 3711, RFC 4568 6.2, RFC 7714 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pylibsrtp import Error, Policy, Session

from siprec_src.media.model import SrtpKey
from siprec_src.sdp.crypto import Crypto

Transform = Callable[[bytes], bytes]

_PROFILES: Final[Mapping[str, int]] = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


def opener(key: Crypto | SrtpKey) -> Transform:
    """Opens RTP under ``key``; ValueError for what fails authentication or is a replay."""
    return _checked(_session(key, Policy.SSRC_ANY_INBOUND).unprotect)


def rtcp_opener(key: Crypto | SrtpKey) -> Transform:
    """Opens RTCP under ``key``; of a session of its own, so that another thread may use it."""
    return _checked(_session(key, Policy.SSRC_ANY_INBOUND).unprotect_rtcp)


def rtcp_sealer(key: Crypto | SrtpKey) -> Transform:
    """Protects RTCP under ``key``."""
    return _checked(_session(key, Policy.SSRC_ANY_OUTBOUND).protect_rtcp)


def _session(key: Crypto | SrtpKey, kind: int) -> Session:
    return Session(Policy(key=key.material, ssrc_type=kind, srtp_profile=_PROFILES[key.suite]))


def _checked(transform: Transform) -> Transform:
    def guarded(packet: bytes) -> bytes:
        try:
            return transform(packet)
        except Error as error:
            msg = str(error)
            raise ValueError(msg) from None

    return guarded
