"""``a=record`` and ``a=recordpref``: what the parties of a call are told, and what they wish (RFC 7866 7).

The value at session level is that of all streams, one at media level that of its stream. It is a
declaration and nothing else. Where several clients record the same call, ``on`` of one of them is ``on``
for all (7.3.1), and ``paused`` still tells more than ``off``.

A wish at session level is for all streams, one at media level goes before it (7.3.2). A call is recorded as
a whole, so of several wishes the one counts that lets least be recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from siprec_src.communication import Preference, RecordingState
from siprec_src.sdp.model import Media, SessionDescription

_NAME: Final = "record"
_WISH: Final = "recordpref"
_WISHES: Final = {wish.value: wish for wish in Preference}
_FIRST: Final = (Preference.OFF, Preference.PAUSE, Preference.ON)
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


def preference(descriptions: Iterable[SessionDescription]) -> Preference:
    """The joint wish for the sound of a call, of its parties' descriptions."""
    wishes = {_wish(said, line) for said in descriptions for line in said.media if line.medium == "audio"}
    return next((wish for wish in _FIRST if wish in wishes), Preference.NONE)


def _wish(description: SessionDescription, media: Media) -> Preference | None:
    own = media.attribute(_WISH)
    return _WISHES.get((description.attribute(_WISH) or "" if own is None else own).lower())


def _joint(level: SessionDescription | Media, ours: RecordingState) -> str:
    theirs = recording_said(level)
    joint: RecordingState = next(state for state in _STRONGEST if state in (ours, theirs))
    return joint.value
