"""Recording sessions as they are answered: those that live from views, those that have ended from the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siprec_src.api.accounts import Principal
from siprec_src.api.errors import ApiError
from siprec_src.api.sids import call_sid, is_sid
from siprec_src.api.v1.known import KnownCalls
from siprec_src.api.v1.models import Call, Recording, Stream
from siprec_src.communication import CommunicationSession, Side
from siprec_src.recording.view import RecordingView, SessionView, StreamView
from siprec_src.values import immutable

_TRACKS: Mapping[Side, str] = {Side.CALLER: "inbound", Side.CALLEE: "outbound"}


@immutable(eq=False, kw_only=False)
class Sessions:
    """The recording sessions of known calls."""

    known: KnownCalls

    def live(self, call: int) -> list[Recording]:
        """Those of a call that goes on."""
        view = self.known.pool.view(call)
        if view is None:
            return []
        return [self._shown(view.call, one, session) for one in view.recordings for session in one.sessions]

    def of_call(self, call: Call) -> list[Recording]:
        """Those that live, and those that have ended."""
        live = self.live(call["call"])
        there = {recording["id"] for recording in live}
        kept = self.known.explainer.recordings(call["call"])
        over = [_ended(call, begun, end) for begun, end in kept if end is not None]
        return [*(one for one in over if one["id"] not in there), *live]

    def find(self, name: str, principal: Principal) -> Recording:
        """The session with this id.

        Raises:
            ApiError: 404, also where its call is not the principal's.
        """
        call, _, _ = name.partition("-")
        found = self.of_call(self.known.fetch(call, principal)) if call.isdigit() else []
        one = next((recording for recording in found if recording["id"] == name), None)
        if one is None:
            raise ApiError(404, None, "no such recording session")
        return one

    def newest(self, call: int, copy: str) -> Recording | None:
        """The newest that lives, of this copy."""
        return next((one for one in reversed(self.live(call)) if one["copy"] == copy), None)

    def _shown(self, call: CommunicationSession, copy: RecordingView, session: SessionView) -> Recording:
        began, now = session.began, self.known.now()
        return {
            "id": f"{call.call}-{session.rs}",
            "call": call.call,
            "sid": call_sid(call.session_id),
            "copy": copy.copy,
            "siprec": copy.copy if is_sid(copy.copy, "SR") else None,
            "srs": session.srs,
            "secure": session.secure,
            "state": _state(copy, session),
            "began": self.known.time(began) if began is not None else None,
            "duration_s": round(now - began, 3) if began is not None else None,
            "streams": [_stream(call, stream) for stream in session.streams],
            "result": None,
            "reason": None,
            "packets": {},
        }


def _state(copy: RecordingView, session: SessionView) -> str:
    if session.ending:
        return "ending"
    if session.began is None:
        return "setting-up"
    return "paused" if copy.paused else "recording"


def _stream(call: CommunicationSession, stream: StreamView) -> Stream:
    sides = {participant.participant_id: participant.side for participant in call.participants}
    side = sides.get(stream.sender)
    return {
        "label": stream.label,
        "track": _TRACKS[side] if side is not None else None,
        "accepted": stream.accepted,
        "copying": stream.copying,
        "failure": stream.failure,
    }


def _ended(call: Call, begun: Mapping[str, Any], end: Mapping[str, Any]) -> Recording:
    """What the log has kept of it."""
    copy = str(begun.get("copy", ""))
    counted = {"rs", "call", "duration_s", "secure"}
    return {
        "id": f"{call['call']}-{begun['rs']}",
        "call": call["call"],
        "sid": call["sid"],
        "copy": copy,
        "siprec": copy if is_sid(copy, "SR") else None,
        "srs": str(begun["srs"]),
        "secure": bool(begun.get("secure")),
        "state": "ended",
        "began": None,
        "duration_s": float(end["duration_s"]),
        "streams": [],
        "result": str(end["result"]),
        "reason": str(end["reason"]),
        "packets": {
            name: value
            for name, value in end.items()
            if isinstance(value, int) and not isinstance(value, bool) and name not in counted
        },
    }
