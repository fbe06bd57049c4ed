"""``/v1/callbacks``: those that are not delivered, on their way or dead; for the operator."""

from __future__ import annotations

import datetime as dt
from itertools import chain, islice
from typing import Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from siprec_src.api.auth import Auth, admit_operator
from siprec_src.api.callbacks import Callbacks
from siprec_src.api.errors import ApiError, json_answer
from siprec_src.api.outside import shown
from siprec_src.api.schemas import answers, refusals
from siprec_src.api.v1.models import KeptCallback, KeptCallbacks, Retried
from siprec_src.errors import Gone, NoRoom
from siprec_src.store.letter import Letter

MAX_LISTED: Final = 100  #: callbacks in one answer, so that it holds nobody up


def router(callbacks: Callbacks, auth: Auth) -> APIRouter:
    """The routes."""
    made = APIRouter(
        prefix="/v1/callbacks",
        tags=["callbacks"],
        dependencies=[Depends(auth.admit), Depends(admit_operator)],
    )

    @made.get("", operation_id="list_callbacks", responses=answers(KeptCallbacks, 200))
    async def list_callbacks(dead: bool = False) -> Response:
        """Callbacks that are not delivered; with ``dead`` only those that are tried no more."""
        box = callbacks.outbox
        letters = chain(box.dead, () if dead else box.pending)
        count = len(box.dead) + (0 if dead else box.count)
        listed: KeptCallbacks = {
            "callbacks": [_shown(letter) for letter in islice(letters, MAX_LISTED)],
            "more": max(0, count - MAX_LISTED),
        }
        return json_answer(listed)

    @made.post(
        "/retry",
        operation_id="retry_callbacks",
        responses=answers(Retried, 202),
    )
    async def retry_callbacks() -> Response:
        """Try all dead ones again, the oldest first, as far as there is room."""
        count = 0
        for letter in callbacks.outbox.dead:
            try:
                callbacks.retry(letter.id)
            except NoRoom:
                break
            count += 1
        retried: Retried = {"retried": count}
        return json_answer(retried, 202)

    @made.post(
        "/{callback}/retry",
        operation_id="retry_callback",
        responses={**answers(KeptCallback, 202), **refusals(404, 503)},
    )
    async def retry_callback(callback: str) -> Response:
        """Try a dead one again, behind what its resource has on its way."""
        try:
            return json_answer(_shown(callbacks.retry(callback)), 202)
        except Gone as error:
            raise ApiError(404, None, str(error)) from None
        except NoRoom as error:
            raise ApiError(503, None, str(error)) from None

    @made.delete(
        "/{callback}",
        operation_id="drop_callback",
        responses={**answers(KeptCallback, 200), **refusals(404)},
    )
    async def drop_callback(callback: str) -> Response:
        """Forget one that is dead, or waits for its next try."""
        try:
            return json_answer(_shown(callbacks.drop(callback)))
        except Gone as error:
            raise ApiError(404, None, str(error)) from None

    return made


def _shown(letter: Letter) -> KeptCallback:
    return {
        "id": letter.id,
        "account": letter.account_sid,
        "call": letter.call_sid,
        "resource": letter.resource,
        "event": letter.event,
        "url": shown(letter.url),
        "dead": letter.died is not None,
        "since": _time(letter.since),
        "tries": letter.attempts,
        "next_try": None if letter.died is not None else _time(letter.due),
        "error": letter.reason,
    }


def _time(unix_s: float) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).isoformat(timespec="milliseconds")
