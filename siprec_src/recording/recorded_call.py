"""What is kept of one call: the machines of its copies, whether it is paused, and how each copy ended.

The verdict on the call is stated once, when it has ended and nothing is left to do: ``recording.none``
where no SRS took any of it, ``recording.summary`` where the ``recording.end`` of one session does not say
all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, assert_never

from siprec_src.communication import (
    CommunicationSession,
    HangUp,
    Preference,
    RecordingChanged,
    RecordingState,
    TellCall,
    id_text,
)
from siprec_src.machine import Forward, LogLine, Machine, Observe
from siprec_src.recording import commands
from siprec_src.recording.call import CallRecording
from siprec_src.recording.copies import Copy, Room
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.health import Health
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.recording.outcome import Fields, Outcome, Result, of_several
from siprec_src.recording.policy import BY_RULE, MEANT, Decision
from siprec_src.recording.rule import Record
from siprec_src.recording.view import CallView

MAX_CLOSING: Final = 16  #: copies whose SRSs owe last answers; more of one call would crowd out other calls


class RecordedCall:
    """One call of the pool, recorded or not.

    Args:
        room: how many of its streams may be forked.
    """

    def __init__(
        self,
        ground: Ground,
        pool: Machine[Any, Any],
        health: Health,
        call: CommunicationSession,
        *,
        room: int,
        unrecorded: str,
        decision: Decision,
        paused: bool = False,
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._health = health
        self._call = call
        self._room = Room(room)
        self._unrecorded = unrecorded  #: why no copy was begun, as long as none was
        self.decision = decision
        self._required = decision.required and unrecorded not in MEANT  #: it does not go on without
        self._paused = paused
        self._resting: set[str] = set()  #: copies that are paused by themselves
        self._up: list[object] = []  #: machines whose copy an SRS gets now
        self._state = RecordingState.OFF  #: as the call was told
        self._machines: list[CallRecording] = []  #: those with something left to do
        self._ends: dict[str, Outcome | None] = {}  #: by copy, in the order in which they were begun
        self._sessions = 0  #: that SRSs took and that are over

    @property
    def call(self) -> CommunicationSession:
        return self._call

    @property
    def live(self) -> bool:
        """Whether a recording of it is not over yet."""
        return bool(self._machines)

    @property
    def over(self) -> bool:
        """It has ended, and so has its recording."""
        return self._call.ended is not None and not self._machines

    @property
    def view(self) -> CallView:
        return CallView(
            call=self._call,
            paused=self._paused,
            decision=self.decision,
            recordings=tuple(machine.view for machine in self._machines),
        )

    def changed(self, call: CommunicationSession) -> Effects:
        """The call as it is now."""
        self._call = call
        return self._tell(call)

    @property
    def room(self) -> int:
        """How many more of its streams may be forked."""
        closing = sum(machine.halted for machine in self._machines)
        return self._room.free if closing < MAX_CLOSING else 0

    def begin(self, copies: Iterable[Copy]) -> Effects:
        """Keep these copies of it from now on, those that are kept already as they are."""
        kept = {machine.copy for machine in self._machines if not machine.halted}
        effects: Effects = []
        for copy in copies:
            if copy.name in kept or self._call.ended is not None:
                continue
            self._unrecorded = ""
            self._ends.setdefault(copy.entry, None)
            machine = CallRecording(
                self._ground, self._pool, copy, self._room, self._health, paused=self._rests(copy.name)
            )
            self._machines.append(machine)
            effects.append(Forward(machine, self._call))
        return effects

    def record(self, asked: commands.Record) -> Effects:
        """Keep one more copy, if there is room for its streams; whoever asks has looked before."""
        fits = asked.streams <= self.room and self._call.ended is None
        if fits and self._room.reserve(asked.copy.name, asked.streams):
            return self.begin((asked.copy,))
        return [self._lost(asked.copy.name, "call-ended" if self._call.ended else "max-forked-streams")]

    def end(self, asked: commands.End) -> Effects:
        """Keep this copy no more; with the last one that a rule requires, whoever asks gives that up."""
        self._resting.discard(asked.copy)
        kept = {own.copy for own in self._machines if own.persistent and not own.halted}
        if kept == {asked.copy}:
            self._required = False
        return [Forward(machine, asked) for machine in self._machines if machine.copy == asked.copy]

    def command(self, command: commands.Pause | commands.Resume | commands.Stop) -> Effects:
        """For all copies alike, also for those that are begun later; or for one alone."""
        match command:
            case commands.Pause(copy=str(copy)):
                self._resting.add(copy)
                return [*self._tell(command, copy), *self._told("paused")]
            case commands.Resume(copy=str(copy)):
                self._resting.discard(copy)
                return [] if self._paused else [*self._tell(command, copy), *self._told("resumed")]
            case commands.Pause():
                self._paused = True
                return [*self._tell(command), *self._told("paused")]
            case commands.Resume():
                self._paused = False
                self._resting.clear()
                return [*self._tell(command), *self._told("resumed")]
            case commands.Stop():
                self._paused = self._required = False
                self._resting.clear()
                return self._tell(command)
            case _:
                assert_never(command)

    def bars(self, command: commands.Command | commands.CopyCommand) -> bool:
        """Whether the rule that has decided on the call does not let it be commanded so."""
        match self.decision.record:
            case Record.FORCE:
                if isinstance(command, commands.End | commands.Pause) and command.copy is not None:
                    return any(own.copy == command.copy and own.persistent for own in self._machines)
                return isinstance(command, commands.Pause | commands.Stop)
            case Record.NEVER:
                return isinstance(command, commands.Start | commands.Record)
            case Record.YES | Record.NO | Record.DONT_CARE:
                return False
            case _:
                assert_never(self.decision.record)

    def barred(self, command: commands.Command | commands.CopyCommand) -> Effects:
        """What was asked for in vain."""
        said = (("command", type(command).__name__.lower()), ("rule", self.decision.rule))
        told: Effects = [LogLine("warning", "recording.command-refused", (*self._fields, *said))]
        if isinstance(command, commands.Record):
            told.append(self._lost(command.copy.name, BY_RULE))
        return told

    @property
    def lacking(self) -> bool:
        """Whether it must have a recording and has none."""
        recorded = any(machine in self._up for machine in self._machines if machine.persistent)
        return self._required and not recorded and self._call.ended is None

    def require(self) -> None:
        """Somebody wants it recorded again: as its rule requires it, if that does."""
        self._required = self.decision.required

    def hung_up(self) -> Effects:
        """It has had no recording for too long."""
        self._required = False
        said = (("rule", self.decision.rule), ("reason", "no-recording"))
        line = LogLine("warning", "recording.required", (*self._fields, *said))
        return [line, TellCall(self._call.call, HangUp("recording required", status=503))]

    def decision_line(self) -> Effects:
        """By which rule it is recorded or not."""
        if not self.decision.rule:
            return []
        said = (("rule", self.decision.rule), ("record", self.decision.record.value))
        return [LogLine("info", "recording.decided", (*self._fields, *said))]

    def ended(self, end: commands.Over) -> None:
        """One copy is over, for now or for good."""
        for machine in self._machines:
            if machine is end.recording:
                self._machines.remove(machine)
                before = self._ends[machine.entry]
                self._ends[machine.entry] = of_several([end.end] if before is None else [before, end.end])
                self._sessions += end.sessions
                if all(other.copy != machine.copy for other in self._machines):
                    self._room.release(machine.copy)
                if not machine.persistent:
                    self._resting.discard(machine.copy)
                return

    def commands_for(self, wish: Preference) -> tuple[commands.Command, ...]:
        """What does as a party wishes (RFC 7866 7.3.2)."""
        call = self._call.call
        match wish:
            case Preference.ON:
                return (*((commands.Resume(call),) if self._paused else ()), commands.Start(call))
            case Preference.PAUSE:
                return (commands.Pause(call),) if self._machines else ()
            case Preference.OFF:
                return (commands.Stop(call),)
            case Preference.NONE:
                return ()
            case _:
                assert_never(wish)

    def wish_line(self, wish: Preference, *, honoured: bool) -> LogLine:
        """What a party has wished, and whether it gets it."""
        said = (("wish", wish.value), ("honoured", honoured))
        return LogLine("info", "recording.preference", (*self._fields, *said))

    def copying(self, event: commands.Copying) -> Effects:
        """A copy has begun, or rests at no SRS: the call is told when that changes what it is."""
        self._up = [machine for machine in self._up if machine is not event.recording]
        if event.up:
            self._up.append(event.recording)
        return self._told(event.cause)

    def gone(self, machine: object) -> Effects:
        """The driver forgets a machine: one that has not ended has failed, and its copy with it."""
        end = Outcome(result=Result.FAILED, reason="internal-error")
        lost = [self._lost(known.copy, end.reason) for known in self._machines if known is machine]
        self.ended(commands.Over(call=self._call.call, recording=machine, end=end, sessions=0))
        self._up = [other for other in self._up if other is not machine]
        return [*lost, *self._told(end.reason)]

    def summary(self) -> Effects:
        """The last words on the call."""
        ends = {name: end for name, end in self._ends.items() if end is not None}
        good = [end for end in ends.values() if end.result is not Result.FAILED]
        if not good:
            reason = self._unrecorded or next((end.reason for end in ends.values()), "call-ended")
            meant = reason in MEANT
            said: Fields = (
                ("reason", reason),
                *((("rule", self.decision.rule),) if reason == BY_RULE else ()),
            )
            line = LogLine("info" if meant else "warning", "recording.none", (*self._fields, *said))
            counted = Observe("calls_unrecorded_total", (("reason", reason),))
            return [line] if meant else [line, counted]
        if len(ends) == self._sessions == 1 and good[0].result is not Result.PARTLY:
            return []
        best = next((end for end in good if end.result is Result.RECORDED), good[0])
        whole = all(end.result is Result.RECORDED for end in ends.values())
        said = (
            ("result", best.result.value),
            ("reason", best.reason),
            ("sessions", self._sessions),
            ("copies", " ".join(f"{name or 'default'}={_said(end)}" for name, end in ends.items())),
        )
        return [LogLine("info" if whole else "warning", "recording.summary", (*self._fields, *said))]

    @property
    def _fields(self) -> Fields:
        return (("call", self._call.call), ("session", id_text(self._call.session_id)))

    def _lost(self, copy: str, reason: str) -> CopyChanged:
        return CopyChanged(
            call=self._call.call,
            session_id=self._call.session_id,
            copy=copy,
            state=CopyState.FAILED,
            srs="",
            outcome=Outcome(result=Result.FAILED, reason=reason),
        )

    def _told(self, cause: str) -> Effects:
        """Whoever has the call is told when its recording begins, rests, goes on or has ended."""
        state = RecordingState.OFF
        if self._up:
            resting = all(self._rests(own.copy) for own in self._machines if own in self._up)
            state = RecordingState.PAUSED if resting else RecordingState.ON
        if state is self._state or self._call.ended is not None:
            return []
        self._state = state
        return [RecordingChanged(self._call.call, state, cause)]

    def _rests(self, copy: str) -> bool:
        return self._paused or copy in self._resting

    def _tell(self, event: object, copy: str | None = None) -> Effects:
        return [Forward(machine, event) for machine in self._machines if copy in (None, machine.copy)]


def _said(end: Outcome) -> str:
    return end.result.value if end.result is Result.RECORDED else f"{end.result.value}:{end.reason}"
