"""Values of the header fields that only some messages carry: media types, reasons, waits, ids."""

from __future__ import annotations

import re
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.remembered import remembered
from siprec_src.sip.parameters import (
    QUOTED,
    TOKEN,
    Parameterised,
    Parameters,
    format_parameters,
    parse_number,
    parse_parameters,
    parse_trailing,
    quote,
    split_list,
    unquote,
)
from siprec_src.values import immutable


@immutable(kw_only=False)
class MediaType(Parameterised):
    """``type/subtype;parameters`` of Content-Type and Accept (RFC 3261 20.15)."""

    type: str
    subtype: str
    parameters: Parameters = ()

    @property
    def essence(self) -> str:
        """``type/subtype`` in lower case, by which media types compare (RFC 2045 5.1)."""
        return f"{self.type}/{self.subtype}".lower()

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{format_parameters(self.parameters)}"


@immutable(kw_only=False)
class Disposition(Parameterised):
    """Content-Disposition (RFC 3261 20.11)."""

    type: str  #: lower case
    parameters: Parameters = ()

    @property
    def handling(self) -> str:
        """``required`` unless the sender says otherwise (RFC 3261 20.11)."""
        return (self.parameter("handling") or "required").lower()

    def __str__(self) -> str:
        return f"{self.type}{format_parameters(self.parameters)}"


@immutable(kw_only=False)
class RAck:
    """Which reliable provisional response a PRACK is for (RFC 3262 7.2)."""

    rseq: int
    cseq: int
    method: str

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


@immutable(kw_only=False)
class Reason(Parameterised):
    """Why a request was sent: protocol, cause and text (RFC 3326 2)."""

    protocol: str
    parameters: Parameters = ()

    @classmethod
    def of(cls, protocol: str, cause: int, text: str = "") -> Reason:
        texts: Parameters = (("text", quote(text)),) if text else ()
        return cls(protocol, (("cause", str(cause)), *texts))

    @property
    def cause(self) -> int | None:
        value = self.parameter("cause")
        return int(value) if value and _CAUSE.fullmatch(value) else None

    @property
    def text(self) -> str:
        return self.parameter("text") or ""

    def __str__(self) -> str:
        return f"{self.protocol}{format_parameters(self.parameters)}"


@immutable(kw_only=False)
class SessionId:
    """The two UUIDs of a session (RFC 7989 5); ``remote`` is None from a peer of RFC 7329."""

    local: str  #: 32 lower-case hexadecimal digits
    remote: str | None = None

    def __str__(self) -> str:
        return self.local if self.remote is None else f"{self.local};remote={self.remote}"


@immutable(kw_only=False)
class RetryAfter:
    """How long not to ask again, and for how long the peer is then there (RFC 3261 20.33)."""

    after_s: int
    duration_s: int | None = None


@immutable(kw_only=False)
class Warning:
    """One warn-code with its agent and text (RFC 3261 20.43)."""

    code: int
    agent: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"


@remembered
def parse_media_type(value: str) -> MediaType:
    m = _MEDIA_TYPE.match(value)
    if m is None:
        raise RemoteProtocolError(f"media type: {value[:60]!r}", section="RFC 3261 20.15")
    return MediaType(m[1], m[2], parse_trailing(value, m.end(), "media type"))


def parse_accept(value: str) -> tuple[MediaType, ...]:
    """The media ranges of an Accept line; an empty line accepts none (RFC 3261 20.1)."""
    if not value.strip(" \t"):
        return ()
    return tuple(parse_media_type(part) for part in split_list(value, "Accept"))


def parse_disposition(value: str) -> Disposition:
    m = _LEADING_TOKEN.match(value)
    if m is None:
        raise RemoteProtocolError(f"Content-Disposition: {value[:60]!r}", section="RFC 3261 20.11")
    return Disposition(m[1].lower(), parse_trailing(value, m.end(), "Content-Disposition"))


def parse_rseq(value: str) -> int:
    return _positive("RSeq", value, "RFC 3262 7.1")


