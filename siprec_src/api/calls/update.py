"""``POST …/Calls/{CA}.json``: a live call is given another script, or its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.auth import Auth, account_of
from siprec_src.api.calls.book import CallBook, KnownCall
from siprec_src.api.calls.resource import CallResource, shown
from siprec_src.api.errors import TREE, ApiError, json_answer
from siprec_src.api.execution import NOT_IN_PROGRESS, Scripts
from siprec_src.api.fetching import Outside, fetch
from siprec_src.api.forms import form_of, read_form
from siprec_src.api.schemas import answers
from siprec_src.errors import InstructionError
from siprec_src.instructions import model as m
from siprec_src.instructions.twiml import parse_twiml
from siprec_src.machine import WallClock

UNUSABLE: Final = 20001


class UpdateCall(BaseModel):
    """What a call can be told. Fields of other names are ignored."""

    Twiml: str = ""
    Url: str = ""
    Method: Literal["GET", "POST"] = "POST"
    Status: Literal["", "completed", "canceled"] = ""  # a call that was answered is canceled no more


CODES: Final = {"Method": 21209}


def router(
    auth: Auth,
    calls: CallBook,
    scripts: Scripts,
    hang_up: Callable[[int, str], None],
    outside: Outside,
    wall: WallClock,
) -> APIRouter:
    """The operation; ``hang_up`` ends the call with that handle, ``outside`` is asked for a ``Url``."""
    made = APIRouter(tags=["calls"], dependencies=[Depends(auth.admit)])

    @made.post(
        TREE + "/Accounts/{account_sid}/Calls/{call_sid}.json",
        operation_id="updateCall",
        summary="Give a live call other instructions, or end it.",
        openapi_extra=form_of(UpdateCall),
        responses=answers(CallResource, 200),
    )
    async def update(request: Request, call_sid: str) -> Response:
        account = account_of(request)
        call = calls.of_account(call_sid, account)
        form = await read_form(request, UpdateCall, CODES)
        if sum(map(bool, (form.Twiml, form.Url, form.Status))) > 1:
            raise ApiError(400, UNUSABLE, "expected one of Twiml, Url and Status")
        if form.Twiml or form.Url:
            _require_live(call)
            twiml = form.Twiml or await fetch(outside, call, account, form.Method, form.Url)
            script = _read(twiml)
            _require_live(call)
            scripts.begin(call, account, script)
        elif form.Status == "completed" and call.session.ended is None:
            hang_up(call.session.call, "hung up by request")
        return json_answer(shown(call, wall))

    return made


def _read(twiml: str | bytes) -> m.Script:
    try:
        return parse_twiml(twiml)
    except InstructionError as error:
        raise ApiError(400, error.code, str(error)) from None


def _require_live(call: KnownCall) -> None:
    if call.session.ended is not None:
        raise ApiError(400, NOT_IN_PROGRESS, "Call is not in-progress. It takes no instructions")
