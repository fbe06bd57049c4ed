"""The metadata document as values, in the words and order of its schema (RFC 7865 6, 9).

Ids are octets, 16 of a UUID in what we make (RFC 7865 6.10); times know their zone.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Final

from siprec_src.values import immutable

NAMESPACE: Final = "urn:ietf:params:xml:ns:recording:1"
ANONYMOUS: Final = "sip:anonymous@anonymous.invalid"  #: who is not known (RFC 3323 4.1.1.3)


class DataMode(enum.Enum):
    """Whether a document stands alone or changes the ones before it (RFC 7865 5.1.2)."""

    COMPLETE = "complete"
    PARTIAL = "partial"


@immutable
class Extension:
    """An element of another namespace, at the end of its parent (RFC 7865 9, ``##other``)."""

    namespace: str
    name: str
    prefix: str = ""  #: "": it is written with a default namespace
    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()  #: children of the same namespace and their text, in order
    parameters: tuple[tuple[str, str], ...] = ()
    #: attribute ``name`` of a child ``parameter`` and its text, in order: names that no element could have


@immutable
class Group:
    """A CS-Group (RFC 7865 6.2)."""

    group_id: bytes
    associated: dt.datetime | None = None
    disassociated: dt.datetime | None = None
    extensions: tuple[Extension, ...] = ()


@immutable
class Reason:
    """Why a session ended (RFC 7865 6.3.1, RFC 3326)."""

    cause: int
    text: str = ""
    protocol: str = "SIP"


@immutable
class Session:
    """A Communication Session (RFC 7865 6.3)."""

    session_id: bytes
    sip_session_ids: tuple[str, ...] = ()  #: ``local;remote=remote`` (RFC 7989)
    reasons: tuple[Reason, ...] = ()
    group_id: bytes | None = None
    started: dt.datetime | None = None
    stopped: dt.datetime | None = None
    extensions: tuple[Extension, ...] = ()


@immutable
class NameId:
    """One identity of a participant (RFC 7865 6.5.1)."""

    aor: str
    name: str = ""
    language: str = ""  #: xml:lang


@immutable
class Participant:
    """RFC 7865 6.5."""

    participant_id: bytes
    names: tuple[NameId, ...]  #: at least one
    extensions: tuple[Extension, ...] = ()


@immutable
class Stream:
    """A media stream (RFC 7865 6.7)."""

    stream_id: bytes
    session_id: bytes | None = None
    label: str | None = None  #: of the m-line in the same message; opaque


@immutable
class SessionRecording:
    """``sessionrecordingassoc``: a CS in this recording session (RFC 7865 6.4)."""

    session_id: bytes
    associated: dt.datetime | None = None
    disassociated: dt.datetime | None = None


@immutable
class ParticipantSession:
    """``participantsessionassoc``: a participant in a CS (RFC 7865 6.6)."""

    participant_id: bytes
    session_id: bytes
    associated: dt.datetime | None = None
    disassociated: dt.datetime | None = None
    parameters: tuple[tuple[str, str], ...] = ()


@immutable
class ParticipantStream:
    """``participantstreamassoc``: all that a participant now sends and receives (RFC 7865 6.8)."""

    participant_id: bytes
    sends: tuple[bytes, ...] = ()
    receives: tuple[bytes, ...] = ()
    associated: dt.datetime | None = None
    disassociated: dt.datetime | None = None


@immutable
class Recording:
    """The document: what a recorder is told (RFC 7865 5, 6.1)."""

    mode: DataMode = DataMode.COMPLETE
    groups: tuple[Group, ...] = ()
    sessions: tuple[Session, ...] = ()
    participants: tuple[Participant, ...] = ()
    streams: tuple[Stream, ...] = ()
    session_recordings: tuple[SessionRecording, ...] = ()
    participant_sessions: tuple[ParticipantSession, ...] = ()
    participant_streams: tuple[ParticipantStream, ...] = ()
    extensions: tuple[Extension, ...] = ()


@immutable
class SnapshotRequest:
    """``requestsnapshot``: an SRS asks for a complete document (RFC 7865 7)."""

    reason: str = ""
    language: str = ""
