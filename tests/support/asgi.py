"""An ASGI application asked directly: no socket, one request at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.types import ASGIApp, Message

from siprec_src.values import immutable

FORM = "application/x-www-form-urlencoded"
LOCAL: Mapping[str, str] = {"host": "127.0.0.1:8080"}


@immutable
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    fields: Mapping[str, str] = LOCAL,
    *,
    form: Mapping[str, str] | None = None,
    body: bytes = b"",
    client: str = "127.0.0.1",
) -> Answer:
    """The answer to one request; ``path`` is as on the wire, with its query."""
    if form is not None:
        body = urlencode(form).encode()
        fields = {**fields, "content-type": FORM}
    if body:
        fields = {"content-length": str(len(body)), **fields}
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw,
        "raw_path": quote(raw, safe="/%:@!$&'()*+,;=~").encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()],
        "client": (client, 50000),
        "server": ("127.0.0.1", 8080),
    }
    sent: list[Message] = []
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return asked.pop() if asked else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    (head, *parts) = sent
    headers = {name.decode(): value.decode() for name, value in head["headers"]}
    return Answer(
        status=head["status"], headers=headers, body=b"".join(part.get("body", b"") for part in parts)
    )


def asked(app: ASGIApp, method: str, path: str, fields: Mapping[str, str] = LOCAL, **more: Any) -> Answer:
    """`ask` in a loop of its own."""
    return asyncio.run(ask(app, method, path, fields, **more))
