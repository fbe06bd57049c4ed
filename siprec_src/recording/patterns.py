"""Patterns of an operator's rules: whom a call is from or for, and what a header field says.

``*`` stands for any text, ``?`` for one character, upper and lower case are the same, and the whole text
must match. There are no regular expressions: what a call says is hostile, and there are expressions that it
could keep busy for minutes.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.sip.uri import Uri, unescape

MAX_PATTERN: Final = 256  #: characters


def check_pattern(text: str) -> None:
    """Raise ConfigurationError for what can be no pattern. Any other is read here: no call waits for that."""
    if not 0 < len(text) <= MAX_PATTERN or not text.isprintable():
        raise ConfigurationError(
            f"expected a pattern of 1 to {MAX_PATTERN} characters, none of them a control"
        )
    _compiled(text)


def text_matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` is as ``pattern`` says."""
    return _compiled(pattern).fullmatch(text) is not None


def party_matches(patterns: Iterable[str], parties: Iterable[Uri]) -> bool:
    """Whether one of ``patterns`` means one of the identities of a party.

    A pattern with a scheme (``sip:``, ``sips:``, ``tel:``) is one of the URI without parameters, one with
    ``@`` of user and host, any other of the user alone, of a number without what only parts its digits.
    """
    return any(text_matches(pattern, _meant(pattern, party)) for party in parties for pattern in patterns)


def plain(uri: Uri) -> Uri:
    """A URI with nothing but scheme, user, host and port."""
    return dataclasses.replace(uri, password=None, parameters=(), headers="")


_SCHEMES: Final = ("sip:", "sips:", "tel:")
_NUMBER: Final = re.compile(r"\+?[0-9*#().\- ]+")
_SEPARATORS: Final = str.maketrans("", "", "().- ")  # RFC 3966 5.1.1


def _meant(pattern: str, party: Uri) -> str:
    """The part of a party's URI that a pattern is of."""
    if pattern.lower().startswith(_SCHEMES):
        return unescape(str(plain(party)))
    user = unescape(party.user).partition(";")[0]  # RFC 3261 19.1.6: a number may have parameters
    if _NUMBER.fullmatch(user):
        user = user.translate(_SEPARATORS)
    return f"{user}@{party.host}" if "@" in pattern else user


@cache  # all are of the operator's configuration
def _compiled(pattern: str) -> re.Pattern[str]:
    """``fnmatch`` makes an expression that never goes back over a star; its brackets are none of ours."""
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")), re.IGNORECASE)
