"""Names of resources in the API: two letters for the kind, then 32 hexadecimal digits.

The SID of a call is its session id, so that it is known as soon as the call is, and the same everywhere.
"""

from __future__ import annotations

import re
from typing import Final

_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")


def is_sid(text: str, kind: str = "") -> bool:
    """Whether it looks like a SID, of this ``kind`` if one is given."""
    return _SID.fullmatch(text) is not None and text.startswith(kind)


def sid(kind: str, octets: bytes) -> str:
    """The SID of the thing whose id these 16 octets are."""
    return kind + octets.hex()


def call_sid(session_id: bytes) -> str:
    """The SID of a call."""
    return sid("CA", session_id)


def session_id_of(text: str) -> bytes | None:
    """The session id of the call with this SID; None when it is none."""
    return bytes.fromhex(text[2:]) if is_sid(text, "CA") else None
