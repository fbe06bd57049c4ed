"""Why a call was or was not recorded, in a paragraph of plain words made of the lines of its log."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from siprec_src.machine import LogLine
from siprec_src.telemetry import advice

MAX_TRIES: Final = 6  #: failed attempts that are named, the newest

Fields = Mapping[str, Any]


class Recorded(enum.Enum):
    """The short answer."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    RUNNING = "running"  #: it is being recorded now
    UNDECIDED = "undecided"  #: nothing has been tried yet, or nothing is known


def judge(lines: Iterable[LogLine], others: Iterable[LogLine] = ()) -> tuple[Recorded, str]:
    """The short answer and the long one.

    Args:
        lines: of the call, in order.
        others: of the SRSs while it lasted.
    """
    told = [(line.event, dict(line.fields)) for line in lines]
    answer, sentences, todo = _recording(told)
    said = [*_call(told), *_rule(told), *sentences, *_srs(others)]
    if any(event == "machine.failed" for event, _ in told):
        said.append("A fault of ours ended a part of it; its traceback is in the log as machine.failed.")
    if answer in (Recorded.NO, Recorded.PARTLY) and todo:
        said.append(f"What to do: {todo}.")
    return answer, " ".join(said)


_OUTCOMES: Final[Mapping[str, str]] = {
    "answered": "was answered and lasted {duration_s} s",
    "cancelled": "was given up by the caller before it was answered",
    "rejected": "was rejected by the callee's side with {status}",
    "unreachable": "did not reach the callee's side ({status})",
    "refused": "was refused by us with {status}",
    "shutdown": "was ended because the daemon was shut down",
    "broken": "broke off ({status})",
    "hung-up": "was ended by whoever commands the daemon",
    "timed-out": "was ended because neither party was there any more",
}


def _call(told: Sequence[tuple[str, Fields]]) -> list[str]:
    begin, end = _last(told, "call.begin"), _last(told, "call.end")
    refused = _last(told, "call.refused")
    if begin is None:
        if refused is None:
            return ["Nothing was decided on this call."]
        why = refused.get("reason", "")
        return [f"The call was refused with {refused.get('status')} before it became one: {why}."]
    by = f" by trunk {begin['trunk']}" if begin.get("trunk") else ""
    head = f"Call {begin.get('call')} came{by} for {begin.get('to')}"
    if end is None:
        return [f"{head}, and has not ended."]
    how = _OUTCOMES.get(str(end.get("outcome")), "ended as {outcome}").format_map(end)
    why = f": {refused.get('reason')}" if refused is not None and refused.get("reason") else ""
    return [f"{head}, {how}{why}."]


def _rule(told: Sequence[tuple[str, Fields]]) -> list[str]:
    """What the operator's rules have to do with it."""
    decided = _last(told, "recording.decided")
    if decided is None:
        return []
    said = [f"Rule {decided.get('rule')} decided on its recording: {decided.get('record')}."]
    if (refused := _last(told, "recording.command-refused")) is not None:
        said.append(f"It did not let anybody {refused.get('command')} it.")
    if _last(told, "recording.required") is not None:
        said.append("It requires a recording, which no SRS had for too long, so the call was ended.")
    return said


def _recording(told: Sequence[tuple[str, Fields]]) -> tuple[Recorded, list[str], str]:
    """The short answer, sentences, and what to do."""
    begun = [fields for event, fields in told if event == "recording.begin"]
    ended = {fields.get("rs"): fields for event, fields in told if event == "recording.end"}
    tries, todo = _tries(told)
    none = _last(told, "recording.none")
    if begun:
        said = [_session(fields, ended.get(fields.get("rs"))) for fields in begun]
        answer = _best([ended.get(fields.get("rs")) for fields in begun])
        for fields in ended.values():
            if fields.get("result") != "recorded":
                todo = advice.reason(str(fields.get("reason", "")))[1] or todo
        return answer, [*tries, *said], todo
    if none is not None:
        what, advised = advice.reason(str(none.get("reason", "")))
        return Recorded.NO, [f"It was not recorded: {what}.", *tries], todo or advised
    if tries:
        return Recorded.NO, ["No SRS has taken it so far.", *tries], todo
    if _last(told, "call.end") is not None or _last(told, "call.begin") is None:
        return Recorded.NO, ["There was nothing to record: it had no media."], ""
    return Recorded.UNDECIDED, ["Its recording has not been tried yet."], ""


