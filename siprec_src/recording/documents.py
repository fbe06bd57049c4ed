"""The metadata of one recording session: what its SRS was told, and the next document (RFC 7866 9.1).

Complete documents, unless the SRS is one for partial ones; then it gets these as long as it has taken every
document before, and a complete one first, after a refusal, and whenever it asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from siprec_src.communication import CommunicationSession
from siprec_src.machine import WallClock
from siprec_src.metadata.document import snapshot
from siprec_src.metadata.model import Recording
from siprec_src.metadata.partial import changes
from siprec_src.metadata.writer import write_recording
from siprec_src.recording.extensions import extended, with_parameters
from siprec_src.recording.srs import SrsConfig
from siprec_src.values import immutable


@immutable
class Document:
    """A document, and what its SRS knows when it has taken it."""

    octets: bytes
    meaning: object  #: of the call
    state: Recording


class Documents:
    """What one SRS knows of a call."""

    def __init__(self, wall: WallClock, config: SrsConfig) -> None:
        self._wall = wall
        self._config = config
        self._told: object = None  #: meaning of what was told last, taken or not
        self._known: Recording | None = None  #: what the SRS has taken; None: the next document is complete
        self._recorded_from: float | None = None
        self.newest = (0.0, b"")  #: when the newest document was written, and that

    def due(self, call: CommunicationSession) -> bool:
        """Whether the call is no more what was told."""
        return self._told != _meaning(call)

    def compose(
        self,
        call: CommunicationSession,
        labels: Mapping[bytes, str],
        now: float,
        *,
        final: bool = False,
        whole: bool = False,
    ) -> Document:
        """The next document; a complete one if ``whole``. Without labels it needs no offer."""
        state = self._state(call, labels, now, final=final)
        partial = None if whole or self._known is None else changes(self._known, state)
        return self._written(call, partial or state, state, now)

    def changes(self, call: CommunicationSession, now: float) -> Document | None:
        """A partial document that needs no offer; None where there can be none."""
        if self._known is None:
            return None
        state = self._state(call, {}, now)
        if (partial := changes(self._known, state)) is None:
            return None
        return self._written(call, partial, state, now)

    def taken(self, document: Document) -> None:
        """The SRS has answered 2xx."""
        self._told = document.meaning
        self._known = document.state if self._config.partial_updates else None

    def refused(self, document: Document) -> None:
        """The SRS does not want it: nothing of it is told again by itself, the next one is complete."""
        self._told = document.meaning
        self._known = None

    def _written(
        self, call: CommunicationSession, recording: Recording, state: Recording, now: float
    ) -> Document:
        octets = write_recording(recording)
        self.newest = now, octets
        return Document(octets=octets, meaning=_meaning(call), state=state)

    def _state(
        self, call: CommunicationSession, labels: Mapping[bytes, str], now: float, *, final: bool = False
    ) -> Recording:
        if self._recorded_from is None:
            self._recorded_from = now
        recording = snapshot(
            call,
            self._wall,
            labels=labels,
            recorded_from=self._recorded_from,
            recorded_until=now if final else None,
        )
        told = extended(recording, self._config.extensions, call, self._config.values)
        return with_parameters(told, self._config.parameters)


def _meaning(call: CommunicationSession) -> object:
    """All of a call that its document shows; two calls with the same meaning need no new document."""
    streams = tuple((s.stream_id, s.sender, s.medium, s.direction) for s in call.streams)
    times = (call.started, call.ended, call.reason, call.reason_cause)
    return (call.session_id, call.group_id, call.participants, streams, call.sip_session_ids, times)
