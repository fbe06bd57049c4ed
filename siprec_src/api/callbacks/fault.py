"""How a callback names the end of a Siprec that no SRS has, or has any more."""

from __future__ import annotations

from typing import Final

from siprec_src.recording.outcome import Outcome
from siprec_src.telemetry import advice
from siprec_src.values import immutable


@immutable
class SiprecFault:
    """What a callback says of a Siprec that has failed."""

    code: int  #: ``SiprecErrorCode``
    text: str  #: ``SiprecError``


def siprec_fault(outcome: Outcome, *, secure: bool, tls: bool) -> SiprecFault:
    """What is told of this end; the codes are those of `api.codes`.

    ``secure``: its connector asks for SRTP; ``tls``: its SRSs are reached by TLS.
    """
    what, remedy = advice.reason(outcome.reason, outcome.status, outcome.detail)
    text = f"the SRS: {what}" if outcome.reason.startswith("srs-") else what
    told = "; ".join(part for part in (text, outcome.detail, remedy) if part)
    return SiprecFault(code=_code_of(outcome, secure=secure, tls=tls), text=told[:_MAX_TEXT])


_MAX_TEXT: Final = 500  #: characters of ``SiprecError``
_MEDIA_REFUSED: Final = (488, 606)
_NO_ROOM: Final = ("ports-exhausted", "no-room", "media-down", "media-restart")
_SDP: Final = ("srs-bad-answer", "srs-no-media", "track-refused", "track-missing", "track-not-agreed")
_NOT_SECURE: Final = ("srs-not-secure", "srs-dtls-failed", "dtls-failed", "dtls-lost")


def _code_of(outcome: Outcome, *, secure: bool, tls: bool) -> int:
    reason, refused = outcome.reason, outcome.status in _MEDIA_REFUSED
    if reason in _NOT_SECURE or (
        secure and (refused or reason == "srs-no-media" or "SAVP" in outcome.detail)
    ):
        return 32207
    if reason in _SDP or refused:
        return 32102
    if reason == "srs-unreachable" and tls:
        return 32222
    if reason in _NO_ROOM:
        return 20503
    return {"no-track": 31941, "no-srs": 31942, "internal-error": 20500}.get(reason, 32011)
