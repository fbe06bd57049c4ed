"""Responses of one party on their way to the other (RFC 3261 13.2.2, 16.7; RFC 3262; RFC 6337 2)."""

from __future__ import annotations

from siprec_src.communication import Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline import headers as crossing
from siprec_src.ingest.inline.announcement import CallAnnouncement
from siprec_src.ingest.inline.bodies import SessionBody, session_of
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.legs import CANCELLED
from siprec_src.ingest.inline.life import Outcome
from siprec_src.ingest.inline.media import Exchange
from siprec_src.ingest.inline.relay import CARRIES_SESSION, Relayed
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.headers import Reason
from siprec_src.sip.message import Headers
from siprec_src.sip.reliable import is_reliable


class CallResponses(CallAnnouncement):
    """What a response does to the call, and how it looks on the other leg."""

    def _response(self, event: sip.ResponseArrived) -> None:
        relayed = self._relays.sent(event.token)
        if relayed is None or relayed.answered:
            return
        if self._ending is not None or self._relays.settled(relayed.token):
            self._pass_to_nobody(relayed, event)
            return
        try:
            session = None
            if relayed.method in CARRIES_SESSION and event.response.status < 300:
                session = session_of(event.response)
            if session is None:
                self._deliver(relayed, event, event.response.body)
            elif relayed.exchange is not None:
                self._answer(relayed, relayed.exchange, event, session)
            else:
                self._late_offer(relayed, event, session)
        except RemoteProtocolError as error:
            self._bad_answer(relayed, event, error)

    def _answer(
        self, relayed: Relayed, exchange: Exchange, event: sip.ResponseArrived, session: SessionBody
    ) -> None:
        """A description that answers the request's offer.

        The first one that is sent reliably binds (RFC 3261 13.2.1); later ones only repeat it. While the
        first INVITE rings, the newest fork that shows early media is the one that is heard.
        """
        binding = event.response.status >= 200 or is_reliable(event.response)
        if event.dialog in exchange.settled or not (binding or relayed is self._first):
            crossed = self._media.crossed_answer(exchange, session.description)
            body = self._shown(exchange.offerer, event.response, session, crossed)
            self._deliver(relayed, event, body)
            return
        body = self._take_answer(exchange, event.dialog, event.response, session)
        if binding:
            exchange.settled.add(event.dialog)
        self._deliver(relayed, event, body)

    def _late_offer(self, relayed: Relayed, event: sip.ResponseArrived, session: SessionBody) -> None:
        """A description in a response to a request without one is an offer (RFC 3261 13.2.1, 14.1)."""
        offerer = other(relayed.origin)
        before = relayed.late.get(event.dialog)
        if before is not None and event.dialog in before.settled:
            crossed = self._media.crossed_offer(offerer, session.description)
            body = self._shown(relayed.origin, event.response, session, crossed)
            self._deliver(relayed, event, body)
            return

        def opened(refusal: str) -> None:
            if refusal and relayed is self._first:
                self._no_room(relayed, event, refusal)
                return
            if refusal:
                self._log("warning", "call.stream-refused", ("reason", refusal))
            try:
                exchange, body = self._crossed_offer(offerer, event.response, session)
            except RemoteProtocolError as error:
                self._bad_answer(relayed, event, error)
                return
            if exchange is not None:
                relayed.late[event.dialog] = exchange
            self._deliver(relayed, event, body)

        self._open(self._media.missing(offerer, session.description), opened)

    def _deliver(
        self, relayed: Relayed, event: sip.ResponseArrived, body: bytes, headers: Headers | None = None
    ) -> None:
        """Pass a response on once the relay does what is agreed in its dialog."""
        if relayed is self._first and 200 <= event.response.status < 300:
            self._media.agreed = self._agreements.get(event.dialog, self._media.agreed)
        if headers is None:
            headers = crossing.for_response(event.response)
        crossed = headers

        def passed() -> None:
            self._pass(relayed, event, body, crossed)

        first = relayed is self._first and 200 <= event.response.status < 300
        self._connect((lambda: self._announce(relayed, event, body, passed)) if first else passed)

    def _pass(self, relayed: Relayed, event: sip.ResponseArrived, body: bytes, headers: Headers) -> None:
        status, first = event.response.status, relayed is self._first
        if self._relays.settled(relayed.token):
            self._pass_to_nobody(relayed, event)
            return
        dialog = event.dialog if first else ""
        self._respond(
            relayed.origin,
            relayed.token,
            status,
            reason=event.response.reason,
            headers=headers,
            body=body,
            dialog=dialog,
            tag=self._enter(dialog, event.response) if dialog else "",
            reliable=is_reliable(event.response),
        )
        if status >= 200:
            self._final(relayed, event)

    def _final(self, relayed: Relayed, event: sip.ResponseArrived) -> None:
        status, first = event.response.status, relayed is self._first
        success = status < 300
        if success and relayed.method == "INVITE":
            relayed.answered = True
        else:
            self._relays.drop(relayed)
        if success and relayed.method == "INVITE":
            self._told[other(relayed.origin)].heard(event.response, first=first)
        if success and first:
            self._confirm(event.dialog)
            if self._asked is not None:
                self._transfers.forget(self._asked)
            self._publication.answered(event.response, self._now)
        if success and relayed.method in ("INVITE", "UPDATE") and event.dialog == self._dialog:
            self._vigil.refreshed(event.response, relayed.origin, self._now)
            if not first:
                self._publication.heard(relayed.origin, relayed.request, self._now)
                self._publication.heard(other(relayed.origin), event.response, self._now)
        if not success and relayed.asked is not None:
            self._transfers.forget(relayed.asked)
        if success:
            if relayed.unanswered_offer(event.dialog, other(relayed.origin)) is None:
                self._publish()
        elif first:
            self._answer_rest()
            self._end(Outcome.UNREACHABLE if event.made_here else Outcome.REJECTED, status)

    def _pass_to_nobody(self, relayed: Relayed, event: sip.ResponseArrived) -> None:
        """A response that crossed a CANCEL or the end of the call: no 2xx goes without ACK (RFC 3261 9.1)."""
        status = event.response.status
        if status < 200:
            return
        accepted = status < 300 and relayed.method == "INVITE"
        if accepted:
            self._send_ack(relayed, event.dialog, None, b"")
        if accepted and relayed is self._first:
            self._bye_with(Side.CALLEE, event.dialog, CANCELLED)
        self._relays.drop(relayed)
        if relayed is self._first:
            self._end(Outcome.CANCELLED, 487)

    def _bad_answer(self, relayed: Relayed, event: sip.ResponseArrived, error: RemoteProtocolError) -> None:
        """A description that cannot be used: left out of a 1xx; a 2xx becomes 502 (RFC 3261 21.5.3)."""
        self._log("warning", "call.bad-answer", ("reason", str(error)))
        if event.response.status < 200:
            headers = crossing.without_body(crossing.for_response(event.response))
            self._deliver(relayed, event, b"", headers)
            return
        self._turn_down(relayed, event, 502, Reason.of("SIP", 488, "unusable description"))

    def _no_room(self, relayed: Relayed, event: sip.ResponseArrived, refusal: str) -> None:
        """The callee's offer needs ports that there are none of."""
        self._log("warning", "call.refused", ("status", 503), ("reason", refusal))
        if event.response.status < 200:
            self._out.append(sip.CancelInvite(usage=self._usages[Side.CALLEE], token=relayed.sent))
        self._turn_down(relayed, event, 503, Reason.of("SIP", 503, refusal))

    def _turn_down(self, relayed: Relayed, event: sip.ResponseArrived, status: int, reason: Reason) -> None:
        """The sender of a request gets ``status`` instead of the success that its peer gave."""
        self._relays.drop(relayed)
        success = event.response.status >= 200
        if relayed.method == "INVITE" and success:
            self._send_ack(relayed, event.dialog, None, b"")
        if relayed is self._first and success:
            self._bye_with(Side.CALLEE, event.dialog, reason)
        retry = (("Retry-After", str(self._settings.retry_after_s)),) if status == 503 else ()
        self._respond(relayed.origin, relayed.token, status, headers=Headers(retry))
        if relayed is self._first:
            self._answer_rest()
            self._end(Outcome.REFUSED if status == 503 else Outcome.BROKEN, status)
