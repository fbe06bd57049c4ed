"""What recording is told of a call: an immutable `CommunicationSession` a change (RFC 7865 6).

Ids are made once and stay: the session's for the call, a stream's for its m-line, side and medium, a
participant's for the person in the group. A party is known by P-Asserted-Identity (RFC 3325), else by
Remote-Party-ID, else by From, the callee at first by To. Later messages may say that somebody else speaks
on a leg now (RFC 4916): who was there leaves, who comes sends the same stream (RFC 8068 3.2.3).
"""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.communication import CommunicationSession, MediaStream, Name, Participant, Preference, Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.ingest.inline.agreed import AgreedLine, sent_direction, sent_formats
from siprec_src.ingest.inline.groups import ANONYMOUS, Group, same_person
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.media import SIDES, CallMedia
from siprec_src.ingest.inline.names import asserted_names, changes_from, is_focus, said_names, session_uuid
from siprec_src.ingest.inline.routing import Route
from siprec_src.sdp.crypto import key_bits
from siprec_src.sip.headers import Reason as ReasonField
from siprec_src.sip.headers import parse_reasons
from siprec_src.sip.message import Message, Request, Response

_NIL: Final = "0" * 32  # RFC 7989 4.1

MAX_LEFT: Final = 32  #: participants who have left that are still told of; the first ones are forgotten


@dataclasses.dataclass(slots=True, kw_only=True)
class Party:
    """Who is at one leg now."""

    names: tuple[Name, ...]
    said: Name  #: in From, which may change beside P-Asserted-Identity
    changes_from: bool  #: and then means what it says (RFC 4916)
    participant_id: bytes = b""  #: from the answer on
    joined: float = 0.0
    focus: bool = False
    session_uuid: str | None = None  #: RFC 7989


