"""Parsed values that are kept for a while, since all messages of a call bring the same few.

Only short texts: a peer may fill the memory with what it likes, and values of long ones take a hundred
times their text.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final, TypeVar

ValueT = TypeVar("ValueT")

VALUES: Final = 2048  #: of each kind; with the worst that a peer can send about 20 MB
LONGEST: Final = 256  #: characters of a text whose value is kept


def remembered(read: Callable[[str], ValueT]) -> Callable[[str], ValueT]:
    """``read``, a function of its text alone whose values cannot be changed, with the last ones kept."""
    return _Remembered(read).__getitem__


class _Remembered(dict[str, ValueT]):
    """Texts to values. A dictionary finds what it has without any Python; what it has not comes here."""

    def __init__(self, read: Callable[[str], ValueT]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> ValueT:
        value = self._read(text)
        if len(text) <= LONGEST:
            if len(self) >= VALUES:
                self.clear()
            self[text] = value
        return value


@remembered
def numeric_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address when ``text`` is one, without brackets, and no name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
