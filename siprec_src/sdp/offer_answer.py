"""Offer/answer: who may offer now, what an answer means, how an offer of the recorder is answered.

RFC 3264 throughout; RFC 7866 7 and 8.3 for the recording session, where the recording client sends and
the recording server only receives. M-lines are matched by position, never by label (RFC 3264 6).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from siprec_src.communication import Direction, Format
from siprec_src.errors import RemoteProtocolError, StateError
from siprec_src.sdp import codecs
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.dtls import Dtls, Setup, agree, is_dtls, opposite, read_dtls
from siprec_src.sdp.model import Media, Rtcp, SessionDescription
from siprec_src.values import immutable


class Exchange(enum.Enum):
    """Whose offer is outstanding (RFC 3264 4)."""

    STABLE = "stable"
    WE_OFFERED = "we-offered"
    THEY_OFFERED = "they-offered"


@immutable(kw_only=False)
class Negotiation:
    """The state of offer/answer in one dialog: one offer at a time, in either direction (RFC 3264 4).

    ``local`` and ``remote`` are the newest descriptions of both sides that an exchange agreed on.
    """

    exchange: Exchange = Exchange.STABLE
    local: SessionDescription | None = None
    remote: SessionDescription | None = None
    pending: SessionDescription | None = None  #: the offer without an answer yet

    def offer(self, description: SessionDescription) -> Negotiation:
        """We send an offer. Raises StateError while another is outstanding; nothing may be sent then."""
        if self.exchange is not Exchange.STABLE:
            raise StateError(f"an offer is outstanding: {self.exchange.value}", section="RFC 3264 4")
        return dataclasses.replace(self, exchange=Exchange.WE_OFFERED, pending=description)

    def answered(self, description: SessionDescription) -> Negotiation:
        """Their answer to our offer has come."""
        if self.exchange is not Exchange.WE_OFFERED or self.pending is None:
            raise RemoteProtocolError("an answer without an offer", section="RFC 3264 4")
        pair_media(self.pending, description)
        return Negotiation(local=self.pending, remote=description)

    def offered(self, description: SessionDescription) -> Negotiation:
        """They offer. Raises RemoteProtocolError with 491 for glare, 500 for a second one (RFC 3261 14.2)."""
        if self.exchange is not Exchange.STABLE:
            status = 491 if self.exchange is Exchange.WE_OFFERED else 500
            raise RemoteProtocolError("an offer is outstanding", status=status, section="RFC 3264 4")
        if self.remote is not None and len(description.media) < len(self.remote.media):
            raise RemoteProtocolError("an m-line was removed", status=488, section="RFC 3264 8")
        return dataclasses.replace(self, exchange=Exchange.THEY_OFFERED, pending=description)

    def answer(self, description: SessionDescription) -> Negotiation:
        """We answer their offer."""
        if self.exchange is not Exchange.THEY_OFFERED or self.pending is None:
            raise StateError("there is no offer to answer", section="RFC 3264 4")
        if len(description.media) != len(self.pending.media):
            raise StateError("an answer has the offer's m-lines", section="RFC 3264 6")
        return Negotiation(local=description, remote=self.pending)

    def refused(self) -> Negotiation:
        """The outstanding offer was refused or withdrawn: all is as before it (RFC 3264 8)."""
        return Negotiation(local=self.local, remote=self.remote)


@immutable(kw_only=False)
class Accepted:
    """One codec of our offer that the answer took, with both numbers."""

    offered: Format
    answered: Format  #: its payload type is the one to send with (RFC 3264 7)


@immutable
class Verdict:
    """What the answer to one of our m-lines lets us do."""

    index: int  #: position of the m-line
    accepted: bool  #: a port, a format and, where secured, a key are agreed on
    sends: bool  #: we may send RTP now
    sends_rtcp: bool  #: we may send RTCP now
    direction: Direction  #: ours
    formats: tuple[Accepted, ...] = ()  #: in the answer's order
    host: str = ""  #: where RTP goes
    port: int = 0
    rtcp: Rtcp | None = None
    rtcp_mux: bool = False
    no_rtcp: bool = False  #: they give RTCP no bandwidth (RFC 3556 2)
    local_crypto: Crypto | None = None  #: our offered line that was chosen: protects what we send
    remote_crypto: Crypto | None = None  #: the answer's: opens what they send (RFC 4568 5.1.3)
    dtls: Dtls | None = None  #: their end of the association that makes the keys instead
    failure: str = ""  #: why it cannot be used, when `accepted` is False
    insecure: bool = False  #: that is because the protection that we offered was not agreed on
    warnings: tuple[str, ...] = ()


def mirrored(direction: Direction) -> Direction:
    """The same stream seen from the other side."""
    match direction:
        case Direction.SENDONLY:
            return Direction.RECVONLY
        case Direction.RECVONLY:
            return Direction.SENDONLY
        case _:
            return direction


def restricted(offered: Direction, wanted: Direction) -> Direction:
    """Our direction in the answer: what we want, as far as their offer lets us (RFC 3264 6.1)."""
    theirs = mirrored(offered)
    return _direction(sends=theirs.sends and wanted.sends, receives=theirs.receives and wanted.receives)


def effective_direction(description: SessionDescription, media: Media) -> Direction:
    """What the side that wrote ``description`` does with an m-line, both spellings of hold understood.

    A disabled m-line is inactive; with ``c=0.0.0.0`` its side receives nothing (RFC 3264 8.4).
    """
    if media.rejected:
        return Direction.INACTIVE
    said = description.direction(media)
    connection = description.connection(media)
    if connection is None or connection.on_hold:
        return _direction(sends=said.sends, receives=False)
    return said


def pair_media(offer: SessionDescription, answer: SessionDescription) -> tuple[tuple[Media, Media], ...]:
    """The m-lines of offer and answer by position.

    Raises RemoteProtocolError when their number differs (RFC 3264 6).
    """
    if len(offer.media) != len(answer.media):
        raise RemoteProtocolError(
            f"answer has {len(answer.media)} m-lines, the offer {len(offer.media)}",
            status=488,
            section="RFC 3264 6",
        )
    return tuple(zip(offer.media, answer.media, strict=True))


def check_answer(offer: SessionDescription, answer: SessionDescription) -> tuple[Verdict, ...]:
    """Judge the answer to an offer of ours, one verdict for each m-line in order.

    Raises RemoteProtocolError when the number of m-lines differs; nothing of such an answer can be used.
    """
    pairs = pair_media(offer, answer)
    return tuple(_judge(index, offer, answer, ours, theirs) for index, (ours, theirs) in enumerate(pairs))


def next_offer(previous: SessionDescription, new: SessionDescription) -> SessionDescription:
    """``new`` under the ``o=`` of ``previous``: same version if nothing changed, else one higher.

    Raises StateError when ``new`` drops an m-line or gives a payload type another codec.
    Rules: RFC 3264 8 and 8.3.2.
    """
    if len(new.media) < len(previous.media):
        raise StateError("m-lines are never removed", section="RFC 3264 8")
    for before, after in zip(previous.media, new.media, strict=False):
        _check_payload_types(before, after)
    same_origin = new.with_value("o", previous.value("o"))
    return previous if same_origin == previous else same_origin.with_next_version()


def answer_recorder(
    local: SessionDescription, offer: SessionDescription, wanted: Sequence[Direction]
) -> SessionDescription:
    """Answer an offer of the SRS inside a recording session (RFC 7866 7.2).

    ``local`` is our newest description; its ports, labels and keys stay. ``wanted`` is the direction
    per m-line that we would take (sendonly while recording, inactive while paused). Raises
    RemoteProtocolError with 488 when the SRS adds a stream, drops one, or changes profile, codec or
    suite, StateError when the answer would give a payload type another codec; the session is then
    unchanged.
    """
    if len(offer.media) != len(local.media):
        raise _unacceptable("an SRS neither adds nor removes streams", "RFC 7866 7.2")
    media = [
        _answer_media(offer, ours, theirs, want)
        for ours, theirs, want in zip(local.media, offer.media, wanted, strict=True)
    ]
    answer = local.with_media(*media).with_value("t", offer.value("t") or "0 0")
    return next_offer(local, answer)


def _direction(*, sends: bool, receives: bool) -> Direction:
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


def _judge(
    index: int, offer: SessionDescription, answer: SessionDescription, ours: Media, theirs: Media
) -> Verdict:
    """One m-line of an answer, with the mistakes that recorders make forgiven where that is safe."""
    if ours.rejected or theirs.rejected:
        return _failed(index, "port 0")
    connection = answer.connection(theirs)
    if connection is None:
        return _failed(index, "no connection address")
    if theirs.medium != ours.medium:
        return _failed(index, f"{ours.medium} answered with {theirs.medium[:20]}")
    if not _same_profile(ours.protocol, theirs.protocol):
        failure = f"{ours.protocol} answered with {theirs.protocol[:20]}"
        return _failed(index, failure, insecure=ours.is_sdes or is_dtls(ours))
    formats = _accepted_formats(ours, theirs)
    if not any(codecs.is_primary(pair.answered) for pair in formats):
        return _failed(index, "no format of the offer accepted")
    local, remote, failure = _chosen_crypto(ours, theirs)
    association, broken = _association(offer, answer, ours, theirs)
    if failure := failure or broken:
        return _failed(index, failure, insecure=True)
    offered, warnings = offer.direction(ours), list(_cross_check(ours, theirs))
    direction, complaint = _our_direction(offered, answer, theirs)
    if complaint:
        warnings.append(complaint)
    held = connection.on_hold
    return Verdict(
        index=index,
        accepted=True,
        sends=direction.sends and not held,
        sends_rtcp=not held,
        direction=direction,
        formats=formats,
        host=connection.host,
        port=theirs.port,
        rtcp=answer.rtcp(theirs),
        rtcp_mux=ours.rtcp_mux and theirs.rtcp_mux,
        no_rtcp=theirs.no_rtcp,
        local_crypto=local,
        remote_crypto=remote,
        dtls=association,
        warnings=tuple(warnings),
    )


def _failed(index: int, failure: str, *, insecure: bool = False) -> Verdict:
    return Verdict(
        index=index,
        accepted=False,
        sends=False,
        sends_rtcp=False,
        direction=Direction.INACTIVE,
        failure=failure,
        insecure=insecure,
    )


def _our_direction(offered: Direction, answer: SessionDescription, theirs: Media) -> tuple[Direction, str]:
    """Our direction after the answer, and what is wrong with theirs (RFC 3264 6.1).

    Recorders leave the direction away or say sendrecv and mean recvonly; that is forgiven. One that
    says sendonly receives nothing.
    """
    said = answer.direction(theirs)
    direction = restricted(said, offered)
    if offered is Direction.SENDONLY and said.sends:
        return direction, f"sendonly answered with {said.value}"
    if offered is Direction.INACTIVE and said is not Direction.INACTIVE:
        return direction, f"inactive answered with {said.value}"
    return direction, ""


def _same_profile(ours: str, theirs: str) -> bool:
    """Whether both are one transport and protection; feedback (RFC 4585) need not be understood to send."""
    return ours.upper().removesuffix("F") == theirs.upper().removesuffix("F")


def _accepted_formats(ours: Media, theirs: Media) -> tuple[Accepted, ...]:
    """Formats of the answer that are codecs of the offer, in the answer's order.

    A number that the answer does not explain means what the offer said of it (RFC 3264 6.1).
    """
    offered = ours.rtp_formats
    by_number = {form.payload_type: form for form in offered}
    described = {form.payload_type: form for form in theirs.rtp_formats}
    accepted = []
    for number in theirs.payload_types:
        answered = described.get(number) or by_number.get(number)
        if answered is None:
            continue
        same = [form for form in offered if codecs.same_codec(form, answered)]
        exact = [form for form in same if form.payload_type == answered.payload_type]
        if same:
            accepted.append(Accepted((exact or same)[0], answered))
    return tuple(accepted)


def _chosen_crypto(ours: Media, theirs: Media) -> tuple[Crypto | None, Crypto | None, str]:
    """Our line, theirs, and what is wrong: exactly one, our tag and suite, an own key (RFC 4568 5.1.3)."""
    if not ours.is_sdes:
        return None, None, ""
    lines = theirs.crypto
    if len(theirs.attributes("crypto")) != 1 or len(lines) != 1:
        return None, None, "not exactly one valid a=crypto"
    chosen = lines[0]
    local = next((line for line in ours.crypto if line.tag == chosen.tag), None)
    if local is None or local.suite != chosen.suite or not chosen.usable:
        return None, None, "a=crypto was not offered"
    if any(line.material == chosen.material for line in ours.crypto):
        return None, None, "a=crypto repeats our own key"
    return local, chosen, ""


def _association(
    offer: SessionDescription, answer: SessionDescription, ours: Media, theirs: Media
) -> tuple[Dtls | None, str]:
    """Their end of the DTLS association, and what is wrong with it (RFC 5763 5)."""
    if not is_dtls(ours):
        return None, ""
    local = read_dtls(offer, ours, default=Setup.ACTIVE)
    default = Setup.ACTIVE if local.setup is Setup.PASSIVE else Setup.PASSIVE
    return agree(local, read_dtls(answer, theirs, default=default))


def _cross_check(ours: Media, theirs: Media) -> tuple[str, ...]:
    """What differs without harm: labels only inform (RFC 3264 6)."""
    if theirs.label is not None and theirs.label != ours.label:
        return (f"label {(ours.label or '')[:40]!r} answered with {theirs.label[:40]!r}",)
    return ()


def _check_payload_types(before: Media, after: Media) -> None:
    known = {form.payload_type: form for form in before.rtp_formats}
    for form in after.rtp_formats:
        old = known.get(form.payload_type)
        if old is not None and not codecs.same_codec(old, form) and not before.rejected:
            raise StateError(f"payload type {form.payload_type} changes its codec", section="RFC 3264 8.3.2")


def _answer_media(offer: SessionDescription, ours: Media, theirs: Media, wanted: Direction) -> Media:
    if theirs.rejected or ours.rejected:
        return ours.with_port(0)  # protocol and formats stay (RFC 3264 6)
    if theirs.protocol.upper() != ours.protocol.upper() or theirs.medium != ours.medium:
        raise _unacceptable("the SRS changes a stream's profile", "RFC 3264 8.3")
    formats = tuple(
        pair.answered
        for pair in _accepted_formats(ours, theirs)  # our codecs under their numbers
    )
    if not any(codecs.is_primary(form) for form in formats):
        raise _unacceptable("the SRS offers no codec of the stream", "RFC 3264 6.1")
    media = ours.with_formats(formats)
    if ours.is_sdes:
        media = media.with_crypto(_answer_crypto(ours, theirs))
    if is_dtls(ours):
        media = media.with_attribute("setup", _answer_setup(offer, ours, theirs).value)
    if not theirs.rtcp_mux:
        media = media.without_attribute("rtcp-mux")
    return media.with_direction(restricted(offer.direction(theirs), wanted))


def _answer_crypto(ours: Media, theirs: Media) -> Crypto:
    """Our key in force under the tag of their line with its suite (RFC 4568 5.1.2, 7.1.4)."""
    for line in theirs.crypto:
        same = next((own for own in ours.crypto if own.suite == line.suite and line.usable), None)
        if same is not None:
            return dataclasses.replace(same, tag=line.tag)
    raise _unacceptable("the SRS offers no crypto suite of the stream", "RFC 4568 5.1.2")


def _answer_setup(offer: SessionDescription, ours: Media, theirs: Media) -> Setup:
    """Our role: the one in force, else the active one, unless they take it (RFC 5763 5, RFC 8842 5.3)."""
    said = read_dtls(offer, theirs, default=Setup.ACTIVE).setup
    if said is None:
        raise _unacceptable("the SRS wants no DTLS association", "RFC 5763 5")
    if said is not Setup.ACTPASS:
        return opposite(said)
    return Setup.PASSIVE if ours.attribute("setup") == Setup.PASSIVE.value else Setup.ACTIVE


def _unacceptable(what: str, section: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, status=488, section=section)
