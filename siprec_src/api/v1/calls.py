"""``/v1/calls``: what there is, and commands while a call lasts.

An answer to ``pause`` or ``stop`` with status 200 says that nothing which is received from then on reaches an
SRS; 202, that this is under way.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.auth import principal_of
from siprec_src.api.errors import ApiError, json_answer
from siprec_src.api.schemas import answers, refusals
from siprec_src.api.v1.known import KnownCalls
from siprec_src.api.v1.models import Call, Calls
from siprec_src.recording import commands
from siprec_src.recording.rule import Record
from siprec_src.recording.view import CallView

MAX_LISTED: Final = 100  #: calls in one answer, so that it holds nobody up
PATIENCE_S: Final = 2.0  #: for the engine to have stopped the copying
LOOK_S: Final = 0.005


class Verb(enum.Enum):
    """What can be done to all recordings of a call."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    START = "start"


COMMANDS: Final[Mapping[Verb, type[commands.Command]]] = {
    Verb.PAUSE: commands.Pause,
    Verb.RESUME: commands.Resume,
    Verb.STOP: commands.Stop,
    Verb.START: commands.Start,
}


_BARRED: Final[Mapping[Verb, Record]] = {
    Verb.PAUSE: Record.FORCE,
    Verb.STOP: Record.FORCE,
    Verb.START: Record.NEVER,
}
"""What a rule says that does not let it be done."""


def router(known: KnownCalls, tell: Callable[[commands.Command], None]) -> APIRouter:
    """The routes; ``tell`` hands a command to the recording pool."""
    made = APIRouter(prefix="/v1/calls", tags=["calls"], dependencies=[Depends(known.auth.admit)])

    @made.get("", operation_id="list_calls", responses=answers(Calls, 200))
    async def list_calls(request: Request, *, ended: bool = False) -> Response:
        """Every call that goes on, the oldest first; or those that have ended of late, the newest first."""
        may_see, principal = known.auth.accounts.may_see, principal_of(request)
        every = known.recent.newest() if ended else known.pool.sessions
        mine = [call for call in every if may_see(principal, call)]
        shown = [known.shown_newest(call) for call in mine[:MAX_LISTED]]
        listed: Calls = {"calls": shown, "more": len(mine) - len(shown)}
        return json_answer(listed)

    @made.get("/{call}", operation_id="fetch_call", responses={**answers(Call, 200), **refusals(404)})
    async def fetch_call(request: Request, call: str) -> Response:
        """One call, by its number, session id or SID."""
        return json_answer(known.fetch(call, principal_of(request)))

    for verb in Verb:
        made.add_api_route(
            f"/{{call}}/{verb.value}",
            _commanding(known, tell, verb),
            methods=["POST"],
            operation_id=f"{verb.value}_call",
            summary=f"{verb.value.capitalize()} all recordings of a call",
            responses={
                **answers(Call, 200, 202),
                **refusals(404, 409),
            },
        )
    return made


def _commanding(known: KnownCalls, tell: Callable[[commands.Command], None], verb: Verb) -> Any:
    async def command(request: Request, call: str) -> Response:
        view = known.find(call, principal_of(request))
        number, rule = view.call.call, view.decision.rule
        if view.bound is not None and view.bound is _BARRED.get(verb):
            raise ApiError(409, None, f"rule {rule!r} lets nobody {verb.value} the recording of this call")
        tell(COMMANDS[verb](number))
        if verb not in (Verb.PAUSE, Verb.STOP):
            return _done(known, number, 202)
        quiet = await came_true(lambda: not _copying(known.pool.view(number)))
        return _done(known, number, 200 if quiet else 202)

    return command


async def came_true(holds: Callable[[], bool]) -> bool:
    """Whether ``holds`` does within `PATIENCE_S`."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(LOOK_S)
    return True


def _copying(view: CallView | None) -> bool:
    return view is not None and view.copying


def _done(known: KnownCalls, number: int, status: int) -> Response:
    view = known.pool.view(number)
    if view is None:
        raise ApiError(404, None, "the call has ended")
    return json_answer(known.shown(view), status)
