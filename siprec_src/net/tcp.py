"""SIP over streams (RFC 3261 18, 18.3): a listener an edge, and a pool of connections.

A connection is found by its number, else by edge and remote address, else opened. What is sent while it is
being opened waits in a bounded queue. When it cannot be opened, or breaks, every transaction that used it is
told (RFC 3261 18.4). A stream whose framing is lost is closed; so are silent ones and those whose peer
does not read.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, cast

from siprec_src.net.counters import TransportCounters
from siprec_src.net.sockets import address_of, bind_tcp, bound_address
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import Malformed
from siprec_src.sip.stream import KeepAlive, StreamParser

StreamItem = Request | Response | Malformed
PONG: Final = b"\r\n"  # RFC 5626 4.4.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What one process gives to stream connections."""

    max_connections: int = 1024  #: accepted and opened together; a newcomer above it is closed
    connect_timeout_s: float = 4.0  #: then the transactions that wait for it have failed
    write_buffer_bytes: int = 256 * 1024  #: a peer that leaves more unread loses its connection
    waiting_bytes: int = 256 * 1024  #: held for a connection that is being opened
    first_message_s: float = 32.0  #: an accepted connection that brought no whole message by then is closed
    idle_s: float = 600.0  #: no octet either way for so long closes a connection
    remembered_keys: int = 4096  #: transactions told when the connection breaks, newest first


class StreamPool:
    """All stream connections of one edge over one transport.

    TLS is this class with an ``ssl`` context given to listener and connects; nothing else differs.
    """

    def __init__(
        self,
        *,
        edge: str,
        bind: Address,
        parser_limits: SipLimits,
        limits: StreamLimits,
        on_item: Callable[[StreamItem, Flow], None],
        on_failed: Callable[[str], None],
        counters: TransportCounters,
        transport: Transport = Transport.TCP,
    ) -> None:
        self.limits: Final = limits
        self.parser_limits: Final = parser_limits
        self.counters: Final = counters
        self.edge: Final = edge
        self.transport: Final = transport
        self.on_item: Final = on_item
        self.on_failed: Final = on_failed
        self._sock = bind_tcp(bind)
        self.bound: Final = bound_address(self._sock)
        self._server: asyncio.Server | None = None
        self._numbers = itertools.count(1)
        self._by_number: dict[int, _Connection] = {}
        self._by_remote: dict[Address, _Connection] = {}
        self._connects: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accepted, sock=self._sock, backlog=512)
        self._sweep()

    def send(self, flow: Flow, data: bytes, key: str) -> None:
        """Send on the flow's connection, on one to the same remote, or on a new one, in that order."""
        connection = self._by_number.get(flow.connection) or self._by_remote.get(flow.remote)
        if connection is None:
            if len(self._by_number) >= self.limits.max_connections:
                self.counters.dropped["connections-full"] += 1
                self.fail(key)
                return
            connection = self._connect(flow.remote)
        connection.send(data, key)

    async def close(self) -> None:
        """Stop to accept, close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        for task in self._connects:
            task.cancel()
        for connection in tuple(self._by_number.values()):
            connection.finish()
        await asyncio.gather(*self._connects, return_exceptions=True)

    def close_socket(self) -> None:
        """Let go of the listening address."""
        self._sock.close()

    def opened(self, connection: _Connection) -> None:
        self._by_number[connection.number] = connection
        self._by_remote.setdefault(connection.remote, connection)

    def lost(self, connection: _Connection) -> None:
        self._by_number.pop(connection.number, None)
        if self._by_remote.get(connection.remote) is connection:
            del self._by_remote[connection.remote]
        for key in connection.keys:
            self.fail(key)
        connection.keys.clear()

    def fail(self, key: str) -> None:
        """Tell a transaction, later, that its message did not get out."""
        self.counters.send_failed += 1
        if key:
            asyncio.get_running_loop().call_soon(self.on_failed, key)

    def _accepted(self) -> asyncio.Protocol:
        return _Connection(self, next(self._numbers), None)

    def _connect(self, remote: Address) -> _Connection:
        connection = _Connection(self, next(self._numbers), remote)
        self.opened(connection)
        task = asyncio.get_running_loop().create_task(self._open(connection, remote))
        self._connects.add(task)
        task.add_done_callback(self._connects.discard)
        return connection

    async def _open(self, connection: _Connection, remote: Address) -> None:
        loop = asyncio.get_running_loop()
        # The source port is the system's: a bound one would collide with the listener's other connections.
        local = None if self.bound.host in ("0.0.0.0", "::") else (self.bound.host, 0)  # noqa: S104 a comparison
        try:
            async with asyncio.timeout(self.limits.connect_timeout_s):
                await loop.create_connection(lambda: connection, remote.host, remote.port, local_addr=local)
        except (OSError, TimeoutError):
            self.lost(connection)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._by_number.values()):
            if connection.expired(now):
                connection.finish()
        self._sweeper = loop.call_later(5.0, self._sweep)

    @property
    def room(self) -> bool:
        return len(self._by_number) < self.limits.max_connections


class _Connection(asyncio.Protocol):
    """One stream, accepted (``remote`` None until it is made) or being opened."""

    def __init__(self, pool: StreamPool, number: int, remote: Address | None) -> None:
        self.number = number
        self.remote = remote or Address("", 0)
        self.keys: OrderedDict[str, None] = OrderedDict()
        self._pool = pool
        self._accepted = remote is None
        self._parser = StreamParser(pool.parser_limits)
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._spoke = False
        self._last = self._born = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(self._pool.limits.write_buffer_bytes)
        if self._accepted:
            self.remote = address_of(transport.get_extra_info("peername"))
            if not self._pool.room:
                self._pool.counters.dropped["connections-full"] += 1
                self.finish()
                return
            self._pool.opened(self)
        for data in self._waiting:
            self._write(data)
        self._waiting.clear()

    def send(self, data: bytes, key: str) -> None:
        waiting_bytes = sum(map(len, self._waiting)) + len(data)
        if self._transport is None and waiting_bytes > self._pool.limits.waiting_bytes:
            self._pool.counters.dropped["write-buffer-full"] += 1
            self._pool.fail(key)
            return
        if key:
            self.keys[key] = None
            self.keys.move_to_end(key)
            if len(self.keys) > self._pool.limits.remembered_keys:
                self.keys.popitem(last=False)
        if self._transport is not None:
            self._write(data)
        else:
            self._waiting.append(data)

    def data_received(self, data: bytes) -> None:
        self._last = asyncio.get_running_loop().time()
        for item in self._parser.feed(data):
            if isinstance(item, KeepAlive):
                self._write(PONG)
                continue
            self._spoke = True
            self._pool.on_item(item, self._flow())
        if self._parser.closed:
            # What was answered to the broken message is still flushed before the close.
            self.finish()

    def pause_writing(self) -> None:
        self._pool.counters.dropped["write-buffer-full"] += 1
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pool.lost(self)

    def expired(self, now: float) -> bool:
        limits = self._pool.limits
        if self._transport is None:
            return False
        silent = now - self._last > limits.idle_s
        return silent or (self._accepted and not self._spoke and now - self._born > limits.first_message_s)

    def finish(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _flow(self) -> Flow:
        return Flow(self._pool.transport, self.remote, self._pool.edge, self.number)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._last = asyncio.get_running_loop().time()
        self._pool.counters.sent += 1
        self._transport.write(data)
