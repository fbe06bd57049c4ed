"""HTTP/1.1 inside our own event loop: uvicorn's protocol, with bounds on time and number of its own.

Signals, the loop and the log belong to the process. Whoever sends half a request, or takes no answer, is
let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from email.utils import formatdate
from typing import Any, Final

import h11
import orjson
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from siprec_src.api.errors import JSON
from siprec_src.api.guard import MAX_HEAD_BYTES
from siprec_src.net.sockets import bound_address
from siprec_src.sip.flow import Address
from siprec_src.telemetry.log import Logger

HEAD_S: Final = 5.0  #: for the head of a request to come whole, and for a TLS handshake
KEEP_ALIVE_S: Final = 15  #: a connection without a request is closed then
TAKE_S: Final = 20.0  #: for a client to take what it was sent
GRACE_S: Final = 3.0  #: for answers that are being made when the server ends
BACKLOG: Final = 256
_LOOK_S: Final = 0.01
_NO_ROOM_S: Final = 0.1
_DATE_S: Final = 1.0


class HttpServer:
    """Serves ``app`` on a socket that is bound already.

    Args:
        max_connections: at a time; a newcomer above it is closed without an answer.
        tls: with it HTTPS is spoken.
    """

    def __init__(
        self,
        sock: socket.socket,
        app: ASGIApp,
        log: Logger,
        *,
        max_connections: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._sock = sock
        self._tls = tls
        self._state = ServerState()
        self._config = uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            workers=1,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._config.load()
        self._max_connections = max_connections
        self._accepting: asyncio.Task[None] | None = None
        self._arriving: set[asyncio.Task[None]] = set()  #: taken, and their TLS handshake is not over
        self._clock: asyncio.TimerHandle | None = None
        _tell_faults(log)

    @property
    def connections(self) -> int:
        """Clients that are connected."""
        return len(self._state.connections)

    @property
    def address(self) -> Address:
        return bound_address(self._sock)

    async def start(self) -> None:
        """Listen."""
        self._tell_time()
        self._sock.listen(BACKLOG)
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Listen no more, finish what is being answered within `GRACE_S`, let go of the rest."""
        if self._clock is not None:
            self._clock.cancel()
        begun = [task for task in (self._accepting, *self._arriving) if task is not None]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        self._sock.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GRACE_S
        for connection in tuple(self._state.connections):
            connection.shutdown()
        while (self._state.tasks or self._state.connections) and loop.time() < deadline:
            await asyncio.sleep(_LOOK_S)
        unfinished = tuple(self._state.tasks)
        for task in unfinished:
            task.cancel()
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await asyncio.sleep(0)

    async def _accept(self) -> None:
        """Take clients. Each counts from its first packet on: a handshake has a descriptor too."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._sock)
            except OSError:  # this client has left again, or there is no descriptor for it
                await asyncio.sleep(_NO_ROOM_S)
                continue
            if self.connections + len(self._arriving) >= self._max_connections:
                client.close()
                continue
            arriving = asyncio.create_task(self._arrive(client))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    async def _arrive(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        timed: dict[str, Any] = (
            {} if self._tls is None else {"ssl_handshake_timeout": HEAD_S, "ssl_shutdown_timeout": TAKE_S}
        )
        with contextlib.suppress(OSError):  # among them what TLS has to complain of
            await loop.connect_accepted_socket(
                lambda: _Connection(self._config, self._state, {}, loop), client, ssl=self._tls, **timed
            )

    def _tell_time(self) -> None:
        """Date of all answers (RFC 9110 6.6.1)."""
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        self._clock = asyncio.get_running_loop().call_later(_DATE_S, self._tell_time)


class _Connection(H11Protocol):
    """A client that keeps within the bounds."""

    _waiting: asyncio.TimerHandle | None = None  #: until a request is whole
    _sending: asyncio.TimerHandle | None = None  #: until what was sent is taken

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._mind_request()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._waiting, self._sending):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._mind_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._mind_answer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._mind_answer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def shutdown(self) -> None:
        if self._answering:
            self.cycle.keep_alive = False
        else:
            self.transport.close()
            self._mind_answer()

    def send_400_response(self, msg: str) -> None:
        if self._answering or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        body = orjson.dumps({"error": msg})
        fields = {"Content-Type": JSON, "Content-Length": str(len(body)), "Connection": "close"}
        head = h11.Response(status_code=400, reason=b"Bad Request", headers=list(fields.items()))
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._mind_answer()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _unsent(self) -> bool:
        if self.scheme == "https" and self.transport.is_closing():
            return False  # it says no more, and bounds its shutdown by itself
        return self.transport.get_write_buffer_size() > 0

    def _mind_request(self) -> None:
        """Time runs from the first to the last octet of a head, and on from a connection without any."""
        if self._answering:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_S, self._let_go)

    def _mind_answer(self) -> None:
        if self._sending is None and self._unsent:
            self._sending = self.loop.call_later(TAKE_S, self._not_taken)

    def _not_taken(self) -> None:
        self._sending = None
        if self._unsent:
            self.transport.abort()

    def _let_go(self) -> None:
        self.transport.abort()


class _Faults(logging.Handler):
    """What uvicorn says of faults goes where everything goes."""

    def __init__(self, log: Logger) -> None:
        super().__init__(logging.ERROR)
        self._to = log

    def emit(self, record: logging.LogRecord) -> None:
        self._to.error("http.failed", what=record.getMessage())


def _tell_faults(log: Logger) -> None:
    told = logging.getLogger("uvicorn.error")
    told.handlers = [_Faults(log)]
    told.setLevel(logging.ERROR)
    told.propagate = False
