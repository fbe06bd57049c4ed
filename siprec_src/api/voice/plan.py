"""What a script says of a call that nobody has answered yet: how long it waits, and where it goes.

Verbs are taken in their order up to the one that decides; those behind it are never reached. A Siprec begins
when the call is answered, since there is nothing to record before. What is not carried out is told, and if
nothing else decides, the trunk's default does: what it would have led to is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from siprec_src.errors import InstructionError, RemoteProtocolError
from siprec_src.ingest.inline.voice import (
    MAX_PAUSE_S,
    AfterInstructions,
    Answer,
    Begun,
    Dialled,
    Voice,
    VoiceDefault,
)
from siprec_src.instructions import model as m
from siprec_src.sip.uri import Uri, parse_uri
from siprec_src.values import immutable

NOT_CARRIED_OUT: Final = 12200
NO_RECORDING: Final = 21220
BAD_ADDRESS: Final = 13224

BUSY_HERE: Final = 486
DECLINE: Final = 603
UNAVAILABLE: Final = 503


@immutable(kw_only=False)
class Report:
    """Something that the application's author should know of."""

    code: int
    text: str


@immutable
class Plan:
    """What becomes of the call."""

    answer: Answer
    reports: tuple[Report, ...]
    unreached: int  #: verbs behind the one that decides


def plan_of(script: m.Script, voice: Voice) -> Plan:
    """Read the script up to the verb that decides.

    Raises:
        InstructionError: what is to be dialled is no address.
    """
    reader = _Reader(voice)
    left = iter(script.instructions)
    answer = next((found for verb in left if (found := reader.verb(verb)) is not None), None)
    warnings = tuple(Report(warning.code, warning.text) for warning in script.warnings)
    decided = reader.undecided() if answer is None else answer
    return Plan(answer=decided, reports=(*warnings, *reader.reports), unreached=sum(1 for _ in left))


class _Reader:
    """One pass through one script."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._pause_s = 0
        self._begun: list[Begun] = []
        self._all_done = True
        self.reports: list[Report] = []

    def verb(self, verb: m.Instruction) -> Answer | None:
        """What a verb decides; None: the next one is to be read."""
        match verb:
            case m.StartSiprec() | m.StopSiprec():
                self._begun.append(verb)
            case m.StartRecording() | m.StopRecording():
                self._no_recording()
            case m.Pause():
                self._pause(verb.length_s)
            case m.Unsupported():
                self._all_done = False
                self._report(f"{verb.verb}: {verb.why}")
            case m.Dial():
                return self._answer(dialled=self._dialled(verb))
            case m.Reject():
                return self._answer(refused=BUSY_HERE if verb.reason is m.RejectReason.BUSY else DECLINE)
            case m.Hangup():
                return self._answer(refused=DECLINE)
            case m.Continue():
                return self._answer() if self._all_done else self.undecided()
        return None

    def undecided(self) -> Answer:
        """No verb is left."""
        if not self._all_done:
            refuses = self._voice.default is VoiceDefault.REFUSE
            return self._answer(refused=UNAVAILABLE if refuses else None)
        if self._voice.after is AfterInstructions.ROUTE:
            return self._answer()
        self._report("no verb is left: the call ends, since after_instructions is hang-up")
        return self._answer(refused=DECLINE)

    def _answer(self, *, dialled: Dialled | None = None, refused: int | None = None) -> Answer:
        return Answer(pause_s=self._pause_s, dialled=dialled, refused=refused, begun=tuple(self._begun))

    def _dialled(self, dial: m.Dial) -> Dialled:
        if dial.recording is not None:
            self._no_recording()
        for what in _ignored(dial):
            self._report(f"Dial: {what} is not acted on")
        if len(dial.targets) > 1:
            self._report(f"Dial: of {len(dial.targets)} to dial only the first one is")
        to = _address(dial.targets[0]) if dial.targets else None
        if isinstance(to, Uri) and to.headers:
            self._report("Sip: header fields in the URI are not sent")
        return Dialled(to=to, timeout_s=dial.timeout_s, caller_id=dial.caller_id or "")

    def _pause(self, length_s: int) -> None:
        self._pause_s += length_s
        if self._pause_s > MAX_PAUSE_S:
            self._report(f"Pause: a call waits {MAX_PAUSE_S:g} s at most before it goes on")

    def _no_recording(self) -> None:
        self.reports.append(
            Report(NO_RECORDING, "this daemon keeps no recordings of its own; record by <Start><Siprec>")
        )

    def _report(self, text: str) -> None:
        self.reports.append(Report(NOT_CARRIED_OUT, text))


def _ignored(dial: m.Dial) -> Iterator[str]:
    """Attributes with another value than they have without being named."""
    usual = m.Dial()
    for name, attribute in (
        ("action", "action"),
        ("time_limit_s", "timeLimit"),
        ("hang_up_on_star", "hangupOnStar"),
        ("ring_tone", "ringTone"),
        ("answer_on_bridge", "answerOnBridge"),
    ):
        if getattr(dial, name) != getattr(usual, name):
            yield attribute


def _address(target: m.Target) -> str | Uri:
    match target:
        case m.Number():
            return quote(target.digits, safe=_OF_USER)
        case m.User():
            return quote(target.name, safe=_OF_USER)
        case m.SipTarget():
            try:
                return parse_uri(target.uri)
            except RemoteProtocolError as error:
                raise InstructionError(f"Sip: {error}", code=BAD_ADDRESS) from None


_OF_USER: Final = "-_.!~*'()&=+$,"  # RFC 3261 25.1, without what means something to some
