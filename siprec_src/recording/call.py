"""The recording of one call: recording sessions one after another until the call ends.

One SRS after the other is asked; when none takes the call it goes on unrecorded and they are asked again
after a pause that grows. A session that broke off is followed by a new one with a complete snapshot and
the same ids (RFC 3261 12.2.1.2, RFC 7866 9.1). Nothing here is ever told to the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, assert_never

from siprec_src.communication import CommunicationSession
from siprec_src.machine import Finished, Forward, LogLine, Machine, Observe
from siprec_src.media import plane
from siprec_src.recording import commands
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.outcome import Fields, id_text
from siprec_src.recording.policy import secure_enough, tracks_of
from siprec_src.recording.session import RecordingSession
from siprec_src.recording.srs import SrsTarget, with_other_type
from siprec_src.sip import vocabulary as sip

FIRST_PAUSE_S: Final = 5.0  #: after a round in which no SRS took the call; doubled after each further one
LAST_PAUSE_S: Final = 60.0
STEADY_S: Final = 30.0  #: a session that was up this long is followed by the next one at once
SETTLE_S: Final = 1.0  #: a new media process gets this long to open the call's ports again

Event = CommunicationSession | commands.Command | sip.Event | plane.Answer | plane.Event


class CallRecording:
    """The machine that keeps one call recorded as long as it lasts."""

    def __init__(self, ground: Ground, pool: Machine[Any, Any], targets: Sequence[SrsTarget]) -> None:
        self._ground = ground
        self._pool = pool
        self._targets = list(targets)
        self._waiting: deque[SrsTarget] = deque()  #: not yet asked in this round
        self._sessions: list[RecordingSession] = []  #: the newest last; older ones wait for last answers
        self._current: RecordingSession | None = None
        self._call: CommunicationSession | None = None
        self._failures: list[tuple[str, str]] = []  #: of this round: SRS and why
        self._asked = False  #: whether any SRS was asked in this round
        self._rounds = 0  #: that failed, one after the other
        self._retry_at: float | None = None
        self._halted = ""  #: why no further session is begun
        self._media_up = True
        self._paused = False
        self._began = False
        self._recorded_until: float | None = None  #: when the newest session that was up ended
        self._finished = False

    @property
    def deadline(self) -> float | None:
        due = [session.deadline for session in self._sessions] + [self._retry_at]
        return min((at for at in due if at is not None), default=None)

    def receive(self, event: Event, now: float) -> Effects:
        return self._take(event, now) + self._go_on(now)

    def wake(self, now: float) -> Effects:
        effects: Effects = []
        for session in list(self._sessions):
            if session.deadline is not None and session.deadline <= now:
                effects += session.wake(now)
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            effects += self._begin_round(now)
        return effects + self._go_on(now)

    def _take(self, event: Event, now: float) -> Effects:
        match event:
            case CommunicationSession():
                return self._call_changed(event, now)
            case commands.Pause() | commands.Resume() | commands.Stop():
                return self._commanded(event, now)
            case plane.MediaDown() | plane.MediaUp():
                return self._media_changed(event, now)
            case plane.ReaderReport() | plane.ReaderUnreachable():
                return [effect for session in self._sessions for effect in session.media_event(event, now)]
            case plane.FirstPacket() | plane.DtmfReceived() | plane.SilenceChanged():
                return []
            case (
                sip.ResponseArrived()
                | sip.RequestArrived()
                | sip.AckArrived()
                | sip.DialogEnded()
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
            case sip.InviteArrived() | sip.CancelArrived():
                return []  # a usage that we began gets neither
            case _:
                assert_never(event)

    def _call_changed(self, call: CommunicationSession, now: float) -> Effects:
        first, self._call = self._call is None, call
        if call.ended is not None:
            self._halted = self._halted or "call-ended"
            return self._current.ended(call, now) if self._current is not None else []
        if first:
            return self._begin_round(now)
        if self._current is None:
            return self._begin_round(now) if self._may_try_now else []
        if not secure_enough(call, self._current.target):
            return self._current.give_up("srs-not-secure", now)
        return self._current.update(call, now)

    def _commanded(self, command: commands.Command, now: float) -> Effects:
        match command:
            case commands.Pause():
                self._paused = True
                return self._current.pause(now) if self._current is not None else []
            case commands.Resume():
                self._paused = False
                return self._current.resume(now) if self._current is not None else []
            case commands.Stop():
                self._halted = self._halted or "stopped"
                return self._current.stop("stopped", now) if self._current is not None else []
            case _:
                assert_never(command)

    def _media_changed(self, event: plane.MediaDown | plane.MediaUp, now: float) -> Effects:
        self._media_up = isinstance(event, plane.MediaUp)
        if self._media_up:
            if self._current is None and not self._halted:
                self._retry_at = now + SETTLE_S
            return []
        self._retry_at = None
        return [effect for session in self._sessions for effect in session.media_down(now)]

    # One session after the other.

    @property
    def _may_try_now(self) -> bool:
        """Whether a change of the call may open what was closed: nothing was asked, or its ports are back."""
        return self._media_up and not self._halted and (not self._asked or self._retry_at is not None)

    def _begin_round(self, now: float, first: SrsTarget | None = None) -> Effects:
        self._failures = []
        self._asked = False
        self._retry_at = None
        ordered = self._targets if first is None else [first, *(t for t in self._targets if t is not first)]
        self._waiting = deque(ordered)
        return self._try_next(now)

    def _try_next(self, now: float) -> Effects:
        call = self._call
        while self._waiting and call is not None:
            target = self._waiting.popleft()
            if not tracks_of(call, target.config):
                self._failures.append((target.name, "no-track"))
            elif not secure_enough(call, target):
                self._failures.append((target.name, "srs-not-secure"))
            else:
                self._asked = True
                session = RecordingSession(self._ground, target, call, paused=self._paused)
                self._current = session
                self._sessions.append(session)
                return session.start(now)
        return self._round_failed(now)

    def _go_on(self, now: float) -> Effects:
        """Look at what the newest event has left."""
        effects: Effects = []
        while (session := self._current) is not None and session.outcome is not None:
            self._current = None
            effects += self._session_ended(session, now)
        self._began = self._began or any(session.began is not None for session in self._sessions)
        self._sessions = [session for session in self._sessions if not session.over]
        if self._halted and not self._sessions and not self._finished:
            self._finished = True
            effects += self._finish()
        return effects

    def _session_ended(self, session: RecordingSession, now: float) -> Effects:
        outcome = session.outcome
        if outcome is None or self._halted:
            return []
        self._failures.append((session.target.name, _why(outcome.reason, outcome.status)))
        if session.began is not None:
            self._recorded_until = now
        if outcome.unusable:
            self._targets = [target for target in self._targets if target is not session.target]
        if not outcome.again or not self._targets:
            self._halted = outcome.reason
            return [self._failed_line()]
        if outcome.reason == "media-down":
            return []
        if session.began is None:
            if outcome.other_type:
                self._waiting.appendleft(self._replaced(session.target))
            return self._try_next(now)
        others = [target for target in self._targets if target is not session.target]
        if outcome.vanished and others:
            self._rounds = 0
            return self._begin_round(now, others[0])
        if now - session.began >= STEADY_S:
            self._rounds = 0
            return self._begin_round(now, session.target)
        return self._round_failed(now)

    def _replaced(self, target: SrsTarget) -> SrsTarget:
        """The target with the metadata's other media type, kept for later rounds too (RFC 9806)."""
        other = with_other_type(target)
        self._targets = [other if known is target else known for known in self._targets]
        return other

    def _round_failed(self, now: float) -> Effects:
        if self._asked:
            pause_s = min(FIRST_PAUSE_S * 2**self._rounds, LAST_PAUSE_S)
            self._retry_at = now + pause_s * self._ground.identity.uniform(0.9, 1.1)
            self._rounds = min(self._rounds + 1, 8)
        return [self._failed_line()]

    def _failed_line(self) -> LogLine:
        """No SRS has this call: which were asked, why none took it, what is missed and since when."""
        why = "; ".join(f"{srs}: {reason}" for srs, reason in self._failures)
        missed = ",".join(stream.medium for stream in self._call.streams) if self._call else ""
        from_s = 0.0
        if self._call is not None and self._recorded_until is not None:
            from_s = self._recorded_until - self._call.started
        said = (("why", why), ("not_recorded", missed), ("from_s", round(from_s, 3)))
        return LogLine("error", "recording.failed", (*self._fields, *said))

    def _finish(self) -> Effects:
        call = self._call
        effects: Effects = []
        if call is not None and not self._began:
            reason = self._failures[-1][1].partition(" ")[0] if self._failures else self._halted
            effects += [
                LogLine("warning", "recording.none", (*self._fields, ("reason", reason))),
                Observe("calls_unrecorded_total", (("reason", reason),)),
            ]
        return [*effects, Forward(self._pool, commands.Over(call.call if call else 0)), Finished()]

    @property
    def _fields(self) -> Fields:
        if self._call is None:
            return ()
        return (("call", self._call.call), ("session", id_text(self._call.session_id)))


def _no_such_dialog(event: sip.Event) -> Effects:
    """Its session is over: a request gets 481, all else is late (RFC 3261 12.2.2)."""
    if not isinstance(event, sip.RequestArrived):
        return []
    return [sip.Respond(usage=event.usage, token=event.token, status=481)]


def _why(reason: str, status: int | None) -> str:
    return reason if status is None else f"{reason} {status}"
