"""Typed values of header fields (RFC 3261 20). Parsers are total: a value, or `RemoteProtocolError`.

Here stand the fields that every message is routed and matched by; `fields` has the rest and is
re-exported, so that ``headers`` is the one door.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final, Self

from siprec_src.errors import RemoteProtocolError
from siprec_src.remembered import remembered
from siprec_src.sip.fields import (
    Disposition,
    MediaType,
    RAck,
    Reason,
    RetryAfter,
    SessionId,
    Warning,
    parse_accept,
    parse_disposition,
    parse_media_type,
    parse_rack,
    parse_reasons,
    parse_retry_after,
    parse_rseq,
    parse_session_id,
    parse_warnings,
)
from siprec_src.sip.parameters import (
    QUOTED,
    TOKEN,
    Parameterised,
    Parameters,
    format_parameters,
    is_token,
    leading_parameters,
    parse_number,
    parse_parameters,
    quote,
    set_parameter,
    split_list,
    unquote,
)
from siprec_src.sip.uri import HOST_PATTERN, Uri, format_host_port, parse_any_uri, parse_host, parse_port
from siprec_src.values import immutable

__all__ = [
    "CSeq", "Disposition", "MediaType", "NameAddress", "RAck", "Reason", "RetryAfter", "SessionId", "Via",
    "Warning", "format_parameters", "is_token", "parse_accept", "parse_call_id", "parse_contacts",
    "parse_cseq", "parse_disposition", "parse_media_type", "parse_name_address", "parse_name_addresses",
    "parse_number", "parse_rack", "parse_reasons", "parse_retry_after", "parse_rseq", "parse_session_id",
    "parse_tokens", "parse_vias", "parse_warnings", "quote", "salvage_via", "unquote",
]  # fmt: skip

MAGIC_COOKIE: Final = "z9hG4bK"  #: how a branch of RFC 3261 begins (8.1.1.7)


@immutable(kw_only=False)
class Via(Parameterised):
    """One hop of the way a request took (RFC 3261 20.42)."""

    transport: str  #: token as received
    host: str  #: no brackets around an IPv6 address
    port: int | None = None
    parameters: Parameters = ()

    @property
    def branch(self) -> str | None:
        return self.parameter("branch")

    @property
    def has_unique_branch(self) -> bool:
        """Whether the branch alone identifies a transaction: the cookie and something behind it."""
        branch = self.parameter("branch") or ""
        return branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE)

    @property
    def received(self) -> str | None:
        """The source address the next element saw, without brackets."""
        value = self.parameter("received")
        return value.strip("[]") if value else None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asks for symmetric responses: ``rport`` without a value (RFC 3581 4)."""
        return self.parameter("rport") == ""

    def with_parameter(self, name: str, value: str | None) -> Self:
        return dataclasses.replace(self, parameters=set_parameter(self.parameters, name, value))

    def __str__(self) -> str:
        sent_by = format_host_port(self.host, self.port)
        return f"SIP/2.0/{self.transport} {sent_by}{format_parameters(self.parameters)}"


@immutable(kw_only=False)
class NameAddress(Parameterised):
    """A display name, a URI and header parameters: From, To, Contact, Route (RFC 3261 20.10).

    The URI may be of any scheme (RFC 4475 3.3.4); whoever routes by it checks that.
    """

    display: str  #: unquoted; "" when there is none
    uri: Uri
    parameters: Parameters = ()

    @property
    def tag(self) -> str | None:
        return self.parameter("tag") or None

    def with_parameter(self, name: str, value: str | None) -> Self:
        return dataclasses.replace(self, parameters=set_parameter(self.parameters, name, value))

    def without_parameters(self, *names: str) -> Self:
        gone = {name.lower() for name in names}
        kept = tuple(pair for pair in self.parameters if pair[0].lower() not in gone)
        return dataclasses.replace(self, parameters=kept)

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_parameters(self.parameters)}"


