"""Parsed values that are kept for a while, since all messages of a call bring the same few.

Only short texts: a peer may fill the memory with what it likes, and values of long ones take a hundred
times their text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

ValueT = TypeVar("ValueT")

VALUES: Final = 2048  #: of each kind; with the worst that a peer can send about 20 MB
LONGEST: Final = 256  #: characters of a text whose value is kept


def remembered(read: Callable[[str], ValueT]) -> Callable[[str], ValueT]:
    """``read``, a function of its text alone whose values cannot be changed, with the last ones kept."""
    kept = lru_cache(maxsize=VALUES)(read)

    @wraps(read)
    def remembering(text: str) -> ValueT:
        return kept(text) if len(text) <= LONGEST else read(text)

    return remembering
