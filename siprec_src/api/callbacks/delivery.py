"""One try of a callback: signed with the token that its account has now, and what the answer means.

Any 2xx is taken for delivered. What may pass is tried again: no answer, 5xx, and 408, 425 and 429
(RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4). Every other answer would be the same the next time: redirections,
which are not followed, and refusals.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from siprec_src.api.callbacks.callback import Delivered, Failed, Result
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.outside import Outside, OutsideError
from siprec_src.api.signed import signed_request
from siprec_src.store.letter import Letter

_PASSING: Final = (408, 425, 429)


class Delivery(Protocol):
    """Whoever carries callbacks out."""

    async def deliver(self, letter: Letter, now: float) -> Result: ...


class HttpDelivery:
    """By HTTP.

    Args:
        token_of: the token of the account with this SID; None when there is no such account any more.
    """

    def __init__(
        self, outside: Outside, settings: CallbackSettings, token_of: Callable[[str], str | None]
    ) -> None:
        self._outside = outside
        self._settings = settings
        self._token_of = token_of

    async def deliver(self, letter: Letter, now: float) -> Result:
        token = self._token_of(letter.account_sid)
        if token is None:
            return Failed(reason=f"there is no account {letter.account_sid} any more", again=False)
        settings = self._settings
        try:
            request = signed_request(token, letter.method, letter.url, letter.fields, identifier=letter.id)
        except ValueError as error:
            return Failed(reason=f"the URL cannot be used: {error}", again=False)
        try:
            answer = await self._outside.ask(
                request,
                connect_timeout_s=settings.connect_timeout_s,
                timeout_s=settings.timeout_s,
                max_bytes=settings.max_response_bytes,
            )
        except OutsideError as error:
            return Failed(reason=str(error), again=error.again)
        return judged(answer.status, answer.headers, now)


def judged(status: int, headers: Mapping[str, str], now: float) -> Result:
    """What an answer means."""
    if 200 <= status < 300:
        return Delivered(status=status)
    if 300 <= status < 400:
        return Failed(reason=f"HTTP status {status}; redirections are not followed", again=False)
    again = status >= 500 or status in _PASSING
    wait_s = _retry_after_s(headers.get("Retry-After", ""), now) if again else None
    return Failed(reason=f"HTTP status {status}", again=again, wait_s=wait_s)


def _retry_after_s(text: str, now: float) -> float | None:
    """RFC 9110 10.2.3: seconds, or a date."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)
    return max(0.0, at.timestamp() - now)
