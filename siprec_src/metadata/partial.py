"""What a document says that the ones before it did not (RFC 7865 5; RFC 8068 3.2.2 to 3.3.3).

A partial document has whole elements that are new or changed, and may refer to earlier ones. A
``participantstreamassoc`` replaces all that its participant sent and received (RFC 7865 6.8.1). Labels live
no longer than their message (RFC 7866 7.1.1): with an offer every labelled stream is told again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from siprec_src.metadata import model as m

ElementT = TypeVar("ElementT")


def changes(before: m.Recording, after: m.Recording) -> m.Recording | None:
    """The partial document that makes ``after`` of ``before``; None where only a complete one does.

    No partial document takes an element back. Of who has left the session, and at the end of it, no
    association with streams is left: the disassociate-time or the stop-time says so (RFC 8068 3.2.4).
    """
    if _names(before) - _names(after):
        return None
    partial = m.Recording(
        mode=m.DataMode.PARTIAL,
        groups=_news(before.groups, after.groups),
        sessions=_news(before.sessions, after.sessions),
        participants=_news(before.participants, after.participants),
        streams=tuple(stream for stream in after.streams if stream.label or stream not in _bare(before)),
        session_recordings=_news(before.session_recordings, after.session_recordings),
        participant_sessions=_news(before.participant_sessions, after.participant_sessions),
        participant_streams=_news(before.participant_streams, after.participant_streams),
        extensions=() if before.extensions == after.extensions else after.extensions,
    )
    return None if partial == m.Recording(mode=m.DataMode.PARTIAL) else partial


def _news(before: Sequence[ElementT], after: Sequence[ElementT]) -> tuple[ElementT, ...]:
    return tuple(element for element in after if element not in before)


def _bare(recording: m.Recording) -> tuple[m.Stream, ...]:
    return tuple(dataclasses.replace(stream, label=None) for stream in recording.streams)


def _names(recording: m.Recording) -> set[object]:
    """Everything that a later document may change but not take back, by its ids."""
    return {
        *(group.group_id for group in recording.groups),
        *(session.session_id for session in recording.sessions),
        *(participant.participant_id for participant in recording.participants),
        *(stream.stream_id for stream in recording.streams),
        *(("recorded", item.session_id) for item in recording.session_recordings),
        *((item.participant_id, item.session_id) for item in recording.participant_sessions),
        *(("extension", item.namespace, item.name) for item in recording.extensions),
    }
