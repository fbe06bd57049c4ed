"""One call through the B2BUA: two legs, all relayed between them (RFC 3261 6, 13 to 15, RFC 3262, 3311).

A dialog has the same label on both legs: the tag of the callee's side. So the forks of leg B are early
dialogs of leg A, and a request inside either dialog finds its way. Every message waits until the relay
does what it speaks of: nobody is told of an answer before the media it promises can flow.

What is decided here and not by the parties: a BYE is answered at once and sent on. A dialog that is lost
ends the other with BYE and a Reason. An answer of the callee's side that cannot be read or does not fit
its offer is acknowledged and, for the first INVITE, ended with BYE; the other side gets 502. In an
unreliable 1xx such a description is left out. A failed re-INVITE or UPDATE changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from siprec_src.communication import HangUp, RecordingChanged, Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.bodies import SessionBody, session_of
from siprec_src.ingest.inline.instructed import CallInstructed
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.legs import CANCELLED
from siprec_src.ingest.inline.life import Effect, Outcome
from siprec_src.ingest.inline.media import Exchange
from siprec_src.ingest.inline.publication import reason_of
from siprec_src.ingest.inline.relay import CARRIES_SESSION, Relayed
from siprec_src.ingest.inline.vigil import Cause
from siprec_src.ingest.inline.voice import VoiceAnswered
from siprec_src.media import plane
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.headers import Reason
from siprec_src.sip.message import Headers

_LOST: Final = {  #: what the cause means; else 408
    "481": (481, Outcome.BROKEN),
    "487": (487, Outcome.CANCELLED),
    "no-prack": (504, Outcome.BROKEN),
    "shutdown": (503, Outcome.SHUTDOWN),
}
_QUEUED: Final = (
    sip.InviteArrived
    | sip.RequestArrived
    | sip.AckArrived
    | sip.CancelArrived
    | sip.ResponseArrived
    | sip.DialogEnded
    | plane.MediaUp
    | HangUp
)
_SPOKEN: Final = sip.RequestArrived | sip.AckArrived | sip.ResponseArrived


class Call(CallInstructed):
    """The machine of one call. Its first event is the `InviteArrived` that it was made from."""

    def receive(self, event: object, now: float) -> Sequence[Effect]:
        """Take a SIP event of either usage, or an answer or event of the media plane."""
        self._now = now
        if isinstance(event, _SPOKEN):
            self._vigil.spoken(now)
        match event:
            case sip.RequestArrived() if self._crosses(event):
                self._refuse(event, 491)
            case plane.MediaDown():
                self._media_down()
            case plane.PortsOpen() | plane.PortsClosed() | plane.Done() | plane.Refused():
                self._media_answer(event)
            case sip.CancelArrived():
                self._note_cancel(event)
                self._cut_short(event)
                self._backlog.append(event)
            case _ if isinstance(event, _QUEUED):
                self._cut_short(event)
                self._backlog.append(event)
            case plane.FirstPacket() | plane.SilenceChanged(silent=False):
                self._vigil.heard(event.port)
            case plane.SilenceChanged():
                self._vigil.silent(event.port, now)
            case plane.Announced():
                self._heard_out(event.port)
            case RecordingChanged():
                self._recording_changed(event)
            case VoiceAnswered():
                self._voice_answered(event.answer)
            case _:
                pass  # digits concern recording only
        return self._handled()

    def wake(self, now: float) -> Sequence[Effect]:
        """Give up waiting for a media plane that does not answer, or a call that both parties have left."""
        self._now = now
        if self._wait is not None and now >= self._wait.deadline:
            if self._wait.for_media:
                self._log("warning", "call.media-silent")
            self._give_up_waiting("media-silent")
        elif self._wait is None and (until := self._present_until) is not None and now >= until:
            self._leave_alone(self._vigil.cause)
        self._forget_waits()
        return self._handled()

    def _leave_alone(self, cause: Cause) -> None:
        """Nobody is there any more: BYE to both, in case somebody is (RFC 4028 10)."""
        self._log("warning", "call.timed-out", ("cause", cause.value))
        if self._dialog is not None:
            self._hang_up(self._dialog, Reason.of("SIP", 408, cause.value), Outcome.TIMED_OUT, 408)

    def _handled(self) -> Sequence[Effect]:
        while self._backlog and (self._wait is None or self._ending is not None):
            self._dispatch(self._backlog.popleft())
        self._tell_parties()
        self._prove_telling()
        effects, self._out = self._out, []
        return effects

    def _dispatch(self, event: object) -> None:
        match event:
            case sip.InviteArrived():
                self._invite(event)
            case sip.RequestArrived():
                self._told[self._side(event.usage)].heard(event.request)
                self._request_in_dialog(event)
            case sip.AckArrived():
                self._ack(event)
            case sip.CancelArrived():
                self._cancel(event)
            case sip.ResponseArrived() if not self._own_answer(event):
                self._response(event)
            case sip.DialogEnded():
                self._dialog_lost(event)
            case plane.MediaUp():
                self._media_up()
            case HangUp():
                self._ended_from_here(event)

    # the first INVITE

    def _invite(self, event: sip.InviteArrived) -> None:
        self._log_begin()
        self._told[Side.CALLER].heard(event.request, first=True)
        try:
            session = session_of(event.request)
            missing = [] if session is None else self._media.missing(Side.CALLER, session.description)
        except RemoteProtocolError as error:
            self._refuse_call(event.token, error.status, str(error))
            return

        def opened(refusal: str) -> None:
            if refusal:
                self._refuse_call(event.token, 503, refusal)
            else:
                self._call_out(event, session)

        self._consult(event.token, lambda: self._open(missing, opened))

    def _call_out(self, event: sip.InviteArrived, session: SessionBody | None) -> None:
        if self._relays.settled(event.token):
            self._end(Outcome.CANCELLED, 487)
            return
        try:
            exchange, body = self._crossed_offer(Side.CALLER, event.request, session)
        except RemoteProtocolError as error:
            self._refuse_call(event.token, error.status, str(error))
            return
        token = self._identity.number()
        self._first = self._relays.add(
            Relayed(
                origin=Side.CALLER,
                dialog="",
                token=event.token,
                sent=token,
                request=event.request,
                exchange=exchange,
            )
        )
        self._out.append(
            sip.StartInvite(
                usage=self._usages[Side.CALLEE],
                token=token,
                edge=self._route.callee_edge,
                request_uri=self._route.request_uri,
                headers=self._dialogs.told(self._invited),
                body=body,
                next_hop=self._route.next_hop,
                contact_parameters=self._contact,
                answer_timeout_s=self._patience_s,
                credentials=self._route.credentials.get(Side.CALLEE),
            )
        )

    # requests inside dialogs

    def _request_in_dialog(self, event: sip.RequestArrived) -> None:
        if self._ending is not None:
            self._refuse(event, 200 if event.request.method == "BYE" else 481)
        elif event.request.method == "BYE":
            self._bye(event)
        elif event.request.method in CARRIES_SESSION:
            self._session_request(event)
        else:
            self._send_on(event, event.request.body)

    def _session_request(self, event: sip.RequestArrived) -> None:
        side = self._side(event.usage)
        try:
            session = session_of(event.request)
            if session is None:
                self._send_on(event, event.request.body)
                return
            late = self._relays.unanswered_offer(event.dialog, other(side))
            if late is not None and event.request.method == "PRACK":
                self._answer_in_prack(event, session, late)
                return
            missing = self._media.missing(side, session.description)
        except RemoteProtocolError as error:
            self._refuse(event, error.status)
            return

        self._changing = side

        def opened(refusal: str) -> None:
            self._changing = None
            if event.token == self._withdrawn:
                self._refuse(event, 487)
                return
            if refusal:  # the new m-lines go on with port 0, the session as it is
                self._log("warning", "call.stream-refused", ("reason", refusal))
            try:
                exchange, body = self._crossed_offer(side, event.request, session)
            except RemoteProtocolError as error:
                self._refuse(event, error.status)
            else:
                self._send_on(event, body, exchange)

        self._open(missing, opened)

    def _answer_in_prack(self, event: sip.RequestArrived, session: SessionBody, late: Exchange) -> None:
        """The answer to an offer that came in a reliable 1xx (RFC 3262 5)."""
        body = self._take_answer(late, event.dialog, event.request, session)
        late.settled.add(event.dialog)
        self._connect(lambda: self._send_on(event, body))

    def _send_on(self, event: sip.RequestArrived, body: bytes, exchange: Exchange | None = None) -> None:
        side, token = self._side(event.usage), self._identity.number()
        method = event.request.method
        headers = self._with_name(side, event.request, self._for_dialog(event.request))
        self._relays.add(
            Relayed(
                origin=side,
                dialog=event.dialog,
                token=event.token,
                sent=token,
                request=event.request,
                asked=self._expect_transfer(other(side), headers) if method == "REFER" else None,
                exchange=exchange,
            )
        )
        self._send(other(side), event.dialog, method, headers, body, token)

    def _bye(self, event: sip.RequestArrived) -> None:
        """Answered at once and sent on; of an early dialog it ends only that fork (RFC 3261 15)."""
        side, request = self._side(event.usage), event.request
        self._respond(side, event.token, 200)
        if event.dialog == self._dialog:
            self._acknowledge_all()
        self._send(other(side), event.dialog, "BYE", self._for_dialog(request), request.body)
        if event.dialog == self._dialog:
            self._answer_rest()
            self._end(Outcome.ANSWERED, 200, reason_of(request))

    def _ack(self, event: sip.AckArrived) -> None:
        relayed = self._relays.arrived(event.token)
        if relayed is None or self._ending is not None:
            return
        late = relayed.unanswered_offer(event.dialog, other(relayed.origin))
        self._relays.drop(relayed)
        try:
            session = session_of(event.request)
            if session is None or late is None:
                body = b"" if session is not None else event.request.body
                self._send_ack(relayed, event.dialog, event.request, body)
                self._publish()
                return
            body = self._take_answer(late, event.dialog, event.request, session)
        except RemoteProtocolError as error:
            self._bad_ack(relayed, event, error)
            return

        def connected() -> None:
            self._send_ack(relayed, event.dialog, event.request, body)
            self._publish()

        self._connect(connected)

    def _bad_ack(self, relayed: Relayed, event: sip.AckArrived, error: RemoteProtocolError) -> None:
        """The offer of a 2xx gets no answer that can be used: nothing is left but to end the call."""
        self._log("warning", "call.bad-answer", ("reason", str(error)))
        self._send_ack(relayed, event.dialog, event.request, b"")
        self._hang_up(event.dialog, Reason.of("SIP", 488, "unusable answer"), Outcome.BROKEN, 488)

    # CANCEL, lost dialogs, the end from here

    def _note_cancel(self, event: sip.CancelArrived) -> None:
        """A CANCEL has answered the first INVITE, so nothing more may be said to that; a re-INVITE waits."""
        if event.token == self._first_token:
            self._relays.settle(event.token)
        else:
            self._withdrawn = event.token

    def _cancel(self, event: sip.CancelArrived) -> None:
        relayed = self._relays.arrived(event.token)
        if relayed is None:
            self._relays.forget(event.token)
            return
        if self._ending is not None:
            return
        if not relayed.answered:
            self._cancel_out(relayed, event.request.headers.only("reason"))
        if relayed is self._first:
            self._acknowledge_all()  # its 2xx may have waited for a PRACK still (RFC 3262 3)
            if self._dialog is not None:
                self._bye_with(Side.CALLEE, self._dialog, CANCELLED)
            self._answer_rest()
            self._end(Outcome.CANCELLED, 487, reason_of(event.request))

    def _dialog_lost(self, event: sip.DialogEnded) -> None:
        """One dialog is gone: the other ends too, and its party is told why (RFC 3326).

        The caller's INVITE is refused already when a reliable 1xx had no PRACK (RFC 3262 3), and when the
        event names no dialog.
        """
        if self._ending is not None:
            return
        side, first = self._side(event.usage), self._first
        status, outcome = _LOST.get(event.cause, (408, Outcome.BROKEN))
        reason = Reason.of("SIP", status, "lost" if event.cause.isdecimal() else event.cause)
        refused = side is Side.CALLER and (not event.dialog or event.cause == "no-prack")
        if self._dialog is not None and (refused or event.dialog == self._dialog):
            self._acknowledge_all()
            self._bye_with(other(side), self._dialog, reason)
        elif self._dialog is None and refused and first is not None:
            self._cancel_out(first, Headers((("Reason", str(reason)),)))
        else:
            return  # an early dialog: the INVITE goes on without it (RFC 5057 5.1)
        if outcome is Outcome.BROKEN:
            self._log("warning", "call.dialog-lost", ("side", side.value), ("cause", event.cause))
        self._answer_rest()
        self._end(outcome, status, reason)

    def _ended_from_here(self, event: HangUp) -> None:
        """Whoever commands the daemon ends the call: BYE to both, or the end of its set-up."""
        if self._ending is not None:
            return
        self._log("info", "call.hung-up", ("cause", event.cause))
        reason = Reason.of("SIP", event.status, event.cause)
        if self._dialog is not None:
            self._hang_up(self._dialog, reason, Outcome.HUNG_UP, event.status)
            return
        if (first := self._first) is not None and not first.answered:
            self._cancel_out(first, Headers((("Reason", str(reason)),)))
        self._answer_rest()
        self._end(Outcome.HUNG_UP, 487)

    def _cancel_out(self, relayed: Relayed, headers: Headers) -> None:
        usage = self._usages[other(relayed.origin)]
        self._out.append(sip.CancelInvite(usage=usage, token=relayed.sent, headers=headers))

    def _crosses(self, event: sip.RequestArrived) -> bool:
        """Whether a change of the session meets one of the other party (RFC 3261 14.2, RFC 3311 5.2)."""
        request = event.request
        changes = request.method == "INVITE" or (request.method == "UPDATE" and bool(request.body))
        if not changes or self._ending is not None:
            return False
        side = self._side(event.usage)
        waiting = (item for item in self._backlog if isinstance(item, sip.RequestArrived))
        halfway = any(
            self._side(item.usage) is not side and item.request.method == "INVITE" for item in waiting
        )
        ours = self._told[other(side)].offered is not None
        return halfway or ours or self._changing is other(side) or self._relays.collides(side)
