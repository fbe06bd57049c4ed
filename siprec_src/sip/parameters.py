"""What header field values are made of: tokens, quoted strings, ``;name=value`` lists (RFC 3261 25.1).

Values come unfolded from the parser, so white space is SP and HT only.
"""

from __future__ import annotations

import re
from typing import Final

from siprec_src.errors import RemoteProtocolError

Parameters = tuple[tuple[str, str | None], ...]

# Possessive repeats stand behind single characters only: Python before 3.11.5 matches possessive groups
# wrongly (cpython issue 106052), and Debian 12 has 3.11.2.
TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]"  # noqa: S105 - the token of RFC 3261 25.1
QUOTED: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*"'


class Parameterised:
    """A value that ends in ``;name=value`` parameters, kept as received and in order."""

    __slots__ = ()

    parameters: Parameters

    def parameter(self, name: str) -> str | None:
        """Value of a parameter, unquoted; "" when it stands without a value, None when it is absent."""
        wanted = name.lower()
        for key, value in self.parameters:
            if key.lower() == wanted:
                return "" if value is None else unquote(value)
        return None


def parse_parameters(text: str, at: int, where: str) -> tuple[Parameters, int]:
    """Parameters from ``text[at:]`` up to a comma or the end, and where they end.

    Raises:
        RemoteProtocolError: something else than parameters stands there; ``where`` names the field.
    """
    found: list[tuple[str, str | None]] = []
    size = len(text)
    while at < size and text[at] != ",":
        m = _PARAMETER.match(text, at)
        if m is None:
            raise RemoteProtocolError(f"{where}: bad parameter at {text[at : at + 40]!r}", section=SECTION)
        found.append((m[1], m[2]))
        at = m.end()
    return tuple(found), at


def leading_parameters(text: str, at: int) -> Parameters:
    """The parameters from ``text[at:]`` up to whatever is none."""
    found: list[tuple[str, str | None]] = []
    while m := _PARAMETER.match(text, at):
        found.append((m[1], m[2]))
        at = m.end()
    return tuple(found)


def parse_trailing(text: str, at: int, where: str) -> Parameters:
    """Parameters that must reach to the end of ``text``."""
    found, end = parse_parameters(text, at, where)
    if end != len(text):
        raise RemoteProtocolError(f"{where}: more than one value", section="RFC 3261 7.3.1")
    return found


def format_parameters(parameters: Parameters) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters)


def set_parameter(parameters: Parameters, name: str, value: str | None) -> Parameters:
    """``parameters`` with this one in place of its namesake, else at the end."""
    new = (name, value)
    if all(key.lower() != name.lower() for key, _ in parameters):
        return (*parameters, new)
    return tuple(new if pair[0].lower() == name.lower() else pair for pair in parameters)


def unquote(value: str) -> str:
    """The text of a quoted string; anything else unchanged."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    inner = value[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """``text`` as a quoted string. Line ends, which no quoted string can hold, become spaces."""
    return '"' + _TO_QUOTE.sub(r"\\\g<0>", _LINE_END.sub(" ", text)) + '"'


def is_token(text: str) -> bool:
    return _TOKENS.fullmatch(text) is not None


def parse_number(name: str, value: str, maximum: int, section: str) -> int:
    """A decimal number of at most ``maximum``; its digits are counted before they are converted."""
    digits = value.strip(" \t")
    significant = digits.lstrip("0") or digits[-1:]
    if not (digits.isascii() and digits.isdecimal()) or len(significant) > len(str(maximum)):
        raise RemoteProtocolError(f"{name}: {value[:40]!r} is no number up to {maximum}", section=section)
    if int(significant) > maximum:
        raise RemoteProtocolError(f"{name}: {significant} is above {maximum}", section=section)
    return int(significant)


def split_list(text: str, where: str) -> list[str]:
    """A comma list cut outside quotes and angle brackets; elements stripped, empty ones kept."""
    if '"' not in text and "<" not in text:
        return [part.strip(" \t") for part in text.split(",")]
    parts: list[str] = []
    at = 0
    while m := _ELEMENT.match(text, at):
        parts.append(m[1].strip(" \t"))
        at = m.end() + 1
        if m.end() == len(text):
            return parts
    raise RemoteProtocolError(f"{where}: quotes or brackets do not close", section=SECTION)


SECTION: Final = "RFC 3261 25.1"
_TOKENS: Final = re.compile(rf"{TOKEN}+")
_PARAMETER: Final = re.compile(
    rf"[ \t]*+;[ \t]*+({TOKEN}++)(?:[ \t]*+=[ \t]*+"
    rf"({QUOTED}|[^\x00-\x20\x7f;,\"<>=?][^\x00-\x20\x7f;,\"<>]*+))?[ \t]*+(?=[;,]|\Z)",
    re.DOTALL,
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_TO_QUOTE: Final = re.compile(r'["\\\x00-\x08\x0b-\x1f\x7f]')
_LINE_END: Final = re.compile(r"[\r\n]+")
_ELEMENT: Final = re.compile(rf'((?:{QUOTED}|<[^>]*+>|[^,"<]++)*)(?=,|\Z)', re.DOTALL)
