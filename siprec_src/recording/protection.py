"""How the media of a recording session is protected, and the keys that are offered (RFC 7866 12.2)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.sdp import dtls
from siprec_src.sdp.crypto import SUITES, Crypto, key_bits
from siprec_src.values import immutable


class MediaSecurity(enum.Enum):
    """What the offer to an SRS asks for, and nothing less is taken."""

    AUTO = "auto"  #: SDES where the URI says ``secure=true``, else none
    NONE = "none"  #: RTP
    SDES = "sdes"  #: SRTP with the keys in the SDP (RFC 4568)
    DTLS = "dtls"  #: SRTP with keys of a handshake between the media ports (RFC 5763)


@immutable
class DtlsEnd:
    """Our end of the DTLS association of one m-line."""

    fingerprint: str  #: of our certificate
    tls_id: str  #: another one asks for another association (RFC 8842 3.1)
    suites: tuple[str, ...]  #: that may be agreed on, preferred first


RISKS: Final = {  #: of agreeing on it by SIP without TLS
    MediaSecurity.SDES: "the SRTP keys cross the network in clear",
    MediaSecurity.DTLS: "whoever changes the fingerprint on the way gets the media",
}


def resolved(wanted: MediaSecurity, said: bool | None) -> MediaSecurity:
    """What ``media_security`` and the URI's ``secure`` say together.

    Raises:
        ConfigurationError: they contradict each other.
    """
    if wanted is MediaSecurity.AUTO:
        return MediaSecurity.SDES if said else MediaSecurity.NONE
    if said is not None and said is (wanted is MediaSecurity.NONE):
        raise ConfigurationError(f'secure={str(said).lower()}, but media_security = "{wanted.value}"')
    return wanted


def suites_for(suites: Sequence[str], security: MediaSecurity, bits: int, *, weaker: bool) -> tuple[str, ...]:
    """Those of the configured suites that may protect a track whose key in the call has ``bits``.

    Keys towards the SRS are as long as that at least (RFC 7866 12.2), unless ``weaker`` ones are let pass.
    """
    usable = [s for s in suites if security is MediaSecurity.SDES or s in dtls.SUITES]
    return tuple(suite for suite in usable if weaker or key_bits(suite) >= bits)


def fresh_keys(suites: Sequence[str], secret: Callable[[int], bytes]) -> tuple[Crypto, ...]:
    """The ``a=crypto`` lines of one m-line, every key new (RFC 4568 6.1)."""
    return tuple(Crypto(tag, suite, secret(SUITES[suite])) for tag, suite in enumerate(suites, start=1))


def fresh_end(suites: Sequence[str], fingerprint: str, secret: Callable[[int], bytes]) -> DtlsEnd:
    """Our end of a new association."""
    return DtlsEnd(fingerprint=fingerprint, tls_id=secret(16).hex(), suites=tuple(suites))
