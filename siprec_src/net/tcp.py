"""SIP over streams (RFC 3261 18, 18.3): a listener an edge, and a pool of connections.

A connection is found by its number, else by edge and remote address (over TLS also by whom its peer has
proved to be), else opened. What is sent while it is being opened waits in a bounded queue. When it cannot be
opened, or breaks, every transaction that used it is told (RFC 3261 18.4). A stream whose framing is lost is
closed; so are silent ones, those whose peer does not read or owes the rest of a message, and those whose
peer is gone without a word (RFC 9293 3.8.3).
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Final, cast

from siprec_src.net.counters import TransportCounters
from siprec_src.net.pings import PING, PONG, Pings
from siprec_src.net.sockets import address_of, bind_tcp, bound_address, watch_peer
from siprec_src.net.tls import TlsLayer
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import Malformed
from siprec_src.sip.stream import KeepAlive, StreamParser
from siprec_src.sip.target import numeric
from siprec_src.values import immutable

StreamItem = Request | Response | Malformed
READ_BYTES: Final = 16 * 1024  #: taken from one connection before the others have their turn
SWEEP_S: Final = 5.0
_WORDLESS: Final = "closed without a word; perhaps our certificate is refused"


@immutable
class StreamLimits:
    """What one process gives to stream connections."""

    max_connections: int = 1024  #: accepted at a time, and as many opened by us
    connect_timeout_s: float = 4.0  #: then the transactions that wait for it have failed
    write_buffer_bytes: int = 256 * 1024  #: a peer that leaves more unread loses its connection
    waiting_bytes: int = 256 * 1024  #: held for a connection that is being opened
    message_s: float = 30.0  #: within which the first message, and one that has begun, must be whole
    flush_s: float = 5.0  #: that a connection which is being closed has for what is still to be sent
    unacknowledged_s: float = 20.0  #: without an acknowledgement for so long the peer's host is gone
    keepalive_s: float = 60.0  #: of silence, then the system asks whether the peer is still there
    pong_s: float = 10.0  #: after a ping without any octet the connection has failed (RFC 5626 4.4.1)
    idle_s: float = 600.0  #: no octet either way for so long closes a connection
    remembered_domains: int = 1024  #: who was proved to be at an address, newest first
    remembered_keys: int = 4096  #: transactions told when the connection breaks, newest first


class StreamPool:
    """All stream connections of one edge over one transport; ``tls`` puts TLS onto each."""

    def __init__(
        self,
        *,
        edge: str,
        bind: Address,
        parser_limits: SipLimits,
        limits: StreamLimits,
        on_item: Callable[[StreamItem, Flow], None],
        on_failed: Callable[[str], None],
        on_lost: Callable[[Flow], None],
        counters: TransportCounters,
        transport: Transport = Transport.TCP,
        tls: TlsLayer | None = None,
    ) -> None:
        self.limits: Final = limits
        self.parser_limits: Final = parser_limits
        self.counters: Final = counters
        self.edge: Final = edge
        self.transport: Final = transport
        self.tls: Final = tls
        self.on_item: Final = on_item
        self.on_failed: Final = on_failed
        self.on_lost: Final = on_lost
        self._sock = bind_tcp(bind)
        self.bound: Final = bound_address(self._sock)
        self._server: asyncio.Server | None = None
        self._numbers = itertools.count(1)
        self._by_number: dict[int, _Connection] = {}
        self._by_remote: dict[tuple[Address, str], _Connection] = {}
        self._domains: OrderedDict[Address, str] = OrderedDict()
        self._accepted: dict[int, _Connection] = {}
        # One for all: what a read puts there is copied before the next one.
        self.buffer: Final = bytearray(READ_BYTES)
        self._connects: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._newcomer, sock=self._sock, backlog=512)
        self._sweep()

    def send(self, flow: Flow, data: bytes, key: str) -> None:
        """Send on the flow's connection, on one to the same remote, or on a new one, in that order."""
        connection = self._find(flow)
        if connection is None:
            if len(self._by_number) - len(self._accepted) >= self.limits.max_connections:
                self.counters.dropped["connections-full"] += 1
                self.fail(key)
                return
            connection = self._connect(flow.remote, _name(flow.domain))
        connection.send(data, key)

    def keep(self, flow: Flow, interval_s: float) -> None:
        """Ping the flow's connection, at random times of 80 to 100 % of the interval; 0: no more."""
        connection = self._find(flow)
        if connection is not None:
            connection.pings.keep(flow, interval_s)
        elif interval_s:
            asyncio.get_running_loop().call_soon(self.on_lost, flow)

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

    def admit(self, connection: _Connection) -> bool:
        """Take an accepted connection; in a crowd one that has never brought a message gives way to it."""
        if len(self._accepted) >= self.limits.max_connections:
            self.counters.dropped["connections-full"] += 1
            silent = next((one for one in self._accepted.values() if not one.spoke), None)
            if silent is None:
                return False
            silent.abort()
            del self._accepted[silent.number]
        self._accepted[connection.number] = connection
        self.opened(connection)
        return True

    def opened(self, connection: _Connection) -> None:
        self._by_number[connection.number] = connection
        for place in connection.places:
            if _open(self._by_remote.get(place)) is None:
                self._by_remote[place] = connection

    def lost(self, connection: _Connection) -> None:
        self._by_number.pop(connection.number, None)
        self._accepted.pop(connection.number, None)
        for place in connection.places:
            if self._by_remote.get(place) is connection:
                del self._by_remote[place]
        for key in connection.keys:
            self.fail(key)
        connection.keys.clear()
        for flow in connection.pings.kept:
            asyncio.get_running_loop().call_soon(self.on_lost, flow)
        connection.pings.kept.clear()

    def fail(self, key: str) -> None:
        """Tell a transaction, later, that its message did not get out."""
        self.counters.send_failed += 1
        if key:
            asyncio.get_running_loop().call_soon(self.on_failed, key)

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Let something go on beside, until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._connects.add(task)
        task.add_done_callback(self._connects.discard)

    async def secure(self, connection: _Connection, raw: asyncio.Transport, tls: TlsLayer) -> None:
        """The handshake on a connected stream; afterwards it is used, or lost."""
        remote = connection.remote
        try:
            if connection.accepted:
                transport = await tls.accept(raw, connection, remote)
            else:
                # An address alone has to be who was there before: a Contact often names no domain.
                domain = connection.domain or self._domains.get(remote) or remote.host
                transport = await tls.connect(raw, connection, remote, domain)
                self._domains[remote] = domain
                self._domains.move_to_end(remote)
                if len(self._domains) > self.limits.remembered_domains:
                    self._domains.popitem(last=False)
        except OSError:
            self.counters.dropped["tls-handshake-failed"] += 1
            self.lost(connection)
        else:
            connection.use(transport)

    def _find(self, flow: Flow) -> _Connection | None:
        """The flow's own connection, else one to the same remote."""
        own = _open(self._by_number.get(flow.connection))
        return own or _open(self._by_remote.get((flow.remote, _name(flow.domain))))

    def _newcomer(self) -> asyncio.BaseProtocol:
        return _Connection(self, next(self._numbers), None)

    def _connect(self, remote: Address, domain: str) -> _Connection:
        connection = _Connection(self, next(self._numbers), remote, domain)
        self.opened(connection)
        self.run(self._establish(connection, remote))
        return connection

    async def _establish(self, connection: _Connection, remote: Address) -> None:
        loop = asyncio.get_running_loop()
        # The source port is the system's: a bound one would collide with the listener's other connections.
        local = None if self.bound.host in ("0.0.0.0", "::") else (self.bound.host, 0)  # noqa: S104 a comparison
        try:
            async with asyncio.timeout(self.limits.connect_timeout_s):
                await loop.create_connection(lambda: connection, remote.host, remote.port, local_addr=local)
        except (OSError, TimeoutError, OverflowError):
            # OverflowError: a port that is none; whoever made the flow took it from a peer.
            self.lost(connection)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in tuple(self._by_number.values()):
            connection.sweep(loop.time())
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)


