"""SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966): parsed and written.

Parts are kept escaped as received, so a URI is written back as it came. Accessors unescape one level
and leave control characters escaped: ``%00`` never becomes a NUL in a log, a file name or XML.

Two things that RFC 3261 does not allow are taken, since deployed phones send them and nothing is
ambiguous about them: ``#`` in a user part (``sip:*31#@pbx``) and ``_`` in a host name.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from typing import Final, Self

from siprec_src.errors import RemoteProtocolError
from siprec_src.remembered import remembered
from siprec_src.values import immutable

UriParameters = tuple[tuple[str, str | None], ...]

HOST_PATTERN: Final = r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}+)"


@immutable(kw_only=False)
class Uri:
    """A URI. For ``tel`` the number is ``user``; for any other scheme all that follows the colon is."""

    scheme: str  #: lower case
    user: str = ""  #: escaped, as received; "" when there is none
    password: str | None = dataclasses.field(default=None, repr=False)
    host: str = ""  #: no brackets around an IPv6 address
    port: int | None = None
    parameters: UriParameters = ()  #: escaped, in order
    headers: str = ""  #: what follows ``?``, escaped

    def parameter(self, name: str) -> str | None:
        """Unescaped value of a parameter; "" when it stands without a value, None when it is absent."""
        wanted = name.lower()
        for key, value in self.parameters:
            if unescape(key).lower() == wanted:
                return unescape(value or "")
        return None

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case."""
        value = self.parameter("transport")
        return value.lower() if value else None

    @property
    def lr(self) -> bool:
        """Whether the element is a loose router (RFC 3261 16.12.1)."""
        return self.parameter("lr") is not None

    @property
    def secure(self) -> bool:
        return self.scheme == "sips"

    def without_parameters(self, *names: str) -> Self:
        if not self.parameters:
            return self
        gone = {name.lower() for name in names}
        kept = tuple(pair for pair in self.parameters if unescape(pair[0]).lower() not in gone)
        return self if kept == self.parameters else dataclasses.replace(self, parameters=kept)

    def with_host_port(self, host: str, port: int | None) -> Self:
        return dataclasses.replace(self, host=host.strip("[]"), port=port)

    def __str__(self) -> str:
        text = "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self.parameters)
        if self.scheme not in _SIP_SCHEMES:
            return f"{self.scheme}:{self.user}{text}"
        userinfo = self.user if self.password is None else f"{self.user}:{self.password}"
        at = "@" if userinfo else ""
        query = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{userinfo}{at}{format_host_port(self.host, self.port)}{text}{query}"


def parse_uri(text: str) -> Uri:
    """A SIP, SIPS or tel URI.

    Raises:
        RemoteProtocolError: status 416 for another scheme (RFC 3261 8.2.2.1), 400 for bad syntax.
    """
    uri = parse_any_uri(text)
    if uri.scheme not in _SIP_SCHEMES and uri.scheme != "tel":
        raise RemoteProtocolError(
            f"URI scheme {uri.scheme!r} is not known", status=416, section="RFC 3261 8.2.2.1"
        )
    return uri


@remembered
def parse_any_uri(text: str) -> Uri:
    """As `parse_uri`, but URIs of unknown schemes are taken too and kept opaque (RFC 4475 3.3.4)."""
    m = _SCHEME.match(text)
    if m is None:
        raise _bad("has no scheme, such as sip:", text)
    scheme = m[1].lower()
    rest = text[m.end() :]
    if scheme in _SIP_SCHEMES:
        return _parse_sip(scheme, rest, text)
    if not _OPAQUE.fullmatch(rest):
        raise _bad("has characters no URI may have", text)
    if scheme == "tel":
        number, *parameters = rest.split(";")
        if not _NUMBER.fullmatch(number):
            raise RemoteProtocolError(f"not a telephone number: {text[:80]!r}", section="RFC 3966 3")
        return Uri(scheme, number, parameters=tuple(_parse_parameter(p, text) for p in parameters))
    return Uri(scheme, rest)


