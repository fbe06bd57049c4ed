"""``PATCH /calling/v1/calls/id/{callId}``: Manage Call, the other platform's way to instruct a live call."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.accounts import Account
from siprec_src.api.bodies import read_body
from siprec_src.api.calls.book import CallBook
from siprec_src.api.errors import CALLING, CALLING_INVALID, JSON, ApiError, not_found
from siprec_src.api.execution import Scripts
from siprec_src.api.sids import call_sid, is_sid
from siprec_src.errors import InstructionError
from siprec_src.instructions.svaml import parse_manage_call

Admit = Callable[[Request, bytes], Account]


def router(admit: Admit, calls: CallBook, scripts: Scripts) -> APIRouter:
    """The operation; ``admit`` says whose application has signed a request. Raises ApiError."""
    made = APIRouter(tags=["calls"])

    @made.patch(
        CALLING + "/v1/calls/id/{call_id}",
        operation_id="manageCall",
        summary="Give a live call other instructions, or end it.",
        status_code=204,
        response_class=Response,
        openapi_extra=_BODY,
    )
    async def manage(request: Request, call_id: str) -> Response:
        body = await read_body(request, JSON)
        account = admit(request, body)
        sid = _sid(call_id)
        call = calls.find(sid)
        if call is None or call.account_sid != account.sid:
            raise not_found(request.url.path)
        try:
            script = parse_manage_call(body)
        except InstructionError as error:
            raise ApiError(400, error.code, str(error)) from None
        if call.session.ended is not None:
            raise ApiError(400, CALLING_INVALID, "the call has ended; it takes no instructions")
        scripts.manage(call, account, script)
        return Response(status_code=204)

    return made


def _sid(call_id: str) -> str:
    """The SID of a call that is named by it, or by its session id written as a UUID."""
    if is_sid(call_id, "CA"):
        return call_id
    try:
        return call_sid(uuid.UUID(call_id).bytes) if len(call_id) == _UUID_CHARS else ""
    except ValueError:
        return ""


_UUID_CHARS: Final = 36
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "instructions": {"type": "array", "items": {"type": "object"}},
                        "action": {"type": "object", "properties": {"name": {"type": "string"}}},
                    },
                }
            }
        },
    }
}
