"""Calls by any of their names, as those see them who may."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from siprec_src.api import sids
from siprec_src.api.accounts import Principal
from siprec_src.api.auth import Auth
from siprec_src.api.errors import ApiError
from siprec_src.api.v1.models import Call, Copy
from siprec_src.api.v1.recent import RecentCalls
from siprec_src.communication import CommunicationSession, Side, id_text
from siprec_src.machine import WallClock
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.view import CallView
from siprec_src.telemetry.explain import Explainer
from siprec_src.values import immutable

NOT_FOUND: Final = "no such call"


@immutable(eq=False)
class KnownCalls:
    """Views of the recording pool."""

    pool: RecordingPool
    auth: Auth
    wall: WallClock
    explainer: Explainer
    recent: RecentCalls
    now: Callable[[], float]  #: seconds of the machines' clock

    def find(self, name: str, principal: Principal) -> CallView:
        """The call with this number, session id or SID.

        Raises:
            ApiError: 404, also where the call is not the principal's.
        """
        view = self._named(name.replace("%2F", "/"))
        if view is None or not self.auth.accounts.may_see(principal, view.call):
            raise ApiError(404, None, NOT_FOUND)
        return view

    def fetch(self, name: str, principal: Principal) -> Call:
        """The call with this name, also one that has ended of late.

        Raises:
            ApiError: as `find`.
        """
        ended = self._ended(name.replace("%2F", "/"))
        if ended is not None and self.auth.accounts.may_see(principal, ended):
            return self.shown_session(ended)
        return self.shown(self.find(name, principal))

    def shown_newest(self, call: CommunicationSession) -> Call:
        """The call as it is now, if it goes on."""
        view = self.pool.view(call.call)
        return self.shown(view) if view is not None else self.shown_session(call)

    def shown(self, view: CallView) -> Call:
        """A call as it is answered."""
        return {
            **self.shown_session(view.call),
            "paused": view.paused,
            "rule": view.decision.rule,
            "record": view.decision.record.value,
            "recordings": _copies(view),
        }

    def shown_session(self, call: CommunicationSession) -> Call:
        """A call of which nothing else is there any more."""
        owner = self.auth.accounts.of_call(call)
        judged = self.explainer.verdict(call.call)
        parties = {p.side: p.names[0].aor for p in reversed(call.participants)}
        return {
            "call": call.call,
            "session": id_text(call.session_id),
            "sid": sids.call_sid(call.session_id),
            "account": owner.sid if owner is not None else None,
            "trunk": call.trunk,
            "started": self.time(call.started),
            "ended": self.time(call.ended) if call.ended is not None else None,
            "caller": parties.get(Side.CALLER, ""),
            "callee": parties.get(Side.CALLEE, ""),
            "paused": False,
            "rule": None,
            "record": None,
            "recordings": [],
            "recorded": judged[0].value if judged is not None else None,
            "verdict": judged[1] if judged is not None else None,
        }

    def time(self, at: float) -> str:
        """A time of the machines' clock as it is answered."""
        return self.wall.at(at).isoformat(timespec="milliseconds")

    def _ended(self, name: str) -> CommunicationSession | None:
        if _is_number(name):
            return self.recent.numbered(int(name))
        session_id = _session_id(name)
        return self.recent.find(session_id) if session_id is not None else None

    def _named(self, name: str) -> CallView | None:
        if _is_number(name):
            return self.pool.view(int(name))
        session_id = _session_id(name)
        call = self.pool.call_of(session_id) if session_id is not None else None
        return self.pool.view(call) if call is not None else None


def _copies(view: CallView) -> list[Copy]:
    return [
        {"copy": one.copy, "srs": one.srs, "state": one.state, "copying": one.copying}
        for one in view.recordings
    ]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 20


def _session_id(name: str) -> bytes | None:
    """Of a SID, or as metadata has it."""
    if (octets := sids.session_id_of(name)) is not None:
        return octets
    try:
        return base64.b64decode(name, validate=True)
    except ValueError:
        return None
