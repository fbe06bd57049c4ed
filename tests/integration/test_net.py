"""SIP over real sockets: whole messages in and out, failures told by key, every limit held."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TypeVar

import pytest

from siprec_src.net.sockets import BindError, bind_tcp
from siprec_src.net.tcp import StreamLimits
from siprec_src.net.transport import SipTransport
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.message import Request
from siprec_src.sip.parser import Malformed
from siprec_src.sip.vocabulary import FlowFailed, KeepFlow, Received, Transmit, TransmitFailed

LOOPBACK = "127.0.0.1"
PATIENCE_S = 30.0
T = TypeVar("T")
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def edge(host: str = "127.0.0.1", port: int = 0, *transports: Transport) -> Edge:
    return Edge(
        name="default",
        sip_bind=Address(host, port),
        sip_advertised=Address(host, port),
        transports=transports or (Transport.UDP, Transport.TCP),
        rtp_bind=host,
        rtp_advertised=host,
    )


def message(body: bytes = b"", call_id: str = "1") -> bytes:
    head = (
        "OPTIONS sip:127.0.0.1 SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1",
        "From: <sip:a@127.0.0.1>;tag=1",
        "To: <sip:127.0.0.1>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


class Station:
    """A transport with queues for what it tells."""

    def __init__(self, at: Edge, limits: StreamLimits | None = None) -> None:
        self.received: asyncio.Queue[Received] = asyncio.Queue()
        self.malformed: asyncio.Queue[tuple[Malformed, Flow]] = asyncio.Queue()
        self.failed: asyncio.Queue[TransmitFailed | FlowFailed] = asyncio.Queue()
        self.transport = SipTransport(
            {"default": at},
            on_received=self.received.put_nowait,
            on_malformed=lambda malformed, flow: self.malformed.put_nowait((malformed, flow)),
            on_failed=self.failed.put_nowait,
            stream_limits=limits,
        )
        self.address = self.transport.bind()["default"].sip_bind

    def send(
        self, data: bytes, to: Address, transport: Transport, key: str = "", connection: int = 0
    ) -> None:
        flow = Flow(transport, to, "default", connection)
        self.transport.send(Transmit(flow=flow, data=data, key=key))


@contextlib.asynccontextmanager
async def station(at: Edge | None = None, limits: StreamLimits | None = None) -> AsyncIterator[Station]:
    made = Station(at or edge(), limits)
    await made.transport.start()
    try:
        yield made
    finally:
        await made.transport.close()


async def within(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE_S):
        return await awaitable


@pytest.fixture
async def a() -> AsyncIterator[Station]:
    async with station() as made:
        yield made


@pytest.fixture
async def b() -> AsyncIterator[Station]:
    async with station() as made:
        yield made


@pytest.mark.rfc("3261", "18")
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_message_arrives_whole_and_its_flow_leads_back(host: str, transport: Transport) -> None:
    async with station(edge(host)) as one, station(edge(host)) as other:
        one.send(message(b"x" * 20_000), other.address, transport)
        arrived = await within(other.received.get())
        assert isinstance(arrived.message, Request)
        assert len(arrived.message.body) == 20_000
        assert arrived.flow.transport is transport
        other.transport.send(Transmit(flow=arrived.flow, data=message(call_id="back")))
        back = await within(one.received.get())
        assert back.message.call_id == "back"


@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-02")
@pytest.mark.parametrize(("host", "most"), [("127.0.0.1", 65_507), ("::1", 65_487)])
async def test_the_longest_datagram_is_taken_whole(host: str, most: int) -> None:
    """65,535 octets with the headers of IP and UDP; of IPv6 so many are sure to be one packet."""
    async with station(edge(host)) as one, station(edge(host)) as other:
        head = len(message(b"x" * 60_000)) - 60_000
        one.send(message(b"x" * (most - head)), other.address, Transport.UDP)
        arrived = await within(other.received.get())
        assert isinstance(arrived.message, Request)
        assert len(arrived.message.body) == most - head


@pytest.mark.rfc("3261", "18.2.1")
async def test_udp_and_tcp_share_a_port_that_the_system_chose(a: Station) -> None:
    with pytest.raises(BindError, match="UDP"):
        Station(edge(port=a.address.port))
    with pytest.raises(BindError, match="TCP"):
        Station(edge("127.0.0.1", a.address.port, Transport.TCP))


async def test_when_one_edge_cannot_be_bound_none_stays_bound(a: Station) -> None:
    async with station() as free:
        port = free.address.port
    two = {"x": edge(port=port), "y": dataclasses.replace(edge(port=a.address.port), name="y")}
    nothing = SipTransport(
        two, on_received=lambda _: None, on_malformed=lambda *_: None, on_failed=lambda _: None
    )
    with pytest.raises(BindError):
        nothing.bind()
    async with station(edge(port=port)):
        pass


@pytest.mark.rfc("3261", "18.4")
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_a_port_where_nobody_listens_is_a_failure_of_its_transaction(
    a: Station, transport: Transport
) -> None:
    async with station() as gone:
        nobody = gone.address
    a.send(message(), nobody, transport, key="k")
    assert await within(a.failed.get()) == TransmitFailed(key="k")


@pytest.mark.rfc("3261", "18.4")
async def test_an_icmp_error_does_not_touch_the_datagrams_behind_it(a: Station, b: Station) -> None:
    async with station() as gone:
        nobody = gone.address
    for n in range(20):
        a.send(message(), nobody, Transport.UDP, key=f"lost{n}")
        a.send(message(call_id=str(n)), b.address, Transport.UDP, key=f"ok{n}")
    arrived = [await within(b.received.get()) for _ in range(20)]
    assert [m.message.call_id for m in arrived] == [str(n) for n in range(20)]
    failed = await within(a.failed.get())
    assert isinstance(failed, TransmitFailed)
    assert failed.key.startswith("lost")


@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-04")
async def test_one_connection_serves_all_messages_to_a_peer(a: Station, b: Station) -> None:
    for n in range(5):
        a.send(message(call_id=str(n)), b.address, Transport.TCP)
    arrived = [await within(b.received.get()) for _ in range(5)]
    flows = {m.flow for m in arrived}
    assert len(flows) == 1
    assert next(iter(flows)).connection != 0


@pytest.mark.rfc("3261", "18.4")
async def test_a_connection_that_breaks_fails_the_transactions_on_it(a: Station) -> None:
    async with station() as b:
        a.send(message(), b.address, Transport.TCP, key="k")
        await within(b.received.get())
    assert await within(a.failed.get()) == TransmitFailed(key="k")


@pytest.mark.rfc("5923", "8.1")
@pytest.mark.req("TRN-05")
async def test_a_connection_that_has_vanished_is_opened_again(a: Station) -> None:
    async with station() as b:
        a.send(message(), b.address, Transport.TCP, key="k")
        await within(b.received.get())
    await within(a.failed.get())
    async with station(edge(port=b.address.port)) as again:
        a.send(message(call_id="again"), again.address, Transport.TCP)
        assert (await within(again.received.get())).message.call_id == "again"


@pytest.mark.rfc("5626", "4.4.1")
async def test_a_ping_gets_its_pong(a: Station) -> None:
    reader, writer = await asyncio.open_connection(a.address.host, a.address.port)
    writer.write(b"\r\n\r\n")
    assert await within(reader.readexactly(2)) == b"\r\n"
    writer.close()
    await writer.wait_closed()


@contextlib.asynccontextmanager
async def kept_by(a: Station, interval_s: float) -> AsyncIterator[tuple[Flow, Peer]]:
    """A connection that ``a`` has opened and keeps alive, and its other end."""
    accepted: asyncio.Queue[Peer] = asyncio.Queue()
    server = await asyncio.start_server(lambda *both: accepted.put_nowait(both), LOOPBACK, 0)
    flow = Flow(Transport.TCP, Address(*server.sockets[0].getsockname()), "default")
    a.transport.send(Transmit(flow=flow, data=message()))
    peer = await within(accepted.get())
    await within(peer[0].readexactly(len(message())))
    a.transport.keep(KeepFlow(flow=flow, interval_s=interval_s))
    try:
        yield flow, peer
    finally:
        server.close()
        peer[1].close()


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.req("TRN-07")
async def test_a_kept_connection_is_pinged_until_no_pong_comes(soon: StreamLimits) -> None:
    limits = dataclasses.replace(soon, pong_s=1.0)
    async with station(limits=limits) as a, kept_by(a, 0.05) as (flow, (reader, writer)):
        for _ in range(3):
            assert await within(reader.readexactly(4)) == b"\r\n\r\n"
            writer.write(b"\r\n")
        assert await within(reader.readexactly(4)) == b"\r\n\r\n"
        assert a.failed.empty()
        assert await within(a.failed.get()) == FlowFailed(flow=flow)
        assert await within(reader.read()) == b""
        assert a.transport.counters.dropped["pong-missing"] == 1
        a.transport.keep(KeepFlow(flow=flow, interval_s=0.05))
        assert await within(a.failed.get()) == FlowFailed(flow=flow)


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.req("TRN-07")
async def test_a_kept_connection_that_the_peer_ends_is_told_and_one_that_is_let_go_is_left_alone(
    a: Station,
) -> None:
    async with kept_by(a, 60.0) as (flow, (_, writer)):
        writer.close()
        assert await within(a.failed.get()) == FlowFailed(flow=flow)
    async with kept_by(a, 0.05) as (flow, (reader, writer)):
        assert await within(reader.readexactly(4)) == b"\r\n\r\n"
        writer.write(b"\r\n")
        a.transport.keep(KeepFlow(flow=flow, interval_s=0.0))
        await asyncio.sleep(0.2)
        writer.write(message())
        await within(a.received.get())
        assert a.failed.empty()


@pytest.mark.rfc("3261", "18.3")
async def test_a_stream_without_content_length_is_told_and_closed(a: Station) -> None:
    reader, writer = await asyncio.open_connection(a.address.host, a.address.port)
    writer.write(message().replace(b"Content-Length: 0\r\n", b""))
    malformed, flow = await within(a.malformed.get())
    assert malformed.close
    a.transport.send(Transmit(flow=flow, data=b"SIP/2.0 400 Bad Request\r\n\r\n"))
    assert await within(reader.read()) in (b"SIP/2.0 400 Bad Request\r\n\r\n", b"")
    writer.close()


async def test_a_newcomer_above_the_limit_is_closed_and_the_others_stay() -> None:
    async with (
        station(limits=StreamLimits(max_connections=1)) as full,
        station() as first,
        station() as second,
    ):
        first.send(message(), full.address, Transport.TCP)
        await within(full.received.get())
        second.send(message(), full.address, Transport.TCP, key="k")
        assert await within(second.failed.get()) == TransmitFailed(key="k")
        first.send(message(), full.address, Transport.TCP)
        await within(full.received.get())
        assert full.transport.counters.dropped["connections-full"] == 1


async def test_a_peer_that_does_not_read_loses_its_connection() -> None:
    limits = StreamLimits(write_buffer_bytes=64 * 1024)
    async with station(limits=limits) as sender, asyncio.timeout(PATIENCE_S):
        with socket.create_server(("127.0.0.1", 0)) as never_accepts:
            peer = Address(*never_accepts.getsockname())
            while sender.failed.empty():
                sender.send(message(b"x" * 50_000), peer, Transport.TCP, key="k")
                await asyncio.sleep(0)
            assert sender.transport.counters.dropped["write-buffer-full"] > 0


@contextlib.contextmanager
def connected(to: Station) -> Iterator[socket.socket]:
    """A peer that does what the test says with its connection."""
    with socket.create_connection((to.address.host, to.address.port)) as sock:
        sock.setblocking(False)
        yield sock


async def closed(sock: socket.socket) -> bool:
    """Wait until the other end has closed it."""
    with contextlib.suppress(ConnectionError):
        while await within(asyncio.get_running_loop().sock_recv(sock, 4096)):
            pass
    return True


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> StreamLimits:
    """Limits that are reached within a test."""
    monkeypatch.setattr("siprec_src.net.tcp.SWEEP_S", 0.02)
    return StreamLimits(message_s=0.1, flush_s=0.1)


async def test_a_message_that_never_gets_whole_closes_its_connection_also_behind_a_whole_one(
    soon: StreamLimits,
) -> None:
    async with station(limits=soon) as at:
        for first in (b"", message(), b"\r\n\r\n"):
            with connected(at) as slow:
                slow.send(first + message()[:50])
                assert await closed(slow)


async def test_a_peer_that_owes_nothing_may_be_silent(soon: StreamLimits) -> None:
    limits = dataclasses.replace(soon, message_s=0.5)
    async with station(limits=limits) as at:
        with connected(at) as quiet:
            quiet.send(message() + b"\r")
            await within(at.received.get())
            quiet.send(b"\n\r\n")
            await within(asyncio.get_running_loop().sock_recv(quiet, 10))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.8):
                    await asyncio.get_running_loop().sock_recv(quiet, 10)


async def test_a_connection_that_is_idle_for_too_long_is_closed(soon: StreamLimits) -> None:
    async with station(limits=dataclasses.replace(soon, idle_s=0.1)) as at:
        with connected(at) as idle:
            idle.send(message())
            await within(at.received.get())
            assert await closed(idle)


async def test_a_connection_that_cannot_be_flushed_is_let_go(soon: StreamLimits) -> None:
    limits = dataclasses.replace(soon, write_buffer_bytes=16 * 1024 * 1024)
    async with station(limits=limits) as at:
        with connected(at) as deaf:
            deaf.send(message())
            flow = (await within(at.received.get())).flow
            for _ in range(100):
                at.transport.send(Transmit(flow=flow, data=message(b"x" * 60_000), key="k"))
            deaf.send(b"what is this\r\n\r\n")
            assert await within(at.failed.get()) == TransmitFailed(key="k")


async def test_a_connection_that_is_being_closed_is_used_no_more(soon: StreamLimits) -> None:
    """What is said then goes by a new one, which is found by the next message too."""
    limits = dataclasses.replace(soon, write_buffer_bytes=16 * 1024 * 1024, flush_s=60.0)
    async with station(limits=limits) as at:
        with socket.create_server((LOOPBACK, 0)) as peer:
            peer.setblocking(False)
            address = Address(*peer.getsockname())
            loop = asyncio.get_running_loop()
            at.send(message(), address, Transport.TCP)
            first, _ = await within(loop.sock_accept(peer))
            for _ in range(100):
                at.send(message(b"x" * 60_000), address, Transport.TCP)
            first.send(b"what is this\r\n\r\n")
            await within(at.malformed.get())
            at.send(message(call_id="2"), address, Transport.TCP)
            at.send(message(call_id="3"), address, Transport.TCP)
            second, _ = await within(loop.sock_accept(peer))
            said = b""
            while said.count(b"\r\n\r\n") < 2:
                said += await within(loop.sock_recv(second, 4096))
            first.close()
            second.close()


async def test_in_a_crowd_the_one_that_says_nothing_gives_way() -> None:
    async with station(limits=StreamLimits(max_connections=2)) as full, station() as good:
        with connected(full) as silent, connected(full):
            good.send(message(), full.address, Transport.TCP)
            await within(full.received.get())
            assert await closed(silent)


async def test_those_who_come_take_no_room_from_those_we_open(b: Station) -> None:
    async with station(limits=StreamLimits(max_connections=1)) as full, station() as first:
        first.send(message(), full.address, Transport.TCP)
        await within(full.received.get())
        full.send(message(), b.address, Transport.TCP)
        await within(b.received.get())


async def test_one_busy_connection_does_not_keep_the_loop_from_others(b: Station) -> None:
    """What is read at a time is bounded, however much has come."""
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    with socket.create_connection((b.address.host, b.address.port)) as busy:
        busy.sendall(message() * 400)
        turn()
        for _ in range(400):
            await within(b.received.get())
        assert turns >= 400 * len(message()) // (16 * 1024)


async def test_a_thousand_connections_are_served_and_leave_nothing() -> None:
    async with station() as at, asyncio.timeout(4 * PATIENCE_S):
        with contextlib.ExitStack() as stack:
            for _ in range(1000):
                peer = stack.enter_context(connected(at))
                peer.send(message())
                await at.received.get()
        pool = at.transport._streams["default", Transport.TCP]
        while pool._by_number or pool._accepted or pool._by_remote:
            await asyncio.sleep(0)


async def test_a_port_that_is_none_is_a_failure(a: Station) -> None:
    for transport in (Transport.UDP, Transport.TCP):
        a.send(message(), Address(LOOPBACK, 70_000), transport, key="k")
        assert await within(a.failed.get()) == TransmitFailed(key="k")


async def test_datagrams_that_came_too_fast_are_counted(a: Station) -> None:
    assert a.transport.overrun == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fast:
        for _ in range(2000):
            fast.sendto(b"x" * 60_000, (LOOPBACK, a.address.port))
    assert a.transport.overrun > 0


async def test_what_does_not_fit_while_a_connection_is_opened_has_failed(a: Station) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        address = Address(*peer.getsockname())
        for n in range(8):
            a.send(message(b"x" * 50_000), address, Transport.TCP, key=f"k{n}")
        assert await within(a.failed.get()) == TransmitFailed(key="k5")


async def test_what_is_written_in_two_pieces_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[asyncio.StreamWriter] = loop.create_future()
    listening = bind_tcp(Address(LOOPBACK, 0))
    server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), sock=listening)
    async with server, asyncio.timeout(20):
        _, client = await asyncio.open_connection(*listening.getsockname())
        for writer in (await accepted, client):
            ours = writer.get_extra_info("socket")
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            await writer.wait_closed()
