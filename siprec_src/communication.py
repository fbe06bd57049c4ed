"""The domain model: RFC 7865's Communication Session as an ingest publishes it.

An ingest makes one immutable `CommunicationSession` each time its meaning changes and publishes it;
recording consumes it and knows nothing of how it came. Ids are the 16 octets of a UUID and stay the
same from one publication to the next as long as they name the same thing (RFC 7865 6.10). `stream.source`
is the media plane's id of the port at which the track is received; nothing here interprets it.
"""

from __future__ import annotations

import base64
import enum

from siprec_src.values import immutable


def id_text(identifier: bytes) -> str:
    """An id as metadata documents write it, and logs with them (RFC 7865 6.10)."""
    return base64.b64encode(identifier).decode("ascii")


@immutable
class Format:
    """One RTP payload format as SDP describes it (RFC 8866 6.6, 6.15)."""

    payload_type: int  #: 0..127
    encoding: str  #: e.g. ``PCMU``, ``telephone-event``; compared without case
    clock_rate: int  #: Hz
    channels: int = 1
    parameters: str = ""  #: the text behind ``a=fmtp:<pt> ``, empty when there is none


class Direction(enum.Enum):
    """What the sender of a stream does with it now, seen from that sender (RFC 3264 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)


class CallDirection(enum.Enum):
    """Which way a call goes, seen from whoever runs the daemon."""

    INBOUND = "inbound"  #: somebody outside has placed it
    OUTBOUND = "outbound"  #: one of the operator's own parties has


class Side(enum.Enum):
    """Which party of a two-party call: the caller sends the *inbound* track, the callee the *outbound*.

    Inbound and outbound are as the Siprec resource means them: inbound is what the daemon receives
    from the party that placed the call, outbound what the other party says.
    """

    __hash__ = object.__hash__  # each is there once, and Enum's own is Python: they are keys of many tables

    CALLER = "caller"
    CALLEE = "callee"


class Preference(enum.Enum):
    """What the parties would like recording to do, in the words of ``a=recordpref`` (RFC 7866 7.3.2)."""

    NONE = "nopreference"
    ON = "on"
    PAUSE = "pause"
    OFF = "off"


@immutable
class Name:
    """One identity of a participant (RFC 7865 6.5.1)."""

    aor: str  #: a sip:, sips: or tel: URI without header parameters
    display: str = ""


@immutable
class Participant:
    """A party of the call (RFC 7865 6.5)."""

    participant_id: bytes
    side: Side
    names: tuple[Name, ...]  #: at least one; ``sip:anonymous@anonymous.invalid`` when unknown
    joined: float  #: seconds of the machines' clock
    left: float | None = None
    focus: bool = False  #: a conference, behind which others are (RFC 4579)


@immutable
class MediaStream:
    """One track: the media that one participant sends in one m-line (RFC 7865 6.7)."""

    stream_id: bytes
    sender: bytes  #: participant_id of who speaks
    medium: str  #: ``audio``; ``video`` and others are described, not forked
    source: int | None  #: media plane port at which the track is received; None: cannot be forked
    formats: tuple[Format, ...]  #: what the sender may use now, preferred first; events included
    packet_time_ms: int | None = None
    direction: Direction = Direction.SENDRECV  #: of the sender
    content: str = ""  #: what the sender says is in it, e.g. ``speaker`` (RFC 4796); "" when it does not
    encrypted: bool = False  #: this track is SRTP in the call (RFC 7866 12.2)
    key_bits: int = 0  #: length of its key, 0 when it has none or an unknown one


@immutable
class CommunicationSession:
    """Everything a recorder may know of one call at one moment (RFC 7865 6.3)."""

    call: int  #: handle of the call inside this process, for logs and lookups
    session_id: bytes
    group_id: bytes
    group_formed: float | None = None  #: None: with this call
    participants: tuple[Participant, ...]  #: caller, callee, then who has left
    streams: tuple[MediaStream, ...]  #: caller's track before callee's, m-line by m-line
    sip_session_ids: tuple[str, ...] = ()  #: RFC 7989 ``local;remote=remote``, one a dialog, when known
    started: float
    ended: float | None = None
    reason: str = ""  #: text of the call's Reason header, when it ended with one
    reason_cause: int | None = None
    trunk: str = ""  #: name of the trunk it came by
    direction: CallDirection = CallDirection.INBOUND  #: as that trunk says
    sips: bool = False  #: it was placed to a ``sips:`` URI (RFC 7866 12)
    preference: Preference = Preference.NONE  #: of both parties together
    headers: tuple[tuple[str, str], ...] = ()  #: header fields of the call's INVITE, as received


class RecordingState(enum.Enum):
    """Whether a call is recorded now, in the words of ``a=record`` (RFC 7866 7.1.2)."""

    ON = "on"
    PAUSED = "paused"
    OFF = "off"


@immutable(kw_only=False)
class RecordingChanged:
    """An effect of recording, and an event to the ingest of the call: its parties are to be told."""

    call: int
    state: RecordingState
    cause: str  #: slug, for logs


@immutable(kw_only=False)
class HangUp:
    """An event to the ingest of a call: it is to end now, for both parties."""

    cause: str  #: text of the Reason header that they get, and slug for logs
    status: int = 200  #: of that


@immutable(kw_only=False)
class TellCall:
    """An effect of recording: the ingest of a call is to be told."""

    call: int
    event: HangUp


@immutable(kw_only=False)
class Publish:
    """An effect of an ingest: the meaning of a call has changed; recording is told."""

    session: CommunicationSession