def unescape(text: str) -> str:
    """``%hh`` decoded by one level, as UTF-8; what would be a control character stays escaped."""
    if "%" not in text:
        return text
    return _ESCAPES.sub(_decode_run, text)


def format_host_port(host: str, port: int | None) -> str:
    """``host[:port]`` with brackets around an IPv6 address."""
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def parse_host(text: str) -> str:
    """A host without brackets. ``text`` has already matched `HOST_PATTERN`."""
    if text[0] != "[":
        return text
    try:
        ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        raise RemoteProtocolError(f"not an IPv6 reference: {text!r}", section="RFC 3261 25.1") from None
    return text[1:-1]


def parse_port(digits: str | None) -> int | None:
    """A port of at most five digits, 1 to 65535."""
    if digits is None:
        return None
    port = int(digits) if len(digits) <= 5 else 0
    if not 0 < port < 65536:
        raise RemoteProtocolError("port out of range", section="RFC 3261 25.1")
    return port


_SIP_SCHEMES: Final = frozenset({"sip", "sips"})
_UNRESERVED: Final = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED: Final = r"%[0-9A-Fa-f]{2}"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31}+):")
_SIP: Final = re.compile(
    rf"(?:([{_UNRESERVED}&=+$,;?/#%]++)(?::([{_UNRESERVED}&=+$,%]*+))?@)?"
    rf"({HOST_PATTERN})(?::([0-9]{{1,6}}))?"
    r"(?:;([^?]*+))?(?:\?(.*))?"
)
_CHARACTERS: Final = rf"{_UNRESERVED}\[\]/:&+$%"
_PARAMETER: Final = re.compile(rf"([{_CHARACTERS}]++)(?:=([{_CHARACTERS}=]++))?")
_HEADERS: Final = re.compile(rf"[{_UNRESERVED}\[\]/?:+$&=;@,%]++")
_BAD_ESCAPE: Final = re.compile(rf"%(?!{_ESCAPED[1:]})")
_OPAQUE: Final = re.compile(r"[!#-;=?-~]++")  # printable ASCII but quotes and angle brackets
_NUMBER: Final = re.compile(r"\+?[0-9A-Fa-f*#().\-]{1,64}")
_ESCAPES: Final = re.compile(rf"(?:{_ESCAPED})+")


def _parse_sip(scheme: str, rest: str, text: str) -> Uri:
    m = _SIP.fullmatch(rest)
    if m is None or _BAD_ESCAPE.search(rest):
        raise _bad("is malformed", text)
    user, password, host, port, parameters, headers = m.groups()
    if headers is not None and not _HEADERS.fullmatch(headers):
        raise _bad("has malformed headers", text)
    return Uri(
        scheme,
        user or "",
        password,
        parse_host(host),
        parse_port(port),
        () if parameters is None else tuple([_parse_parameter(p, text) for p in parameters.split(";")]),
        headers or "",
    )


def _parse_parameter(part: str, text: str) -> tuple[str, str | None]:
    m = _PARAMETER.fullmatch(part)
    if m is None or _BAD_ESCAPE.search(part):
        raise _bad("has a malformed parameter", text)
    return m[1], m[2]


def _bad(what: str, text: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"URI {what}: {_without_password(text)[:80]!r}", section="RFC 3261 19.1.1")


def _without_password(text: str) -> str:
    userinfo, at, rest = text.rpartition("@")
    scheme, _, user = userinfo.partition(":")
    return f"{scheme}:{user.partition(':')[0]}@{rest}" if at else text


def _decode_run(m: re.Match[str]) -> str:
    octets = bytes.fromhex(m[0].replace("%", ""))
    decoded = octets.decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(c):02X}" if ord(c) < 32 or ord(c) == 127 else c for c in decoded)
