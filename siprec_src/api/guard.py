"""What holds for every request, whatever its route: bounds, HEAD, and a fault of ours as an answer."""

from __future__ import annotations

import itertools
import traceback
from typing import Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siprec_src.api.bodies import MAX_BODY_BYTES, too_large
from siprec_src.api.errors import ApiError, answer_to
from siprec_src.telemetry.log import Logger

MAX_HEAD_BYTES: Final = 16 * 1024
_FIELDS: Final = ((b"x-content-type-options", b"nosniff"),)
_CLOSING: Final = {"Connection": "close"}


class _Enough(Exception):
    """The answer to HEAD has its head."""


class Guard:
    """Around the routes.

    A "/" that is escaped in the path stays so (``%2F``): it belongs to a name and parts no segments.
    """

    def __init__(self, app: ASGIApp, log: Logger) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = _Answer(send, head_only=scope["method"] == "HEAD")
        scope = {**scope, "path": _path(scope["raw_path"])}
        if answer.head_only:
            scope["method"] = "GET"
        if (unusable := _unusable(scope)) is not None:
            await answer_to(scope["path"], unusable)(scope, receive, answer.send)
            return
        try:
            await self._app(scope, receive, answer.send)
        except _Enough:
            pass
        except Exception as fault:  # noqa: BLE001 whatever it is, the next request is served
            self._log.error(
                "api.failed", method=scope["method"], path=scope["path"], fault=_without_values(fault)
            )
            if not answer.begun:
                sorry = ApiError(500, None, "A fault of ours; its traceback is in the log as api.failed")
                await answer_to(scope["path"], sorry)(scope, receive, answer.send)


class _Answer:
    """What goes back, with the fields that all have."""

    def __init__(self, send: Send, *, head_only: bool) -> None:
        self._send = send
        self.head_only = head_only
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message.get("headers", ()), *_FIELDS]}
        elif self.head_only and message.get("more_body"):
            await self._send({"type": "http.response.body"})
            raise _Enough
        await self._send(message)


def _path(raw: bytes) -> str:
    text = raw.decode("ascii", "replace")
    return unquote(text.replace("%2F", "%252F").replace("%2f", "%252F"))


def _unusable(scope: Scope) -> ApiError | None:
    """Why nothing of the request is looked at, if so."""
    fields = dict(scope["headers"])  # one Content-Length, as HTTP/1.1 has been read
    texts = (scope["raw_path"], scope["query_string"], *itertools.chain.from_iterable(scope["headers"]))
    if sum(map(len, texts)) > MAX_HEAD_BYTES:
        return ApiError(431, None, f"The head is longer than {MAX_HEAD_BYTES} bytes", headers=_CLOSING)
    length = fields.get(b"content-length", b"")
    if length and b"transfer-encoding" in fields:  # RFC 9112 6.1: a proxy may have read it differently
        return ApiError(400, None, "Content-Length beside Transfer-Encoding", headers=_CLOSING)
    return too_large() if length.isdigit() and int(length) > MAX_BODY_BYTES else None


def _without_values(fault: BaseException) -> str:
    """Where it was raised, and of what kind: its text may repeat what the client has sent."""
    frames = "".join(traceback.format_tb(fault.__traceback__))
    return f"{frames}{type(fault).__qualname__}"
