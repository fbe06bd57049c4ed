"""Whoever merges partial documents knows what a complete one would have said (RFC 7865 5, 6.8.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from siprec_src.communication import CommunicationSession, Direction, Name
from siprec_src.metadata import model as m
from siprec_src.metadata.document import snapshot
from siprec_src.metadata.partial import changes
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.writer import write_recording
from tests.support.schema import History
from tests.unit.metadata.test_documents import CALL, CLOCK, LABELS, track

ElementT = TypeVar("ElementT")


@st.composite
def calls(draw: st.DrawFn) -> CommunicationSession:
    """The call with other names, holds and ids, with a party that has left, or without its second track."""
    people = tuple(
        dataclasses.replace(
            person,
            names=(Name(aor=draw(st.sampled_from(("sip:a@x.example", "sip:b@x.example")))),),
            left=draw(st.sampled_from((None, None, 7.0))),
        )
        for person in CALL.participants
    )
    streams = tuple(track(s.stream_id, s.sender, draw(st.sampled_from(Direction))) for s in CALL.streams)
    return dataclasses.replace(
        CALL,
        participants=people,
        streams=streams[: draw(st.sampled_from((1, 2, 2)))],
        sip_session_ids=draw(st.sampled_from(((), ("a" * 32,), ("a" * 32, "b" * 32)))),
        ended=draw(st.sampled_from((None, None, None, 9.0))),
    )


@given(st.lists(st.tuples(calls(), st.booleans()), min_size=1, max_size=6))
def test_merging_partial_documents_gives_the_complete_one(
    states: list[tuple[CommunicationSession, bool]],
) -> None:
    history = History()
    known = view = m.Recording()
    for call, offered in states:
        labels = {s.stream_id: LABELS[s.stream_id] for s in call.streams} if offered else {}
        state = snapshot(call, CLOCK, labels=labels, recorded_from=2.0)
        partial = changes(known, state) if known.sessions else None
        sent = write_recording(partial or state)
        history.take(sent)
        read = read_metadata(sent)
        assert isinstance(read, m.Recording)
        view = merged(view, read) if partial else read
        known = state
        assert comparable(view) == comparable(read_again(state))


def read_again(state: m.Recording) -> m.Recording:
    found = read_metadata(write_recording(state))
    assert isinstance(found, m.Recording)
    return found


def merged(view: m.Recording, news: m.Recording) -> m.Recording:
    """What a recorder that follows the RFC makes of a partial document."""

    def join(
        old: tuple[ElementT, ...], new: tuple[ElementT, ...], key: Callable[[ElementT], object]
    ) -> tuple[ElementT, ...]:
        return tuple({**{key(element): element for element in old}, **{key(e): e for e in new}}.values())

    return m.Recording(
        groups=join(view.groups, news.groups, lambda g: g.group_id),
        sessions=join(view.sessions, news.sessions, lambda s: s.session_id),
        participants=join(view.participants, news.participants, lambda p: p.participant_id),
        streams=join(view.streams, news.streams, lambda s: s.stream_id),
        session_recordings=join(view.session_recordings, news.session_recordings, lambda r: r.session_id),
        participant_sessions=join(
            view.participant_sessions, news.participant_sessions, lambda p: (p.participant_id, p.session_id)
        ),
        participant_streams=join(
            view.participant_streams, news.participant_streams, lambda p: p.participant_id
        ),
    )


def comparable(view: m.Recording) -> object:
    """All but labels, which live no longer than a message, and what those who have left sent before."""
    gone = {p.participant_id for p in view.participant_sessions if p.disassociated is not None}
    return (
        set(view.groups),
        set(view.sessions),
        set(view.participants),
        {stream.stream_id for stream in view.streams},
        set(view.session_recordings),
        set(view.participant_sessions),
        {item for item in view.participant_streams if item.participant_id not in gone},
    )
