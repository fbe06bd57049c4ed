"""Header lines: decoded, unfolded and cut into names and values (RFC 3261 7.3.1, RFC 5621 4)."""

from __future__ import annotations

import re
from typing import Final

from siprec_src.sip.parameters import TOKEN

Fields = list[tuple[str, str]]


def decode(raw: bytes) -> str:
    """UTF-8; octets that are none come back unchanged from the writer."""
    return raw.decode("utf-8", "surrogateescape")


def unfold(text: str) -> str:
    """Continuation lines joined by one space (RFC 3261 7.3.1)."""
    if "\r\n " in text or "\r\n\t" in text:
        return _FOLD.sub(" ", text)
    return text


def split_fields(text: str) -> tuple[Fields, str | None]:
    """Fields of unfolded lines that all end in CRLF, and the first line that is none, if there is one."""
    fields = [(name, value.rstrip(" \t")) for name, value in _FIELD.findall(text)]
    if len(fields) == text.count("\n"):
        return fields, None
    bad = next(line for line in text.split("\r\n") if not _FIELD.fullmatch(f"{line}\r\n"))
    return fields, bad


def has_bare_nul(text: str) -> bool:
    """Whether a NUL stands anywhere but behind a backslash, as in a quoted string (RFC 4475 3.1.1.2)."""
    return "\0" in text and "\0" in _PAIR.sub("", text)


_FOLD: Final = re.compile(r"(?<![ \t])[ \t]*+\r\n[ \t]++")  # tried once a run of blanks, not at each
_FIELD: Final = re.compile(rf"^({TOKEN}++)[ \t]*+:[ \t]*+([^\r\n]*+)\r\n", re.MULTILINE)
_PAIR: Final = re.compile(r"\\.", re.DOTALL)
