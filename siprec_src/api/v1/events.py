"""``/v1/events``: server-sent events (WHATWG HTML 9.2)."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from siprec_src.api.auth import Auth, principal_of
from siprec_src.api.schemas import refusals
from siprec_src.api.v1.hub import Hub, Listener

HEARTBEAT_S: Final = 15.0  #: so that neither end, nor what is between, takes silence for death
EVENT_STREAM: Final = "text/event-stream"

_ABOUT: Final = {200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}, **refusals(503)}


def router(hub: Hub, auth: Auth) -> APIRouter:
    """The route."""
    made = APIRouter(prefix="/v1/events", tags=["events"], dependencies=[Depends(auth.admit)])

    @made.get("", operation_id="listen", responses=_ABOUT, response_class=Response)
    async def listen(request: Request) -> Response:
        """What happens from now on.

        `call.begin`, `call.change` and `call.end` with the call; `recording.started`, `recording.stopped` and
        `recording.failed` with the copy; `alert`; `missed` with how many events a slow client has not got.
        """
        return EventStream(hub, hub.listen(principal_of(request)))

    return made


class EventStream(Response):
    """An answer that goes on until the client leaves or the server ends."""

    def __init__(self, hub: Hub, listener: Listener) -> None:
        super().__init__(headers={"Cache-Control": "no-store"}, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self._hub = hub
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(self._until_left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b": listening\n\n", "more_body": True})
            while not self._listener.ended:
                events = await self._listener.take(HEARTBEAT_S)
                octets = b"".join(events) or b": still here\n\n"
                if not self._listener.ended or events:
                    await send({"type": "http.response.body", "body": octets, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            self._hub.leave(self._listener)
            leaving.cancel()

    async def _until_left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.end()
