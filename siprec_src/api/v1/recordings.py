"""``/v1/recordings``: recording sessions of calls that go on and, of one call, those that have ended."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.auth import principal_of
from siprec_src.api.errors import ApiError, json_answer
from siprec_src.api.schemas import answers, refusals
from siprec_src.api.sids import is_sid
from siprec_src.api.v1.calls import came_true
from siprec_src.api.v1.known import KnownCalls
from siprec_src.api.v1.models import Recording, RecordingLadder, Recordings
from siprec_src.api.v1.sessions import Sessions
from siprec_src.recording import commands
from siprec_src.recording.rule import Record

MAX_CALLS: Final = 100  #: whose sessions are in one answer, so that it holds nobody up
Tell = Callable[[commands.Command | commands.CopyCommand], None]


class Verb(enum.Enum):
    """What can be done to one copy of a call."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    START = "start"


def router(known: KnownCalls, tell: Tell) -> APIRouter:
    """The routes; ``tell`` hands a command to the recording pool."""
    made = APIRouter(prefix="/v1/recordings", tags=["recordings"], dependencies=[Depends(known.auth.admit)])
    sessions = Sessions(known)

    @made.get("", operation_id="list_recordings", responses={**answers(Recordings, 200), **refusals(404)})
    async def list_recordings(
        request: Request,
        call: Annotated[
            str | None, Query(description="of this call alone, also those that have ended")
        ] = None,
        after: Annotated[int, Query(description="`next` of the answer before", ge=0, lt=2**63)] = 0,
    ) -> Response:
        """Recording sessions, the oldest call first."""
        principal = principal_of(request)
        if call is not None:
            one: Recordings = {"recordings": sessions.of_call(known.fetch(call, principal)), "next": None}
            return json_answer(one)
        may_see = known.auth.accounts.may_see
        mine = [s.call for s in known.pool.sessions if s.call > after and may_see(principal, s)]
        shown = [recording for number in mine[:MAX_CALLS] for recording in sessions.live(number)]
        more = mine[MAX_CALLS - 1] if len(mine) > MAX_CALLS else None
        listed: Recordings = {"recordings": shown, "next": more}
        return json_answer(listed)

    @made.get(
        "/{recording}",
        operation_id="fetch_recording",
        responses={**answers(RecordingLadder, 200), **refusals(404)},
    )
    async def fetch_recording(request: Request, recording: str) -> Response:
        """One recording session with its ladder."""
        found = sessions.find(recording, principal_of(request))
        ladder = known.explainer.ladder_of(found["call"], int(recording.partition("-")[2]), found["srs"])
        answer: RecordingLadder = {"recording": found, "ladder": ladder}
        return json_answer(answer)

    for verb in Verb:
        made.add_api_route(
            f"/{{recording}}/{verb.value}",
            _commanding(known, sessions, tell, verb),
            methods=["POST"],
            operation_id=f"{verb.value}_recording",
            summary=f"{verb.value.capitalize()} the copy of the call that this session is of",
            responses={**answers(Recording, 200, 202), **refusals(404, 409)},
        )
    return made


def _commanding(known: KnownCalls, sessions: Sessions, tell: Tell, verb: Verb) -> Any:
    async def command(request: Request, recording: str) -> Response:
        found = sessions.find(recording, principal_of(request))
        number, copy = found["call"], found["copy"]
        _check(known, number, copy, verb)
        tell(_command(verb, number, copy))
        quiet = False
        if verb in (Verb.PAUSE, Verb.STOP):
            quiet = await came_true(lambda: not _copying(known, number, copy))
        newest = sessions.newest(number, copy) or found
        return json_answer(newest, 200 if quiet else 202)

    return command


def _check(known: KnownCalls, number: int, copy: str, verb: Verb) -> None:
    view = known.pool.view(number)
    if view is None or view.call.ended is not None:
        raise ApiError(409, None, "the call has ended")
    on_request = is_sid(copy, "SR")
    if verb is Verb.START and on_request:
        raise ApiError(409, None, "a Siprec does not begin again: ask for a new one")
    barred = Record.NEVER if verb is Verb.START else Record.FORCE
    if view.bound is barred and verb is not Verb.RESUME and not on_request:
        what = f"rule {view.decision.rule!r} lets nobody {verb.value} the recording of this call"
        raise ApiError(409, None, what)
    kept = any(one.copy == copy and one.state != "ending" for one in view.recordings)
    if verb is not Verb.START and not kept:
        raise ApiError(409, None, "this copy is not recorded any more")


def _command(verb: Verb, call: int, copy: str) -> commands.Command | commands.CopyCommand:
    match verb:
        case Verb.PAUSE:
            return commands.Pause(call, copy)
        case Verb.RESUME:
            return commands.Resume(call, copy)
        case Verb.STOP:
            return commands.End(call, copy)
        case Verb.START:
            return commands.Start(call, copy)


def _copying(known: KnownCalls, number: int, copy: str) -> bool:
    view = known.pool.view(number)
    return view is not None and any(one.copy == copy and one.copying for one in view.recordings)
