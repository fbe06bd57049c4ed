"""The answer of an SRS: recvonly, labelled, by position, with its own key where secured (RFC 7866 7.2, 8)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from siprec_src.communication import Direction, Format
from siprec_src.media.model import DtlsPeer
from siprec_src.sdp import codecs
from siprec_src.sdp.crypto import SUITES, Crypto
from siprec_src.sdp.dtls import Setup, agree, is_dtls, read_dtls
from siprec_src.sdp.model import Media, Origin, Rtcp, SessionDescription, new_session
from siprec_src.sdp.offer_answer import next_offer, restricted
from siprec_src.srs.settings import Behaviour
from siprec_src.values import immutable

CODECS: Final = ("PCMU", "PCMA")
SECURE_SUITES: Final = (  #: those that pylibsrtp can do, preferred first where the choice is ours
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
)


@immutable
class Reception:
    """What one accepted m-line makes us receive."""

    index: int  #: position of the m-line
    label: str
    formats: tuple[Format, ...]
    rtp: Rtcp | None  #: where it comes from, and our handshake goes to; None: nowhere
    rtcp: Rtcp | None  #: where our receiver reports go; None: nowhere
    rtcp_mux: bool = False  #: they come and go on the RTP port (RFC 5761)
    receive_key: Crypto | None = None  #: the offer's, opens what comes
    send_key: Crypto | None = None  #: ours, protects our RTCP
    dtls: DtlsPeer | None = None  #: whose handshake makes the keys instead (RFC 5763)


def acceptable(media: Media) -> tuple[Format, ...]:
    """Formats of an m-line that can be recorded, G.711 first to last as offered; empty: none."""
    if media.rejected or media.medium != "audio" or not media.is_rtp:
        return ()
    forms = media.rtp_formats
    if not any(_is_g711(form) for form in forms):
        return ()
    return tuple(form for form in forms if _is_g711(form) or codecs.is_event(form))


def choose_key(media: Media) -> Crypto | None:
    """The first line of a secured m-line that we can open (RFC 4568 5.1.2)."""
    return next((line for line in media.crypto if line.usable and line.suite in SECURE_SUITES), None)


def make_answer(
    offer: SessionDescription,
    *,
    ports: Mapping[int, int],
    origin: Origin,
    keys: Mapping[int, Crypto],
    secret: Callable[[int], bytes],
    behaviour: Behaviour,
    fingerprint: str = "",
) -> tuple[SessionDescription, tuple[Reception, ...]]:
    """The answer to ``offer``, and what we receive by it.

    Args:
        offer: of the recording client.
        ports: position of an m-line to the RTP port opened for it; others are refused with port 0.
        origin: our ``o=``.
        keys: our own keys by position, kept from an exchange before.
        secret: makes key material.
        behaviour: what to do wrong on purpose.
        fingerprint: of our certificate; "": no DTLS.
    """
    answers: list[Media] = []
    receptions: list[Reception] = []
    for index, media in enumerate(offer.media):
        forms = acceptable(media)
        chosen = choose_key(media) if media.is_sdes else None
        dtls = _peer(offer, media, behaviour) if fingerprint and is_dtls(media) else None
        insecure = (media.is_sdes and chosen is None) or (is_dtls(media) and dtls is None)
        refused = index + 1 in behaviour.port_zero or insecure
        if not forms or refused or index not in ports:
            answers.append(_refusal(media))
            continue
        own = _own_key(chosen, keys.get(index), secret) if chosen is not None else None
        answer = _answer(offer, media, forms, ports[index], own, behaviour)
        if dtls is not None:
            answer = _with_dtls(answer, media, dtls, fingerprint)
        answers.append(answer)
        reception = _reception(index, offer, forms, answer)
        receptions.append(dataclasses.replace(reception, receive_key=chosen, send_key=own, dtls=dtls))
    made = new_session(origin, *answers[: len(answers) - behaviour.fewer])
    return made.with_value("t", offer.value("t") or "0 0"), tuple(receptions)


def renewed(previous: SessionDescription | None, answer: SessionDescription) -> SessionDescription:
    """The answer under the version that follows the one before (RFC 3264 8)."""
    return answer if previous is None else next_offer(previous, answer)


def _is_g711(form: Format) -> bool:
    return form.encoding.upper() in CODECS and form.clock_rate == 8000 and form.channels == 1


def _refusal(media: Media) -> Media:
    """Port 0 with the offer's protocol and a format (RFC 3264 6)."""
    return Media(medium=media.medium, port=0, protocol=media.protocol, formats=media.formats[:1])


