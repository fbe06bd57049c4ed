"""RTP payload formats that need no words: the static table of RFC 3551 6, and what an encoding is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from siprec_src.communication import Format

DYNAMIC_FIRST: Final = 96  #: first payload type of the dynamic range (RFC 3551 6)
LIKE_RTCP: Final = range(64, 96)  #: on a port with both these look like RTCP (RFC 5761 4)

_EVENTS: Final = frozenset({"telephone-event", "tone"})  # RFC 4733
_COMFORT_NOISE: Final = frozenset({"cn"})  # RFC 3389
_HELPERS: Final = frozenset(
    {"red", "rtx", "ulpfec", "parityfec", "flexfec", "t140"}
)  # RFC 2198, 4588, 5109, 4103

STATIC: Final[Mapping[int, Format]] = {
    entry[0]: Format(payload_type=entry[0], encoding=entry[1], clock_rate=entry[2], channels=entry[3])
    for entry in (
        (0, "PCMU", 8000, 1),
        (3, "GSM", 8000, 1),
        (4, "G723", 8000, 1),
        (5, "DVI4", 8000, 1),
        (6, "DVI4", 16000, 1),
        (7, "LPC", 8000, 1),
        (8, "PCMA", 8000, 1),
        (9, "G722", 8000, 1),  # 8000 on the wire though it samples at 16000 (RFC 3551 4.5.2)
        (10, "L16", 44100, 2),
        (11, "L16", 44100, 1),
        (12, "QCELP", 8000, 1),
        (13, "CN", 8000, 1),
        (14, "MPA", 90000, 1),
        (15, "G728", 8000, 1),
        (16, "DVI4", 11025, 1),
        (17, "DVI4", 22050, 1),
        (18, "G729", 8000, 1),
        (25, "CelB", 90000, 1),
        (26, "JPEG", 90000, 1),
        (28, "nv", 90000, 1),
        (31, "H261", 90000, 1),
        (32, "MPV", 90000, 1),
        (33, "MP2T", 90000, 1),
        (34, "H263", 90000, 1),
    )
}


def is_event(form: Format) -> bool:
    """Whether the format carries DTMF and tones as named events (RFC 4733)."""
    return form.encoding.lower() in _EVENTS


def is_comfort_noise(form: Format) -> bool:
    """Whether the format describes silence (RFC 3389)."""
    return form.encoding.lower() in _COMFORT_NOISE


def is_primary(form: Format) -> bool:
    """Whether the format carries the medium itself: no event, comfort noise, redundancy or repair."""
    name = form.encoding.lower()
    return name not in _EVENTS and name not in _COMFORT_NOISE and name not in _HELPERS


def same_codec(one: Format, other: Format) -> bool:
    """Whether two formats are one codec under possibly different numbers (RFC 3264 6.1)."""
    return (
        one.encoding.lower() == other.encoding.lower()
        and one.clock_rate == other.clock_rate
        and one.channels == other.channels
    )


def rtpmap(form: Format) -> str:
    """The value of ``a=rtpmap`` for a format (RFC 8866 6.6)."""
    channels = f"/{form.channels}" if form.channels != 1 else ""
    return f"{form.payload_type} {form.encoding}/{form.clock_rate}{channels}"
