"""One recording session: one dialog with one SRS, from the first port to the last answer (RFC 7866 6 to 9).

Ports are opened, the INVITE goes out, and when the SRS has agreed the forks begin. Whatever changes after
that is told by one request at a time, the newest state of the call each time (`updates`). How it ends is
in `life`.
"""

from __future__ import annotations

from typing import Final

from siprec_src.communication import CommunicationSession
from siprec_src.errors import RemoteProtocolError
from siprec_src.media import plane
from siprec_src.recording import incoming, request
from siprec_src.recording.ground import Effects
from siprec_src.recording.life import Farewell, SessionLife, State
from siprec_src.recording.outcome import MEDIA_RESTART, Outcome, Result
from siprec_src.recording.policy import tracks_of
from siprec_src.recording.presentation import presented
from siprec_src.recording.updates import Exchange, Verb
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Request, Response
from siprec_src.sip.session_timer import SessionTimer

_WITHOUT_KEYS: Final = {"dtls-failed": "srs-dtls-failed", "dtls-lost": MEDIA_RESTART}


class RecordingSession(SessionLife):
    """The machine of one recording session. Hosted by `CallRecording`, which knows of other SRSs."""

    @property
    def deadline(self) -> float | None:
        talking = self._updates.deadline if self._state is State.ACTIVE else None
        return min((at for at in (self._patience, talking) if at is not None), default=None)

    def start(self, now: float) -> Effects:
        """Open a port for each track that this SRS gets; there must be one."""
        self._ledger.open(now)
        return [*self._forks.open(tracks_of(self._call, self.target.config))]

    def weaker_than(self, call: CommunicationSession) -> bool:
        """Whether the call has got keys that this session's do not match any more (RFC 7866 12.2)."""
        bits = {stream.stream_id: stream.key_bits for stream in call.streams}
        return not self.target.config.clear_copy_of_encrypted and any(
            line.weaker_than(bits.get(line.stream.stream_id, 0)) for line in self._forks.lines
        )

    def update(self, call: CommunicationSession, now: float) -> Effects:
        """The call has changed."""
        was_paused = self._paused
        self._call = presented(call, self.target.config)
        self._forks.know(tracks_of(self._call, self.target.config))
        if self._state is not State.ACTIVE:
            return []
        return self._updates.follow(self._call, paused=was_paused or self._paused) + self._flush(now)

    def pause(self, now: float) -> Effects:
        """Stop the copying, then tell the SRS (RFC 7866 7.1.1.1)."""
        self._told_to_pause = True
        return [*self._forks.pause(), *self._flush(now)]

    def resume(self, now: float) -> Effects:
        """Ask the SRS; the copying goes on when it agrees, or at once if it was never told of the pause."""
        self._told_to_pause = False
        return self._flush(now)

    def wake(self, now: float) -> Effects:
        if self._patience is not None and now >= self._patience:
            self._patience = None
            if self._state is State.STOPPING:
                return self._say_farewell(now)
            self._ledger.doubt("srs-silent")
            return self._say_bye(now) if self._state is State.CLOSING else []
        if self._state is not State.ACTIVE:
            return []
        if self._updates.due(now):
            expired = Outcome(result=Result.INTERRUPTED, reason="srs-session-expired", vanished=True)
            return self._end(expired, Farewell.BYE, now)
        return self._flush(now)

    # What comes back from the media plane.

    def awaits(self, tag: int) -> bool:
        return self._forks.awaits(tag)

    def media_answered(self, answer: plane.Answer, now: float) -> Effects:
        effects: Effects = [*self._forks.answered(answer)]
        if isinstance(answer, plane.Refused) and self._state is State.ACTIVE:
            effects += self._ledger.refused(answer)
            reason = _WITHOUT_KEYS.get(answer.reason)
            if reason is not None:  # no association, no session (RFC 5763 5)
                failed = Outcome(result=Result.INTERRUPTED, reason=reason, detail=answer.detail)
                return effects + self._end(failed, Farewell.BYE, now)
        if self._state is State.OPENING and not self._forks.opening:
            if self._forks.refusal:
                refused = Outcome(result=Result.FAILED, reason=self._forks.refusal, detail="media plane")
                return effects + self._end(refused, Farewell.NONE, now)
            return effects + self._send_invite(now)
        return effects + self._flush(now) + self._proceed(now)

    def media_event(self, event: plane.ReaderEvent, now: float) -> Effects:
        """What the network says of one fork. Never by itself a reason to end the session.

        A media port that is closed raises the question whether the SRS is there at all: it is told once
        more what it knows, and has to answer.
        """
        line = self._forks.line_of(event.reader)
        if line is None or (isinstance(event, plane.ReaderUnreachable) and line.fork.unreachable):
            return []
        if isinstance(event, plane.ReaderCollision):
            commands = line.fork.collided()
            return [self._ledger.collided(line.label, looped=commands is None), *(commands or [])]
        told = self._ledger.heard(event, line.label)
        if not isinstance(event, plane.ReaderUnreachable):
            return [*told]
        line.fork.unreachable = self._updates.snapshot_wanted = True
        return [*told, *self._flush(now)]

    # What comes from the SRS.

    def response(self, event: sip.ResponseArrived, now: float) -> Effects:
        if event.response.status < 200:
            if (early := incoming.early_answer(event.response)) is not None:
                self._talks.preview(event.dialog, early)
            return []
        if event.token == self._bye:
            self._bye = None
            return self._proceed(now)
        if event.token == self._invite and self._state in (State.INVITING, State.CANCELLING):
            return self._invite_answered(event, now)
        return self._update_answered(event, now)

    def request(self, event: sip.RequestArrived, now: float) -> Effects:
        if event.request.method == "BYE":
            ok = sip.Respond(usage=self.usage, token=event.token, status=200)
            return [*self._gone("srs-bye", "", now), ok]
        return self._answer(event, now)

    def acknowledged(self, event: sip.AckArrived, now: float) -> Effects:
        """The ACK to our 200; where our 200 was the offer, the ACK has the answer (RFC 3261 13.2.1)."""
        if not self._updates.acknowledged(event.token):
            return self._flush(now) + self._proceed(now)
        return self._take_answer(event.request, now) + self._flush(now) + self._proceed(now)

    def way_lost(self, now: float) -> Effects:
        """The connection to the SRS is gone (RFC 5626 4.4.1): it is opened again by telling that we are here.

        Where that fails the SRS is gone.
        """
        if self._state is not State.ACTIVE:
            return []
        self._updates.refresh_soon(now)
        return [self._ledger.warn("recording.connection-lost")]

    # Set-up.

    def _send_invite(self, now: float) -> Effects:
        self._state = State.INVITING
        self._invite = self._ground.identity.number()
        offer = self._talks.offer(self._forks.lines, paused=self._paused)
        document = self._updates.opening(self._call, offer, now)
        where, own = (self.usage, self._invite), (*self._own, *self._updates.timer.request_fields())
        return [request.start(self._ground, self.target, where, offer, document, own, now)]

    def _invite_answered(self, event: sip.ResponseArrived, now: float) -> Effects:
        response = event.response
        if self._state is State.INVITING and self._updates.timer.try_again(response):
            self._talks.refused()
            self.usage = self._ground.identity.number()
            return self._send_invite(now)
        if response.status >= 300:
            self._ledger.settle(incoming.refusal(response, self.target, made_here=event.made_here))
            return self._depart(now)
        self._dialog = event.dialog
        self._state = State.ACTIVE
        ack = sip.SendAck(usage=self.usage, dialog=event.dialog, token=event.token)
        return [ack, *self._establish(response, now)]

    def _establish(self, response: Response, now: float) -> Effects:
        """Take the SRS's answer; without one usable track there is no recording session."""
        self._updates.begun(response, now)
        try:
            answer = incoming.answer_in(response)
            complaints = self._talks.answered(self._forks.lines, answer)
        except RemoteProtocolError as error:
            bad = Outcome(result=Result.FAILED, reason="srs-bad-answer", detail=str(error))
            return self._end(bad, Farewell.BYE, now)
        if not any(line.accepted for line in self._forks.lines):
            none = Outcome(result=Result.FAILED, reason="srs-no-media", detail="; ".join(complaints))
            return self._end(none, Farewell.BYE, now)
        if not self._talks.as_previewed(self._dialog, answer):
            complaints = (*complaints, "another answer than in the 1xx")
        if not incoming.is_recorder(response):
            complaints = (*complaints, "no +sip.srs in Contact")
        begun = self._ledger.begin(complaints, now)
        forks = self._forks.apply(paused=self._paused)
        return [*forks, *begun, *self._updates.follow(self._call, paused=self._paused), *self._flush(now)]

    # While it is up.

    def _flush(self, now: float) -> Effects:
        """Tell the SRS what it does not know yet, when it may be told.

        What rests after a pause goes on as soon as the SRS knows of none, and no request is out.
        """
        paused = self._paused
        if self._state is not State.ACTIVE or (paused and not self._forks.silent):
            return []
        told = self._updates.send(self.usage, self._dialog, self._call, now, paused=paused)
        undone = not paused and self._forks.resting and self._updates.agreed(paused=False)
        return [*told, *(self._forks.resume() if undone else [])]

    def _update_answered(self, event: sip.ResponseArrived, now: float) -> Effects:
        """The answer to our re-INVITE or UPDATE (RFC 3261 14.1, RFC 3311 5.3)."""
        exchange = self._updates.answered(event.token)
        if exchange is None:
            return []
        status = event.response.status
        effects: Effects = []
        if status < 300 and exchange.verb is Verb.INVITE:
            effects.append(sip.SendAck(usage=self.usage, dialog=self._dialog, token=event.token))
        if exchange.final:
            if event.made_here or status in (408, 481):
                self._ledger.doubt("srs-unreachable" if status == 503 else "srs-dialog-lost")
            return effects + (self._say_bye(now) if self._state is State.CLOSING else [])
        cut_off = self._updates.way_lost or any(line.fork.unreachable for line in self._forks.lines)
        if event.made_here and status == 503 and cut_off:
            return effects + self._unreachable(now)
        if status in (408, 481):
            return effects + self._gone("srs-dialog-lost", str(status), now)
        if status < 300:
            self._updates.succeeded(exchange, event.response, now)
            effects += self._update_taken(exchange, event.response, now)
        elif why := self._updates.refused(exchange, event.response, now):
            what = (("status", status), ("what", why))
            effects.append(self._ledger.warn("recording.update-refused", *what))
        return effects + self._flush(now) + self._proceed(now)

    def _update_taken(self, exchange: Exchange, response: Response, now: float) -> Effects:
        """An UPDATE without answer leaves all as it is: our offer had nothing new, or there was none."""
        if exchange.verb is Verb.UPDATE and (exchange.refresh or not response.body):
            self._talks.refused()
            return []
        return self._take_answer(response, now)

    def _take_answer(self, message: Request | Response, now: float) -> Effects:
        if self._state is not State.ACTIVE:
            self._talks.refused()
            return []
        try:
            complaints = self._talks.answered(self._forks.lines, incoming.answer_in(message))
        except RemoteProtocolError as error:
            bad = Outcome(result=Result.INTERRUPTED, reason="srs-bad-answer", detail=str(error))
            return self._end(bad, Farewell.BYE, now)
        told = [self._ledger.warn("recording.answer", ("what", text)) for text in complaints]
        return [*self._forks.apply(paused=self._paused), *told]

    def _answer(self, event: sip.RequestArrived, now: float) -> Effects:
        """A request of the SRS inside the dialog. Copying that must stop stops before it is said."""
        reply = incoming.reply_to(
            event.request,
            self._talks,
            self._forks.lines,
            self._updates.timer if self._state is State.ACTIVE else SessionTimer(0),
            now,
            paused=self._paused or self._state is not State.ACTIVE,
        )
        if event.request.method == "INVITE" and reply.status < 300:
            self._updates.await_ack(event.token, carries_answer=reply.is_offer)
        if reply.snapshot:
            self._updates.snapshot_wanted = True
        exchanged = reply.description is not None and not reply.is_offer and self._state is State.ACTIVE
        return [
            *(self._forks.apply(paused=self._paused) if exchanged else []),
            request.respond((self.usage, event.token), reply.status, reply.headers, reply.description),
            *self._flush(now),
        ]
