"""SDP as immutable values that keep every line, known or not, in its place (RFC 8866 5).

Typed views read what they understand and pass over the rest; after `parse_sdp` none of them raises.
Methods called ``with_…`` and ``without_…`` return a new value and leave the old one as it was.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from siprec_src.communication import Direction, Format
from siprec_src.remembered import remembered
from siprec_src.sdp import codecs
from siprec_src.sdp.crypto import Crypto, format_crypto, parse_valid
from siprec_src.values import immutable

_SESSION_ORDER: Final = "vosiuepcbtrzka"  # RFC 8866 5
_MEDIA_ORDER: Final = "icbka"
_DIRECTIONS: Final = tuple(direction.value for direction in Direction)
_RTPMAP: Final = re.compile(r"([0-9]{1,3})[ \t]+([^\s/]{1,64})/([0-9]{1,9})(?:/([0-9]{1,2}))?[ \t]*")
_RTCP: Final = re.compile(r"([0-9]{1,5})(?:[ \t]+IN[ \t]+IP[46][ \t]+(\S{1,255}))?[ \t]*")
_CONTENT: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}(?:,[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}){0,7}"
)
_MAX_PTIME_MS: Final = 1000


@immutable(kw_only=False)
class Line:
    """One line ``kind=value``."""

    kind: str
    value: str

    @property
    def attribute(self) -> str:
        """Name of the attribute; empty when this is no ``a=`` line."""
        return self.value.partition(":")[0] if self.kind == "a" else ""


@immutable
class Origin:
    """``o=`` (RFC 8866 5.2); of others also beyond the 63 bits of RFC 3264 5: some count in NTP."""

    username: str = "-"
    session_id: int
    version: int
    address: str  #: without brackets, or a host name

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {_net(self.address)}"


@immutable(kw_only=False)
class Connection:
    """``c=`` (RFC 8866 5.7)."""

    host: str  #: numeric address without brackets, or a host name

    @property
    def on_hold(self) -> bool:
        """The old spelling of hold, where nothing at all is to be sent (RFC 3264 8.4)."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 -- compared, never bound


@immutable(kw_only=False)
class Rtcp:
    """Where RTCP goes (RFC 3605)."""

    host: str
    port: int


