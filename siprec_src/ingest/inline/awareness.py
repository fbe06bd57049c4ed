"""What one party of a call can be told of its recording, and what it has been told (RFC 7866 6.1.2, 6.3).

To a party that has shown ``record-aware`` every description carries ``a=record``. When the recording
changes it gets an offer of our own: the description that it knows, with the new value. A party gets one too
when the keys under which it is sent media are others than it knows. Such offers have versions that the
other party never sent, so whatever crosses later is counted up by as many.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.communication import RecordingState
from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.indication import recording_said, with_recording
from siprec_src.sdp.model import SessionDescription
from siprec_src.sip.message import Message
from siprec_src.values import immutable

OPTION_TAG: Final = "record-aware"


@immutable
class Offered:
    """An offer of our own on its way to the party."""

    token: int
    method: str
    theirs: SessionDescription  #: the other party's, that is offered
    state: RecordingState | None  #: what it says of the recording; None: nothing new
    keyed: bool  #: it has the keys that are used now
    until: float | None = None  #: an INVITE is cancelled then; None: not, or not any more


@dataclasses.dataclass(slots=True)
class Awareness:
    """One party's."""

    aware: bool = False
    takes_update: bool = False  #: its Allow has UPDATE (RFC 3311 4)
    said: RecordingState | None = None  #: in the description that was sent last
    told: RecordingState | None = None  #: in the last one that it has taken
    refused: RecordingState | None = None  #: it is not told this again
    unkeyed: bool = False  #: it does not know the keys under which it is sent media
    offered: Offered | None = None
    retry_at: float | None = None
    tries: int = 0
    evidence: tuple[str, RecordingState] | None = None  #: of what one that is not aware was told last
    given: list[str] = dataclasses.field(default_factory=list)  #: modes, for the books
    _version: int = -1  #: of the description that was sent last
    _ahead: int = 0  #: versions of our own making

    def heard(self, message: Message, *, first: bool = False) -> None:
        """Note what a message of the party says it can; the ``first`` one says all of it."""
        if first or "supported" in message.headers:
            self.aware = _has(message, "supported", OPTION_TAG)
        if self.aware and (first or "allow" in message.headers):
            self.takes_update = _has(message, "allow", "update")

    def dressed(self, description: SessionDescription, state: RecordingState) -> SessionDescription:
        """A description on its way to the party, as the party shall see it."""
        if not self.aware and not self._ahead:
            self._version = description.origin.version
            return description
        out = with_recording(description, state) if self.aware else description
        said = recording_said(out) if self.aware else self.said
        version = description.origin.version + self._ahead
        if said is not self.said and self.said is not None and version <= self._version:
            self._ahead += self._version + 1 - version  # another description is another version (RFC 3264 8)
            version = self._version + 1
        self.said, self._version = said, version
        return out.with_version(version) if self._ahead else out

    def offer(self, description: SessionDescription, state: RecordingState) -> SessionDescription:
        """An offer of our own from the description that the party knows, one version on."""
        self._ahead += max(1, self._version + 1 - description.origin.version - self._ahead)
        return self.dressed(description, state)

    def unkey(self) -> None:
        """The keys have changed under which it is sent media."""
        self.unkeyed, self.tries = True, 0
        if self.offered is not None:
            self.offered = dataclasses.replace(self.offered, keyed=False)

    def wants(self, description: SessionDescription, state: RecordingState) -> RecordingState | None:
        """What it should be told by an offer of our own; None: nothing that it does not know."""
        if not self.aware:
            return None
        wanted = recording_said(with_recording(description, state))
        known = self.told or RecordingState.OFF
        return None if wanted is known or wanted is self.refused else wanted


def _has(message: Message, name: str, token: str) -> bool:
    if not any(token in value.lower() for value in message.headers.all(name)):
        return False
    try:
        return token in (tag.lower() for tag in message.tags(name))
    except RemoteProtocolError:
        return False
