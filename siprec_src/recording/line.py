"""One m-line of a recording session: the track it carries, its label, port, keys, numbers and fork.

M-lines are never removed (RFC 3264 8): a track that has gone leaves its line disabled. A payload type
keeps its codec for the life of the line (RFC 3264 8.3.2).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Final

from siprec_src.communication import Format, MediaStream
from siprec_src.media.model import DtlsPeer, Endpoint, PortId, SrtpKey
from siprec_src.media.plane import OpenPort
from siprec_src.recording.fork import Fork, Sending
from siprec_src.recording.protection import DtlsEnd
from siprec_src.remembered import numeric_address
from siprec_src.sdp import codecs
from siprec_src.sdp.crypto import Crypto, key_bits
from siprec_src.sdp.dtls import Dtls, Setup, opposite
from siprec_src.sdp.offer_answer import Verdict


class PayloadNumbers:
    """Which codec has which payload type on one m-line, once and for all."""

    def __init__(self) -> None:
        self._codecs: dict[int, Format] = {}

    def claim(self, form: Format) -> None:
        """The number is that codec's, because somebody has said so in SDP."""
        self._codecs.setdefault(form.payload_type, form)

    def numbered(self, forms: Iterable[Format]) -> tuple[Format, ...]:
        """The formats under their own numbers where these are free, else under others."""
        used: set[int] = set()
        found = []
        for form in forms:
            candidates = (form.payload_type, *range(codecs.DYNAMIC_FIRST, 128))
            free = (n for n in candidates if n not in used and n not in codecs.LIKE_RTCP)
            number = next((n for n in free if self.fits(n, form)), None)
            if number is None:
                continue
            used.add(number)
            found.append(dataclasses.replace(form, payload_type=number))
            self.claim(found[-1])
        return tuple(found)

    def fits(self, number: int, form: Format) -> bool:
        """Whether the number is free, or is that codec's already."""
        holder = self._codecs.get(number)
        return holder is None or codecs.same_codec(holder, form)


@dataclasses.dataclass(slots=True, kw_only=True)
class RecordedLine:
    """One m-line; what may change of it changes here."""

    stream: MediaStream  #: as the call has it now
    label: str  #: ``a=label``, the same as long as the recording session lives
    port: OpenPort  #: where its RTP leaves from
    fork: Fork
    cryptos: tuple[Crypto, ...] = ()  #: what is offered, each with a key of its own (RFC 4568 6.1)
    dtls: DtlsEnd | None = None  #: what is offered instead (RFC 5763 5)
    numbers: PayloadNumbers = dataclasses.field(default_factory=PayloadNumbers)
    offered: tuple[Format, ...] = ()  #: what the newest description of ours lists
    removed: bool = False  #: the call has no such track any more
    verdict: Verdict | None = None  #: what the newest exchange agreed on

    @property
    def accepted(self) -> bool:
        return self.verdict is not None and self.verdict.accepted

    def sending(self, *, live: bool) -> Sending | None:
        """How the track goes to the SRS by the newest exchange; None when nothing may be sent at all."""
        verdict = self.verdict
        if self.removed or verdict is None or not verdict.accepted or not verdict.sends_rtcp:
            return None
        if self.stream.source is None or not is_numeric(verdict.host):
            return None
        pairs = self._pairs(verdict)
        if not pairs:
            return None
        return Sending(
            stream=PortId(self.stream.source),
            remote=Endpoint(verdict.host, verdict.port),
            remote_rtcp=_rtcp(verdict),
            rtcp_mux=verdict.rtcp_mux,
            no_rtcp=verdict.no_rtcp,
            payload_types=tuple((ours.payload_type, theirs.payload_type) for ours, theirs in pairs),
            clock_rate=next((ours.clock_rate for ours, _ in pairs if codecs.is_primary(ours)), 8000),
            events=any(codecs.is_event(ours) for ours, _ in pairs),
            send_key=_key(verdict.local_crypto),
            receive_key=_key(verdict.remote_crypto),
            dtls=_peer(self.dtls, verdict.dtls),
            live=live and verdict.sends,
        )

    def weaker_than(self, bits: int) -> bool:
        """Whether a key shorter than ``bits`` may protect it."""
        suites = [crypto.suite for crypto in self.cryptos] + list(self.dtls.suites if self.dtls else ())
        return any(key_bits(suite) < bits for suite in suites)

    def renew_dtls(self, tls_id: str, secret: Callable[[int], bytes]) -> None:
        """The SRS's offer says ``tls_id``: where that is another one, so is ours (RFC 8842 5.3)."""
        known = self.verdict.dtls if self.verdict is not None else None
        if self.dtls is not None and known is not None and known.tls_id != tls_id:
            self.dtls = dataclasses.replace(self.dtls, tls_id=secret(16).hex())

    @property
    def role(self) -> Setup:
        """Ours in the association in force (RFC 8842 5.3)."""
        known = self.verdict.dtls if self.verdict is not None else None
        return Setup.ACTPASS if known is None or known.setup is None else opposite(known.setup)

    def _pairs(self, verdict: Verdict) -> list[tuple[Format, Format]]:
        """The call's formats that the SRS takes, each with the format as the SRS numbers it."""
        found = []
        for ours in self.stream.formats:
            same = [pair for pair in verdict.formats if codecs.same_codec(pair.offered, ours)]
            exact = [pair for pair in same if pair.offered.parameters == ours.parameters]
            if same:
                found.append((ours, (exact or same)[0].answered))
        return found


def is_numeric(host: str) -> bool:
    """Whether media can be sent there without asking a name server."""
    return numeric_address(host) is not None


def _rtcp(verdict: Verdict) -> Endpoint | None:
    """Where RTCP goes; to the host of the media where the answer names no host that can be sent to."""
    if verdict.rtcp is None:
        return None
    address = numeric_address(verdict.rtcp.host)
    known = address is not None and not address.is_unspecified
    return Endpoint(verdict.rtcp.host if known else verdict.host, verdict.rtcp.port)


def label_of(index: int, labels: tuple[str, str], taken: Iterable[str]) -> str:
    """The label of one party's track (0 caller, 1 callee); further tracks of it get the next free number."""
    used: Final = set(taken)
    if labels[index] not in used:
        return labels[index]
    return next(str(n) for n in range(3, 1000) if str(n) not in used and str(n) not in labels)


def _peer(ours: DtlsEnd | None, theirs: Dtls | None) -> DtlsPeer | None:
    if ours is None or theirs is None:
        return None
    return DtlsPeer(
        association=" ".join((ours.tls_id, theirs.tls_id, *theirs.fingerprints)),
        active=theirs.setup is Setup.ACTIVE,
        fingerprints=theirs.fingerprints,
        suites=ours.suites,
    )


def _key(crypto: Crypto | None) -> SrtpKey | None:
    return SrtpKey(crypto.suite, crypto.material) if crypto is not None else None
