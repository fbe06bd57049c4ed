"""What the same SRS may be asked instead, once it has refused an INVITE (RFC 3261 8.1.3.5, 21.4).

Each remedy changes one thing that the refusal complains of. None takes ``siprec`` out of the request, and
none changes how the media is protected: an SRS that wants less gets nothing (RFC 4568 7.4, RFC 7866 12).
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final, assert_never

from siprec_src.errors import RemoteProtocolError
from siprec_src.recording.srs import MetadataType, SrsConfig, SrsTarget
from siprec_src.sip import headers as h
from siprec_src.sip.message import Response


class Remedy(enum.Enum):
    """One change to our request; the value is for people."""

    OTHER_TYPE = "the other media type of metadata"  #: RFC 9806
    OPTIONAL_METADATA = "metadata that it may ignore"
    NO_METADATA = "no metadata"
    NO_EXTENSIONS = "no extension data"
    OTHER_CODECS = "other codecs"
    NO_FEEDBACK = "a profile without feedback"  #: RTP/AVP for RTP/AVPF, and the secure pair


def remedy(response: Response, target: SrsTarget) -> Remedy | None:
    """What of our request the SRS may be spared; None where it means it as it says it."""
    match response.status:
        case 413 if target.config.extensions:
            return Remedy.NO_EXTENSIONS
        case 415 if target.metadata:
            return _for_media_type(response, target.config)
        case 488 | 606 if target.config.feedback and not _only(response, _CODECS):
            return Remedy.NO_FEEDBACK
        case 488 | 606 if target.config.fallback_codecs and not _only(response, _NETWORK):
            return Remedy.OTHER_CODECS
        case _:
            return None


def applied(target: SrsTarget, change: Remedy) -> SrsTarget:
    """The same SRS, asked in another way."""
    config = target.config
    match change:
        case Remedy.OTHER_TYPE:
            now = config.metadata_type
            other = MetadataType.OLD if now is MetadataType.CURRENT else MetadataType.CURRENT
            config = dataclasses.replace(config, metadata_type=other)
        case Remedy.OPTIONAL_METADATA:
            config = dataclasses.replace(config, metadata_required=False)
        case Remedy.NO_METADATA:
            return dataclasses.replace(target, metadata=False)
        case Remedy.NO_EXTENSIONS:
            config = dataclasses.replace(config, extensions=())
        case Remedy.OTHER_CODECS:
            config = dataclasses.replace(config, codecs=config.fallback_codecs)
        case Remedy.NO_FEEDBACK:
            config = dataclasses.replace(config, feedback=False)
        case _:
            assert_never(change)
    return dataclasses.replace(target, config=config)


def warnings_of(response: Response) -> str:
    """The SRS's own words on what it does not take (RFC 3261 20.43)."""
    try:
        found = [w for line in response.headers.all("warning") for w in h.parse_warnings(line)]
    except RemoteProtocolError:
        return ""
    return "; ".join(f"{warning.code} {warning.text}" for warning in found)[:_MAX_TEXT]


_MAX_TEXT: Final = 200  #: characters of an SRS's own words that are logged
_CODECS: Final = (304, 305)  #: warnings of media types and formats
_NETWORK: Final = (300, 301, 302, 330, 331, 370)  #: warnings of addresses, transport and bandwidth


def _for_media_type(response: Response, config: SrsConfig) -> Remedy | None:
    """A 415 lists what would be taken (RFC 3261 21.4.13)."""
    try:
        accepted = {item.essence for line in response.headers.all("accept") for item in h.parse_accept(line)}
    except RemoteProtocolError:
        return None
    if not accepted or accepted & {config.metadata_type.value, "application/*", "*/*"}:
        return None
    if accepted & {kind.value for kind in MetadataType}:
        return Remedy.OTHER_TYPE
    if config.metadata_required:
        return Remedy.OPTIONAL_METADATA
    return Remedy.NO_METADATA if config.sdp_only_if_refused else None


def _only(response: Response, causes: tuple[int, ...]) -> bool:
    """Whether the SRS names causes, and no others than these (RFC 3261 20.43)."""
    try:
        codes = [w.code for line in response.headers.all("warning") for w in h.parse_warnings(line)]
    except RemoteProtocolError:
        return False
    return bool(codes) and all(code in causes for code in codes)