@immutable
class Media:
    """One m-line with everything under it."""

    medium: str
    port: int
    port_count: int = 1
    protocol: str  #: ``RTP/AVP`` and so on, as written
    formats: tuple[str, ...]  #: tokens of the m-line
    lines: tuple[Line, ...] = ()

    def attribute(self, name: str) -> str | None:
        """Value of the first ``a=name``; "" for a flag, None when there is none."""
        return _attribute(self.lines, name)

    def attributes(self, name: str) -> tuple[str, ...]:
        return _attributes(self.lines, name)

    @property
    def rejected(self) -> bool:
        """Port 0: offered as disabled, or refused (RFC 3264 5.1, 6)."""
        return self.port == 0

    @property
    def is_rtp(self) -> bool:
        return "RTP/" in self.protocol.upper()

    @property
    def is_sdes(self) -> bool:
        """Whether the profile is SRTP keyed by ``a=crypto``, not by DTLS (RFC 4568, RFC 5764 8)."""
        return self.protocol.upper() in ("RTP/SAVP", "RTP/SAVPF")

    @property
    def own_connection(self) -> Connection | None:
        return _connection(self.lines)

    @property
    def own_direction(self) -> Direction | None:
        return _direction(self.lines)

    @property
    def label(self) -> str | None:
        """``a=label``, an opaque text (RFC 4574)."""
        return self.attribute("label")

    @property
    def content(self) -> str:
        """``a=content`` (RFC 4796 5); "" when absent or no list of tokens."""
        value = self.attribute("content") or ""
        return value if _CONTENT.fullmatch(value) else ""

    @property
    def rtcp_mux(self) -> bool:
        """RFC 5761 5.1.1."""
        return self.attribute("rtcp-mux") is not None

    @property
    def no_rtcp(self) -> bool:
        """Neither senders nor receivers have bandwidth for reports (RFC 3556 2)."""
        return {"RS:0", "RR:0"} <= {line.value.strip() for line in self.lines if line.kind == "b"}

    @property
    def packet_time_ms(self) -> int | None:
        """``a=ptime`` rounded down; None when absent or without sense."""
        value = (self.attribute("ptime") or "").strip().partition(".")[0]
        if not value.isascii() or not value.isdigit() or len(value) > 4:
            return None
        return int(value) if 0 < int(value) <= _MAX_PTIME_MS else None

    @property
    def crypto(self) -> tuple[Crypto, ...]:
        """The valid ``a=crypto`` lines in order."""
        return parse_valid(self.attributes("crypto"))

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The payload types that an RTP m-line lists, preferred first."""
        numbers = (int(t) for t in self.formats if t.isascii() and t.isdigit() and len(t) <= 3)
        return tuple(number for number in numbers if number < 128)

    @property
    def rtp_formats(self) -> tuple[Format, ...]:
        """The formats of an RTP m-line, preferred first; those nobody described are left out."""
        maps = _rtpmaps(self.attributes("rtpmap"))
        parameters = _fmtp(self.attributes("fmtp"))
        found = []
        for number in self.payload_types:
            known = maps.get(number) or codecs.STATIC.get(number)
            if known is not None:
                text = parameters.get(number)
                found.append(dataclasses.replace(known, parameters=text) if text else known)
        return tuple(found)

    def with_port(self, port: int) -> Media:
        return dataclasses.replace(self, port=port, port_count=1)

    def with_protocol(self, protocol: str) -> Media:
        return dataclasses.replace(self, protocol=protocol)

    def with_connection(self, host: str | None) -> Media:
        """Its own ``c=`` replaced, or taken away."""
        value = None if host is None else _net(host)
        return dataclasses.replace(self, lines=_replaced(self.lines, "c", value, _MEDIA_ORDER))

    def with_attribute(self, name: str, *values: str) -> Media:
        """All ``a=name`` replaced by these, at the first one's place, else at the end; "" makes a flag."""
        return dataclasses.replace(self, lines=_with_attribute(self.lines, name, values))

    def without_attribute(self, *names: str) -> Media:
        return dataclasses.replace(self, lines=_without_attribute(self.lines, names))

    def with_direction(self, direction: Direction) -> Media:
        """The direction said explicitly, also when it is sendrecv (RFC 3264 5.1)."""
        return dataclasses.replace(self, lines=_with_direction(self.lines, direction))

    def with_label(self, label: str) -> Media:
        return self.with_attribute("label", label)

    def with_packet_time(self, packet_time_ms: int) -> Media:
        return self.with_attribute("ptime", str(packet_time_ms))

    def with_rtcp(self, port: int | None, host: str | None = None) -> Media:
        """``a=rtcp`` set, or taken away for RTP port + 1 (RFC 3605)."""
        if port is None:
            return self.without_attribute("rtcp")
        return self.with_attribute("rtcp", str(port) if host is None else f"{port} {_net(host)}")

    def with_crypto(self, *lines: Crypto) -> Media:
        return self.with_attribute("crypto", *(format_crypto(line) for line in lines))

    def with_formats(self, formats: tuple[Format, ...]) -> Media:
        """The m-line lists these, each with its rtpmap, static ones too (RFC 3264 5.1), and its fmtp."""
        bare = self.without_attribute("rtpmap", "fmtp")
        described = []
        for form in formats:
            described.append(Line("a", f"rtpmap:{codecs.rtpmap(form)}"))
            if form.parameters:
                described.append(Line("a", f"fmtp:{form.payload_type} {form.parameters}"))
        at = next((i for i, line in enumerate(bare.lines) if line.kind == "a"), len(bare.lines))
        lines = (*bare.lines[:at], *described, *bare.lines[at:])
        return dataclasses.replace(self, formats=tuple(str(f.payload_type) for f in formats), lines=lines)


