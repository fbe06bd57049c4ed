"""Machines go on over a new media process as if nothing had been, unless it lacks something of theirs."""

from __future__ import annotations

from collections.abc import Callable

from siprec_src.app.owners import Owner, Owners
from siprec_src.identity import Identity
from siprec_src.media import plane


class Resumption:
    """Asks the media process for the ports and readers of each machine."""

    def __init__(self, owners: Owners, identity: Identity, submit: Callable[[plane.Command], None]) -> None:
        self._owners = owners
        self._identity = identity
        self._submit = submit
        self._asked: dict[int, Owner] = {}

    def begin(self) -> None:
        """A process serves that may have all of them; what one before was asked counts no more."""
        self._asked.clear()
        for owner in self._owners:
            if owner.ports or owner.readers:
                tag = self._identity.number()
                self._asked[tag] = owner
                self._submit(
                    plane.ResumePorts(tag=tag, ports=tuple(owner.ports), readers=tuple(owner.readers))
                )

    def is_asked(self, answer: plane.Answer) -> bool:
        """Whether this is for `lost`."""
        return answer.tag in self._asked

    def lost(self, answer: plane.Answer) -> Owner | None:
        """Whose ports are gone by this answer; from now on it has none."""
        owner = self._asked.pop(answer.tag)
        if not isinstance(answer, plane.Refused) or not (owner.ports or owner.readers):
            return None
        self._owners.void_media_of(owner)
        return owner
