"""One recording session as the SRS lives it: INVITE, updates, BYE (RFC 7866 6.2, 7.2, 9.2). No I/O.

Events of the user agent and ``now`` go in, commands to it come out; what happens to media and files is
told to a `Recording`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from siprec_src.errors import NoRoom, RemoteProtocolError, SiprecError
from siprec_src.identity import Identity
from siprec_src.metadata.model import SnapshotRequest
from siprec_src.metadata.writer import write_snapshot_request
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Origin, SessionDescription
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import Part, find, not_understood, split_body
from siprec_src.sip.message import Headers, Message, Request
from siprec_src.sip.settings import AgentSettings
from siprec_src.srs.answer import Reception, acceptable, make_answer, renewed
from siprec_src.srs.gate import Gate
from siprec_src.srs.settings import SrsSettings

SDP: Final = "application/sdp"
METADATA: Final = ("application/rs-metadata+xml", "application/rs-metadata")
DIALOG: Final = "srs"  #: our name of the only dialog
FACE: Final = AgentSettings(
    allow=("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO"),
    accept=(SDP, *METADATA, "multipart/mixed"),
    supported=(),
)  #: what this server can, inside a dialog and outside
_ACCEPT: Final = ("Accept", ", ".join(FACE.accept))
_ALLOW: Final = ("Allow", ", ".join(FACE.allow))


class Recording(Protocol):
    """Where media and metadata of a session go."""

    def open(self, index: int) -> int:
        """The RTP port of an m-line, opened on first use. Raises NoRoom."""

    def receive(self, receptions: tuple[Reception, ...]) -> None:
        """The m-lines that are now received, and how; others are not."""

    def metadata(self, document: bytes) -> None:
        """A metadata document arrived."""

    def end(self, reason: str) -> None:
        """The session is over; nothing follows."""


class ServedSession:
    """The server's side of one recording session."""

    def __init__(
        self,
        invite: sip.InviteArrived,
        *,
        identity: Identity,
        settings: SrsSettings,
        begin: Callable[[Request, bytes | None], Recording],
        gate: Gate | None = None,
        fingerprint: str = "",
    ) -> None:
        self.finished = False
        self._usage = invite.usage
        self._identity = identity
        self._settings = settings
        self._begin = begin
        self._gate = gate
        self._fingerprint = fingerprint
        self._behaviour = settings.behaviour
        self._host = settings.advertised or settings.host
        self._origin = Origin(session_id=identity.session_number(), version=1, address=self._host)
        self._recording: Recording | None = None
        self._local: SessionDescription | None = None
        self._keys: dict[int, Crypto] = {}
        self._pending: sip.InviteArrived | None = None
        self._due: list[tuple[float, Callable[[], list[sip.Command]]]] = []

    @property
    def deadline(self) -> float | None:
        return min((when for when, _ in self._due), default=None)

    def receive(self, event: sip.Event, now: float) -> list[sip.Command]:
        """Take one event of this usage."""
        match event:
            case sip.InviteArrived():
                return self._invited(event, now)
            case sip.RequestArrived():
                return self._requested(event)
            case sip.CancelArrived():
                self._end("cancelled")
            case sip.DialogEnded():
                self._end(event.cause)
            case sip.AckArrived() | sip.ResponseArrived():
                # An answer to an offer of ours repeats what the recording client offered before.
                pass
        return []

    def wake(self, now: float) -> list[sip.Command]:
        """Do what is due at ``now``."""
        due = [action for when, action in self._due if when <= now]
        self._due = [item for item in self._due if item[0] > now]
        return [command for action in due for command in action()]

    def hang_up(self, reason: str) -> list[sip.Command]:
        """End the session from our side."""
        if self.finished:
            return []
        answered = self._local is not None
        self._end(reason)
        if not answered:
            return []
        token = self._identity.number()
        return [sip.SendRequest(usage=self._usage, dialog=DIALOG, token=token, method="BYE")]

    def _invited(self, invite: sip.InviteArrived, now: float) -> list[sip.Command]:
        if asked := self._challenge(invite.request):
            self.finished = True
            return [self._respond(invite.token, 401, asked)]
        if self._behaviour.refuse is not None:
            self.finished = True
            return [self._respond(invite.token, self._behaviour.refuse)]
        self._pending = invite
        if self._behaviour.silent:
            return []
        if self._behaviour.delay_s:
            self._due.append(
                (now + self._behaviour.delay_s, lambda: self._accept(now + self._behaviour.delay_s))
            )
            return []
        return self._accept(now)

    def _accept(self, now: float) -> list[sip.Command]:
        """Answer the first INVITE."""
        invite, self._pending = self._pending, None
        if invite is None or self.finished:
            return []
        try:
            check_roles(invite.request)
            offer, document = read_bodies(invite.request)
            if offer is None:
                raise RemoteProtocolError("no offer", status=488, section="RFC 7866 7.1")
            if not any(acceptable(media) for media in offer.media):
                raise RemoteProtocolError("nothing to record", status=488, section="RFC 3264 6")
            self._recording = self._begin(invite.request, document)
            answer = self._answer(offer)
        except SiprecError as error:
            self._end("refused")
            return [self._respond(invite.token, error.status, _refusal_headers(error.status))]
        if document is not None:
            self._recording.metadata(document)
        self._schedule(now)
        return [self._respond(invite.token, 200, body=write_sdp(answer))]

    def _schedule(self, now: float) -> None:
        if self._behaviour.bye_after_s is not None:
            self._due.append((now + self._behaviour.bye_after_s, lambda: self.hang_up("srs-bye")))
        if self._behaviour.snapshot_after_s is not None:
            self._due.append((now + self._behaviour.snapshot_after_s, self._ask_snapshot))

    def _ask_snapshot(self) -> list[sip.Command]:
        headers = Headers(
            [("Content-Type", METADATA[0]), ("Content-Disposition", "recording-session"), _ACCEPT]
        )
        return [
            sip.SendRequest(
                usage=self._usage,
                dialog=DIALOG,
                token=self._identity.number(),
                method="UPDATE",
                headers=headers,
                body=write_snapshot_request(SnapshotRequest()),
            )
        ]

    def _challenge(self, request: Request) -> tuple[tuple[str, str], ...]:
        return () if self._gate is None else self._gate.challenge(request)

    def _requested(self, event: sip.RequestArrived) -> list[sip.Command]:
        if asked := self._challenge(event.request):
            return [self._respond(event.token, 401, asked)]
        match event.request.method:
            case "INVITE" | "UPDATE":
                return self._updated(event)
            case "BYE":
                self._late_metadata(event.request)
                self._end("bye")
                return [self._respond(event.token, 200)]
            case "OPTIONS" | "INFO":
                return [self._respond(event.token, 200)]
            case _:
                return [self._respond(event.token, 405, (_ALLOW,))]

    def _updated(self, event: sip.RequestArrived) -> list[sip.Command]:
        """A new offer, new metadata, or both; an INVITE without an offer gets ours (RFC 3261 14.2)."""
        body = b""
        try:
            offer, document = read_bodies(event.request)
            if offer is not None:
                body = write_sdp(self._answer(offer))
            elif event.request.method == "INVITE" and self._local is not None:
                body = write_sdp(self._local)
        except SiprecError as error:
            return [self._respond(event.token, error.status, _refusal_headers(error.status))]
        if document is not None and self._recording is not None:
            self._recording.metadata(document)
        return [self._respond(event.token, 200, body=body)]

    def _late_metadata(self, request: Request) -> None:
        """Metadata in a BYE, as RFC 8068 3.2.4 shows; what cannot be read there is ignored."""
        try:
            _, document = read_bodies(request)
        except RemoteProtocolError:
            return
        if document is not None and self._recording is not None:
            self._recording.metadata(document)

    def _answer(self, offer: SessionDescription) -> SessionDescription:
        recording = self._recording
        if recording is None:
            raise NoRoom("the session has ended", status=481)
        if self._local is not None and len(offer.media) < len(self._local.media):
            raise RemoteProtocolError("an m-line was removed", status=488, section="RFC 3264 8")
        ports = {index: recording.open(index) for index, media in enumerate(offer.media) if acceptable(media)}
        answer, receptions = make_answer(
            offer,
            ports=ports,
            origin=self._origin,
            keys=self._keys,
            secret=self._identity.secret,
            behaviour=self._behaviour,
            fingerprint=self._fingerprint,
        )
        self._keys |= {item.index: item.send_key for item in receptions if item.send_key is not None}
        self._local = renewed(self._local, answer)
        recording.receive(receptions)
        return self._local

    def _end(self, reason: str) -> None:
        if self.finished:
            return
        self.finished = True
        self._due.clear()
        if self._recording is not None:
            self._recording.end(reason)

    def _respond(
        self, token: int, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> sip.Respond:
        fields = [*headers]
        if 200 <= status < 300:
            fields += [_ALLOW, _ACCEPT]
        if body:
            fields.append(("Content-Type", SDP))
        return sip.Respond(
            usage=self._usage,
            token=token,
            status=status,
            headers=Headers(fields),
            body=body,
            dialog=DIALOG,
            contact_parameters="" if self._behaviour.no_feature else ";+sip.srs",
        )


def check_roles(request: Request) -> None:
    """Refuse an INVITE that is no recording session of an SRC (RFC 7866 6.2).

    Raises RemoteProtocolError: 421 without ``Require: siprec``, 403 without ``+sip.src`` in Contact.
    """
    if "siprec" not in (tag.lower() for tag in request.tags("require")):
        raise RemoteProtocolError("no Require: siprec", status=421, section="RFC 7866 6.1.1")
    if not any(contact.parameter("+sip.src") is not None for contact in request.contacts):
        raise RemoteProtocolError("no +sip.src in Contact", status=403, section="RFC 7866 6.1.1")


def read_bodies(message: Message) -> tuple[SessionDescription | None, bytes | None]:
    """The SDP and the metadata document of a message, in any order and nesting.

    Raises RemoteProtocolError: 400 malformed, 415 a required part that is not known.
    """
    parts = split_body(message)
    if not_understood(parts, (SDP, *METADATA)):
        raise RemoteProtocolError("a required body part is not known", status=415, section="RFC 3261 8.2.3")
    sdp: Part | None = find(parts, SDP)
    metadata: Part | None = find(parts, *METADATA)
    return (
        None if sdp is None else parse_sdp(sdp.content),
        None if metadata is None else metadata.content,
    )


def _refusal_headers(status: int) -> tuple[tuple[str, str], ...]:
    match status:
        case 415:
            return (_ACCEPT,)
        case 421:
            return (("Require", "siprec"),)
        case 503:
            return (("Retry-After", "5"),)
        case _:
            return ()