def _tries(told: Sequence[tuple[str, Fields]]) -> tuple[list[str], str]:
    """A sentence for each attempt that failed, and what to do about the newest."""
    failed = [fields for event, fields in told if event == "recording.attempt-failed"]
    said, todo = [], ""
    for fields in failed[-MAX_TRIES:]:
        status = fields.get("status")
        words = str(fields.get("detail") or "")
        what, advised = advice.reason(
            str(fields.get("reason", "")), status if isinstance(status, int) else None, words
        )
        detail = f" ({words})" if words else ""
        said.append(f"{fields.get('srs')} was asked and did not take it: {what}{detail}.")
        todo = advised or todo
    if len(failed) > MAX_TRIES:
        said.insert(0, f"{len(failed)} attempts failed; the last {MAX_TRIES}:")
    if not failed and (why := _last(told, "recording.failed")) is not None:
        slug = str(why.get("why", "")).rpartition(": ")[2].partition(" ")[0]
        said.append(f"No SRS took it: {why.get('why')}.")
        todo = advice.reason(slug)[1]
    return said, todo


def _session(begin: Fields, end: Fields | None) -> str:
    head = f"{begin.get('srs')} took it {1000 * float(begin.get('setup_s', 0)):.0f} ms after it was asked"
    copy = f" (copy {begin['copy']})" if begin.get("copy") else ""
    if end is None:
        return f"{head}{copy} and is recording it."
    sent = (
        f"{end.get('delivered', 0)} of {end.get('offered', 0)} packets were sent in {end.get('duration_s')} s"
    )
    missing = {name: count for name, count in end.items() if name.startswith("dropped_") and count}
    lost = ", ".join(f"{count} {name}" for name, count in missing.items() if name.count("_") == 1)
    books = f"{sent}; lost: {lost}" if lost else sent
    what = advice.reason(str(end.get("reason", "")))[0]
    match end.get("result"):
        case "recorded":
            return f"{head}{copy}: it was recorded, {books}."
        case "unconfirmed":
            return f"{head}{copy}: it was recorded, {books}, but {what}."
        case "interrupted":
            return f"{head}{copy}, and the session ended before the call: {what}; {books}."
        case "empty":
            return f"{head}{copy}, but nothing was recorded: {what}; {books}."
        case _:
            return f"{head}{copy}, but it was recorded in part only: {what}; {books}."


def _best(ends: Sequence[Fields | None]) -> Recorded:
    """Of several sessions; a recording that was taken up again after a break is not whole."""
    if any(end is None for end in ends):
        return Recorded.RUNNING
    results = [str(end.get("result")) for end in ends if end is not None]
    if "recorded" in results and "interrupted" not in results:
        return Recorded.YES
    if "unconfirmed" in results and "interrupted" not in results:
        return Recorded.YES
    return Recorded.NO if set(results) <= {"empty"} else Recorded.PARTLY


def _srs(others: Iterable[LogLine]) -> list[str]:
    """Which SRSs went down while it lasted; each once."""
    down = {}
    for line in others:
        fields = dict(line.fields)
        if line.event == "srs.down":
            down[fields.get("srs")] = advice.reason(str(fields.get("reason", "")))[0]
    return [f"{name} was found down in that time: {why}." for name, why in down.items()]


def _last(told: Sequence[tuple[str, Fields]], event: str) -> Fields | None:
    return next((fields for name, fields in reversed(told) if name == event), None)
