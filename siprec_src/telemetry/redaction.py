"""The second wall against secrets in logs and messages; the first is that their owners never tell them.

Values of fields whose name says that they are secret, SDES key material (``inline:``), header fields that
carry credentials, and passwords in SIP URIs and URLs are blanked, however deep in a value they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

REDACTED: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(r"(?i)(password|secret|credential|authorization|(^|_)(key|token|material)$)")
_SECRET_TEXT: Final = re.compile(  # repeats are bounded: the text may be a peer's
    r"(?i)(inline:)[A-Za-z0-9+/=|:]+"
    r"|(\b[a-z-]{0,32}auth(?!ority)[a-z-]{0,32}:[ \t]{0,8})[^\r\n]+"
    r"""|(\b(?:sips?:|https?://)[^:@\s<>"]{1,256}:)[^@\s<>"]{1,256}(?=@)"""
)
_SECRET_WORDS: Final = ("inline:", "auth", "sip", "http")  #: one of which stands in each such text


def redact(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a log line: no secret leaves by any of them, whatever its owner put there."""
    return {name: _blank(name, value) for name, value in fields.items()}


def redact_text(text: str) -> str:
    """``text`` without keys, credentials and passwords."""
    # Hardly any text has a colon and one of the words, which is found out much faster.
    if ":" not in text:
        return text
    lower = text.lower()
    if not any(word in lower for word in _SECRET_WORDS):
        return text
    return _SECRET_TEXT.sub(_hide, text)


def _blank(name: object, value: Any) -> Any:
    if isinstance(name, str) and _is_secret(name):
        return REDACTED
    match value:
        case str():
            return redact_text(value)
        case int() | float() | None:  # most that are no text
            return value
        case Mapping():
            return {inner: _blank(inner, item) for inner, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_blank("", item) for item in value]
        case _:
            return value


@lru_cache(maxsize=1024)  # names of fields stand in our own code
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _hide(match: re.Match[str]) -> str:
    kept = next((group for group in match.groups() if group), "")
    return kept + REDACTED
