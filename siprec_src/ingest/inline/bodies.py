"""The session description inside a message, alone or as one part of several (RFC 3264, RFC 5621).

A description is exchanged in place: all other octets of the body stay as they came.
"""

from __future__ import annotations

from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip.body import split_body
from siprec_src.sip.headers import parse_disposition
from siprec_src.sip.message import Message
from siprec_src.values import immutable

_SDP: Final = "application/sdp"


@immutable(kw_only=False)
class SessionBody:
    """The description of a message and the octets it was read from."""

    description: SessionDescription
    octets: bytes


def session_of(message: Message) -> SessionBody | None:
    """The session description of a message; None when it has none.

    Raises:
        RemoteProtocolError: it has one that cannot be read; 415 when it is encoded (RFC 3261 8.2.3).
    """
    media_type = message.content_type if message.body else None
    if media_type is None:
        return None
    if media_type.essence == _SDP:
        return _read(message, message.body)
    if media_type.type.lower() != "multipart":
        return None
    found = [p for p in split_body(message) if p.essence == _SDP and p.disposition.type == "session"]
    if len(found) > 1:  # only one of them could be exchanged, the other would lead past the relay
        raise RemoteProtocolError("several session descriptions", status=415, section="RFC 5621 8.2")
    return _in_place(message, found[0].content) if found else None


def exchanged(body: bytes, old: SessionBody, new: SessionDescription) -> bytes:
    """``body`` with ``new`` where ``old`` was."""
    return body.replace(old.octets, write_sdp(new), 1)


def _in_place(message: Message, octets: bytes) -> SessionBody:
    """A part that stands in the body as it is read, once; one in base64 cannot be exchanged."""
    if message.body.count(octets) != 1:
        raise RemoteProtocolError("encoded or repeated description", status=415, section="RFC 5621 3.2")
    return SessionBody(parse_sdp(octets), octets)


def _read(message: Message, octets: bytes) -> SessionBody | None:
    disposition = message.headers.get("content-disposition")
    if disposition is not None and parse_disposition(disposition).type != "session":
        return None
    encoding = (message.headers.get("content-encoding") or "identity").strip().lower()
    if encoding != "identity":
        raise RemoteProtocolError("encoded session description", status=415, section="RFC 3261 8.2.3")
    return SessionBody(parse_sdp(octets), octets)
