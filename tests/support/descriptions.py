"""Session descriptions of phones, and how a ladder shows them."""

from __future__ import annotations

from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sip.message import Message


def sdp(host: str, *media: str, session: str = "", version: int = 1) -> bytes:
    """A description of ``host``; each of ``media`` is an m-line's value and its further lines."""
    at = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
    head = f"v=0\r\no=- 1 {version} {at}\r\ns=-\r\nc={at}\r\nt=0 0\r\n{session}"
    blocks = (f"m={block.strip()}\n".replace("\r", "").replace("\n", "\r\n") for block in media)
    return (head + "".join(blocks)).encode()


PCMU = "audio {port} RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000"


def audio(host: str, port: int, *lines: str, version: int = 1) -> bytes:
    """G.711 and telephone events at ``host`` and ``port``, with further lines."""
    return sdp(host, "\n".join((PCMU.format(port=port), *lines)), version=version)


def described(message: Message) -> SessionDescription:
    """The session description that is a message's whole body."""
    return parse_sdp(message.body)


def media_text(message: Message) -> str:
    """The m-lines of a message: medium, address, direction when it is said."""
    if not message.body or message.content_type is None or message.content_type.essence != "application/sdp":
        return ""
    try:
        session = described(message)
    except RemoteProtocolError:
        return "  [unreadable]"
    found = []
    for media in session.media:
        connection = session.connection(media)
        place = f"{connection.host if connection else '-'}:{media.port}"
        direction = f" {media.own_direction.value}" if media.own_direction else ""
        found.append(f"{media.medium} {place}{direction}")
    return f"  [{', '.join(found)}]"