@immutable(kw_only=False)
class SessionDescription:
    """A whole description: the lines before the first m-line, and the m-lines."""

    lines: tuple[Line, ...]
    media: tuple[Media, ...] = ()

    def attribute(self, name: str) -> str | None:
        """Value of the first session-level ``a=name``; "" for a flag, None when there is none."""
        return _attribute(self.lines, name)

    def attributes(self, name: str) -> tuple[str, ...]:
        return _attributes(self.lines, name)

    def value(self, kind: str) -> str | None:
        """Value of the first session-level line of this kind, e.g. ``t``."""
        return next((line.value for line in self.lines if line.kind == kind), None)

    @property
    def origin(self) -> Origin:
        """``o=``; the parser has made sure that it can be read."""
        username, session_id, version, _net_type, _type, address = (self.value("o") or "").split()
        return Origin(username=username, session_id=int(session_id), version=int(version), address=address)

    @property
    def own_connection(self) -> Connection | None:
        return _connection(self.lines)

    def connection(self, media: Media) -> Connection | None:
        """``c=`` of the m-line, else of the session."""
        return media.own_connection or self.own_connection

    def direction(self, media: Media) -> Direction:
        """Direction of the m-line, else of the session, else sendrecv (RFC 8866 6.7)."""
        return media.own_direction or _direction(self.lines) or Direction.SENDRECV

    def rtcp(self, media: Media) -> Rtcp | None:
        """Where this side takes RTCP of an m-line: ``a=rtcp``, else RTP port + 1; None without address."""
        connection = self.connection(media)
        match = _RTCP.fullmatch(media.attribute("rtcp") or "")
        if match and 0 < int(match[1]) <= 65535 and (match[2] or connection):
            return Rtcp(match[2] or (connection.host if connection else ""), int(match[1]))
        if connection is None or media.port == 0:
            return None
        if media.rtcp_mux:
            return Rtcp(connection.host, media.port)
        return Rtcp(connection.host, media.port + 1) if media.port < 65535 else None

    def with_version(self, version: int) -> SessionDescription:
        """The version alone replaced, every other word of ``o=`` as it was (RFC 3264 8)."""
        words = (self.value("o") or "").split()
        words[2] = str(version)
        return self.with_value("o", " ".join(words))

    def with_next_version(self) -> SessionDescription:
        """The version one higher (RFC 3264 8)."""
        return self.with_version(self.origin.version + 1)

    def with_connection(self, host: str | None) -> SessionDescription:
        """The session's ``c=`` replaced, or taken away; those of the m-lines stay."""
        value = None if host is None else _net(host)
        return dataclasses.replace(self, lines=_replaced(self.lines, "c", value, _SESSION_ORDER))

    def with_value(self, kind: str, value: str | None) -> SessionDescription:
        """All session-level lines of one kind replaced by one; for ``s``, ``t`` and their like."""
        return dataclasses.replace(self, lines=_replaced(self.lines, kind, value, _SESSION_ORDER))

    def with_attribute(self, name: str, *values: str) -> SessionDescription:
        return dataclasses.replace(self, lines=_with_attribute(self.lines, name, values))

    def without_attribute(self, *names: str) -> SessionDescription:
        return dataclasses.replace(self, lines=_without_attribute(self.lines, names))

    def with_direction(self, direction: Direction) -> SessionDescription:
        return dataclasses.replace(self, lines=_with_direction(self.lines, direction))

    def with_media(self, *media: Media) -> SessionDescription:
        """The same session with these m-lines."""
        return dataclasses.replace(self, media=media)

    def with_media_at(self, index: int, media: Media) -> SessionDescription:
        return dataclasses.replace(self, media=(*self.media[:index], media, *self.media[index + 1 :]))


