"""Who speaks on which track, as the documents of a session told it (RFC 7865 6.5, 6.7.1, 6.8).

Labels stand only in documents that come with the SDP which defines them, so the last document has none:
of each stream the label that was known last counts, and of each participant the streams last sent.
"""

from __future__ import annotations

from siprec_src.metadata import model as m


class Roster:
    """The participants of the newest complete document, and the labels of all documents."""

    def __init__(self) -> None:
        self._newest = m.Recording()
        self._labels: dict[bytes, str] = {}
        self._sends: dict[bytes, tuple[bytes, ...]] = {}

    @property
    def session_id(self) -> str | None:
        """Of the communication session, in hexadecimal."""
        sessions = self._newest.sessions
        return sessions[0].session_id.hex() if sessions else None

    def learn(self, document: m.Recording) -> None:
        """Take a document; a partial one adds labels only."""
        if document.mode is m.DataMode.COMPLETE:
            self._newest = document
        self._labels |= {s.stream_id: s.label for s in document.streams if s.label is not None}
        self._sends |= {
            item.participant_id: item.sends for item in document.participant_streams if item.sends
        }

    def participants(self) -> list[dict[str, object]]:
        """One entry each, as the summary has it."""
        return [
            {
                "participant_id": person.participant_id.hex(),
                "names": [{"aor": name.aor, "name": name.name} for name in person.names],
                "labels": self._labels_of(person.participant_id),
            }
            for person in self._newest.participants
        ]

    def _labels_of(self, participant_id: bytes) -> list[str]:
        streams = self._sends.get(participant_id, ())
        return [self._labels[stream] for stream in streams if stream in self._labels]
