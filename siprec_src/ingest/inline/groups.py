"""Calls that follow one another, as one CS-Group (RFC 7865 6.2, RFC 8068 3.2.3).

A group is made with the first call and shared by those that transfers lead to. Within it a person keeps one
participant id, whichever call he is in (RFC 7865 6.5.1). Who withholds his name is nobody's like.
"""

from __future__ import annotations

import re
from typing import Final

from siprec_src.communication import Name
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.sip.uri import parse_any_uri, unescape

ANONYMOUS: Final = Name(aor="sip:anonymous@anonymous.invalid", display="Anonymous")

MAX_PEOPLE: Final = 64  #: persons of one group who are known again; the first ones are forgotten

_NUMBER: Final = re.compile(r"\+?[0-9().-]+")
_SEPARATORS: Final = str.maketrans("", "", "().-")


class Group:
    """What the calls of one group have in common."""

    def __init__(self, identity: Identity) -> None:
        self.group_id = identity.uuid()
        self.formed: float | None = None  #: when its first call was answered, seconds of the machines' clock
        self._identity = identity
        self._people: list[tuple[tuple[Name, ...], bytes]] = []

    def person(self, names: tuple[Name, ...], beside: bytes | None = None) -> bytes:
        """The participant id of who is called so; ``beside`` is that of the other party of his call."""
        for known, participant_id in self._people:
            if participant_id != beside and same_person(known, names):
                return participant_id
        participant_id = self._identity.uuid()
        self.also(participant_id, names)
        return participant_id

    def also(self, participant_id: bytes, names: tuple[Name, ...]) -> None:
        """A person of the group is called so too."""
        self._people = [*self._people[-MAX_PEOPLE + 1 :], (names, participant_id)]


def same_person(one: tuple[Name, ...], other: tuple[Name, ...]) -> bool:
    """Whether two sets of identities have one in common.

    Numbers count as the same at any host, since every domain writes its own behind them.
    """
    known = {_key(name) for name in one if name.aor != ANONYMOUS.aor}
    return any(_key(name) in known for name in other if name.aor != ANONYMOUS.aor)


def _key(name: Name) -> str:
    try:
        uri = parse_any_uri(name.aor)
    except RemoteProtocolError:
        return name.aor
    user = unescape(uri.user)
    if _NUMBER.fullmatch(user):
        return user.translate(_SEPARATORS)
    return f"{user}@{uri.host.lower()}"
