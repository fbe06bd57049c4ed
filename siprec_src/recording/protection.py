"""How the media of a recording session is protected, and the keys that are offered (RFC 7866 12.2)."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence

from siprec_src.sdp import dtls
from siprec_src.sdp.crypto import SUITES, Crypto


class MediaSecurity(enum.Enum):
    """What the offer to an SRS asks for, and nothing less is taken."""

    AUTO = "auto"  #: SDES where the URI says ``secure=true``, else none
    NONE = "none"  #: RTP
    SDES = "sdes"  #: SRTP with the keys in the SDP (RFC 4568)
    DTLS = "dtls"  #: SRTP with keys of a handshake between the media ports (RFC 5763)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DtlsEnd:
    """Our end of the DTLS association of one m-line."""

    fingerprint: str  #: of our certificate
    tls_id: str  #: another one asks for another association (RFC 8842 3.1)
    suites: tuple[str, ...]  #: that may be agreed on, preferred first


def fresh_keys(suites: Sequence[str], secret: Callable[[int], bytes]) -> tuple[Crypto, ...]:
    """The ``a=crypto`` lines of one m-line, every key new (RFC 4568 6.1)."""
    return tuple(Crypto(tag, suite, secret(SUITES[suite])) for tag, suite in enumerate(suites, start=1))


def fresh_end(suites: Sequence[str], fingerprint: str, secret: Callable[[int], bytes]) -> DtlsEnd:
    """Our end of a new association, with those of ``suites`` that DTLS can agree on."""
    usable = tuple(suite for suite in suites if suite in dtls.SUITES)
    return DtlsEnd(fingerprint=fingerprint, tls_id=secret(16).hex(), suites=usable)
