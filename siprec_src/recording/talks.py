"""The SDP of one recording session: what we said last, what both sides agreed on, one offer at a time.

A refused offer changes nothing (RFC 3261 14.1), but its version is used up. Answers are judged line by
line (RFC 3264 6); what was agreed is left in each line's verdict, for the forks to act on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from siprec_src.communication import Direction
from siprec_src.errors import RemoteProtocolError, StateError
from siprec_src.identity import Identity
from siprec_src.recording.line import RecordedLine, is_numeric
from siprec_src.recording.offer import describe, offerable
from siprec_src.recording.srs import SrsTarget
from siprec_src.sdp.model import Media, Origin, SessionDescription
from siprec_src.sdp.offer_answer import Verdict, answer_recorder, check_answer, next_offer

MAX_PREVIEWS: Final = 8  #: early dialogs of one INVITE whose answers are kept


class Talks:
    """Offer and answer of one recording session."""

    def __init__(self, identity: Identity, target: SrsTarget, address: str) -> None:
        self._identity = identity
        number = identity.session_number()
        self._origin = Origin(session_id=number, version=1, address=address)
        self._target = target
        self._agreed: SessionDescription | None = None  #: ours, of the newest exchange that succeeded
        self._newest: SessionDescription | None = None  #: ours, as said last
        self._pending: SessionDescription | None = None
        self._offering: object = None  #: what our newest offer wants of the m-lines
        self._wanted: object = None  #: the same of our newest offer that succeeded
        self._previews: dict[str, SessionDescription] = {}  #: by early dialog

    def offer(
        self, lines: Sequence[RecordedLine], *, paused: bool, asked_for: bool = False
    ) -> SessionDescription:
        """What to offer now; outstanding until answered or refused.

        Where nothing of ours has changed it is what was agreed on, an SRS's own pause included, unless
        the SRS has ``asked_for`` it: then what we would do is offered, as at first (RFC 3261 14.2).
        """
        if self._agreed is not None and not asked_for and not self.differs(lines, paused=paused):
            new = self._renewed(self._agreed)
        else:
            new = self._renewed(self._describe(lines, paused=paused))
        self._newest = self._pending = new
        self._offering = self._wish(lines, paused=paused)
        return new

    def differs(self, lines: Sequence[RecordedLine], *, paused: bool) -> bool:
        """Whether what we want of the m-lines is no more what we offered last with success."""
        return self._wish(lines, paused=paused) != self._wanted

    def answered(self, lines: Sequence[RecordedLine], answer: SessionDescription) -> tuple[str, ...]:
        """Take the answer to our outstanding offer; return what is wrong with it but can be lived with.

        Raises:
            RemoteProtocolError: nothing of it can be used: another number of m-lines, or no security
                where it was asked for (RFC 3264 6, RFC 4568 5.1.3). Nothing was changed.
        """
        if self._pending is None:
            raise RemoteProtocolError("an answer without an offer", section="RFC 3264 4")
        verdicts = [_usable(verdict) for verdict in check_answer(self._pending, answer)]
        _check_security(verdicts)
        self._agreed, self._pending, self._wanted = self._pending, None, self._offering
        return self._take(lines, verdicts)

    def preview(self, dialog: str, answer: SessionDescription) -> None:
        """Keep an answer that came unreliably before the 2xx; nothing is sent by it (RFC 3261 13.2.1)."""
        if len(self._previews) < MAX_PREVIEWS:
            self._previews[dialog] = answer

    def as_previewed(self, dialog: str, answer: SessionDescription) -> bool:
        """Whether the answer in the 2xx is what a 1xx of that dialog has said, if one has."""
        return self._previews.get(dialog, answer) == answer

    def refused(self) -> None:
        """Our outstanding offer was refused: all stays as agreed before."""
        self._pending = None

    def settle(self) -> None:
        """Leave it at the refusal of our newest offer: nothing is due before something else changes."""
        self._wanted = self._offering

    def offered(
        self, lines: Sequence[RecordedLine], offer: SessionDescription, *, paused: bool
    ) -> SessionDescription:
        """Answer an offer of the SRS (RFC 7866 7.2) and take what it says of its side.

        Raises:
            RemoteProtocolError: 488, nothing was changed.
        """
        if self._agreed is None or self._newest is None:
            raise RemoteProtocolError("an offer before there is a session", status=488, section="RFC 3264 4")
        known = lines[: len(self._agreed.media)]
        wanted = Direction.INACTIVE if paused else Direction.SENDONLY
        for line, theirs in zip(known, offer.media, strict=False):
            line.renew_dtls(theirs.attribute("tls-id") or "", self._identity.secret)
        local = _in_roles(self._describe(known, paused=paused), known)
        answer = _answer(local, offer, [wanted] * len(known))
        verdicts = [_usable(verdict) for verdict in check_answer(answer, _one_key_each(answer, offer))]
        for line, verdict in zip(known, verdicts, strict=True):
            if not all(
                line.numbers.fits(pair.answered.payload_type, pair.answered) for pair in verdict.formats
            ):
                raise RemoteProtocolError(
                    "a payload type changes its codec", status=488, section="RFC 3264 8.3.2"
                )
        self._agreed = self._newest = self._renewed(answer)
        self._take(lines, verdicts)
        return self._agreed

    def _wish(self, lines: Sequence[RecordedLine], *, paused: bool) -> object:
        """Everything that decides our description, cheaper to compare than the description itself."""
        config = self._target.config
        return paused, tuple(
            (
                line.removed,
                offerable(line.stream, config),
                line.stream.packet_time_ms,
                line.fork.ssrc if config.source_attributes else None,
            )
            for line in lines
        )

    def _describe(self, lines: Sequence[RecordedLine], *, paused: bool) -> SessionDescription:
        return describe(lines, self._target.config, origin=self._origin, paused=paused)

    def _renewed(self, new: SessionDescription) -> SessionDescription:
        if self._newest is None:
            return new
        if len(new.media) < len(self._newest.media):  # lines of a refused offer were never there
            return new.with_value("o", self._newest.value("o")).with_next_version()
        return next_offer(self._newest, new)

    def _take(self, lines: Sequence[RecordedLine], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
        complaints = []
        for line, verdict in zip(lines, verdicts, strict=False):
            line.verdict = verdict
            for pair in verdict.formats:
                line.numbers.claim(pair.answered)
            if verdict.failure and not line.removed:
                complaints.append(f"label {line.label}: {verdict.failure}")
            complaints.extend(f"label {line.label}: {warning}" for warning in verdict.warnings)
        return tuple(complaints)


def _usable(verdict: Verdict) -> Verdict:
    """Media goes to numeric addresses only: no name server is asked for where packets go."""
    if not verdict.accepted or is_numeric(verdict.host):
        return verdict
    return dataclasses.replace(
        verdict, accepted=False, sends=False, sends_rtcp=False, failure="address is not numeric"
    )


def _check_security(verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.insecure:
            raise RemoteProtocolError(verdict.failure, status=488, section="RFC 4568 5.1.3")


def _in_roles(local: SessionDescription, lines: Sequence[RecordedLine]) -> SessionDescription:
    """Our description as an answer keeps the roles of associations that are there (RFC 8842 5.3)."""
    pairs = zip(lines, local.media, strict=True)
    return local.with_media(
        *(m.with_attribute("setup", line.role.value) if line.dtls is not None else m for line, m in pairs)
    )


def _answer(
    local: SessionDescription, offer: SessionDescription, wanted: Sequence[Direction]
) -> SessionDescription:
    try:
        return answer_recorder(local, offer, wanted)
    except StateError as error:
        raise RemoteProtocolError(str(error), status=488, section=error.section) from error


def _one_key_each(answer: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """The SRS's offer reduced to the key that our answer chose, so that it reads like an answer."""
    media = [_with_chosen(ours, theirs) for ours, theirs in zip(answer.media, offer.media, strict=True)]
    return offer.with_media(*media)


def _with_chosen(ours: Media, theirs: Media) -> Media:
    if not ours.crypto:
        return theirs
    tag = ours.crypto[0].tag
    return theirs.with_crypto(*(line for line in theirs.crypto if line.tag == tag))
