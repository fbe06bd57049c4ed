"""SDP from octets to the model (RFC 8866 5, 9).

Strict where an error would send media to the wrong place: version, origin, connection, m-lines. Every
other line is kept as it is. Line ends may be CRLF or LF.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.remembered import remembered
from siprec_src.sdp.model import Line, Media, SessionDescription

MAX_SDP_BYTES: Final = 65_535
MAX_LINES: Final = 2_000
MAX_LINE_BYTES: Final = 8_192
MAX_MEDIA: Final = 64
MAX_FORMATS: Final = 128  #: of one m-line

_LINE: Final = re.compile(r"([a-zA-Z])=(.*)")
_MEDIA: Final = re.compile(
    r"([!-.0-~]{1,64})[ ]+([0-9]{1,5})(?:/([0-9]{1,5}))?[ ]+([!-~]{1,64})((?:[ ]+[!-~]{1,128})+)[ ]*"
)
_ORIGIN: Final = re.compile(r"\S{1,255}[ ]+([0-9]{1,20})[ ]+([0-9]{1,20})[ ]+IN[ ]+IP[46][ ]+\S{1,255}[ ]*")
_CONNECTION: Final = re.compile(r"IN[ ]+(IP[46])[ ]+([A-Za-z0-9.:_-]{1,255})(?:/[0-9]{1,3}){0,2}[ ]*")
_CONTROL: Final = re.compile(r"[\x00\r]")


def parse_sdp(data: bytes) -> SessionDescription:
    """Read one session description.

    Raises:
        RemoteProtocolError: 400 for what breaks the syntax or a limit, 488 for a network we do not know.
    """
    lines = _split(data)
    if not lines or lines[0] != Line("v", "0"):
        raise _error("must begin with v=0", "5.1")
    at = next((i for i, line in enumerate(lines) if line.kind == "m"), len(lines))
    session = tuple(lines[:at])
    _check_session(session)
    description = SessionDescription(session, _parse_media(lines[at:]))
    for media in description.media:
        if media.port and description.connection(media) is None:
            raise _error("m-line without connection", "5.7")
    return description


def _split(data: bytes) -> list[Line]:
    if len(data) > MAX_SDP_BYTES:
        raise _error(f"longer than {MAX_SDP_BYTES} bytes", "5")
    texts = data.decode("utf-8", "surrogateescape").rstrip("\r\n\x00 ").split("\n")
    if len(texts) > MAX_LINES:
        raise _error(f"more than {MAX_LINES} lines", "5")
    return [_line(text.removesuffix("\r")) for text in texts if text not in ("", "\r")]


@remembered
def _line(text: str) -> Line:
    match = _LINE.fullmatch(text)
    if match is None or len(text) > MAX_LINE_BYTES or _CONTROL.search(text):
        # Only its beginning: further on an a=crypto line has a key (RFC 4568 9.1).
        raise _error(f"line {text[:9]!r}…", "9")
    kind, value = match.groups()
    if kind == "c":
        _check_connection(value)
    return Line(kind, value)


def _check_session(lines: tuple[Line, ...]) -> None:
    origins = [line.value for line in lines if line.kind == "o"]
    if len(origins) != 1 or not _ORIGIN.fullmatch(origins[0]):
        raise _error("o= missing, repeated or malformed", "5.2")
    if sum(line.kind == "c" for line in lines) > 1:
        raise _error("more than one c= for the session", "5.7")


def _parse_media(lines: list[Line]) -> tuple[Media, ...]:
    starts = [i for i, line in enumerate(lines) if line.kind == "m"]
    if len(starts) > MAX_MEDIA:
        raise _error(f"more than {MAX_MEDIA} m-lines", "5.14")
    ends = [*starts, len(lines)][1:]
    return tuple(
        _media(lines[start].value, tuple(lines[start + 1 : end]))
        for start, end in zip(starts, ends, strict=True)
    )


def _media(value: str, lines: tuple[Line, ...]) -> Media:
    if not (match := _MEDIA.fullmatch(value)):
        raise _error(f"m={value[:60]!r}", "5.14")
    medium, port, count, protocol, formats = match.groups()
    tokens = tuple(formats.split())
    if int(port) > 65535 or int(count or 1) not in range(1, 65536) or len(tokens) > MAX_FORMATS:
        raise _error(f"m={value[:60]!r}", "5.14")
    return Media(
        medium=medium,
        port=int(port),
        port_count=int(count or 1),
        protocol=protocol,
        formats=tokens,
        lines=lines,
    )


def _check_connection(value: str) -> None:
    words = value.split()
    if len(words) == 3 and (words[0] != "IN" or words[1] not in ("IP4", "IP6")):
        raise RemoteProtocolError(f"SDP: c={value[:60]!r}", status=488, section="RFC 8866 5.7")
    match = _CONNECTION.fullmatch(value)
    if match is None or not _is_host(match[1], match[2]):
        raise _error(f"c={value[:60]!r}", "5.7")


def _is_host(kind: str, host: str) -> bool:
    """A numeric address of the family that the line names, or a host name."""
    if ":" not in host and not re.fullmatch(r"[0-9.]+", host):
        return True
    try:
        return ipaddress.ip_address(host).version == (6 if kind == "IP6" else 4)
    except ValueError:
        return False


def _error(what: str, section: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"SDP: {what}", status=400, section=f"RFC 8866 {section}")
