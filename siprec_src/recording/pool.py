"""All recordings of the daemon: each call that is published is decided on once, then kept told.

The pool knows calls, not sessions: it begins a `CallRecording` for each copy of a call that is to be
recorded and forwards to them whatever is published of that call, or commanded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import assert_never

from siprec_src.communication import CommunicationSession, Preference
from siprec_src.identity import Identity
from siprec_src.machine import Forward, Gone, WallClock
from siprec_src.recording import commands
from siprec_src.recording.call import CallRecording
from siprec_src.recording.check import SrsCheck
from siprec_src.recording.copies import copies_of
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.health import Health
from siprec_src.recording.policy import Decision, decide
from siprec_src.recording.recorded_call import RecordedCall
from siprec_src.recording.required import Required
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target, told_apart
from siprec_src.recording.view import CallView
from siprec_src.sip.flow import Edge

Event = (
    CommunicationSession
    | commands.Command
    | commands.CopyCommand
    | commands.Over
    | commands.Copying
    | commands.SrsAlive
    | commands.SrsFailed
    | Gone
)
Decide = Callable[[CommunicationSession, Sequence[SrsTarget]], Decision]


class RecordingPool:
    """The machine that receives every published call.

    Args:
        edges: by name, the default one first.
        srs: in the order in which they are tried.
        asked_for: those that only requests name, whose health is known here too.

    Raises:
        ConfigurationError: the URI of an SRS cannot be used.
    """

    def __init__(
        self,
        identity: Identity,
        wall: WallClock,
        edges: Mapping[str, Edge],
        srs: Sequence[SrsConfig],
        decide: Decide = decide,
        settings: RecordingSettings | None = None,
        asked_for: Sequence[SrsTarget] = (),
    ) -> None:
        self._ground = Ground(identity=identity, wall=wall, edges=edges)
        self._targets, self._asked_for = self._read(srs, asked_for)
        self._settings = settings or RecordingSettings()
        self._health = Health(self._watched, self._settings.options_interval_s)
        self._turn = 0  #: of round-robin
        self._required = Required(self._settings.required_grace_s)
        self.draining = False  #: no SRS is checked any more
        self._decide = decide
        self._calls: dict[int, RecordedCall] = {}  #: those that go on, or whose recording does

    @property
    def deadline(self) -> float | None:
        due = (self._required.deadline, None if self.draining else self._health.deadline)
        return min((at for at in due if at is not None), default=None)

    @property
    def live(self) -> int:
        """How many calls have a recording that is not over yet."""
        return sum(call.live for call in self._calls.values())

    @property
    def calls(self) -> Iterator[CallView]:
        """Every call that is known, the oldest first."""
        return (call.view for call in self._calls.values())

    @property
    def sessions(self) -> Iterator[CommunicationSession]:
        """Those of `calls`, without more."""
        return (call.call for call in self._calls.values())

    @property
    def known(self) -> int:
        """How many calls `calls` has."""
        return len(self._calls)

    def view(self, call: int) -> CallView | None:
        """One call; None: it is not known, or over."""
        known = self._calls.get(call)
        return known.view if known is not None else None

    def room(self, call: int) -> int:
        """How many more streams of a call may be forked; 0: it has ended, or is not known."""
        known = self._calls.get(call)
        return known.room if known is not None and known.call.ended is None else 0

    def refuses(self, call: CommunicationSession, now: float) -> str:
        """Why a call that has arrived is not made: its rule requires what no SRS could do now; "": it is."""
        decision = self._decide(call, self._targets)
        if not decision.required:
            return ""
        obstacle = decision.obstacle
        if not obstacle and not any(self._health.hopeful(target, now) for target in decision.targets):
            obstacle = "srs-down"
        return f"rule {decision.rule} requires a recording: {obstacle}" if obstacle else ""

    def call_of(self, session_id: bytes) -> int | None:
        """The handle of the call with this id, if it is known."""
        found = (call for call, known in self._calls.items() if known.call.session_id == session_id)
        return next(found, None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should be told of the configured SRSs, once."""
        return tuple(f"{target.name}: {target.warning}" for target in self._targets if target.warning)

    @property
    def srs_up(self) -> tuple[tuple[str, float], ...]:
        """Name and 1 for each SRS that is up, 0 for each that is down."""
        return self._health.states

    def retarget(
        self,
        srs: Sequence[SrsConfig],
        settings: RecordingSettings | None = None,
        asked_for: Sequence[SrsTarget] = (),
        decide: Decide | None = None,
    ) -> None:
        """New calls are recorded at these SRSs and decided on so; recordings that run stay where they are.

        Raises:
            ConfigurationError: the URI of an SRS cannot be used; nothing was changed.
        """
        self._targets, self._asked_for = self._read(srs, asked_for)
        self._settings = settings or self._settings
        self._decide = decide or self._decide
        self._required.grace_s = self._settings.required_grace_s
        self._health.know(self._watched, self._settings.options_interval_s)

    def receive(self, event: Event, now: float) -> Effects:
        """Take a publication, a command, the end of one recording, or what was found of an SRS."""
        match event:
            case CommunicationSession():
                return self._published(event, now)
            case commands.Over(call=call):
                if (known := self._calls.get(call)) is None:
                    return []
                known.ended(event)
                return self._settle(known, now)
            case commands.Copying(call=call):
                if (known := self._calls.get(call)) is None:
                    return []
                return [*known.copying(event), *self._settle(known, now)]
            case commands.SrsAlive():
                if event.took is not None:
                    self._remember(event.took)
                return self._health.alive(event.uri, now, records=event.took is not None)
            case commands.SrsFailed():
                return self._health.failed(
                    event.uri, event.reason, now, wait_s=event.wait_s, checked=event.checked
                )
            case Gone(machine=CallRecording() as machine):
                if (known := self._calls.get(machine.call)) is not None:
                    return [*known.gone(machine), *self._settle(known, now)]
                return []
            case _ if isinstance(event, commands.Command | commands.CopyCommand):
                return self._commanded(event, now)
            case _:
                return []  # what the driver tells every machine, such as MediaDown

    def wake(self, now: float) -> Effects:
        """End calls that lack their recording, and check SRSs, each when its time has come."""
        interval_s = self._settings.options_interval_s
        self._health.begin(now + interval_s * self._ground.identity.uniform(0.5, 1.0))
        ended = [effect for call in self._required.due(now) for effect in self._calls[call].hung_up()]
        if self.draining:
            return ended
        checks = [
            Forward(SrsCheck(self._ground, self, target), commands.Check())
            for target in self._health.due(self._watched, now)
        ]
        return [*ended, *checks]

    @property
    def _watched(self) -> tuple[SrsTarget, ...]:
        return (*self._targets, *self._asked_for)

    def _read(
        self, srs: Sequence[SrsConfig], asked_for: Sequence[SrsTarget]
    ) -> tuple[tuple[SrsTarget, ...], tuple[SrsTarget, ...]]:
        targets = (parse_target(config, self._ground.edges) for config in srs)
        known = told_apart((*targets, *asked_for))
        return known[: len(srs)], known[len(srs) :]

    def _remember(self, taken: SrsTarget) -> None:
        """Tell an SRS its metadata from the beginning as it has taken it, until it is configured otherwise.

        What was too long, or had the wrong codecs, may be right in the next call.
        """
        if any(known is taken for known in self._targets):
            return
        config = dataclasses.replace(
            taken.written,
            metadata_type=taken.config.metadata_type,
            metadata_required=taken.config.metadata_required,
        )
        self._targets = tuple(
            dataclasses.replace(known, config=config, metadata=taken.metadata)
            if known.written == taken.written
            else known
            for known in self._targets
        )

    def _published(self, call: CommunicationSession, now: float) -> Effects:
        known = self._calls.get(call.call)
        if known is None:
            return self._decided(call, now)
        effects: Effects = []
        if call.preference is not known.call.preference:
            effects += self._wished(call, known, now)
        return [*effects, *known.changed(call), *self._settle(known, now)]

    def _wished(self, call: CommunicationSession, known: RecordedCall, now: float) -> Effects:
        """A party wishes something else of recording; whether it gets it is for the operator to say."""
        honoured = self._honours(known)
        effects: Effects = [known.wish_line(call.preference, honoured=honoured)]
        for command in known.commands_for(call.preference) if honoured else ():
            effects += self.receive(command, now)
        return effects

    def _honours(self, known: RecordedCall) -> bool:
        """Whether a party's wish counts: where the operator lets it, and no rule binds."""
        return self._settings.honour_recordpref and not known.decision.record.binds

    def _commanded(self, command: commands.Command | commands.CopyCommand, now: float) -> Effects:
        known = self._calls.get(command.call)
        if known is None:
            return []
        if known.bars(command):
            return known.barred(command)
        match command:
            case commands.Start():
                known.require()
                effects = self._begin(known.call, command.copy)
            case commands.Record():
                effects = known.record(command)
            case commands.End():
                effects = known.end(command)
            case commands.Pause() | commands.Resume() | commands.Stop():
                effects = known.command(command)
            case _:
                assert_never(command)
        return [*effects, *self._settle(known, now)]

    def _decided(self, call: CommunicationSession, now: float) -> Effects:
        decision = self._decide(call, self._targets)
        wish = call.preference if self._settings.honour_recordpref else Preference.NONE
        why = decision.unrecorded(wish, automatic=self._settings.automatic)
        known = self._calls[call.call] = RecordedCall(
            self._ground,
            self,
            self._health,
            call,
            room=self._settings.max_forked_streams,
            unrecorded=why,
            decision=decision,
            paused=wish is Preference.PAUSE and not decision.record.binds,
        )
        told = known.decision_line()
        if call.preference is not Preference.NONE:
            told.append(known.wish_line(call.preference, honoured=self._honours(known)))
        begun = [] if why else self._keep(call.call, decision)
        return [*told, *begun, *self._settle(known, now)]

    def _begin(self, call: CommunicationSession, copy: str | None) -> Effects:
        """Record a call that is known, by the SRSs and rules that are configured now."""
        return self._keep(call.call, self._decide(call, self._targets), copy)

    def _keep(self, call: int, decision: Decision, copy: str | None = None) -> Effects:
        turn, self._turn = self._turn, self._turn + 1
        copies = copies_of(decision.targets, decision.distribution or self._settings.distribution, turn)
        return self._calls[call].begin(one for one in copies if copy in (None, one.name))

    def _settle(self, known: RecordedCall, now: float) -> Effects:
        """A call that lacks its recording has a grace; one that is over gets its last words."""
        call = known.call.call
        self._required.watch(call, now, lacking=known.lacking)
        if not known.over:
            return []
        self._calls.pop(call, None)
        return known.summary()
