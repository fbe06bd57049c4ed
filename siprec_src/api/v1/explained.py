"""``/v1/explained``: why a call was or was not recorded, also one that has ended; for the operator."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.accounts import Operator
from siprec_src.api.auth import Auth, principal_of
from siprec_src.api.errors import ApiError, json_answer
from siprec_src.api.v1.calls import refusals
from siprec_src.api.v1.models import Explained, ExplainedList
from siprec_src.telemetry.explain import Explainer

_REFUSED: Final = refusals(401, 403, 404, 429)


def router(explainer: Explainer, auth: Auth) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/v1/explained", tags=["explained"], dependencies=[Depends(auth.admit)])

    @made.get(
        "",
        operation_id="list_explained",
        responses={200: {"model": ExplainedList}, **refusals(401, 403, 429)},
    )
    async def list_explained(request: Request) -> Response:
        """The calls that are kept, the newest first, each with its verdict."""
        _operator(request)
        return json_answer(explainer.calls())

    @made.get("/{call}", operation_id="explain_call", responses={200: {"model": Explained}, **_REFUSED})
    async def explain_call(request: Request, call: str) -> Response:
        """One of them with its ladder, by its number, session id or a Call-ID."""
        return _one(request, call, texts=False)

    @made.get(
        "/{call}/full", operation_id="explain_call_fully", responses={200: {"model": Explained}, **_REFUSED}
    )
    async def explain_call_fully(request: Request, call: str) -> Response:
        """Likewise, with every message whole."""
        return _one(request, call, texts=True)

    def _one(request: Request, call: str, *, texts: bool) -> Response:
        _operator(request)
        found = explainer.call(call.replace("%2F", "/"), texts=texts)
        if found is None:
            raise ApiError(404, None, "no such call is kept")
        return json_answer(found)

    return made


def _operator(request: Request) -> None:
    """Messages say more than an account may see of its calls: who the SRSs are, and how they are reached."""
    if not isinstance(principal_of(request), Operator):
        raise ApiError(403, None, "for the operator alone")
