"""The document that describes a call as it is now (RFC 7865 5, 6; RFC 8068 3.2.1, 3.2.4).

Complete snapshots carry everything, also at the end of the call, when they gain its stop and
disassociate times. Labels appear only where the caller names them, since they must be defined by an
offer in the same message (RFC 7866 9.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from siprec_src.communication import CommunicationSession, MediaStream, Participant
from siprec_src.machine import WallClock
from siprec_src.metadata import model as m


def snapshot(
    session: CommunicationSession,
    clock: WallClock,
    *,
    labels: Mapping[bytes, str],
    recorded_from: float,
    recorded_until: float | None = None,
) -> m.Recording:
    """A complete document of ``session``; the final one when it has ended.

    Args:
        session: the call as last published.
        clock: makes calendar time of the machines' seconds.
        labels: stream id to the ``a=label`` of its m-line in the same message; empty without an offer.
        recorded_from: when the call joined this recording session, seconds of the machines' clock.
        recorded_until: when it left it, if that was before its end.
    """
    return m.Recording(
        groups=(m.Group(group_id=session.group_id, associated=clock.at(_formed(session))),),
        sessions=(_session(session, clock),),
        participants=tuple(_participant(person) for person in session.participants),
        streams=tuple(
            m.Stream(
                stream_id=stream.stream_id,
                session_id=session.session_id,
                label=labels.get(stream.stream_id),
            )
            for stream in session.streams
        ),
        session_recordings=(_session_recording(session, clock, recorded_from, recorded_until),),
        participant_sessions=tuple(
            _participant_session(session, person, clock) for person in session.participants
        ),
        participant_streams=_participant_streams(session),
    )


def _participant_streams(session: CommunicationSession) -> tuple[m.ParticipantStream, ...]:
    """Who sends and who receives what now (RFC 7865 6.8.1); nobody does once the call has ended.

    A party on hold neither sends nor is received from; its partner's m-line says whether it listens.
    """
    if session.ended is not None:
        return ()
    return tuple(
        m.ParticipantStream(
            participant_id=person.participant_id,
            sends=tuple(
                stream.stream_id
                for stream in session.streams
                if stream.sender == person.participant_id and stream.direction.sends
            ),
            receives=tuple(
                stream.stream_id for stream in session.streams if _receives(session, person, stream)
            ),
        )
        for person in session.participants
        if person.left is None
    )


def _session(session: CommunicationSession, clock: WallClock) -> m.Session:
    reasons: tuple[m.Reason, ...] = ()
    if session.reason_cause is not None:
        reasons = (m.Reason(cause=session.reason_cause, text=session.reason),)
    return m.Session(
        session_id=session.session_id,
        sip_session_ids=session.sip_session_ids,
        reasons=reasons,
        group_id=session.group_id,
        started=clock.at(session.started),
        stopped=None if session.ended is None else clock.at(session.ended),
    )


def _participant(person: Participant) -> m.Participant:
    names = tuple(m.NameId(aor=name.aor, name=name.display) for name in person.names)
    return m.Participant(participant_id=person.participant_id, names=names or (m.NameId(aor=m.ANONYMOUS),))


def _session_recording(
    session: CommunicationSession, clock: WallClock, recorded_from: float, recorded_until: float | None
) -> m.SessionRecording:
    """The call's stay in this recording session (RFC 7865 6.4)."""
    ended = recorded_until if session.ended is None else session.ended
    return m.SessionRecording(
        session_id=session.session_id,
        associated=clock.at(recorded_from),
        disassociated=None if ended is None else clock.at(max(ended, recorded_from)),
    )


def _participant_session(
    session: CommunicationSession, person: Participant, clock: WallClock
) -> m.ParticipantSession:
    left = session.ended if person.left is None else person.left
    return m.ParticipantSession(
        participant_id=person.participant_id,
        session_id=session.session_id,
        associated=clock.at(person.joined),
        disassociated=None if left is None else clock.at(left),
        parameters=(("isfocus", "true"),) if person.focus else (),
    )


def _formed(session: CommunicationSession) -> float:
    return session.started if session.group_formed is None else session.group_formed


def _receives(session: CommunicationSession, person: Participant, stream: MediaStream) -> bool:
    if stream.sender == person.participant_id or not stream.direction.sends:
        return False
    theirs = [other for other in session.streams if other.sender == stream.sender]
    own = [other for other in session.streams if other.sender == person.participant_id]
    position = theirs.index(stream)
    return position >= len(own) or own[position].direction.receives
