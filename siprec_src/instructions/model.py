"""What a voice application may tell a call, in one vocabulary for TwiML and for SVAML.

A `Script` is what one document says, in its order. Reading it has checked every value; nothing here is
carried out. Directions are the platforms': *inbound* is what the daemon receives from the caller.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

from siprec_src.instructions.recording_options import RecordingOptions
from siprec_src.values import SecretText, immutable

DEFAULT_CONNECTOR: Final = "Default"

Method = Literal["GET", "POST"]


class Track(enum.Enum):
    """Which side of the call a Siprec sends to its SRS."""

    INBOUND = "inbound_track"
    OUTBOUND = "outbound_track"
    BOTH = "both_tracks"


class RecordedTrack(enum.Enum):
    """Which side of the call a local recording holds."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BOTH = "both"


class Channels(enum.Enum):
    """Whether both sides of a local recording are mixed, or a channel each."""

    MONO = "mono"
    DUAL = "dual"


class RecordingEvent(enum.Enum):
    """What a recording's status callback is told of."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    ABSENT = "absent"


class RejectReason(enum.Enum):
    """How a call is refused."""

    REJECTED = "rejected"
    BUSY = "busy"


@immutable
class StatusCallback:
    """Where somebody wants to be told what has become of what they started."""

    url: SecretText  #: absolute, http or https; may hold a password, so it is shown nowhere
    method: Method = "POST"


@immutable
class StartSiprec:
    """One more recording session of the call, at a connector's SRS."""

    name: str | None = None  #: to stop it by; unique on its call
    connector: str = DEFAULT_CONNECTOR
    track: Track = Track.BOTH
    callback: StatusCallback | None = None
    parameters: tuple[tuple[str, str], ...] = ()  #: names and values, in the order given; names may repeat


@immutable
class StopSiprec:
    """The end of one that was started before."""

    name: str  #: its name, or its SID


@immutable
class Recording:
    """A local recording as it is asked for."""

    track: RecordedTrack = RecordedTrack.BOTH
    channels: Channels = Channels.DUAL
    trim: bool = False  #: silence at both ends is taken off
    callback: StatusCallback | None = None
    events: frozenset[RecordingEvent] = frozenset({RecordingEvent.COMPLETED})
    from_ringing: bool = False  #: before the callee has answered
    options: RecordingOptions | None = None  #: where its file goes; None: it stays here


@immutable
class StartRecording:
    """A local recording from now on."""

    recording: Recording


@immutable
class StopRecording:
    """The end of the local recording."""


@immutable
class Number:
    """A telephone number to call, or a name of the numbering plan in its place."""

    digits: str  #: digits, ``*`` and ``#``, with ``+`` before an international one


@immutable
class User:
    """A user of the application to call."""

    name: str


@immutable
class SipTarget:
    """A SIP address to call."""

    uri: str  #: ``sip:`` or ``sips:``; its grammar is checked by whoever dials it


Target = Number | User | SipTarget


@immutable
class Dial:
    """The other party is called, and the two are connected."""

    targets: tuple[Target, ...] = ()  #: who answers first; none: where the call is going anyway
    timeout_s: int = 30
    caller_id: str | None = None  #: None: the caller's own
    time_limit_s: int = 14_400
    action: SecretText | None = None  #: what is fetched afterwards; may be relative
    method: Method = "POST"
    hang_up_on_star: bool = False
    ring_tone: str = ""
    answer_on_bridge: bool = False
    recording: Recording | None = None


@immutable
class Pause:
    """Nothing more is done for a while."""

    length_s: int = 1


@immutable
class Reject:
    """The call is refused, unanswered."""

    reason: RejectReason = RejectReason.REJECTED


@immutable
class Hangup:
    """The call ends."""


@immutable
class Continue:
    """The call goes on as if nothing had been asked."""


@immutable
class Unsupported:
    """An instruction that is right and that this daemon does not carry out: it is reported."""

    verb: str
    why: str


Instruction = (
    StartSiprec
    | StopSiprec
    | StartRecording
    | StopRecording
    | Dial
    | Pause
    | Reject
    | Hangup
    | Continue
    | Unsupported
)


@immutable
class Warning:
    """Something in a document that changes nothing, and that its author should know of."""

    code: int
    text: str


@immutable
class Script:
    """One document, read."""

    instructions: tuple[Instruction, ...]
    warnings: tuple[Warning, ...] = ()
