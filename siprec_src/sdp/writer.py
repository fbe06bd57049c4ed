"""SDP from the model to octets: CRLF after each line, unknown octets as they came (RFC 8866 5)."""

from __future__ import annotations

from siprec_src.sdp.model import Media, SessionDescription


def write_sdp(description: SessionDescription) -> bytes:
    """The octets of a description. Bytes that were no UTF-8 when parsed are written as they were."""
    lines = [f"{line.kind}={line.value}" for line in description.lines]
    for media in description.media:
        lines.append(_media_line(media))
        lines.extend(f"{line.kind}={line.value}" for line in media.lines)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def _media_line(media: Media) -> str:
    count = f"/{media.port_count}" if media.port_count != 1 else ""
    return f"m={media.medium} {media.port}{count} {media.protocol} {' '.join(media.formats)}"
