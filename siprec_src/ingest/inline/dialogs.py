"""Dialog ids of one leg told on the other (RFC 3891, RFC 3911, RFC 4538, RFC 3515).

A party knows a call by the ids of its own leg. Named to someone else, in Replaces, Join or Target-Dialog of
an INVITE or inside Refer-To, they are exchanged for those of the call's other leg, where they mean
something. Ids of a call that does not pass here, or that are those of the other leg already, stay as they
are. All three name the tags as who receives the request sees them.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from siprec_src.ingest.inline.groups import Group
from siprec_src.sip.message import Headers, header_key
from siprec_src.sip.uri import unescape
from siprec_src.values import immutable

_TAGS: Final = {  #: the receiver's own tag, and its peer's
    "replaces": ("to-tag", "from-tag"),
    "join": ("to-tag", "from-tag"),
    "target-dialog": ("local-tag", "remote-tag"),
}
_SUCCEEDS: Final = ("replaces", "join")  #: a new call with these goes where the named one is
_IN_URI: Final = re.compile(r"([?&])(Replaces|Join|Target-Dialog)=([^&>\s\";,]+)", re.IGNORECASE)


@immutable(kw_only=False)
class LegDialog:
    """The dialog of one leg (RFC 3261 12)."""

    call_id: str
    ours: str  #: our tag
    theirs: str  #: the party's tag


@immutable
class LegEnd:
    """The party of one leg, as a later call may ask for it."""

    dialog: LegDialog
    trunk: str  #: it is behind this one
    contact: str  #: URI by which the party itself is reached
    group: Group


class DialogBook:
    """The dialogs of all calls, early ones too, each with the other leg."""

    def __init__(self) -> None:
        self._other: dict[LegDialog, LegEnd] = {}

    def __len__(self) -> int:
        return len(self._other)

    def add(self, one: LegEnd, other: LegEnd) -> None:
        self._other[one.dialog] = other
        self._other[other.dialog] = one

    def remove(self, one: LegDialog) -> None:
        other = self._other.pop(one, None)
        if other is not None:
            self._other.pop(other.dialog, None)

    def told(self, headers: Headers) -> Headers:
        """The header fields as they shall be told on another leg."""
        if not self._other or not any(key in headers for key in (*_TAGS, "refer-to")):
            return headers
        return Headers((name, self._value(header_key(name), value)) for name, value in headers)

    def named(self, headers: Headers) -> LegEnd | None:
        """The party whose call a new INVITE replaces or joins; None: it names none of ours.

        The ids are those of its own leg, which others learn from a Refer-To, or of the other one.
        """
        found = dialog_of(headers)
        if found is None:
            return None
        if (end := self._other.get(found)) is not None:
            return end
        mirrored = self._other.get(LegDialog(found.call_id, found.theirs, found.ours))
        return None if mirrored is None else self._other.get(mirrored.dialog)

    def _value(self, key: str, value: str) -> str:
        if key == "refer-to":
            return _IN_URI.sub(self._in_uri, value)
        return self._exchanged(key, value) if key in _TAGS else value

    def _in_uri(self, found: re.Match[str]) -> str:
        before = unescape(found[3])
        after = self._exchanged(found[2].lower(), before)
        return found[0] if after == before else f"{found[1]}{found[2]}={quote(after, safe=_UNRESERVED)}"

    def _exchanged(self, key: str, value: str) -> str:
        own, peer = _TAGS[key]
        dialog = _read(value, own, peer)
        end = None if dialog is None else self._other.get(dialog)
        if end is None:
            return value
        told = end.dialog
        parts = [part.strip() for part in value.split(";")[1:]]
        rest = [part for part in parts if part.partition("=")[0].lower() not in (own, peer)]
        return ";".join((told.call_id, f"{own}={told.theirs}", f"{peer}={told.ours}", *rest))


_UNRESERVED: Final = "-_.!~*'()"


def dialog_in(refer_to: str) -> LegDialog | None:
    """The dialog that the call asked for by a Refer-To shall replace or join; None: it names none."""
    for found in _IN_URI.finditer(refer_to):
        if (key := found[2].lower()) in _SUCCEEDS:
            return _read(unescape(found[3]), *_TAGS[key])
    return None


def dialog_of(headers: Headers) -> LegDialog | None:
    """The dialog that a new INVITE replaces or joins, in its own words; None: it names none."""
    for key in _SUCCEEDS:
        if (value := headers.get(key)) is not None:
            return _read(value, *_TAGS[key])
    return None


def _read(value: str, own: str, peer: str) -> LegDialog | None:
    """``call-id;…`` with both tags: ``own`` is that of the receiver, so ours (RFC 3891 6.1)."""
    call_id, *parameters = (part.strip() for part in value.split(";"))
    tags = {name.lower(): tag for name, _, tag in (part.partition("=") for part in parameters)}
    if own not in tags or peer not in tags:
        return None
    return LegDialog(call_id, tags[own], tags[peer])