@immutable(kw_only=False)
class CSeq:
    """Sequence number and method (RFC 3261 20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@remembered
def parse_vias(value: str) -> tuple[Via, ...]:
    """Every hop of one Via line, in order."""
    found: list[Via] = []
    at = -1
    while at < len(value):
        m = _VIA.match(value, at + 1)
        if m is None:
            raise RemoteProtocolError(f"Via: {value[at + 1 :][:60]!r}", section="RFC 3261 20.42")
        parameters, at = parse_parameters(value, m.end(), "Via")
        found.append(Via(m[1], parse_host(m[2]), parse_port(m[3]), parameters))
    return tuple(found)


def salvage_via(value: str) -> Via | None:
    """What can be read of the first hop of a malformed Via line, for an answer (RFC 4475 3.1.2.1)."""
    m = _ANY_VIA.match(value)
    if m is None:
        return None
    try:
        return Via(m[1], parse_host(m[2]), parse_port(m[3]), leading_parameters(value, m.end()))
    except RemoteProtocolError:
        return None


@remembered
def parse_name_address(value: str) -> NameAddress:
    """One name-addr or addr-spec with parameters (From, To, Refer-To …)."""
    address, end = _name_address(value, 0)
    if end != len(value):
        raise RemoteProtocolError("more than one address where one may stand", section="RFC 3261 7.3.1")
    return address


@remembered
def parse_name_addresses(value: str) -> tuple[NameAddress, ...]:
    """A comma list of addresses (Route, Record-Route, Contact …)."""
    found: list[NameAddress] = []
    at = -1
    while at < len(value):
        address, at = _name_address(value, at + 1)
        found.append(address)
    return tuple(found)


def parse_contacts(value: str) -> tuple[NameAddress, ...]:
    """The addresses of a Contact line; ``*`` gives none (RFC 3261 20.10)."""
    return () if value.strip(" \t") == "*" else parse_name_addresses(value)


@remembered
def parse_cseq(value: str) -> CSeq:
    m = _CSEQ.fullmatch(value)
    if m is None or int(m[1]) >= 2**31:
        raise RemoteProtocolError(f"CSeq: {value[:60]!r}", section="RFC 3261 8.1.1.5")
    return CSeq(int(m[1]), m[2])


def parse_call_id(value: str) -> str:
    """The Call-ID, opaque and case-sensitive (RFC 3261 20.8)."""
    if not _CALL_ID.fullmatch(value):
        raise RemoteProtocolError(f"Call-ID: {value[:60]!r}", section="RFC 3261 20.8")
    return value


def parse_tokens(name: str, value: str) -> tuple[str, ...]:
    """The tokens of a comma list; an empty list is legal for Supported, Allow and their like (20.37)."""
    tokens = tuple(part for part in split_list(value, name) if part)
    for token in tokens:
        if not is_token(token):
            raise RemoteProtocolError(f"{name}: {token[:60]!r} is no token", section="RFC 3261 25.1")
    return tokens


_SENT_BY: Final = (
    rf"[ \t]*+/[ \t]*+({TOKEN}++)[ \t]++"
    rf"({HOST_PATTERN})(?:[ \t]*+:[ \t]*+([0-9]{{1,6}}))?[ \t]*+"
)
_VIA: Final = re.compile(rf"[ \t]*+SIP[ \t]*+/[ \t]*+2\.0{_SENT_BY}(?=[;,]|\Z)", re.IGNORECASE)
_ANY_VIA: Final = re.compile(rf"[ \t]*+SIP[ \t]*+/[ \t]*+[0-9.]++{_SENT_BY}", re.IGNORECASE)
_NAME_ADDR: Final = re.compile(
    rf"[ \t]*+(?:({QUOTED})|([A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*+))"
    r"[ \t]*+<([^<>]*+)>[ \t]*+(?=[;,]|\Z)",
    re.DOTALL,
)
_ADDR_SPEC: Final = re.compile(r"[ \t]*+([^ \t;,?<>\"]++)[ \t]*+(?=[;,]|\Z)")
_CSEQ: Final = re.compile(rf"([0-9]{{1,10}})[ \t]++({TOKEN}++)")
_WORD: Final = r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]"
_CALL_ID: Final = re.compile(rf"{_WORD}++(?:@{_WORD}++)?")


def _name_address(text: str, at: int) -> tuple[NameAddress, int]:
    m = _NAME_ADDR.match(text, at)
    if m is not None:
        quoted, tokens, uri = m.groups()
        display = unquote(quoted) if quoted is not None else tokens.rstrip(" \t")
    else:
        m = _ADDR_SPEC.match(text, at)
        if m is None:
            raise RemoteProtocolError(f"bad address at {text[at : at + 60]!r}", section="RFC 3261 20.10")
        display, uri = "", m[1]
    parameters, end = parse_parameters(text, m.end(), "address")
    return NameAddress(display, parse_any_uri(uri), parameters), end
