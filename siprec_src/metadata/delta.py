"""Partial documents: only what changed since a complete one on the same recording session (RFC 7865 5)."""

from __future__ import annotations

from siprec_src.communication import CommunicationSession
from siprec_src.machine import WallClock
from siprec_src.metadata import model as m
from siprec_src.metadata.document import participant_streams


def media_change(session: CommunicationSession) -> m.Recording:
    """Hold or resume: everybody's whole send and receive set replaces the one before (RFC 8068 3.2.2)."""
    return m.Recording(mode=m.DataMode.PARTIAL, participant_streams=participant_streams(session))


def ending(session: CommunicationSession, clock: WallClock) -> m.Recording:
    """The call has ended: its stop time, and everybody leaves (RFC 8068 3.2.4).

    Raises ValueError when ``session`` has not ended.
    """
    if session.ended is None:
        msg = "the call has not ended"
        raise ValueError(msg)
    reasons: tuple[m.Reason, ...] = ()
    if session.reason_cause is not None:
        reasons = (m.Reason(cause=session.reason_cause, text=session.reason),)
    stopped = m.Session(session_id=session.session_id, reasons=reasons, stopped=clock.at(session.ended))
    return m.Recording(
        mode=m.DataMode.PARTIAL,
        sessions=(stopped,),
        participant_sessions=tuple(
            m.ParticipantSession(
                participant_id=person.participant_id,
                session_id=session.session_id,
                disassociated=clock.at(session.ended if person.left is None else person.left),
            )
            for person in session.participants
        ),
    )