def _name(domain: str) -> str:
    """The domain that a connection is found by; an address is found by itself."""
    return "" if numeric(domain) is not None else domain


def _open(connection: _Connection | None) -> _Connection | None:
    """The connection, when something can still be sent on it."""
    return None if connection is None or connection.closing else connection


class _Connection(asyncio.BufferedProtocol):
    """One stream, accepted (``remote`` None until it is made) or being opened."""

    def __init__(self, pool: StreamPool, number: int, remote: Address | None, domain: str = "") -> None:
        self.number = number
        self.domain = domain  #: whom its peer must prove to be
        self.accepted = remote is None
        self.remote = remote or Address("", 0)
        self.keys: OrderedDict[str, None] = OrderedDict()
        self.pings = Pings(pool.limits.pong_s, self._ping, self._pong_missing)
        self.spoke = False  #: brought a whole message
        self._pool = pool
        self._parser = StreamParser(pool.parser_limits)
        self._raw: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None  # None as long as nothing may be sent
        self._early = bytearray()  # came behind the handshake, before the peer was known
        self._waiting: list[bytes] = []
        self._last = asyncio.get_running_loop().time()
        self._owed_since = self._last if self.accepted else None  # a message, or the rest of one
        self._closing_since: float | None = None
        self._left = False  #: it was ended from here

    @property
    def places(self) -> tuple[tuple[Address, str], ...]:
        """What it is found by: whom its peer proves to be, and its address alone."""
        return ((self.remote, self.domain), (self.remote, "")) if self.domain else ((self.remote, ""),)

    @property
    def closing(self) -> bool:
        return any(stream is not None and stream.is_closing() for stream in (self._raw, self._transport))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast("asyncio.Transport", transport)
        limits = self._pool.limits
        watch_peer(transport.get_extra_info("socket"), limits.keepalive_s, limits.unacknowledged_s)
        if self.accepted:
            self.remote = address_of(transport.get_extra_info("peername"))
            if not self._pool.admit(self):
                self.abort()
                return
        if self._pool.tls is None:
            self.use(self._raw)
        else:
            self._pool.run(self._pool.secure(self, self._raw, self._pool.tls))

    def use(self, transport: asyncio.Transport) -> None:
        """Begin to send and to take what comes."""
        self._transport = transport
        transport.set_write_buffer_limits(self._pool.limits.write_buffer_bytes)
        for data in self._waiting:
            self._write(data)
        self._waiting.clear()
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            self._take(early)

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

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        # A view: asyncio's TLS fills it slice by slice, and a slice of the bytes would be a copy.
        return memoryview(self._pool.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(memoryview(self._pool.buffer)[:nbytes])
        self.pings.heard = True
        if self._transport is not None:
            self._take(data)
        elif len(self._early) + nbytes <= self._pool.limits.waiting_bytes:
            self._early += data
        else:
            self.abort()

    def _take(self, data: bytes) -> None:
        self._last = asyncio.get_running_loop().time()
        whole = False
        for item in self._parser.feed(data):
            if isinstance(item, KeepAlive):
                self._write(PONG)
                continue
            whole = self.spoke = True
            self._pool.on_item(item, self._flow())
        if not self._parser.pending:
            self._owed_since = None if self.spoke else self._owed_since
        elif whole or self._owed_since is None:
            self._owed_since = self._last
        if self._parser.closed:
            # What was answered to the broken message is still flushed before the close.
            self.finish()

    def pause_writing(self) -> None:
        self._pool.counters.dropped["write-buffer-full"] += 1
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pings.stop()
        tls = None if self._transport is None or self.accepted or self.spoke else self._pool.tls
        if tls is not None and not self._left:
            # In TLS 1.3 the peer looks at our certificate after the handshake; many just hang up.
            cause = exc if isinstance(exc, OSError) else ConnectionResetError(_WORDLESS)
            tls.tell_refused(self.remote, self.domain or self.remote.host, cause)
        self._transport = self._raw = None
        self._pool.lost(self)

    def sweep(self, now: float) -> None:
        """Close it when it is silent or slow for too long; let it go when it cannot be flushed."""
        limits = self._pool.limits
        if self._transport is None:
            return
        if self.closing:
            self._closing_since = self._closing_since or now
            if now - self._closing_since >= limits.flush_s:
                self.abort()
        elif now - self._last > limits.idle_s or now - (self._owed_since or now) > limits.message_s:
            self.finish()

    def finish(self) -> None:
        self._left = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def abort(self) -> None:
        self._left = True
        # The stream itself: TLS would want to say goodbye first.
        if self._raw is not None:
            self._raw.abort()

    def _ping(self) -> None:
        self._parser.pinged()
        self._write(PING)

    def _pong_missing(self) -> None:
        self._pool.counters.dropped["pong-missing"] += 1
        self.abort()

    def _flow(self) -> Flow:
        return Flow(self._pool.transport, self.remote, self._pool.edge, self.number)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._last = asyncio.get_running_loop().time()
        self._pool.counters.sent += 1
        self._transport.write(data)
