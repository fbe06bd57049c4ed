"""Instructions for a live call from a URL: asked for and signed as a status callback is."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from siprec_src.api.accounts import Account
from siprec_src.api.calls.book import KnownCall
from siprec_src.api.calls.parameters import standard_parameters
from siprec_src.api.errors import ApiError
from siprec_src.api.outside import OutsideAnswer, OutsideError, OutsideRequest
from siprec_src.api.signed import signed_request
from siprec_src.errors import InstructionError
from siprec_src.instructions import rules
from siprec_src.instructions.model import Method
from siprec_src.instructions.twiml import MAX_DOCUMENT_BYTES

CONNECT_S: Final = 5.0
ANSWER_S: Final = 10.0  #: for all of it

INVALID_URL: Final = 21205
NO_ANSWER: Final = 11200


class Outside(Protocol):
    """Whoever may ask a customer's server, as `outside.Outside` does."""

    def ask(
        self, request: OutsideRequest, *, connect_timeout_s: float, timeout_s: float, max_bytes: int
    ) -> Awaitable[OutsideAnswer]: ...


async def fetch(outside: Outside, call: KnownCall, account: Account, method: Method, url: str) -> bytes:
    """The document at the URL.

    Raises:
        ApiError: 400; it is no URL, or leads to no document.
    """
    try:
        rules.callback_url(url)
    except InstructionError as error:
        raise ApiError(400, INVALID_URL, f"Url: {error}") from None
    request = signed_request(account.auth_token, method, url, standard_parameters(call))
    try:
        answer = await outside.ask(
            request, connect_timeout_s=CONNECT_S, timeout_s=ANSWER_S, max_bytes=MAX_DOCUMENT_BYTES
        )
    except OutsideError as error:
        raise ApiError(400, NO_ANSWER, f"Url: {error}") from None
    if not 200 <= answer.status < 300:
        raise ApiError(400, NO_ANSWER, f"Url: HTTP status {answer.status}")
    if not answer.complete:
        raise ApiError(400, NO_ANSWER, f"Url: its answer is longer than {MAX_DOCUMENT_BYTES} bytes")
    return answer.body
