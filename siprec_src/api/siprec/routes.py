"""``POST …/Calls/{CA}/Siprec.json`` begins one, ``POST …/Siprec/{SR or name}.json`` stops one (contract 3).

The SIPREC session is set up behind the answer: whether an SRS has taken it is told by the status callback.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.auth import Auth, account_of
from siprec_src.api.calls.book import CallBook
from siprec_src.api.errors import TREE, ApiError, json_answer
from siprec_src.api.forms import form_of, read_form
from siprec_src.api.schemas import answers
from siprec_src.api.siprec.book import NOT_IN_PROGRESS, SiprecBook
from siprec_src.api.siprec.form import CreateSiprec, UpdateSiprec
from siprec_src.api.siprec.resource import SiprecResource
from siprec_src.recording.view import CallView

OF_CALL = TREE + "/Accounts/{account_sid}/Calls/{call_sid}"


def router(
    auth: Auth, book: SiprecBook, calls: CallBook, view: Callable[[int], CallView | None]
) -> APIRouter:
    """The two operations; ``view``: of a live call, by its handle."""
    made = APIRouter(tags=["siprec"], dependencies=[Depends(auth.admit)])

    @made.post(
        OF_CALL + "/Siprec.json",
        operation_id="createSiprec",
        summary="Record a live call to the SRS of a connector.",
        openapi_extra=form_of(CreateSiprec),
        responses=answers(SiprecResource, 200),
    )
    async def create(request: Request, call_sid: str) -> Response:
        account = account_of(request)
        call = calls.of_account(call_sid, account)
        wanted = (await read_form(request, CreateSiprec)).asked()
        live = view(call.session.call)
        if live is None:
            raise ApiError(400, NOT_IN_PROGRESS, "The call is not in progress")
        return json_answer(book.start(live, account, wanted).shown)

    @made.post(
        OF_CALL + "/Siprec/{sid}.json",
        operation_id="updateSiprec",
        summary="Stop a Siprec, named by its SID or by the name it was given.",
        openapi_extra=form_of(UpdateSiprec, required=True),
        responses=answers(SiprecResource, 200),
    )
    async def update(request: Request, call_sid: str, sid: str) -> Response:
        calls.of_account(call_sid, account_of(request))
        await read_form(request, UpdateSiprec)
        return json_answer(book.stop(call_sid, sid).shown)

    return made
