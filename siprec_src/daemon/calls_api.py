"""Calls and their recordings by HTTP: what there is, and commands while a call lasts.

    GET  /v1/calls                 every call, the oldest first
    GET  /v1/calls/CALL            one of them, by the ``call`` or ``session`` of the log
    POST /v1/calls/CALL/pause      and resume, stop, start: for all its recordings
    GET  /v1/explained             the calls that are kept, also those that have ended, each with its verdict
    GET  /v1/explained/CALL        one of them with its ladder, also by a Call-ID; /full: with whole messages

Provisional: the smallest door that an operator needs. An answer to ``pause`` or ``stop`` with status 200 says
that nothing which is received from then on reaches an SRS; 202, that this is under way.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import json
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from siprec_src.app.http import API, JSON, HttpRequest, Page
from siprec_src.communication import Side, id_text
from siprec_src.machine import WallClock
from siprec_src.recording import commands
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.view import CallView
from siprec_src.sip.flow import Address
from siprec_src.telemetry.explain import Explainer

MAX_LISTED: Final = 500  #: calls in one answer, so that it holds nobody up
PATIENCE_S: Final = 2.0  #: for the engine to have stopped the copying
LOOK_S: Final = 0.005

COMMANDS: Final[Mapping[str, type[commands.Command]]] = {
    "pause": commands.Pause,
    "resume": commands.Resume,
    "stop": commands.Stop,
    "start": commands.Start,
}


class CallsApi:
    """Answers all below ``/v1/``.

    Args:
        tell: hands a command to the recording pool.
        listen: where the server listens; beyond loopback a token is needed.
        token: that every request has to show, as ``Authorization: Bearer …``.
    """

    def __init__(
        self,
        pool: RecordingPool,
        explainer: Explainer,
        tell: Callable[[commands.Command], None],
        wall: WallClock,
        *,
        listen: Address | None,
        token: str | None,
    ) -> None:
        self._pool = pool
        self._explainer = explainer
        self._tell = tell
        self._wall = wall
        self._local = listen is not None and _is_loopback(listen.host)
        self._token = token

    async def answer(self, request: HttpRequest) -> Page:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        match [unquote(part) for part in request.path.removeprefix(API).split("/")]:
            case ["calls"]:
                return self._list() if request.method == "GET" else _problem(405, "only GET")
            case ["calls", name]:
                view = self._find(name)
                if view is None:
                    return _problem(404, "no such call")
                return _json(200, self._shown(view)) if request.method == "GET" else _problem(405, "only GET")
            case ["calls", name, verb] if verb in COMMANDS:
                return await self._command(name, verb) if request.method == "POST" else _problem(405, "POST")
            case ["explained"]:
                return self._explained("", texts=False, method=request.method)
            case ["explained", name, *rest] if rest in ([], ["full"]):
                return self._explained(name, texts=bool(rest), method=request.method)
            case _:
                return _problem(404, "not found")

    async def _command(self, name: str, verb: str) -> Page:
        view = self._find(name)
        if view is None:
            return _problem(404, "no such call")
        call = view.call.call
        self._tell(COMMANDS[verb](call))
        if verb in ("pause", "stop"):
            deadline = asyncio.get_running_loop().time() + PATIENCE_S
            while (view := self._pool.view(call)) is not None and view.copying:
                if asyncio.get_running_loop().time() > deadline:
                    return self._done(202, view)
                await asyncio.sleep(LOOK_S)
            return self._done(200, view)
        return self._done(202, self._pool.view(call))

    def _done(self, status: int, view: CallView | None) -> Page:
        return _json(status, self._shown(view)) if view is not None else _problem(404, "the call has ended")

    def _explained(self, name: str, *, texts: bool, method: str) -> Page:
        if method != "GET":
            return _problem(405, "only GET")
        found = self._explainer.call(name, texts=texts) if name else self._explainer.calls()
        return _problem(404, "no such call is kept") if found is None else _json(200, found)

    def _list(self) -> Page:
        views = list(islice(self._pool.calls, MAX_LISTED))
        return _json(
            200, {"calls": [self._shown(view) for view in views], "more": self._pool.known - len(views)}
        )

    def _find(self, name: str) -> CallView | None:
        if name.isascii() and name.isdigit() and len(name) < 20:
            return self._pool.view(int(name))
        try:
            call = self._pool.call_of(base64.b64decode(name, validate=True))
        except ValueError:
            return None
        return self._pool.view(call) if call is not None else None

    def _shown(self, view: CallView) -> dict[str, Any]:
        call = view.call
        parties = {
            side.value: next((p.names[0].aor for p in call.participants if p.side is side), "")
            for side in Side
        }
        return {
            "call": call.call,
            "session": id_text(call.session_id),
            "started": self._wall.at(call.started).isoformat(timespec="milliseconds"),
            **parties,
            "paused": view.paused,
            "recordings": [
                {"copy": r.copy, "srs": r.srs, "state": r.state, "copying": r.copying}
                for r in view.recordings
            ],
        }

    def _refusal(self, request: HttpRequest) -> Page | None:
        """Why this client has no command; None when it has.

        Without a token whoever is on this machine may; what a web page makes a browser send from here does
        not, nor a name that somebody's DNS has led here.
        """
        if self._token is not None:
            shown = request.fields.get("authorization", "")
            good = hmac.compare_digest(f"Bearer {self._token}".encode(), shown.encode("latin-1"))
            return None if good else _problem(401, "expected Authorization: Bearer and the token of [http]")
        if not self._local:
            return _problem(403, "beyond loopback only with a token: [http] token_file or token_env")
        host = request.fields.get("host", "")
        named = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if "origin" in request.fields or not (named == "localhost" or _is_loopback(named.strip("[]"))):
            return _problem(403, "not for browsers, nor by another name than localhost or its address")
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _json(status: int, value: object) -> Page:
    return status, JSON, json.dumps(value).encode() + b"\n"


def _problem(status: int, text: str) -> Page:
    return _json(status, {"error": text})
