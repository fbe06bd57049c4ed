"""``GET …/Calls.json`` and ``GET …/Calls/{CA}.json``: live calls, and those that ended a short while ago."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.auth import Auth, account_of
from siprec_src.api.calls.book import CallBook
from siprec_src.api.calls.filters import STATUSES, filters
from siprec_src.api.calls.resource import CallPage, CallResource, shown
from siprec_src.api.errors import TREE, json_answer
from siprec_src.api.pages import MAX_SIZE, page, unhurried
from siprec_src.api.schemas import answers
from siprec_src.machine import WallClock

_OF_ACCOUNT: Final = TREE + "/Accounts/{account_sid}"


def router(auth: Auth, calls: CallBook, wall: WallClock) -> APIRouter:
    """The operations on calls as such."""
    made = APIRouter(tags=["calls"], dependencies=[Depends(auth.admit)])
    looking = asyncio.Lock()  #: through all calls; one client at a time, whoever asks

    @made.get(
        _OF_ACCOUNT + "/Calls.json",
        operation_id="listCalls",
        summary="Calls of the account, the newest first.",
        openapi_extra={"parameters": _QUERY},
        responses=answers(CallPage, 200),
    )
    async def listed(request: Request) -> Response:
        account, query = account_of(request), request.query_params.multi_items()
        asked = filters(query, wall)
        async with looking:
            every = unhurried(calls.newest_first())
            of_account = [call async for call in every if call.account_sid == account.sid]
            chosen = [call async for call in unhurried(of_account) if all(holds(call) for holds in asked)]
            found = await page(request.url.path, query, "calls", chosen, lambda call: shown(call, wall))
        return json_answer(found)

    @made.get(
        _OF_ACCOUNT + "/Calls/{call_sid}.json",
        operation_id="fetchCall",
        summary="One call of the account.",
        responses=answers(CallResource, 200),
    )
    async def fetched(request: Request, call_sid: str) -> Response:
        return json_answer(shown(calls.of_account(call_sid, account_of(request)), wall))

    return made


def _in_query(name: str, about: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


_TIME: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z)?$"
_QUERY: Final = [
    _in_query("To", "Who was dialled, as it is shown.", type="string"),
    _in_query("From", "Who has called, as it is shown.", type="string"),
    _in_query("Status", "As it is now.", type="string", enum=list(STATUSES)),
    *(
        _in_query(
            f"{when}Time{bound}",
            "A moment, or a day in UTC; with a bound the day's beginning.",
            type="string",
            pattern=_TIME,
        )
        for when in ("Start", "End")
        for bound in ("", "<", ">")
    ),
    _in_query("Page", "From 0.", type="integer", minimum=0, maximum=999_999_999),
    _in_query("PageSize", "Calls of one page.", type="integer", minimum=1, maximum=MAX_SIZE),
]
