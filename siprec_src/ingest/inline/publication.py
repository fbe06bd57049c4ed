"""What recording is told of a call: an immutable `CommunicationSession` a change (RFC 7865 6).

Ids are made once and stay: session, group and participants for the call, a stream's for its m-line, side
and medium. The caller is known by P-Asserted-Identity (RFC 3325), else From; the callee by
P-Asserted-Identity of the answer, else To. Who withholds his name is anonymous (RFC 3323 4.1).
"""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.communication import CommunicationSession, MediaStream, Name, Participant, Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.media import SIDES, AgreedLine, CallMedia, sent_direction, sent_formats
from siprec_src.sip.headers import (
    NameAddress,
    parse_name_address,
    parse_name_addresses,
    parse_reasons,
    parse_session_id,
)
from siprec_src.sip.headers import Reason as ReasonField
from siprec_src.sip.message import Message, Request, Response

ANONYMOUS: Final = Name(aor="sip:anonymous@anonymous.invalid", display="Anonymous")

_NIL: Final = "0" * 32  # RFC 7989 4.1

MAX_NAMES: Final = 4  #: identities of one participant; P-Asserted-Identity may hold two (RFC 3325 9.1)


class Publication:
    """The identity of one call towards recording, and what was said last."""

    def __init__(self, identity: Identity, *, call: int, trunk: str, request: Request) -> None:
        self._identity = identity
        self._call = call
        self._trunk = trunk
        self._request = request
        self._ids = {name: identity.uuid() for name in ("session", "group", "caller", "callee")}
        self._stream_ids: dict[tuple[int, Side, str], bytes] = {}
        self._names = {
            Side.CALLER: asserted_names(request) or said_names(request, "from"),
            Side.CALLEE: said_names(request, "to"),
        }
        self._session_ids = [_session_id(request), None]
        self._started: float | None = None
        self._last: CommunicationSession | None = None

    @property
    def published(self) -> bool:
        return self._last is not None

    @property
    def session_id(self) -> bytes:
        """Of the communication session; for logs."""
        return self._ids["session"]

    @property
    def started(self) -> float | None:
        """When the call was answered, seconds of the machines' clock."""
        return self._started

    def answered(self, response: Response, now: float) -> None:
        """The 2xx of the callee tells who answered, and when."""
        self._started = now
        self._names[Side.CALLEE] = asserted_names(response) or self._names[Side.CALLEE]
        self._session_ids[1] = _session_id(response)

    def changed(self, media: CallMedia) -> CommunicationSession | None:
        """The session as it is now; None when nothing of it is new."""
        if self._started is None:
            return None
        session = self._session(media, self._started)
        if session == self._last:
            return None
        self._last = session
        return session

    def ended(self, now: float, reason: ReasonField | None) -> CommunicationSession | None:
        """The session's last word; None when it was never published."""
        if self._last is None:
            return None
        gone = tuple(dataclasses.replace(who, left=now) for who in self._last.participants)
        return dataclasses.replace(
            self._last,
            participants=gone,
            ended=now,
            reason="" if reason is None else reason.text,
            reason_cause=None if reason is None else reason.cause,
        )

    def _session(self, media: CallMedia, started: float) -> CommunicationSession:
        return CommunicationSession(
            call=self._call,
            session_id=self._ids["session"],
            group_id=self._ids["group"],
            participants=tuple(
                Participant(
                    participant_id=self._ids[side.value], side=side, names=self._names[side], joined=started
                )
                for side in SIDES
            ),
            streams=tuple(self._stream(media, line, side) for line in media.agreed for side in SIDES),
            sip_session_ids=self._sip_session_ids(),
            started=started,
            trunk=self._trunk,
            headers=tuple(self._request.headers),
        )

    def _stream(self, media: CallMedia, line: AgreedLine, side: Side) -> MediaStream:
        place = (line.index, side, line.medium)
        if place not in self._stream_ids:
            self._stream_ids[place] = self._identity.uuid()
        theirs = line.parties[other(side)]
        return MediaStream(
            stream_id=self._stream_ids[place],
            sender=self._ids[side.value],
            medium=line.medium,
            source=media.port_of(line, side),
            formats=sent_formats(line, side),
            packet_time_ms=theirs.packet_time_ms or line.parties[side].packet_time_ms,
            direction=sent_direction(line, side),
            encrypted=line.encrypted,
        )

    def _sip_session_ids(self) -> tuple[str, ...]:
        """RFC 7989 5, 11: the caller's UUID and the callee's; nil where the answer told none of its own."""
        caller, callee = self._session_ids
        if caller is None:
            return ()
        return (f"{caller};remote={_NIL if callee in (None, caller) else callee}",)


def asserted_names(message: Message) -> tuple[Name, ...]:
    """What the sender's own domain says of its identity (RFC 3325 9.1); empty when it says nothing."""
    try:
        found = [
            a for value in message.headers.all("p-asserted-identity") for a in parse_name_addresses(value)
        ]
    except RemoteProtocolError:
        return ()
    return tuple(_name(address) for address in found[:MAX_NAMES])


def said_names(message: Message, field: str) -> tuple[Name, ...]:
    """The identity in From or To."""
    value = message.headers.get(field)
    try:
        return (ANONYMOUS,) if value is None else (_name(parse_name_address(value)),)
    except RemoteProtocolError:
        return (ANONYMOUS,)


def _name(address: NameAddress) -> Name:
    uri = dataclasses.replace(address.uri, password=None, headers="", parameters=())
    if uri.scheme not in ("sip", "sips", "tel") or uri.host.lower().endswith("anonymous.invalid"):
        return dataclasses.replace(ANONYMOUS, display=address.display or ANONYMOUS.display)
    return Name(aor=str(uri), display=address.display)


def _session_id(message: Message) -> str | None:
    """The sender's UUID of RFC 7989; None where it says none, or says it wrongly."""
    value = message.headers.get("session-id")
    try:
        return None if value is None else parse_session_id(value).local
    except RemoteProtocolError:
        return None


def reason_of(message: Message) -> ReasonField | None:
    """The first Reason of a message (RFC 3326); None without one that can be read."""
    value = message.headers.get("reason")
    try:
        return None if value is None else next(iter(parse_reasons(value)), None)
    except RemoteProtocolError:
        return None
