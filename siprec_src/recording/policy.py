"""Whether a call is recorded and where, and which tracks of it an SRS gets.

The seam at which rules come in later.

A call is not copied with less protection than it has unless configuration says so (RFC 7866 12, 12.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from siprec_src.communication import CommunicationSession, Direction, Side
from siprec_src.recording.forks import Wanted
from siprec_src.recording.offer import offerable
from siprec_src.recording.presentation import first_side
from siprec_src.recording.srs import LateTrack, SrsConfig, SrsTarget, Track
from siprec_src.sip.flow import Transport
from siprec_src.values import immutable


@immutable
class Decision:
    """What is done about one call, decided once."""

    record: bool
    targets: tuple[SrsTarget, ...]  #: tried in order
    reason: str  #: slug; why it is not recorded, or by what rule it is


def decide(session: CommunicationSession, targets: Sequence[SrsTarget]) -> Decision:
    """Every call is recorded at the first SRS that takes it; without an SRS none is."""
    if not targets:
        return Decision(record=False, targets=(), reason="no-srs")
    if session.ended is not None:
        return Decision(record=False, targets=(), reason="call-ended")
    return Decision(record=True, targets=tuple(targets), reason="all-calls")


def tracks_of(session: CommunicationSession, config: SrsConfig) -> tuple[Wanted, ...]:
    """The tracks of the call that an SRS gets an m-line for, in the call's order."""
    sides = {participant.participant_id: participant.side for participant in session.participants}
    first = first_side(session, config)
    said = ((stream, sides.get(stream.sender, Side.CALLER)) for stream in session.streams)
    return tuple(
        Wanted(stream, side is first)
        for stream, side in said
        if _chosen(side, config.track) and offerable(stream, config)
    )


def waits_for_track(session: CommunicationSession, config: SrsConfig) -> bool:
    """Whether the SRS gets both tracks or none, and one is not there yet."""
    if config.late_track is LateTrack.ADD or config.track is not Track.BOTH:
        return False
    return len({track.first for track in tracks_of(session, config)}) < len(Side)


def held(session: CommunicationSession) -> bool:
    """Whether a party holds the other: some audio of the call goes one way only, or not at all."""
    return any(s.medium == "audio" and s.direction is not Direction.SENDRECV for s in session.streams)


def secure_enough(session: CommunicationSession, target: SrsTarget) -> bool:
    """Whether the SRS gets the call at least as well protected as it is: its signalling and its media."""
    if target.config.clear_copy_of_encrypted:
        return True
    if session.sips and target.transport is not Transport.TLS:
        return False
    bits = [t.stream.key_bits for t in tracks_of(session, target.config) if t.stream.encrypted]
    return not bits or (target.secure and bool(target.suites_for(max(bits))))


def _chosen(side: Side, track: Track) -> bool:
    match track:
        case Track.BOTH:
            return True
        case Track.INBOUND:
            return side is Side.CALLER
        case Track.OUTBOUND:
            return side is Side.CALLEE