def parse_rack(value: str) -> RAck:
    m = _RACK.fullmatch(value)
    if m is None:
        raise RemoteProtocolError(f"RAck: {value[:60]!r}", section="RFC 3262 7.2")
    cseq = parse_number("RAck", m[2], 2**31 - 1, "RFC 3262 7.2")
    return RAck(_positive("RAck", m[1], "RFC 3262 7.2"), cseq, m[3])


def parse_reasons(value: str) -> tuple[Reason, ...]:
    """Every value of one Reason line."""
    found: list[Reason] = []
    at = -1
    while at < len(value):
        m = _LEADING_TOKEN.match(value, at + 1)
        if m is None:
            raise RemoteProtocolError(f"Reason: {value[at + 1 :][:60]!r}", section="RFC 3326 2")
        parameters, at = parse_parameters(value, m.end(), "Reason")
        found.append(Reason(m[1], parameters))
    return tuple(found)


def parse_session_id(value: str) -> SessionId:
    m = _UUID.match(value)
    if m is None:
        raise RemoteProtocolError(f"Session-ID: {value[:60]!r}", section="RFC 7989 5")
    parameters = dict(parse_trailing(value, m.end(), "Session-ID"))
    remote = parameters.get("remote")
    if remote is not None and not _UUID.fullmatch(remote):
        raise RemoteProtocolError("Session-ID: remote is no UUID", section="RFC 7989 5")
    return SessionId(m[1].lower(), remote.lower() if remote else None)


def parse_retry_after(value: str) -> RetryAfter:
    """Seconds, bounded by 2**32-1 (RFC 3261 20.33); a comment is dropped."""
    m = _RETRY_AFTER.match(value)
    if m is None:
        raise RemoteProtocolError(f"Retry-After: {value[:60]!r}", section="RFC 3261 20.33")
    parameters = dict(parse_trailing(value, m.end(), "Retry-After"))
    duration = parameters.get("duration")
    after_s = parse_number("Retry-After", m[1], 2**32 - 1, "RFC 3261 20.33")
    if duration is None:
        return RetryAfter(after_s)
    return RetryAfter(after_s, parse_number("Retry-After", duration, 2**32 - 1, "RFC 3261 20.33"))


def parse_warnings(value: str) -> tuple[Warning, ...]:
    found = []
    for part in split_list(value, "Warning"):
        m = _WARNING.fullmatch(part)
        if m is None:
            raise RemoteProtocolError(f"Warning: {part[:60]!r}", section="RFC 3261 20.43")
        found.append(Warning(int(m[1]), m[2], unquote(m[3])))
    return tuple(found)


_MEDIA_TYPE: Final = re.compile(rf"[ \t]*+({TOKEN}++)[ \t]*+/[ \t]*+({TOKEN}++)[ \t]*+(?=;|\Z)")
_LEADING_TOKEN: Final = re.compile(rf"[ \t]*+({TOKEN}++)[ \t]*+(?=[;,]|\Z)")
_RACK: Final = re.compile(rf"([0-9]++)[ \t]++([0-9]++)[ \t]++({TOKEN}++)")
_CAUSE: Final = re.compile(r"[0-9]{1,6}")
_UUID: Final = re.compile(r"([0-9A-Fa-f]{32})[ \t]*+")
_RETRY_AFTER: Final = re.compile(
    r"([0-9]++)[ \t]*+(?:\([^()\\]*+(?:\\.[^()\\]*+)*\)[ \t]*+)?(?=;|\Z)", re.DOTALL
)
_WARNING: Final = re.compile(rf"([1-9][0-9]{{2}})[ \t]++([^ \t\",]++)[ \t]++({QUOTED})", re.DOTALL)


def _positive(name: str, value: str, section: str) -> int:
    number = parse_number(name, value, 2**32 - 1, section)
    if number == 0:
        raise RemoteProtocolError(f"{name}: 0", section=section)
    return number
