"""What a session description looks like on the other side of the B2BUA (RFC 8866, RFC 3264).

Only where media goes is ours: ``c=``, the ports, ``a=rtcp``, the SDES keys. Everything else passes as it
came, ``o=`` and hold in both spellings included. Taken out on purpose: ICE (RFC 8839), since its
candidates would lead the parties past the relay, and ``a=group:BUNDLE`` (RFC 9143), since every m-line has
its own ports here. DTLS-SRTP and profiles without a key for us pass as opaque datagrams, media over TCP
goes from party to party as if we were not there.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.keys import usable_lines
from siprec_src.media.model import Endpoint
from siprec_src.remembered import numeric_address
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Line, Media, SessionDescription
from siprec_src.values import immutable

MAX_MEDIA_LINES: Final = 16  #: m-lines of one call; each holds two port pairs

_ICE: Final = (  # RFC 8839 5
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-lite",
    "ice-mismatch",
    "ice-pacing",
)
_RTP_PROFILES: Final = frozenset({"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"})


class Treatment(enum.Enum):
    """How the datagrams of an m-line pass."""

    RTP = "rtp"  #: relayed and accounted as RTP; recordable
    RAW = "raw"  #: relayed as opaque datagrams
    DIRECT = "direct"  #: not relayed: TCP


@immutable
class OurPlace:
    """Where one m-line is received by us, as the party that reads the description sees it."""

    port: int | None  #: None: no ports are held for it, so it is shown with port 0
    treatment: Treatment
    crypto: tuple[Crypto, ...] = ()  #: lines with our keys; none: no line


def treatment(media: Media) -> Treatment:
    """How an offered m-line will be relayed."""
    protocol = media.protocol.upper()
    if protocol in _RTP_PROFILES:
        keyed = not media.is_sdes or bool(usable_lines(media))
        return Treatment.RTP if keyed else Treatment.RAW
    return Treatment.DIRECT if "TCP" in protocol else Treatment.RAW


def rewritten(description: SessionDescription, places: Sequence[OurPlace], host: str) -> SessionDescription:
    """``description`` with our address ``host`` and our places instead of those of the party."""
    session = description.own_connection
    out = _without_bundle(description.without_attribute(*_ICE))
    if session is not None and not session.on_hold:
        out = out.with_connection(host)
    media = [
        _media(description, line, place, host) for line, place in zip(description.media, places, strict=True)
    ]
    return out.with_media(*media)


def place_of_party(description: SessionDescription, media: Media, version: int) -> Endpoint | None:
    """Where the party takes RTP of an m-line; None: nothing is to be sent there (RFC 3264 8.4).

    ``version`` is that of IP which our ports that face the party have.

    Raises:
        RemoteProtocolError: 488; a host name, a multicast group or an address of the other version, which
            the relay does not serve.
    """
    connection = description.connection(media)
    if connection is None or connection.on_hold or connection.host.lower().endswith(".invalid"):
        return None
    return Endpoint(_served(connection.host, version), media.port)


def rtcp_of_party(description: SessionDescription, media: Media, version: int) -> Endpoint | None:
    """Where the party takes RTCP when it says so explicitly (RFC 3605); None: on RTP's port + 1."""
    if media.attribute("rtcp") is None or place_of_party(description, media, version) is None:
        return None
    rtcp = description.rtcp(media)
    return None if rtcp is None else Endpoint(_served(rtcp.host, version), rtcp.port)


def _media(description: SessionDescription, media: Media, place: OurPlace, host: str) -> Media:
    if place.treatment is Treatment.DIRECT:
        connection = description.connection(media)
        return media if connection is None else media.with_connection(connection.host)
    out = media.without_attribute(*_ICE)
    own = media.own_connection
    if own is not None and not own.on_hold:
        out = out.with_connection(host)
    if place.treatment is Treatment.RTP and (place.crypto or media.attributes("crypto")):
        out = out.with_crypto(*place.crypto)
    if media.rejected or place.port is None:
        return out.with_port(0).without_attribute("rtcp")
    if media.attribute("rtcp") is not None:
        rtcp = description.rtcp(media)
        same = rtcp is not None and rtcp.port == media.port
        out = out.with_rtcp(place.port if same else place.port + 1)
    return out.with_port(place.port)


def _without_bundle(description: SessionDescription) -> SessionDescription:
    lines = tuple(line for line in description.lines if not _is_bundle(line))
    return dataclasses.replace(description, lines=lines)


def _is_bundle(line: Line) -> bool:
    return line.attribute == "group" and line.value.partition(":")[2].split()[:1] == ["BUNDLE"]


def _served(host: str, version: int) -> str:
    address = numeric_address(host)
    if address is None:
        text = f"media address {host[:60]!r} is not numeric"
        raise RemoteProtocolError(text, status=488, section="RFC 8866 5.7")
    if address.is_multicast:
        raise RemoteProtocolError("multicast media", status=488, section="RFC 3264 5.2")
    if address.version != version:
        text = f"an IPv{address.version} media address, and our ports are IPv{version}"
        raise RemoteProtocolError(text, status=488, section="RFC 3264 6")
    return host


def check_offer(description: SessionDescription, version: int) -> None:
    """Whether every m-line can be relayed by ports of this IP version.

    Raises:
        RemoteProtocolError: 488; too many m-lines, or media addresses that the relay does not serve.
    """
    if len(description.media) > MAX_MEDIA_LINES:
        text = f"more than {MAX_MEDIA_LINES} m-lines"
        raise RemoteProtocolError(text, status=488, section="RFC 3264 6")
    for media in description.media:
        if not media.rejected and treatment(media) is not Treatment.DIRECT:
            rtcp_of_party(description, media, version)
            place_of_party(description, media, version)
