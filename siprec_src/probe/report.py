"""What was found of an SRS: one step after another, each with a sentence to act on, and the verdict.

The JSON object is an interface: keys are added, never renamed. Values are text, numbers, lists and
objects of them; no key, password or credential is ever put into a step.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from siprec_src.app import exits
from siprec_src.telemetry.redaction import redact_text
from siprec_src.values import immutable

Facts = Mapping[str, object]
WIDTH: Final = 10  #: of the columns of the text


class Mark(enum.Enum):
    """How one step went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_ASKED = "not asked"


class Verdict(enum.Enum):
    """What all steps come to; the process's exit code goes with it."""

    GOOD = "good"
    USABLE = "usable"  #: calls would be recorded, but something deserves attention
    UNUSABLE = "unusable"

    @property
    def exit_code(self) -> int:
        return {Verdict.GOOD: exits.OK, Verdict.USABLE: 1, Verdict.UNUSABLE: 2}[self]


@immutable
class Step:
    """One thing that was asked."""

    name: str  #: slug
    mark: Mark
    says: str  #: one sentence: what was found
    advice: str = ""  #: what to do about it; "" where there is nothing to do
    facts: Facts = dataclasses.field(default_factory=dict)

    def text(self) -> str:
        """For people."""
        head = f"  {self.mark.value:{WIDTH}}{self.name:{WIDTH}}{self.says}"
        return f"{head}\n  {'':{2 * WIDTH}}-> {self.advice}" if self.advice else head

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "step": self.name,
            "mark": self.mark.value,
            "says": self.says,
            "advice": self.advice,
            "facts": dict(self.facts),
        }


class Report:
    """The steps so far.

    Args:
        tell: is given each step as soon as it is known.
    """

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self.steps: list[Step] = []
        self._tell = tell

    def ok(self, name: str, says: str, **facts: object) -> None:
        """It is as it should be."""
        self._add(Step(name=name, mark=Mark.OK, says=says, facts=facts))

    def warning(self, name: str, says: str, advice: str, **facts: object) -> None:
        """Calls are recorded all the same."""
        self._add(Step(name=name, mark=Mark.WARNING, says=says, advice=advice, facts=facts))

    def failed(self, name: str, says: str, advice: str, **facts: object) -> None:
        """No call, or not the whole of one, would be recorded."""
        self._add(Step(name=name, mark=Mark.FAILED, says=says, advice=advice, facts=facts))

    def not_asked(self, name: str, why: str) -> None:
        """Nothing can be said of it."""
        self._add(Step(name=name, mark=Mark.NOT_ASKED, says=why))

    def has(self, name: str) -> bool:
        return any(step.name == name for step in self.steps)

    @property
    def verdict(self) -> Verdict:
        marks = {step.mark for step in self.steps}
        if Mark.FAILED in marks:
            return Verdict.UNUSABLE
        return Verdict.USABLE if Mark.WARNING in marks else Verdict.GOOD

    def summary(self) -> str:
        """The verdict as one sentence."""
        failed = [step for step in self.steps if step.mark is Mark.FAILED]
        warnings = [step for step in self.steps if step.mark is Mark.WARNING]
        match self.verdict:
            case Verdict.GOOD:
                return "good: this SRS records calls, and nothing about it deserves attention"
            case Verdict.USABLE:
                names = ", ".join(dict.fromkeys(step.name for step in warnings))
                return f"usable: this SRS records calls; see the warnings ({names})"
            case Verdict.UNUSABLE:
                return f"not usable: {failed[0].name}: {failed[0].says}"

    def _add(self, step: Step) -> None:
        step = dataclasses.replace(step, says=redact_text(step.says), advice=redact_text(step.advice))
        self.steps.append(step)
        self._tell(step)


def as_json(report: Report, *, srs: str, duration_s: float) -> dict[str, Any]:
    """The whole report for programs."""
    return {
        "format": 1,
        "srs": redact_text(srs),
        "verdict": report.verdict.value,
        "exit_code": report.verdict.exit_code,
        "summary": report.summary(),
        "duration_s": round(duration_s, 1),
        "steps": [step.as_json() for step in report.steps],
    }