def _answer(
    offer: SessionDescription,
    media: Media,
    forms: tuple[Format, ...],
    port: int,
    own: Crypto | None,
    behaviour: Behaviour,
) -> Media:
    plain = behaviour.plain and own is not None
    answer = Media(
        medium=media.medium, port=port, protocol="RTP/AVP" if plain else media.protocol, formats=()
    ).with_formats(forms)
    if media.packet_time_ms is not None:
        answer = answer.with_packet_time(media.packet_time_ms)
    if own is not None and not plain:
        answer = answer.with_crypto(own)
    if media.label is not None and not behaviour.no_label:
        answer = answer.with_label(media.label)
    if media.rtcp_mux and not behaviour.no_mux:
        answer = answer.with_attribute("rtcp-mux", "")
    if behaviour.no_direction:
        return answer
    wanted = Direction.INACTIVE if behaviour.inactive else Direction.RECVONLY
    return answer.with_direction(restricted(offer.direction(media), wanted))


def _reception(index: int, offer: SessionDescription, forms: tuple[Format, ...], answer: Media) -> Reception:
    """What we receive by the answer to one m-line; its keys are not in it yet."""
    media = offer.media[index]
    return Reception(
        index=index,
        label=media.label or str(index + 1),
        formats=forms,
        rtp=_rtp(offer, media),
        rtcp=_rtcp(offer, media, mux=answer.rtcp_mux),
        rtcp_mux=answer.rtcp_mux,
    )


def _own_key(chosen: Crypto, before: Crypto | None, secret: Callable[[int], bytes]) -> Crypto:
    """Our key under the tag and suite of theirs; the same as before while the suite is (RFC 4568 7.1.4)."""
    if before is not None and before.suite == chosen.suite:
        return dataclasses.replace(before, tag=chosen.tag)
    return Crypto(chosen.tag, chosen.suite, secret(SUITES[chosen.suite]))


def _peer(offer: SessionDescription, media: Media, behaviour: Behaviour) -> DtlsPeer | None:
    """Their end of the association; we begin it where we may, as RFC 5763 5 would have it."""
    theirs = read_dtls(offer, media, default=Setup.ACTIVE)
    ours = Setup.PASSIVE if behaviour.dtls_passive or theirs.setup is Setup.ACTIVE else Setup.ACTIVE
    agreed, _ = agree(dataclasses.replace(theirs, setup=ours), theirs)
    if agreed is None:
        return None
    return DtlsPeer(
        association=" ".join((theirs.tls_id, *theirs.fingerprints)),
        active=agreed.setup is Setup.ACTIVE,
        fingerprints=theirs.fingerprints,
        suites=SECURE_SUITES,
    )


def _with_dtls(answer: Media, media: Media, peer: DtlsPeer, fingerprint: str) -> Media:
    """Our end; its id is made of theirs, so that it is as new as theirs is (RFC 8842 5.3)."""
    setup = Setup.PASSIVE if peer.active else Setup.ACTIVE
    answer = answer.with_attribute("fingerprint", fingerprint).with_attribute("setup", setup.value)
    tls_id = media.attribute("tls-id")
    return answer if tls_id is None else answer.with_attribute("tls-id", tls_id[::-1])


def _rtp(offer: SessionDescription, media: Media) -> Rtcp | None:
    connection = offer.connection(media)
    return None if connection is None or connection.on_hold else Rtcp(connection.host, media.port)


def _rtcp(offer: SessionDescription, media: Media, *, mux: bool) -> Rtcp | None:
    if _rtp(offer, media) is None or mux:
        return _rtp(offer, media)
    return offer.rtcp(media.without_attribute("rtcp-mux"))
