"""Dialog ids of one leg told on the other: Replaces and Refer-To of attended transfers (RFC 3891, RFC 3515).

A party knows a call by the ids of its own leg. Named to someone else, in Replaces of an INVITE or inside
Refer-To, they are exchanged for those of the call's other leg, where they mean something. Ids of a call
that does not pass here, or that are those of the other leg already, stay as they are.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final
from urllib.parse import quote

from siprec_src.sip.message import Headers, header_key
from siprec_src.sip.uri import unescape

_IN_URI: Final = re.compile(r"([?&]Replaces=)([^&>\s\";,]+)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class LegDialog:
    """The dialog of one leg (RFC 3261 12)."""

    call_id: str
    ours: str  #: our tag
    theirs: str  #: the party's tag


class DialogBook:
    """The dialogs of all answered calls, each with that of the other leg."""

    def __init__(self) -> None:
        self._other: dict[LegDialog, LegDialog] = {}

    def __len__(self) -> int:
        return len(self._other)

    def add(self, one: LegDialog, other: LegDialog) -> None:
        self._other[one] = other
        self._other[other] = one

    def remove(self, one: LegDialog) -> None:
        other = self._other.pop(one, None)
        if other is not None:
            self._other.pop(other, None)

    def told(self, headers: Headers) -> Headers:
        """The header fields as they shall be told on another leg."""
        if not self._other or not ("replaces" in headers or "refer-to" in headers):
            return headers
        return Headers((name, self._value(header_key(name), value)) for name, value in headers)

    def _value(self, key: str, value: str) -> str:
        match key:
            case "replaces":
                return self._replaces(value)
            case "refer-to":
                return _IN_URI.sub(self._in_uri, value)
            case _:
                return value

    def _in_uri(self, found: re.Match[str]) -> str:
        before = unescape(found[2])
        after = self._replaces(before)
        return found[0] if after == before else found[1] + quote(after, safe="-_.!~*'()")

    def _replaces(self, value: str) -> str:
        """``call-id;to-tag=…;from-tag=…``: the to-tag is that of the receiver, so ours (RFC 3891 6.1)."""
        call_id, *parameters = (part.strip() for part in value.split(";"))
        tags = {name.lower(): tag for name, _, tag in (part.partition("=") for part in parameters)}
        other = self._other.get(LegDialog(call_id, tags.get("to-tag", ""), tags.get("from-tag", "")))
        if other is None:
            return value
        rest = [part for part in parameters if part.partition("=")[0].lower() not in ("to-tag", "from-tag")]
        return ";".join((other.call_id, f"to-tag={other.theirs}", f"from-tag={other.ours}", *rest))
