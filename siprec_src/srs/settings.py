"""What the bundled SRS is told: where it listens, where it writes, and how it misbehaves on purpose."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from siprec_src.errors import ConfigurationError
from siprec_src.sip.digest import Algorithm
from siprec_src.values import immutable


@immutable
class Behaviour:
    """How the SRS answers; the defaults are those of a good one."""

    refuse: int | None = None  #: answer every new INVITE with this status
    silent: bool = False  #: no final answer to a new INVITE
    inactive: bool = False  #: answer every stream inactive
    port_zero: tuple[int, ...] = ()  #: m-lines refused with port 0, counted from 1
    fewer: bool = False  #: one m-line less in the answer than in the offer
    no_label: bool = False  #: no a=label in the answer
    no_direction: bool = False  #: no direction in the answer
    no_feature: bool = False  #: no +sip.srs in Contact
    plain: bool = False  #: RTP/AVP answered where RTP/SAVP was offered
    no_mux: bool = False  #: no a=rtcp-mux in the answer
    dtls_passive: bool = False  #: the recording client has to begin the DTLS handshake
    dtls_forged: bool = False  #: a=fingerprint of another certificate
    dtls_silent: bool = False  #: DTLS is agreed on, but no handshake takes place
    delay_s: float = 0.0  #: before the final answer to a new INVITE
    bye_after_s: float | None = None  #: after the answer, the SRS ends the session
    snapshot_after_s: float | None = None  #: after the answer, the SRS asks for a snapshot
    digest: str = dataclasses.field(
        default="", repr=False
    )  #: ``user:password`` that every request must prove
    digest_algorithm: Algorithm = Algorithm.SHA_256  #: of those challenges
    digest_stale: bool = False  #: no nonce is ever fresh enough


@immutable
class SrsSettings:
    """The bundled SRS."""

    directory: Path  #: where recordings are written; made when it is not there
    host: str = "127.0.0.1"  #: numeric address to listen on, for SIP over UDP and TCP, and for media
    port: int = 5090  #: SIP port; 0: any
    tls_port: int = 0  #: for SIP over TLS, on `host`; 0: any
    advertised: str = ""  #: host told to peers; empty: `host`
    rtp_low: int = 20000  #: RTP port range, inclusive
    rtp_high: int = 29999
    max_sessions: int = 500  #: recording sessions at a time; above it a new one gets 503
    behaviour: Behaviour = Behaviour()

    def __post_init__(self) -> None:
        if not 1024 <= self.rtp_low < self.rtp_high <= 65535:
            msg = "rtp_low, rtp_high: expected 1024 <= low < high <= 65535"
            raise ConfigurationError(msg)


def parse_behaviour(text: str) -> Behaviour:
    """Read ``answer``, or a comma list such as ``refuse=503``, ``port-zero=2,inactive``, ``bye-after=1.5``.

    Raises:
        ConfigurationError: a word that is not known, or a number that is none.
    """
    known = {field.name.removesuffix("_s").replace("_", "-"): field.name for field in _FIELDS}
    chosen: dict[str, object] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = word.partition("=")
        if word == "answer":
            continue
        if name not in known:
            msg = f"behave: {name!r} is none of answer, {', '.join(known)}"
            raise ConfigurationError(msg)
        try:
            chosen[known[name]] = _value(known[name], value)
        except ValueError:
            msg = f"behave: {name!r} does not say what it should"
            raise ConfigurationError(msg) from None
    return dataclasses.replace(Behaviour(), **chosen)  # type: ignore[arg-type] # names are the fields'


_FIELDS = dataclasses.fields(Behaviour)


def _value(name: str, value: str) -> object:
    match name:
        case "refuse":
            status = int(value)
            if not 300 <= status <= 699:
                raise ValueError(value)
            return status
        case "port_zero":
            return tuple(int(number) for number in value.split("+"))
        case "digest":
            if not all(value.partition(":")):
                raise ValueError(name)
            return value
        case "digest_algorithm":
            return Algorithm(value)
        case "delay_s" | "bye_after_s" | "snapshot_after_s":
            seconds = float(value)
            if not 0 <= seconds <= 86400:
                raise ValueError(value)
            return seconds
        case _:
            if value:
                raise ValueError(value)
            return True
