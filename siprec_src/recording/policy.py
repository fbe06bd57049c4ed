"""Whether a call is recorded and where, and which tracks of it an SRS gets.

A rule of the operator's may decide (`rules`), or ``automatic`` of ``[recording]`` does. What a party wishes
by ``a=recordpref``, where that is honoured, goes before all that does not bind (RFC 7866 7.3.2).

A call is not copied with less protection than it has unless configuration says so (RFC 7866 12, 12.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from siprec_src.communication import CommunicationSession, Direction, Preference, Side
from siprec_src.recording.forks import Wanted
from siprec_src.recording.offer import offerable
from siprec_src.recording.presentation import first_side
from siprec_src.recording.rule import Record
from siprec_src.recording.settings import Distribution
from siprec_src.recording.srs import LateTrack, SrsConfig, SrsTarget, Track
from siprec_src.sip.flow import Transport
from siprec_src.values import immutable

ON_COMMAND: Final = "on-command"  #: why a call is not recorded that nobody has asked for
BY_WISH: Final = "recordpref"  #: why one is not that a party does not want recorded
BY_RULE: Final = "rule"  #: why one is not that a rule does not want recorded
MEANT: Final = frozenset({ON_COMMAND, BY_WISH, BY_RULE})  #: reasons that are no fault


@immutable
class Decision:
    """What is done about one call."""

    record: Record = Record.DONT_CARE  #: what a rule says; `DONT_CARE`: none decides
    targets: tuple[SrsTarget, ...]  #: tried in order
    obstacle: str = ""  #: slug; why it cannot be recorded, whoever wants it
    rule: str = ""  #: name of the one that decides
    required: bool = False  #: the call does not go on without
    distribution: Distribution | None = None  #: over `targets`; None: as for all calls

    def unrecorded(self, wish: Preference, *, automatic: bool) -> str:
        """Why it is not recorded; "" when it is. ``wish`` is of the parties, as far as it is honoured."""
        match self.record:
            case Record.FORCE:
                return self.obstacle
            case Record.NEVER:
                return BY_RULE
            case Record.YES | Record.NO | Record.DONT_CARE:
                pass
        if wish is not Preference.ON and self.record is Record.NO:
            return BY_RULE
        wanted = wish is Preference.ON or automatic or self.record is Record.YES
        if wish is Preference.OFF:
            return BY_WISH
        return self.obstacle if wanted else ON_COMMAND


def decide(session: CommunicationSession, targets: Sequence[SrsTarget]) -> Decision:
    """Without a rule every call can be recorded, at the first SRS that takes it."""
    if not targets:
        return Decision(targets=(), obstacle="no-srs")
    if session.ended is not None:
        return Decision(targets=(), obstacle="call-ended")
    return Decision(targets=tuple(targets))


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
