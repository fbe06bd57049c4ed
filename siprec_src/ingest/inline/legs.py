"""Both legs of a call as its handlers speak to them: commands, and offers and answers crossing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from siprec_src.communication import RecordingState, Side, id_text
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.ingest.inline import headers as crossing
from siprec_src.ingest.inline.agreed import AgreedLine
from siprec_src.ingest.inline.bodies import SessionBody, exchanged
from siprec_src.ingest.inline.dialogs import DialogBook, LegDialog, LegEnd
from siprec_src.ingest.inline.evidence import Evidence
from siprec_src.ingest.inline.groups import Group
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.life import CallLife, Outcome
from siprec_src.ingest.inline.media import Exchange
from siprec_src.ingest.inline.relay import Relayed, Relays
from siprec_src.ingest.inline.routing import Refusal, Route
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.ingest.inline.transfers import Asked, Transfers
from siprec_src.ingest.inline.voice import Answer, Begun, Dialled
from siprec_src.machine import Observe
from siprec_src.sdp.indication import preference
from siprec_src.sdp.model import SessionDescription
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Edge
from siprec_src.sip.headers import Reason
from siprec_src.sip.message import Headers, Message, Request, Response

RECORD: Final = "a=record"  #: the way in which a party was told, in logs
NOTHING: Final = "none"

Described = Mapping[Side, SessionDescription]

CANCELLED: Final = Reason.of("SIP", 487, "cancelled")


class CallLegs(CallLife):
    """Who is where, what is under way between them, and the words to each."""

    def __init__(
        self,
        *,
        identity: Identity,
        route: Route,
        edges: Mapping[str, Edge],
        arrived: sip.InviteArrived,
        settings: InlineSettings,
        dialogs: DialogBook,
        transfers: Transfers,
        asked: Asked | None,
        group: Group,
        router: Callable[[Dialled], Route | Refusal],
        now: float,
    ) -> None:
        super().__init__(
            identity=identity,
            route=route,
            edges=edges,
            request=arrived.request,
            settings=settings,
            group=group,
            now=now,
        )
        self._dialogs = dialogs
        self._transfers = transfers
        self._asked = asked  # the REFER that led to this call
        self._entries: dict[str, LegDialog] = {}  # the caller's dialogs in the book
        self._usages = {Side.CALLER: arrived.usage, Side.CALLEE: identity.number()}
        self._relays = Relays()
        self._first: Relayed | None = None  # the INVITE that began the call
        self._first_token = arrived.token
        self._withdrawn: int | None = None  # the re-INVITE that was cancelled last
        self._dialog: str | None = None  # the confirmed one
        self._agreements: dict[str, tuple[AgreedLine, ...]] = {}  # of each dialog, early ones too
        self._described: dict[str, Described] = {}  # likewise: what each party has said of itself
        self._changing: Side | None = None  # whose offer waits for ports
        self._evidence = Evidence()
        self._router = router
        self._on_answer: Callable[[Answer | None], None] | None = None  # while an application is asked
        self._held = False  # nothing is done with the INVITE yet
        self._dialled: Dialled | None = None  # who is called instead of whom the caller has called
        self._begun: tuple[Begun, ...] = ()  # what the application wants done when the call is answered

    # words to a leg

    def _side(self, usage: int) -> Side:
        return Side.CALLER if usage == self._usages[Side.CALLER] else Side.CALLEE

    def _respond(
        self,
        side: Side,
        token: int,
        status: int,
        *,
        reason: str = "",
        headers: Headers | None = None,
        body: bytes = b"",
        dialog: str = "",
        tag: str = "",
        reliable: bool = False,
    ) -> None:
        """Answer a request; one that is settled already gets nothing more."""
        if self._relays.settled(token):
            return
        self._out.append(
            sip.Respond(
                usage=self._usages[side],
                token=token,
                status=status,
                reason=reason,
                headers=headers or Headers(),
                body=body,
                dialog=dialog,
                tag=tag,
                reliable=reliable,
                contact_parameters=self._contact,
            )
        )

    def _refuse(self, event: sip.RequestArrived, status: int) -> None:
        self._respond(self._side(event.usage), event.token, status)

    def _send(
        self,
        side: Side,
        dialog: str,
        method: str,
        headers: Headers,
        body: bytes = b"",
        token: int | None = None,
        *,
        spares_dialog: bool = False,
    ) -> None:
        self._out.append(
            sip.SendRequest(
                usage=self._usages[side],
                dialog=dialog,
                token=self._identity.number() if token is None else token,
                method=method,
                headers=headers,
                body=body,
                credentials=self._route.credentials.get(side),
                spares_dialog=spares_dialog,
            )
        )

    def _send_ack(self, relayed: Relayed, dialog: str, request: Request | None, body: bytes) -> None:
        headers = Headers() if request is None else self._for_dialog(request)
        self._out.append(
            sip.SendAck(
                usage=self._usages[other(relayed.origin)],
                dialog=dialog,
                token=relayed.sent,
                headers=headers if body else crossing.without_body(headers),
                body=body,
            )
        )

    def _for_dialog(self, request: Request) -> Headers:
        return self._dialogs.told(crossing.for_dialog(request))

    def _with_name(self, side: Side, request: Request, headers: Headers) -> Headers:
        """A party that says From somebody else now is told so to the other (RFC 4916 4.3)."""
        if not self._publication.renames(side, request):
            return headers
        return headers.prepended("From", crossing.without_tag(request.headers.get("from") or ""))

    def _bye_with(self, side: Side, dialog: str, reason: Reason) -> None:
        self._send(side, dialog, "BYE", Headers((("Reason", str(reason)),)))

    # offers and answers

    def _crossed_offer(
        self, offerer: Side, message: Message, session: SessionBody | None
    ) -> tuple[Exchange | None, bytes]:
        """The exchange that an offer opens, and the body of the message for the other leg."""
        if session is None:
            return None, message.body
        crossed = self._media.crossed_offer(offerer, session.description)
        exchange = Exchange(offerer=offerer, offer=session.description)
        return exchange, self._shown(other(offerer), message, session, crossed)

    def _shown(
        self, side: Side, message: Message, session: SessionBody, crossed: SessionDescription
    ) -> bytes:
        """The body for ``side``, in which its description says whether the call is recorded."""
        dressed = self._told[side].dressed(crossed, self._recording)
        return exchanged(message.body, session, dressed)

    def _take_answer(self, exchange: Exchange, dialog: str, message: Message, session: SessionBody) -> bytes:
        """Agree to an answer; returns the body for the offerer's leg. `_connect` makes the relay follow.

        Raises:
            RemoteProtocolError: the answer does not fit its offer; nothing was changed.
        """
        crossed = self._media.crossed_answer(exchange, session.description)
        agreement = self._media.agreement(exchange, session.description)
        self._agreements[dialog] = self._media.agreed = agreement
        answerer = other(exchange.offerer)
        self._described[dialog] = {exchange.offerer: exchange.offer, answerer: session.description}
        if self._dialog is not None:  # until then each fork has its own
            self._media.forget_keys(exchange, session.description)
        body = self._shown(exchange.offerer, message, session, crossed)
        for side in Side:
            self._agreed_to(side)
        return body

    def _agreed_to(self, side: Side) -> None:
        """A party has taken the description that it was sent last: it knows what that says."""
        party = self._told[side]
        if party.said not in (None, party.told):
            first, party.told = party.told is None, party.said
            if not first or party.said is not RecordingState.OFF:
                self._given(side, RECORD, party.said)

    def _given(self, side: Side, mode: str, state: RecordingState, why: str = "", cause: str = "") -> None:
        """The evidence of what a party was told; of one that was not to be, the end of the call has it."""
        if mode not in self._told[side].given:
            self._told[side].given.append(mode)
        if mode == NOTHING and not why:
            return
        cause = cause or (self._recording_cause if state is self._recording else "other-client")
        change = (("state", state.value), ("cause", cause))
        if not self._evidence.adds_to(change, side):
            self._write_evidence()
        started = self._publication.started
        at_s = None if started is None else round(self._now - started, 3)
        self._evidence.note(change, side, mode, why, at_s)
        outcome = "missing" if mode == NOTHING else "given"
        self._out.append(Observe("indications_total", (("mode", mode), ("outcome", outcome))))

    def _write_evidence(self) -> None:
        if fields := self._evidence.take():
            session = ("session", id_text(self._publication.session_id))
            self._log("info", "indication.given", session, *fields)

    def _publish(self) -> None:
        self._publication.preference = preference(self._described.get(self._dialog or "", {}).values())
        super()._publish()

    # the dialogs' ids

    def _enter(self, label: str, response: Response) -> str:
        """The dialogs that a response of the callee makes are in the book; our tag on the caller's leg."""
        request = self._request
        entry = self._entries.get(label)
        if entry is None:
            entry = LegDialog(request.call_id, self._identity.tag(), request.from_.tag or "")
            self._entries[label] = entry
        exit_ = LegDialog(response.call_id, response.from_.tag or "", response.to.tag or "")
        self._dialogs.add(
            self._end_of(entry, self._route.trunk, request), self._end_of(exit_, self._route.to, response)
        )
        return entry.ours

    def _confirm(self, dialog: str) -> None:
        """The callee has answered in this dialog; what is under way in the others ends with them."""
        self._dialog = dialog
        self._leave_forks(dialog)
        for relayed in self._relays.outside(dialog):
            self._respond(relayed.origin, relayed.token, 481)
            self._relays.drop(relayed)

    def _leave_forks(self, kept: str = "") -> None:
        """Dialogs are over but the one that the callee has answered in."""
        for label in [label for label in self._entries if label != kept]:
            self._dialogs.remove(self._entries.pop(label))

    def _end_of(self, dialog: LegDialog, trunk: str, message: Message) -> LegEnd:
        contact = str(message.contacts[0].uri) if message.contacts else ""
        return LegEnd(dialog=dialog, trunk=trunk, contact=contact, group=self._publication.group)

    def _expect_transfer(self, side: Side, headers: Headers) -> Asked | None:
        """A REFER goes to ``side``: the call that it asks for belongs to this one's group."""
        refer_to, referred_by = headers.get("refer-to"), headers.get("referred-by")
        whom = self._publication.names(side)
        behind = self._route.trunk if side is Side.CALLER else self._route.to
        trunk = "" if behind == str(self._route.next_hop) else behind
        try:
            return self._transfers.ask(
                refer_to or "", referred_by or "", self._publication.group, whom, trunk, self._now
            )
        except RemoteProtocolError:
            return None

    def leave_book(self) -> None:
        """Its dialogs mean nothing any more, however it ended."""
        self._leave_forks()

    def _end(self, outcome: Outcome, status: int, reason: Reason | None = None) -> None:
        self.leave_book()
        self._write_evidence()
        super()._end(outcome, status, reason)

    # ends

    def _hang_up(self, dialog: str, reason: Reason, outcome: Outcome, status: int) -> None:
        """End both dialogs of an answered call from here."""
        self._acknowledge_all()
        for side in Side:
            self._bye_with(side, dialog, reason)
        self._answer_rest()
        self._end(outcome, status, reason)

    def _acknowledge_all(self) -> None:
        """Every 2xx that still waits for the other party's ACK gets one, so that its sender can rest."""
        for relayed in self._relays.unacknowledged():
            self._relays.drop(relayed)
            self._send_ack(relayed, relayed.dialog or self._dialog or "", None, b"")

    def _answer_rest(self) -> None:
        """No request is left without a final response when the dialogs end (RFC 3261 15.1.2)."""
        for relayed in self._relays.unanswered():
            self._respond(relayed.origin, relayed.token, 487 if relayed.method == "INVITE" else 481)
            self._relays.settle(relayed.token)
