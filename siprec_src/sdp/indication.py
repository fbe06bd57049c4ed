"""``a=record``: what the parties of a recorded call are told in SDP (RFC 7866 7.1.2, 7.3.1).

The value at session level is that of all streams, one at media level that of its stream. It is a
declaration and nothing else. Where several clients record the same call, ``on`` of one of them is ``on``
for all (7.3.1), and ``paused`` still tells more than ``off``.
"""

from __future__ import annotations

from typing import Final

from siprec_src.communication import RecordingState
from siprec_src.sdp.model import Media, SessionDescription

_NAME: Final = "record"
_STATES: Final = {state.value: state for state in RecordingState}
_STRONGEST: Final = (RecordingState.ON, RecordingState.PAUSED, RecordingState.OFF)


def recording_said(level: SessionDescription | Media) -> RecordingState | None:
    """What is said at this level itself; None when nothing is, or no word that the grammar knows."""
    return _STATES.get((level.attribute(_NAME) or "").lower())


def with_recording(description: SessionDescription, ours: RecordingState) -> SessionDescription:
    """``description`` with our state for the session, and for each stream that has one of its own.

    What it says already is that of another client on the path, and stays where it is the stronger.
    """
    media = [
        line if line.attribute(_NAME) is None else line.with_attribute(_NAME, _joint(line, ours))
        for line in description.media
    ]
    return description.with_attribute(_NAME, _joint(description, ours)).with_media(*media)


def _joint(level: SessionDescription | Media, ours: RecordingState) -> str:
    theirs = recording_said(level)
    joint: RecordingState = next(state for state in _STRONGEST if state in (ours, theirs))
    return joint.value