class Publication:
    """The identity of one call towards recording, and what was said last."""

    def __init__(
        self, identity: Identity, *, call: int, route: Route, request: Request, group: Group
    ) -> None:
        self.session_id = identity.uuid()  #: of the communication session
        self.group = group
        self.preference = Preference.NONE  #: of both parties, as their newest descriptions say
        self._identity = identity
        self._call = call
        self._route = route
        self._request = request
        self._stream_ids: dict[tuple[int, Side, str], bytes] = {}
        self._parties = {
            Side.CALLER: _first_party(request, "from", asserted_names(request)),
            Side.CALLEE: _first_party(request, "to", ()),
        }
        self._parties[Side.CALLER].session_uuid = session_uuid(request)
        self._left: list[Participant] = []
        self._started: float | None = None
        self._last: CommunicationSession | None = None

    @property
    def started(self) -> float | None:
        """When the call was answered, seconds of the machines' clock."""
        return self._started

    def names(self, side: Side) -> tuple[Name, ...]:
        """Who is known to be there."""
        return self._parties[side].names

    def answered(self, response: Response, now: float) -> None:
        """The 2xx of the callee tells who answered, and when."""
        self._started = now
        if self.group.formed is None:
            self.group.formed = now
        caller, callee = (self._parties[side] for side in SIDES)
        callee.names = asserted_names(response) or callee.names
        callee.session_uuid = session_uuid(response)
        callee.changes_from = changes_from(response)
        caller.focus, callee.focus = bool(is_focus(self._request)), bool(is_focus(response))
        caller.joined = callee.joined = now
        caller.participant_id = self.group.person(caller.names)
        callee.participant_id = self.group.person(callee.names, caller.participant_id)

    def renames(self, side: Side, request: Request) -> bool:
        """Whether a party says in From that somebody else speaks there now.

        Only where it has said that it does so: others change the text of From without a meaning.
        """
        party = self._parties[side]
        (said,) = said_names(request, "from")
        return said.aor != party.said.aor and (party.changes_from or changes_from(request))

    def heard(self, side: Side, message: Message, now: float) -> None:
        """An INVITE or UPDATE inside the call has succeeded: what one message of it says of its sender."""
        party = self._parties[side]
        party.session_uuid = session_uuid(message) or party.session_uuid
        focus = is_focus(message)
        party.focus = party.focus if focus is None else focus
        names = asserted_names(message)
        if isinstance(message, Request) and self.renames(side, message):
            (party.said,) = said_names(message, "from")
            names = names or (party.said,)
        if names and names != party.names:
            self._is_now(side, names, now)

    def dialled(self, request: Request) -> None:
        """The call goes to whom this INVITE names, not to whom the caller has called."""
        self._parties[Side.CALLEE] = _first_party(request, "to", ())

    def arriving(self, media: CallMedia, now: float) -> CommunicationSession:
        """The session before anybody has answered; it is not published."""
        return self._session(media, now)

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
        gone = tuple(
            dataclasses.replace(who, left=now) if who.left is None else who for who in self._last.participants
        )
        return dataclasses.replace(
            self._last,
            participants=gone,
            ended=now,
            reason="" if reason is None else reason.text,
            reason_cause=None if reason is None else reason.cause,
        )

    def _is_now(self, side: Side, names: tuple[Name, ...], now: float) -> None:
        """Other names: of the same person, or of somebody who has taken his place (RFC 4916 4)."""
        party = self._parties[side]
        if same_person(party.names, names) or party.names[0].aor == ANONYMOUS.aor:
            party.names = names
            self.group.also(party.participant_id, names)
            return
        self._left = [*self._left[-MAX_LEFT + 1 :], dataclasses.replace(self._participant(side), left=now)]
        party.names, party.joined = names, now
        party.participant_id = self.group.person(names, self._parties[other(side)].participant_id)
        self._left = [who for who in self._left if who.participant_id != party.participant_id]

    def _session(self, media: CallMedia, started: float) -> CommunicationSession:
        return CommunicationSession(
            call=self._call,
            session_id=self.session_id,
            group_id=self.group.group_id,
            group_formed=self.group.formed,
            participants=(*(self._participant(side) for side in SIDES), *self._left),
            streams=tuple(self._stream(media, line, side) for line in media.agreed for side in SIDES),
            sip_session_ids=self._sip_session_ids(),
            started=started,
            trunk=self._route.trunk,
            direction=self._route.direction,
            sips=self._request.target.secure,
            preference=self.preference,
            headers=tuple(self._request.headers),
        )

    def _participant(self, side: Side) -> Participant:
        party = self._parties[side]
        return Participant(
            participant_id=party.participant_id,
            side=side,
            names=party.names,
            joined=party.joined,
            focus=party.focus,
        )

    def _stream(self, media: CallMedia, line: AgreedLine, side: Side) -> MediaStream:
        place = (line.index, side, line.medium)
        if place not in self._stream_ids:
            self._stream_ids[place] = self._identity.uuid()
        theirs = line.parties[other(side)]
        return MediaStream(
            stream_id=self._stream_ids[place],
            sender=self._parties[side].participant_id,
            medium=line.medium,
            source=media.port_of(line, side),
            formats=sent_formats(line, side),
            packet_time_ms=theirs.packet_time_ms or line.parties[side].packet_time_ms,
            direction=sent_direction(line, side),
            content=line.parties[side].content,
            encrypted=line.encrypted,
            key_bits=key_bits(keys.receive.suite) if (keys := line.parties[side].keys) else 0,
        )

    def _sip_session_ids(self) -> tuple[str, ...]:
        """RFC 7989 5, 11: the caller's UUID and the callee's; nil where the answer told none of its own."""
        caller, callee = (self._parties[side].session_uuid for side in SIDES)
        if caller is None:
            return ()
        return (f"{caller};remote={_NIL if callee in (None, caller) else callee}",)


def reason_of(message: Message) -> ReasonField | None:
    """The first Reason of a message (RFC 3326); None without one that can be read."""
    value = message.headers.get("reason")
    try:
        return None if value is None else next(iter(parse_reasons(value)), None)
    except RemoteProtocolError:
        return None


def _first_party(request: Request, field: str, asserted: tuple[Name, ...]) -> Party:
    (said,) = said_names(request, field)
    own = field == "from"  # what the caller says of himself, and what he calls the callee
    return Party(names=asserted or (said,), said=said, changes_from=own and changes_from(request))
