"""One kept call as an object that programs and `telemetry.drawing` read: its verdict and its ladder.

Made when somebody asks. Keys, credentials and whatever the configuration holds secret are blanked here, so
that they never leave the process: SDES and ICE keys, Authorization and the secret header fields of
SRSs, and bodies that carry digits a caller has pressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

from siprec_src.machine import LogLine, WallClock
from siprec_src.sip.message import Headers, Message, Request, Response, header_key
from siprec_src.sip.parser import parse_datagram
from siprec_src.telemetry.ladder import Case, Decided, Entry, Heard, Ladder, Told
from siprec_src.telemetry.redaction import REDACTED, redact_text
from siprec_src.telemetry.verdict import Recorded, judge

FORMAT: Final = 1  #: of the object; names are added, none is changed
MAX_TEXT_BYTES: Final = 16 * 1024  #: of one message
MAX_LISTED: Final = 100
OURS: Final = "siprec-src"
CALLER: Final = "caller"
CALLEE: Final = "callee"
_SECRET_FIELDS: Final = frozenset(
    {"authorization", "proxy-authorization", "authentication-info", "identity", "proxy-authentication-info"}
)
_SECRET_LINES: Final = re.compile(r"(?im)^(k=|a=ice-pwd:|a=key-mgmt:)[^\r\n]*")
_DIGITS: Final = ("dtmf", "kpml", "digits", "telephone-event")  #: in media types: what the caller pressed


class Explainer:
    """Tells of the calls of a ladder.

    Args:
        secret: names of header fields whose values the configuration keeps secret.
    """

    def __init__(self, ladder: Ladder, wall: WallClock, secret: Iterable[str]) -> None:
        self._ladder = ladder
        self._wall = wall
        self._secret = _SECRET_FIELDS | {header_key(name) for name in secret}

    def hide(self, names: Iterable[str]) -> None:
        """These header fields too are secret from now on."""
        self._secret |= {header_key(name) for name in names}

    def calls(self) -> dict[str, Any]:
        """The newest calls, each in a line."""
        return {"format": FORMAT, "calls": [self._listed(case) for case in self._ladder.cases()[:MAX_LISTED]]}

    def call(self, name: str, *, texts: bool) -> dict[str, Any] | None:
        """One call by number, Call-ID or session id; ``texts``: every message whole. None: it is not kept."""
        case = self._ladder.find(name)
        if case is None:
            return None
        drawn = _Drawn(case, self._secret, texts=texts)
        entries = [drawn.entry(entry) for entry in tuple(case.entries)]
        until = case.entries[-1].at if case.entries else case.began
        others = [noted.line for noted in self._ladder.other if case.began - 60 <= noted.at <= until]
        recorded, verdict = _judged(case, others)
        return {
            "format": FORMAT,
            "call": case.number or None,
            "session": case.session,
            "call_ids": list(case.call_ids),
            "began": self._wall.at(case.began).isoformat(timespec="milliseconds"),
            "recorded": recorded.value,
            "verdict": redact_text(verdict),
            "lanes": drawn.lanes,
            "left_out": case.left_out,
            "entries": entries,
        }

    def verdict(self, call: int) -> tuple[Recorded, str] | None:
        """Of the call with this number: the short answer and the long one. None: it is not kept."""
        case = self._ladder.numbered(call)
        if case is None:
            return None
        recorded, verdict = _judged(case)
        return recorded, redact_text(verdict)

    def recordings(self, call: int) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
        """What the log said at the beginning and at the end of each recording session that an SRS took."""
        case = self._ladder.numbered(call)
        entries = case.entries if case is not None else []
        lines = [entry.line for entry in entries if isinstance(entry, Decided)]
        ends = {dict(line.fields)["rs"]: dict(line.fields) for line in lines if line.event == "recording.end"}
        begun = (dict(line.fields) for line in lines if line.event == "recording.begin")
        return [(fields, ends.get(fields["rs"])) for fields in begun]

    def ladder_of(self, call: int, rs: int, srs: str) -> list[dict[str, Any]]:
        """What was said to this SRS and decided on this recording session."""
        found = self.call(str(call), texts=False)
        if found is None:
            return []
        lanes = [n for n, lane in enumerate(found["lanes"]) if lane == f"SRS {srs.partition(';')[0]}"]
        return [
            entry
            for entry in found["entries"]
            if (entry["kind"] == "sip" and (entry["from"] in lanes or entry["to"] in lanes))
            or (entry["kind"] == "event" and entry["fields"].get("rs") == rs)
        ]

    def _listed(self, case: Case) -> dict[str, Any]:
        recorded, verdict = _judged(case)
        return {
            "call": case.number or None,
            "session": case.session,
            "call_id": case.call_ids[0],
            "began": self._wall.at(case.began).isoformat(timespec="milliseconds"),
            "recorded": recorded.value,
            "verdict": redact_text(verdict),
        }


class _Drawn:
    """The entries of one call, each with the lanes between which it goes."""

    def __init__(self, case: Case, secret: Set[str], *, texts: bool) -> None:
        self.lanes = [CALLER, OURS, CALLEE]
        self._case = case
        self._secret = secret
        self._texts = texts
        self._lane_of: dict[str, int] = {case.call_ids[0]: 0}
        self._seen: set[int] = set()

    def entry(self, entry: Entry) -> dict[str, Any]:
        at_ms = round(1000 * (entry.at - self._case.began), 1)
        match entry:
            case Decided():
                line = entry.line
                fields = {name: _plain(value) for name, value in line.fields}
                return {
                    "at_ms": at_ms,
                    "kind": "event",
                    "level": line.level,
                    "event": line.event,
                    "fields": fields,
                }
            case Heard() | Told():
                return {"at_ms": at_ms, "kind": "sip", **self._message(entry)}

    def _message(self, entry: Heard | Told) -> dict[str, Any]:
        message = _read(entry)
        if message is None:
            return {"from": 1, "to": 1, "line": "a message that cannot be read", "again": False}
        peer = self._lane(message)
        sent = isinstance(entry, Told)
        same = hash((sent, _start(message), str(message.headers)))
        shown: dict[str, Any] = {
            "from": 1 if sent else peer,
            "to": peer if sent else 1,
            "line": redact_text(_start(message)),
            "body": _bodies(message),
            "peer": f"{entry.flow.transport.value} {entry.flow.remote}",
            "call_id": message.headers.get("call-id") or "",
            "again": same in self._seen,
        }
        self._seen.add(same)
        return {**shown, "text": self._text(message)} if self._texts else shown

    def _lane(self, message: Message) -> int:
        call_id = message.headers.get("call-id") or ""
        if call_id not in self._lane_of:
            name = CALLEE
            if isinstance(message, Request) and "siprec" in (message.headers.get("require") or "").lower():
                name = f"SRS {redact_text(message.uri).partition(';')[0]}"
            if name not in self.lanes:
                self.lanes.append(name)
            self._lane_of[call_id] = self.lanes.index(name)
        return self._lane_of[call_id]

    def _text(self, message: Message) -> str:
        head = [_start(message)]
        for name, value in message.headers:
            head.append(f"{name}: {REDACTED if header_key(name) in self._secret else value}")
        kind = (message.headers.get("content-type") or "").lower()
        body = message.body.decode("utf-8", "replace")
        if any(word in kind for word in _DIGITS):
            body = REDACTED
        text = "\r\n".join((*head, "", body))
        text = redact_text(_SECRET_LINES.sub(rf"\1{REDACTED}", text))
        text = text.encode("utf-8", "replace").decode("utf-8")
        return text if len(text) <= MAX_TEXT_BYTES else text[:MAX_TEXT_BYTES] + "\r\n[cut]"


def _read(entry: Heard | Told) -> Message | None:
    if isinstance(entry, Told):
        parsed = parse_datagram(entry.data)
        return parsed if isinstance(parsed, Message) else None
    headers = Headers(entry.fields)
    first, second = entry.start
    if isinstance(first, int):
        return Response(status=first, reason=second, headers=headers, body=entry.body)
    return Request(method=first, uri=second, headers=headers, body=entry.body)


def _start(message: Message) -> str:
    if isinstance(message, Request):
        return f"{message.method} {message.uri}"
    assert isinstance(message, Response)  # noqa: S101 there are no others
    method = (message.headers.get("cseq") or "").rpartition(" ")[2]
    return f"{message.status} {message.reason} ({method})"


def _bodies(message: Message) -> str:
    """What is inside, in short."""
    kind = (message.headers.get("content-type") or "").lower()
    words = {"application/sdp": "SDP", "rs-metadata": "metadata", "multipart": ""}
    whole = kind + message.body.decode("utf-8", "replace").lower() if "multipart" in kind else kind
    found = [shown for word, shown in words.items() if shown and word in whole]
    return ", ".join(found) or (kind.partition(";")[0] if message.body else "")


def _judged(case: Case, others: Iterable[LogLine] = ()) -> tuple[Recorded, str]:
    lines = [entry.line for entry in case.entries if isinstance(entry, Decided)]
    if lines:
        return judge(lines, others)
    told = (_read(entry) for entry in reversed(case.entries) if isinstance(entry, Told))
    status = next((m.status for m in told if isinstance(m, Response) and m.status >= 300), None)
    if status is None:
        return judge((), others)
    return Recorded.NO, f"The INVITE was refused with {status} before it became a call."


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | bool) or value is None else redact_text(str(value))
