"""All recordings of the daemon: each call that is published is decided on once, then kept told.

The pool knows calls, not sessions: it begins a `CallRecording` for each call that is to be recorded and
forwards to it whatever is published of that call, or commanded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from siprec_src.communication import CommunicationSession, id_text
from siprec_src.identity import Identity
from siprec_src.machine import Forward, Gone, LogLine, Observe, WallClock
from siprec_src.recording import commands
from siprec_src.recording.call import CallRecording
from siprec_src.recording.check import SrsCheck
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.health import Health
from siprec_src.recording.policy import Decision, decide
from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target
from siprec_src.sip.flow import Edge

Event = (
    CommunicationSession | commands.Command | commands.Over | commands.SrsAlive | commands.SrsFailed | Gone
)
Decide = Callable[[CommunicationSession, Sequence[SrsTarget]], Decision]


class RecordingPool:
    """The machine that receives every published call.

    Args:
        edges: by name, the default one first.
        srs: in the order in which they are tried.

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
    ) -> None:
        self._ground = Ground(identity=identity, wall=wall, edges=edges)
        self._targets = tuple(parse_target(config, edges) for config in srs)
        self._settings = settings or RecordingSettings()
        self._health = Health(self._targets, self._settings.options_interval_s)
        self._turn = 0  #: of round-robin
        self.draining = False  #: no SRS is checked any more
        self._decide = decide
        self._recordings: dict[int, CallRecording] = {}  #: by call, those with something left to do
        self._known: set[int] = set()  #: calls that were decided on and go on

    @property
    def deadline(self) -> float | None:
        return None if self.draining else self._health.deadline

    @property
    def live(self) -> int:
        """How many calls have a recording that is not over yet."""
        return len(self._recordings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should be told of the configured SRSs, once."""
        return tuple(f"{target.name}: {target.warning}" for target in self._targets if target.warning)

    @property
    def srs_up(self) -> tuple[tuple[str, float], ...]:
        """Name and 1 for each SRS that is up, 0 for each that is down."""
        return self._health.states

    def retarget(self, srs: Sequence[SrsConfig], settings: RecordingSettings | None = None) -> None:
        """New calls are recorded at these SRSs; recordings that run stay where they are.

        Raises:
            ConfigurationError: the URI of an SRS cannot be used; nothing was changed.
        """
        self._targets = tuple(parse_target(config, self._ground.edges) for config in srs)
        self._settings = settings or self._settings
        self._health.know(self._targets, self._settings.options_interval_s)

    def receive(self, event: Event, now: float) -> Effects:
        """Take a publication, a command, the end of one recording, or what was found of an SRS."""
        match event:
            case CommunicationSession():
                return self._published(event)
            case commands.Over(call=call):
                self._recordings.pop(call, None)
                return []
            case commands.SrsAlive():
                return self._health.alive(event.uri, now, records=event.records)
            case commands.SrsFailed():
                return self._health.failed(
                    event.uri, event.reason, now, wait_s=event.wait_s, checked=event.checked
                )
            case Gone(machine=machine):
                return self._gone(machine)
            case commands.Pause(call=call) | commands.Resume(call=call) | commands.Stop(call=call):
                recording = self._recordings.get(call)
                return [Forward(recording, event)] if recording is not None else []
            case _:
                return []  # what the driver tells every machine, such as MediaDown

    def wake(self, now: float) -> Effects:
        """Check the SRSs whose time has come; the first time only set the times."""
        interval_s = self._settings.options_interval_s
        self._health.begin(now + interval_s * self._ground.identity.uniform(0.5, 1.0))
        if self.draining:
            return []
        return [
            Forward(SrsCheck(self._ground, self, target), commands.Check())
            for target in self._health.due(self._targets, now)
        ]

    def _published(self, call: CommunicationSession) -> Effects:
        if call.call not in self._known:
            return self._decided(call)
        if call.ended is not None:
            self._known.discard(call.call)
        recording = self._recordings.get(call.call)
        return [Forward(recording, call)] if recording is not None else []

    def _decided(self, call: CommunicationSession) -> Effects:
        if call.ended is None:
            self._known.add(call.call)
        decision = self._decide(call, self._targets)
        if not decision.record:
            fields = (("call", call.call), ("session", id_text(call.session_id)), ("reason", decision.reason))
            return [
                LogLine("info", "recording.none", fields),
                Observe("calls_unrecorded_total", (("reason", decision.reason),)),
            ]
        recording = CallRecording(self._ground, self, self._in_turn(decision.targets), self._health)
        self._recordings[call.call] = recording
        return [Forward(recording, call)]

    def _in_turn(self, targets: tuple[SrsTarget, ...]) -> tuple[SrsTarget, ...]:
        """The SRSs in the order in which this call asks them."""
        if self._settings.distribution is Distribution.ORDERED or not targets:
            return targets
        first = self._turn % len(targets)
        self._turn += 1
        return targets[first:] + targets[:first]

    def _gone(self, machine: object) -> Effects:
        """A recording that is still known has not ended but failed; the rest of its call is not recorded."""
        broken = [call for call, recording in self._recordings.items() if recording is machine]
        for call in broken:
            del self._recordings[call]
        return [Observe("calls_unrecorded_total", (("reason", "internal-error"),)) for _ in broken]