def new_session(origin: Origin, *media: Media, connection: str | None = None) -> SessionDescription:
    """A description of our own making: ``v= o= s= c= t=`` and these m-lines.

    The session's ``c=`` is ``connection``, or the address of ``origin`` when that is None.
    """
    lines = (
        Line("v", "0"),
        Line("o", str(origin)),
        Line("s", "-"),
        Line("c", _net(origin.address if connection is None else connection)),
        Line("t", "0 0"),
    )
    return SessionDescription(lines, media)


def _net(host: str) -> str:
    return f"IN IP6 {host}" if ":" in host else f"IN IP4 {host}"


def _attribute(lines: tuple[Line, ...], name: str) -> str | None:
    prefix = f"{name}:"
    for line in lines:
        if line.kind == "a" and (line.value == name or line.value.startswith(prefix)):
            return line.value[len(prefix) :]
    return None


def _attributes(lines: tuple[Line, ...], name: str) -> tuple[str, ...]:
    prefix = f"{name}:"
    return tuple(
        [
            line.value[len(prefix) :]
            for line in lines
            if line.kind == "a" and (line.value == name or line.value.startswith(prefix))
        ]
    )


def _connection(lines: tuple[Line, ...]) -> Connection | None:
    for line in lines:
        if line.kind == "c" and len(words := line.value.split()) == 3:
            return Connection(words[2].partition("/")[0])  # behind the slash: TTL of a multicast address
    return None


def _direction(lines: tuple[Line, ...]) -> Direction | None:
    for line in lines:
        if line.kind == "a" and line.value.strip() in _DIRECTIONS:
            return Direction(line.value.strip())
    return None


def _replaced(lines: tuple[Line, ...], kind: str, value: str | None, order: str) -> tuple[Line, ...]:
    """Lines of ``kind`` replaced by one, at the first one's place, else where RFC 8866 5 has it."""
    first = next((i for i, line in enumerate(lines) if line.kind == kind), None)
    rest = [line for line in lines if line.kind != kind]
    if value is None:
        return tuple(rest)
    if first is None:
        later = order[order.index(kind) + 1 :]
        first = next((i for i, line in enumerate(rest) if line.kind in later), len(rest))
    return (*rest[:first], Line(kind, value), *rest[first:])


def _with_attribute(lines: tuple[Line, ...], name: str, values: tuple[str, ...]) -> tuple[Line, ...]:
    new = [Line("a", f"{name}:{value}" if value else name) for value in values]
    first = next((i for i, line in enumerate(lines) if line.attribute == name), len(lines))
    return (*lines[:first], *new, *_without_attribute(lines[first:], (name,)))


def _without_attribute(lines: tuple[Line, ...], names: tuple[str, ...]) -> tuple[Line, ...]:
    return tuple(line for line in lines if line.kind != "a" or line.attribute not in names)


def _with_direction(lines: tuple[Line, ...], direction: Direction) -> tuple[Line, ...]:
    said = [i for i, line in enumerate(lines) if line.kind == "a" and line.value.strip() in _DIRECTIONS]
    at = said[0] if said else len(lines)
    rest = tuple(line for i, line in enumerate(lines) if i > at and i not in said)
    return (*lines[:at], Line("a", direction.value), *rest)


def _rtpmaps(values: tuple[str, ...]) -> dict[int, Format]:
    found: dict[int, Format] = {}
    for value in values:
        if (form := _rtpmap(value)) is not None:
            found.setdefault(form.payload_type, form)
    return found


@remembered
def _rtpmap(value: str) -> Format | None:
    match = _RTPMAP.fullmatch(value)
    if match is None or int(match[1]) > 127 or int(match[3]) == 0:
        return None
    number, channels = int(match[1]), int(match[4] or 1) or 1
    return Format(payload_type=number, encoding=match[2], clock_rate=int(match[3]), channels=channels)


def _fmtp(values: tuple[str, ...]) -> dict[int, str]:
    found: dict[int, str] = {}
    for value in values:
        token, _, parameters = value.partition(" ")
        if token.isascii() and token.isdigit() and len(token) <= 3:
            found.setdefault(int(token), parameters.strip())
    return found
