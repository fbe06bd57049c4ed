"""HTTP/1.0 for pages and for what lies below ``/v1/``: one answer a connection, everything bounded."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from siprec_src.net.sockets import bind_tcp, bound_address
from siprec_src.sip.flow import Address
from siprec_src.values import immutable

MAX_HEAD_BYTES: Final = 8192
MAX_CONNECTIONS: Final = 64  #: at a time; a newcomer above it is closed without an answer
PATIENCE_S: Final = 5.0  #: for a request to come whole, and for its answer to be taken

API: Final = "/v1/"  #: what is below goes to the API

_REASONS: Final = {200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
                   404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}  # fmt: skip

Page = tuple[int, str, bytes]  #: status, content type, body
Pages = Mapping[str, Callable[[], Page]]

TEXT: Final = "text/plain; charset=utf-8"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
JSON: Final = "application/json"


@immutable
class HttpRequest:
    """A request without body."""

    method: str
    path: str  #: without query
    fields: Mapping[str, str] = dataclasses.field(repr=False)  #: by name in lower case, the last of a name


class HttpServer:
    """Answers GET and HEAD for the paths in ``pages``, and leaves all below `API` to ``api``."""

    def __init__(self, pages: Pages, api: Callable[[HttpRequest], Awaitable[Page]] | None = None) -> None:
        self._pages = pages
        self._api = api
        self._serving: set[asyncio.Task[None]] = set()  #: one a connection
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """Clients that are being served."""
        return len(self._serving)

    async def start(self, listen: Address) -> Address:
        """Listen; returns the address with the port the system gave. Raises BindError."""
        sock = bind_tcp(listen)
        self._server = await asyncio.start_server(self._accept, sock=sock, limit=MAX_HEAD_BYTES)
        return bound_address(sock)

    async def close(self) -> None:
        """Listen no more, and let go of whoever is still connected."""
        if self._server is not None:
            self._server.close()
        for connection in self._serving:
            connection.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: of those that asyncio runs itself Python 3.11 reports a cancelled one as a fault.
        connection = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(connection)
        connection.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What is drained is sent then: a peer who does not read has no rest to hold the close up with.
        writer.transport.set_write_buffer_limits(0)
        try:
            if self.connections <= MAX_CONNECTIONS:
                async with asyncio.timeout(PATIENCE_S):
                    writer.write(await self._answer(reader))
                    await writer.drain()
        except (OSError, TimeoutError):
            # The peer went away or is too slow; it is owed nothing.
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return _response((400, TEXT, b"bad request\n"))
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            return _response((400, TEXT, b"bad request\n"))
        path = path.partition("?")[0]
        if self._api is not None and path.startswith(API):
            return _response(await self._api(HttpRequest(method=method, path=path, fields=_fields(head))))
        page = self._pages.get(path)
        if page is None:
            return _response((404, TEXT, b"not found\n"))
        if method not in ("GET", "HEAD"):
            return _response((405, TEXT, b"only GET\n"), "Allow: GET, HEAD\r\n")
        return _response(page(), with_body=method == "GET")


def _fields(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _response(page: Page, more: str = "", *, with_body: bool = True) -> bytes:
    status, content_type, body = page
    head = (
        f"HTTP/1.0 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode("latin-1") + (body if with_body else b"")
