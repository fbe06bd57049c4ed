"""One copy of one call's recording: recording sessions one after another until the call ends.

One SRS after the other is asked; when none takes the call it goes on unrecorded and they are asked again
after a pause that grows. A session that broke off is followed by a new one with a complete snapshot and
the same ids (RFC 3261 12.2.1.2, RFC 7866 9.1). Nothing here is ever told to the call.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final, assert_never

from siprec_src.communication import CommunicationSession, MediaStream, id_text
from siprec_src.machine import Finished, Forward, LogLine, Machine
from siprec_src.media import plane
from siprec_src.recording import commands
from siprec_src.recording.copies import Copy, Room
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.health import Health
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.recording.outcome import MEDIA_RESTART, Fields, Outcome, Result, of_several
from siprec_src.recording.policy import secure_enough, tracks_of
from siprec_src.recording.redirect import follow
from siprec_src.recording.refusal import Remedy
from siprec_src.recording.rounds import NOT_YET, Rounds
from siprec_src.recording.session import RecordingSession
from siprec_src.recording.srs import SrsTarget
from siprec_src.recording.view import RecordingView
from siprec_src.sip import vocabulary as sip

STEADY_S: Final = 30.0  #: a session that was up this long is followed by the next one at once
_MEANT: Final = ("stopped", "call-ended")  #: why a copy is not kept any more that nothing has failed
SETTLE_S: Final = 1.0  #: a new media process gets this long to open the call's ports again

Event = CommunicationSession | commands.Command | commands.End | sip.Event | plane.Answer | plane.Event


class CallRecording:
    """The machine that keeps one copy of a call recorded as long as it lasts.

    Args:
        room: how many streams of the call may be forked, over all its copies.
    """

    def __init__(
        self,
        ground: Ground,
        pool: Machine[Any, Any],
        copy: Copy,
        room: Room,
        health: Health,
        *,
        paused: bool,
    ) -> None:
        self.copy = copy.name
        self.entry = copy.entry
        self.persistent = copy.persistent
        self._ground = ground
        self._pool = pool
        self._room = room
        self._rounds = Rounds(ground.identity, copy.targets, health, partial(room.take, copy.name))
        self._sessions: list[RecordingSession] = []  #: the newest last; older ones wait for last answers
        self._current: RecordingSession | None = None
        self._call: CommunicationSession | None = None
        self._said: list[tuple[str, str]] = []  #: why no SRS has the call, as logged last
        self._halted = ""  #: why no further session is begun
        self._media_up = True
        self._paused = paused
        self._forked: frozenset[bytes] = frozenset()  #: the streams that there was room for
        self._crowded_out: frozenset[bytes] = frozenset()  #: those that there was none for
        self._agreed: set[int] = set()  #: usages of the sessions that an SRS took
        self._end: Outcome | None = None  #: of them, and of the rounds in which no SRS took the call
        self._recorded_until: float | None = None  #: when the newest session that was up ended
        self._finished = False
        self._up = False  #: an SRS gets the call, as the pool was told
        self._last: Outcome | None = None  #: of the session that ended last
        self._told_begun = self._told_over = False  #: whoever asked for the copy

    @property
    def call(self) -> int:
        """The handle of the call."""
        return self._call.call if self._call is not None else 0

    @property
    def halted(self) -> bool:
        """No further session is begun."""
        return bool(self._halted)

    @property
    def view(self) -> RecordingView:
        session = self._current
        if session is None or session.outcome is not None:
            state = "ending" if self._halted else "waiting"
        else:
            state = "setting-up" if session.began is None else "recording"
        srs = self._sessions[-1].target.name if self._sessions else ""
        copying = any(session.copying for session in self._sessions)
        return RecordingView(
            copy=self.copy,
            srs=srs,
            state=state,
            copying=copying,
            paused=self._paused,
            sessions=tuple(session.view for session in self._sessions),
        )

    @property
    def deadline(self) -> float | None:
        due = [session.deadline for session in self._sessions] + [self._rounds.retry_at]
        return min((at for at in due if at is not None), default=None)

    def receive(self, event: Event, now: float) -> Effects:
        return self._take(event, now) + self._go_on(now)

    def wake(self, now: float) -> Effects:
        effects: Effects = []
        for session in list(self._sessions):
            if session.deadline is not None and session.deadline <= now:
                effects += session.wake(now)
        if self._rounds.retry_at is not None and self._rounds.retry_at <= now:
            self._rounds.retry_at = None
            effects += self._begin_round(now)
        return effects + self._go_on(now)

    def _take(self, event: Event, now: float) -> Effects:
        match event:
            case CommunicationSession():
                return self._call_changed(event, now)
            case commands.Pause() | commands.Resume() | commands.Stop() | commands.Start():
                return self._commanded(event, now)
            case commands.End():
                return self._stop(now)
            case plane.MediaDown() | plane.MediaUp():
                return self._media_changed(event, now)
            case (
                plane.ReaderReport()
                | plane.ReaderUnreachable()
                | plane.ReaderSilence()
                | plane.ReaderCollision()
            ):
                return [effect for session in self._sessions for effect in session.media_event(event, now)]
            case (
                plane.FirstPacket()
                | plane.DtmfReceived()
                | plane.SilenceChanged()
                | plane.Announced()
                | plane.EventsLost()
            ):
                return []
            case (
                sip.ResponseArrived()
                | sip.RequestArrived()
                | sip.AckArrived()
                | sip.DialogEnded()
                | sip.FlowLost()
                | sip.InviteArrived()
                | sip.CancelArrived()
            ):
                return self._sip_event(event, now)
            case _:
                session = next((s for s in self._sessions if s.awaits(event.tag)), None)
                return session.media_answered(event, now) if session is not None else []

    def _sip_event(self, event: sip.Event, now: float) -> Effects:
        session = next((s for s in self._sessions if s.usage == event.usage), None)
        if session is None:
            return _no_such_dialog(event)
        match event:
            case sip.ResponseArrived():
                return session.response(event, now)
            case sip.RequestArrived():
                return session.request(event, now)
            case sip.AckArrived():
                return session.acknowledged(event, now)
            case sip.DialogEnded(cause=cause):
                return session.dialog_ended(cause, now)
            case sip.FlowLost():
                return session.way_lost(now)
            case sip.InviteArrived() | sip.CancelArrived():
                return []  # a usage that we began gets neither
            case _:
                assert_never(event)

    def _call_changed(self, call: CommunicationSession, now: float) -> Effects:
        before, self._call = self._call, call
        if call.ended is not None:
            self._halt("call-ended")
            return self._current.ended(call, now) if self._current is not None else []
        if before is None:
            return self._begin_round(now)
        if self._current is None:
            return self._begin_round(now) if self._may_try_now(before) else []
        if not secure_enough(call, self._current.target) or self._current.weaker_than(call):
            return self._current.give_up("srs-not-secure", now)
        fitting, told = self._fitting(call, self._current.target)
        return [*told, *self._current.update(fitting, now)]

    def _fitting(self, call: CommunicationSession, target: SrsTarget) -> tuple[CommunicationSession, Effects]:
        """The call without the streams that there is no room for beside those that are forked."""
        wanted = frozenset(track.stream.stream_id for track in tracks_of(call, target.config))
        if self._room.take(self.copy, len(wanted)):
            self._forked = wanted
        known, self._crowded_out = self._crowded_out, wanted - self._forked
        if not self._crowded_out:
            return call, []
        out = self._crowded_out
        streams = tuple(replace(s, source=None) if s.stream_id in out else s for s in call.streams)
        fitting = replace(call, streams=streams)
        if out == known:
            return fitting, []
        said = (("srs", target.name), ("what", "max-forked-streams"), ("streams", len(out)))
        return fitting, [LogLine("warning", "recording.fork-failed", (*self._fields, *said))]

    def _commanded(self, command: commands.Command, now: float) -> Effects:
        match command:
            case commands.Pause():
                self._paused = True
                return self._current.pause(now) if self._current is not None else []
            case commands.Resume():
                self._paused = False
                return self._current.resume(now) if self._current is not None else []
            case commands.Stop():
                return self._stop(now)
            case commands.Start():
                return []  # it is what this machine does anyway
            case _:
                assert_never(command)

    def _stop(self, now: float) -> Effects:
        self._halt("stopped")
        return self._current.stop("stopped", now) if self._current is not None else []

    def _halt(self, why: str) -> None:
        """No further session is begun; those that are over may still wait for their last answers."""
        self._halted = self._halted or why
        self._rounds.retry_at = None

    def _media_changed(self, event: plane.MediaDown | plane.MediaUp, now: float) -> Effects:
        self._media_up = isinstance(event, plane.MediaUp)
        if self._media_up:
            if self._current is None and not self._halted:
                self._rounds.asked = False
                self._rounds.retry_at = now + SETTLE_S
            return []
        self._rounds.retry_at = None
        return [effect for session in self._sessions for effect in session.media_down(now)]

    # One session after the other.

    def _may_try_now(self, before: CommunicationSession) -> bool:
        """Whether a change of the call may open what was closed: nothing was asked, or its ports moved."""
        moved = {s.source for s in before.streams} != {s.source for s in self._streams}
        return self._media_up and not self._halted and (moved or not self._rounds.asked)

    def _begin_round(self, now: float, first: SrsTarget | None = None) -> Effects:
        self._rounds.begin(now, first)
        return self._try_next(now)

    def _try_next(self, now: float) -> Effects:
        call = self._call
        target = self._rounds.next(call, now) if call is not None else None
        if call is None or target is None:
            return self._round_failed(now)
        fitting, told = self._fitting(call, target)
        session = RecordingSession(self._ground, target, fitting, paused=self._paused)
        self._current = session
        self._sessions.append(session)
        return [*told, *session.start(now)]

    def _go_on(self, now: float) -> Effects:
        """Look at what the newest event has left."""
        effects: Effects = []
        while (session := self._current) is not None and session.outcome is not None:
            self._current = None
            effects += self._session_ended(session, now)
        for session in self._sessions:
            if session.began is not None and session.usage not in self._agreed:
                self._agreed.add(session.usage)
                alive = commands.SrsAlive(uri=session.target.config.uri, took=session.target)
                effects.append(Forward(self._pool, alive))
        for session in self._sessions:
            if session.over and session.began is not None and session.outcome is not None:
                self._note_end(session.outcome)
        effects += [*self._copying(), *self._news()]
        self._sessions = [session for session in self._sessions if not session.over]
        if self._halted and not self._sessions:
            effects += self._finish()
        return effects

    def _copying(self) -> Effects:
        """The pool is told when an SRS has begun to get the call, and when none does any more."""
        up = any(session.began is not None and session.outcome is None for session in self._sessions)
        if up is self._up:
            return []
        self._up = up
        cause = "started" if up else self._halted or ("" if self._last is None else self._last.reason)
        return [Forward(self._pool, commands.Copying(call=self.call, recording=self, up=up, cause=cause))]

    def _news(self) -> Effects:
        """Whoever has asked for the copy learns that an SRS has agreed, and when none will any more."""
        news: Effects = []
        if self._agreed and not self._told_begun:
            self._told_begun = True
            news.append(self._changed(CopyState.STARTED, None))
        if self._halted and self._current is None and not self._told_over:
            self._told_over = True
            self._room.release(self.copy)
            meant = self._halted in _MEANT
            ended = self._last or Outcome(result=Result.FAILED, reason=self._halted)
            news.append(self._changed(CopyState.STOPPED if meant else CopyState.FAILED, ended))
        return news

    def _changed(self, state: CopyState, outcome: Outcome | None) -> CopyChanged:
        session_id = self._call.session_id if self._call is not None else b""
        srs = self._sessions[-1].target.name if self._sessions else ""
        return CopyChanged(
            call=self.call, session_id=session_id, copy=self.copy, state=state, srs=srs, outcome=outcome
        )

    def _session_ended(self, session: RecordingSession, now: float) -> Effects:
        outcome = self._last = session.outcome
        if outcome is None or self._halted:
            return []
        other_way = self._rounds.failed(session.target, outcome, now)
        told = self._asked_with(other_way, session.target, outcome) if other_way is not None else []
        if session.began is not None:
            self._recorded_until, self._said = now, []
        return [
            *told,
            *self._found(session.target, outcome),
            *self._redirected(session.target, outcome),
            *self._go_elsewhere(session, outcome, now),
        ]

    def _asked_with(self, other_way: Remedy, target: SrsTarget, outcome: Outcome) -> Effects:
        """A refusal is followed by the same SRS, asked in another way."""
        said = (("srs", target.name), ("status", outcome.status), ("asked_with", other_way.value))
        return [LogLine("warning", "recording.other-way", (*self._fields, *said))]

    def _redirected(self, target: SrsTarget, outcome: Outcome) -> Effects:
        """Where its SRS has sent us, and whether we go (RFC 3261 8.1.3.4)."""
        edge = self._ground.edges[target.edge]
        followed, refused = follow(target, outcome.contacts, edge)
        asked = ((found.name, why) for found, why in self._rounds.redirect(followed))
        effects: Effects = []
        for name, why in (*asked, *refused):
            said = (("srs", target.name), ("to", name), *((("refused", why),) if why else ()))
            level = "warning" if why else "info"
            effects.append(LogLine(level, "recording.redirected", (*self._fields, *said)))
        return effects

    def _found(self, target: SrsTarget, outcome: Outcome) -> Effects:
        """What the end of a session says of its SRS, for all calls."""
        uri = target.config.uri
        silent = outcome.vanished or outcome.reason in ("srs-timeout", "srs-unreachable")
        if silent or outcome.status == 503:
            failed = commands.SrsFailed(uri=uri, reason=outcome.reason, wait_s=outcome.wait_s)
            return [Forward(self._pool, failed)]
        return [Forward(self._pool, commands.SrsAlive(uri=uri))] if outcome.status is not None else []

    def _go_elsewhere(self, session: RecordingSession, outcome: Outcome, now: float) -> Effects:
        if not outcome.again or self._rounds.hopeless:
            self._halt(outcome.reason)
            return self._failed_line()
        if outcome.reason == "media-down":
            return []
        if session.began is None or (not self.persistent and outcome.reason != MEDIA_RESTART):
            return self._try_next(now)
        if outcome.reason == "srs-not-secure":
            return self._begin_round(now)
        if outcome.reason == MEDIA_RESTART:  # not for want of an SRS
            return self._begin_round(now, session.target)
        if now - session.began >= STEADY_S:
            self._rounds.steady()
            known = session.target
            return self._begin_round(now, self._rounds.other_than(known) if outcome.vanished else known)
        elsewhere = outcome.vanished or outcome.reason == "srs-dtls-failed"
        return self._try_next(now) if elsewhere else self._round_failed(now)

    def _round_failed(self, now: float) -> Effects:
        if (reason := self._rounds.newest_failure) not in ("", *NOT_YET):
            self._note_end(Outcome(result=Result.FAILED, reason=reason))
            if not self.persistent:
                self._halt(reason)
                return self._failed_line()
        self._rounds.pause(now)
        return self._failed_line()

    def _failed_line(self) -> Effects:
        """No SRS has this call: which were asked, why none took it, what is missed and since when.

        Said once for the same reasons, however many rounds they last.
        """
        if self._said == self._rounds.failures:
            return []
        self._said = self._rounds.failures
        why = "; ".join(f"{srs}: {reason}" for srs, reason in self._said)
        missed = ",".join(stream.medium for stream in self._streams)
        from_s = 0.0
        if self._call is not None and self._recorded_until is not None:
            from_s = self._recorded_until - self._call.started
        said = (("why", why), ("not_recorded", missed), ("from_s", round(from_s, 3)))
        return [LogLine("error", "recording.failed", (*self._fields, *said))]

    def _note_end(self, end: Outcome) -> None:
        self._end = of_several([end] if self._end is None else [self._end, end])

    def _finish(self) -> Effects:
        """Over, said once; whoever forwards more than that at a time makes us known to the driver again."""
        if self._finished:
            return [Finished()]
        self._finished = True
        reason = self._rounds.newest_failure or self._halted
        end = self._end if self._agreed else None
        end = end or Outcome(result=Result.FAILED, reason=reason)
        over = commands.Over(call=self.call, recording=self, end=end, sessions=len(self._agreed))
        return [Forward(self._pool, over), Finished()]

    @property
    def _streams(self) -> tuple[MediaStream, ...]:
        return self._call.streams if self._call is not None else ()

    @property
    def _fields(self) -> Fields:
        if self._call is None:
            return ()
        copy = (("copy", self.copy),) if self.copy else ()
        return (("call", self._call.call), ("session", id_text(self._call.session_id)), *copy)


def _no_such_dialog(event: sip.Event) -> Effects:
    """Its session is over: a request gets 481, all else is late (RFC 3261 12.2.2)."""
    if not isinstance(event, sip.RequestArrived):
        return []
    return [sip.Respond(usage=event.usage, token=event.token, status=481)]
