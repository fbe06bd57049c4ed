"""Calls by any of their names, as those see them who may."""

from __future__ import annotations

import base64

from siprec_src.api import sids
from siprec_src.api.accounts import Principal
from siprec_src.api.auth import Auth
from siprec_src.api.errors import ApiError
from siprec_src.api.v1.models import Call
from siprec_src.communication import Side, id_text
from siprec_src.machine import WallClock
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.view import CallView
from siprec_src.values import immutable

NOT_FOUND = "no such call"


@immutable(eq=False)
class KnownCalls:
    """Views of the recording pool."""

    pool: RecordingPool
    auth: Auth
    wall: WallClock

    def find(self, name: str, principal: Principal) -> CallView:
        """The call with this number, session id or SID.

        Raises:
            ApiError: 404, also where the call is not the principal's.
        """
        view = self._named(name.replace("%2F", "/"))
        if view is None or not self.auth.accounts.may_see(principal, view.call):
            raise ApiError(404, None, NOT_FOUND)
        return view

    def shown(self, view: CallView) -> Call:
        """A call as it is answered."""
        call = view.call
        owner = self.auth.accounts.of_call(call)
        parties = {p.side: p.names[0].aor for p in reversed(call.participants)}
        return {
            "call": call.call,
            "session": id_text(call.session_id),
            "sid": sids.call_sid(call.session_id),
            "account": owner.sid if owner is not None else None,
            "trunk": call.trunk,
            "started": self.wall.at(call.started).isoformat(timespec="milliseconds"),
            "caller": parties.get(Side.CALLER, ""),
            "callee": parties.get(Side.CALLEE, ""),
            "paused": view.paused,
            "rule": view.decision.rule,
            "record": view.decision.record.value,
            "recordings": [
                {"copy": r.copy, "srs": r.srs, "state": r.state, "copying": r.copying}
                for r in view.recordings
            ],
        }

    def _named(self, name: str) -> CallView | None:
        if name.isascii() and name.isdigit() and len(name) < 20:
            return self.pool.view(int(name))
        session_id = sids.session_id_of(name)
        if session_id is None:
            try:
                session_id = base64.b64decode(name, validate=True)
            except ValueError:
                return None
        call = self.pool.call_of(session_id)
        return self.pool.view(call) if call is not None else None
