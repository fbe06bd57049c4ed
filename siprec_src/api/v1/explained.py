"""``/v1/explained``: why a call was or was not recorded, also one that has ended.

For the operator: messages say more than an account may see of its calls, such as who the SRSs are.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from siprec_src.api import sids
from siprec_src.api.auth import Auth, admit_operator
from siprec_src.api.errors import ApiError, json_answer
from siprec_src.api.schemas import answers, refusals
from siprec_src.api.v1.models import Explained, ExplainedList
from siprec_src.communication import id_text
from siprec_src.telemetry.explain import Explainer

_EXPLAINED: Final = {**answers(Explained, 200), **refusals(404)}


def router(explainer: Explainer, auth: Auth) -> APIRouter:
    """The routes."""
    made = APIRouter(
        prefix="/v1/explained",
        tags=["explained"],
        dependencies=[Depends(auth.admit), Depends(admit_operator)],
    )

    @made.get(
        "",
        operation_id="list_explained",
        responses=answers(ExplainedList, 200),
    )
    async def list_explained() -> Response:
        """The calls that are kept, the newest first, each with its verdict."""
        return json_answer(explainer.calls())

    @made.get("/{call}", operation_id="explain_call", responses=_EXPLAINED)
    async def explain_call(call: str) -> Response:
        """One of them with its ladder, by its number, session id, SID or a Call-ID."""
        return _one(call, texts=False)

    @made.get("/{call}/full", operation_id="explain_call_fully", responses=_EXPLAINED)
    async def explain_call_fully(call: str) -> Response:
        """Likewise, with every message whole."""
        return _one(call, texts=True)

    def _one(call: str, *, texts: bool) -> Response:
        session_id = sids.session_id_of(call)
        name = call.replace("%2F", "/") if session_id is None else id_text(session_id)
        found = explainer.call(name, texts=texts)
        if found is None:
            raise ApiError(404, None, "no such call is kept")
        return json_answer(found)

    return made
