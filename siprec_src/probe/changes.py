"""What happens to a session that is up: pause, resume, new metadata, what the SRS asks for, the end."""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.communication import Name
from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata.model import SnapshotRequest
from siprec_src.metadata.reader import read_metadata
from siprec_src.probe.bench import Bench, Seen
from siprec_src.probe.report import Report
from siprec_src.probe.session import Conversation
from siprec_src.recording import commands
from siprec_src.recording.srs import MetadataType
from siprec_src.sip.body import find, split_body
from siprec_src.sip.message import Request, Response
from siprec_src.telemetry import advice

ANSWER_S: Final = 6.0  #: for each change
QUIET_S: Final = 0.6  #: in which a paused recording must get nothing
FLOW_S: Final = 1.0  #: in which a resumed one must get something
BYE_S: Final = 8.0
_UPDATES: Final = ("INVITE", "UPDATE")


async def pause(bench: Bench, conversation: Conversation, report: Report) -> None:
    """The copying stops, then the SRS is told (RFC 7866 7.1.1.1)."""
    answered = await _change(bench, commands.Pause(conversation.session.call))
    before = await _delivered(bench)
    await bench.until(lambda: False, QUIET_S)
    leaked = await _delivered(bench) - before
    if leaked:
        report.failed("pause", f"{leaked} packets left in the pause", "report this: it is a fault of ours")
    else:
        _judge("pause", answered, "told that the streams are inactive", "nothing left in the pause", report)


async def resume(bench: Bench, conversation: Conversation, report: Report) -> None:
    """The SRS agrees, then the copying goes on."""
    answered = await _change(bench, commands.Resume(conversation.session.call))
    before = await _delivered(bench)
    await bench.until(lambda: False, FLOW_S)
    flowed = await _delivered(bench) - before
    if not flowed:
        report.failed(
            "resume",
            "nothing is sent after the pause; the SRS's answer does not let it",
            "calls that are paused would not be recorded to their end: see why it answers so",
        )
    else:
        _judge("resume", answered, "told that the streams go on", f"{flowed} packets since then", report)


async def update(bench: Bench, conversation: Conversation, report: Report) -> None:
    """A party gets another name: a complete document with the same ids (RFC 7866 9.1)."""
    session = conversation.session
    caller, callee = session.participants
    renamed = dataclasses.replace(callee, names=(Name(aor=callee.names[0].aor, display="Probe renamed"),))
    changed = dataclasses.replace(session, participants=(caller, renamed))
    _judge("metadata", await _change(bench, changed), "told a change of the metadata", "", report)


def asked_by_srs(bench: Bench, report: Report) -> None:
    """What the SRS has asked for by itself, snapshots among it (RFC 7866 9.2)."""
    requests = [s for s in bench.seen if not s.ours and isinstance(s.message, Request) and _is_new(bench, s)]
    snapshots = [seen for seen in requests if _wants_snapshot(seen.message)]
    if snapshots:
        served = bench.request(*_UPDATES, ours=True, since=snapshots[-1].at)
        answered = bench.answer(served) if served is not None else None
        if answered is not None and answered[1].status < 300:
            report.ok("snapshot", f"it asked for a snapshot and took it ({answered[1].status})")
        else:
            report.warning(
                "snapshot",
                "it asked for a snapshot and did not take the one it got",
                "see the SRS's own log for this session",
            )
    else:
        report.not_asked("snapshot", "the SRS did not ask for a snapshot")
    others = [
        seen.message.method
        for seen in requests
        if seen not in snapshots and isinstance(seen.message, Request)
    ]
    if others:
        report.ok("requests", f"it also sent {', '.join(others)}, which was answered", methods=others)


async def end(bench: Bench, conversation: Conversation, report: Report) -> None:
    """The last metadata, then BYE; and what the books say."""
    began = bench.now
    bench.record(dataclasses.replace(conversation.session, ended=began))
    await bench.until(lambda: bench.line("recording.end") is not None and _bye_answered(bench, began), BYE_S)
    bye = bench.request("BYE", ours=True, since=began)
    answered = bench.answer(bye) if bye is not None else None
    ended = bench.line("recording.end")
    if answered is None:
        report.warning(
            "bye", "it did not answer the BYE", "see that it has closed the recording all the same"
        )
    elif answered[1].status >= 300:
        report.warning(
            "bye", f"BYE was answered with {answered[1].status}", "see the SRS's log for this session"
        )
    else:
        report.ok("bye", f"the session ended in good order ({answered[1].status} to BYE)")
    if ended is None:
        return
    fields = ended.fields
    facts = {name: fields[name] for name in ("result", "reason", "offered", "delivered") if name in fields}
    books = f"{fields.get('delivered', 0)} of {fields.get('offered', 0)} packets were sent"
    if fields.get("result") in ("recorded", "unconfirmed"):
        withheld = fields.get("skipped_paused", 0)
        report.ok("books", f"{books}, {withheld} withheld in the pause, none is unaccounted for", **facts)
    else:
        what, todo = advice.reason(str(fields.get("reason", "")))
        report.warning("books", f"{books}; {what}", todo, **facts)


async def _change(bench: Bench, event: object) -> Response | None:
    """Command or publish it; the final answer to the request that tells the SRS."""
    began = bench.now
    bench.record(event)  # type: ignore[arg-type] # a command or a session

    def answered() -> Response | None:
        request = bench.request(*_UPDATES, ours=True, since=began)
        found = bench.answer(request) if request is not None else None
        return found[1] if found is not None else None

    await bench.until(lambda: answered() is not None, ANSWER_S)
    return answered()


def _judge(name: str, answered: Response | None, told: str, more: str, report: Report) -> None:
    if answered is None:
        report.failed(
            name,
            f"{told}, it did not answer within {ANSWER_S:g} s",
            "requests inside a session must reach the SRS, and its answers us: check Contact, Record-Route "
            "and firewalls",
        )
        return
    also, status = f"; {more}" if more else "", answered.status
    if status < 300:
        report.ok(name, f"{told}, it agreed ({status}){also}", status=status)
    else:
        todo = advice.reason("srs-refused", status)[1]
        report.warning(name, f"{told}, it refused: {status} {answered.reason}{also}", todo, status=status)


async def _delivered(bench: Bench) -> int:
    books = await bench.media.counters(bench.identity.number())
    return sum(counters.delivered for counters in books.values())


def _bye_answered(bench: Bench, since: float) -> bool:
    bye = bench.request("BYE", ours=True, since=since)
    return bye is not None and bench.answer(bye) is not None


def _is_new(bench: Bench, seen: Seen) -> bool:
    """Not an ACK, and not the repetition of a request before."""
    method = seen.message.method if isinstance(seen.message, Request) else ""
    same = (seen.message.headers.get("call-id"), seen.message.headers.get("cseq"))
    first = next(
        s
        for s in bench.seen
        if not s.ours
        and (s.message.headers.get("call-id"), s.message.headers.get("cseq")) == same
        and isinstance(s.message, Request)
    )
    return method != "ACK" and first is seen


def _wants_snapshot(message: object) -> bool:
    if not isinstance(message, Request):
        return False
    try:
        part = find(split_body(message), *(kind.value for kind in MetadataType))
        return part is not None and isinstance(read_metadata(part.content), SnapshotRequest)
    except RemoteProtocolError:
        return False
