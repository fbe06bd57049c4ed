"""The HTTP server over real sockets: its bounds on time and number, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from siprec_src.api import server as module
from siprec_src.api.server import HttpServer
from siprec_src.api.tls import RenewedContext
from siprec_src.daemon.remote import Unanswered, ask
from siprec_src.errors import ConfigurationError
from siprec_src.net.sockets import bind_tcp
from siprec_src.sip.flow import Address
from siprec_src.telemetry import log as logs
from tests.support.certificates import Authority
from tests.support.daemon import LOOPBACK
from tests.unit.api.door import Door
from tests.unit.recording.play import two_party_call

PATIENCE_S = 20.0


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp | None = None, *, max_connections: int = 64, tls: ssl.SSLContext | None = None
) -> AsyncIterator[HttpServer]:
    """A server of ``app``, by default of the whole API."""
    sock = bind_tcp(Address(LOOPBACK, 0))
    log = logs.get_logger("test")
    server = HttpServer(sock, app or Door().app, log, max_connections=max_connections, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await server.close()


async def say(server: HttpServer, octets: bytes) -> bytes:
    """What comes back until the server closes."""
    reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
    writer.write(octets)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    return answer


async def until(server: HttpServer, connections: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while server.connections != connections:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200 OK"),
        (b"GET /healthz?x=1 HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"HEAD /healthz HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET /nothing HTTP/1.0\r\n\r\n", b"404 Not Found"),
        (b"POST /healthz HTTP/1.0\r\n\r\n", b"405 Method Not Allowed"),
        (b"\x16\x03\x01\xff\xff\r\n\r\n", b"400 Bad Request"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000, b"400 Bad Request"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 16_400 + b"\r\n\r\n",
            b"431 Request Header Fields Too Large",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400 Bad Request",
        ),
        (b"GET /%ff%00%2f HTTP/1.0\r\n\r\n", b"404 Not Found"),
        (b"GET http://x/healthz HTTP/1.0\r\n\r\n", b"404 Not Found"),
    ],
)
async def test_each_request_gets_its_answer(request_: bytes, status: bytes) -> None:
    async with serving() as server:
        answer = await say(server, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.partition(b"\r\n")[0] == b"HTTP/1.1 " + status
    assert b"\r\nserver:" not in head.lower()
    assert (body == b"") == request_.startswith(b"HEAD")


async def test_a_client_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAKE_S", 0.1)
    async with serving(_much) as server:
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                deaf = stack.enter_context(socket.create_connection((LOOPBACK, server.address.port)))
                deaf.send(b"GET /metrics HTTP/1.0\r\n\r\n")
                await until(server, 1)
                await until(server, 0)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_client_that_sends_half_a_request_is_let_go(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.1)
    async with serving() as server:
        assert await say(server, sent) == b""
        assert server.connections == 0


async def test_a_client_that_trickles_does_not_gain_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.2)
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while not reader.at_eof():
                    writer.write(b"G")
                    await writer.drain()
                    await asyncio.sleep(0.02)
        await until(server, 0)
        writer.close()


async def test_a_newcomer_above_the_limit_is_closed_and_the_others_are_served() -> None:
    async with serving(max_connections=1) as server:
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        await until(server, 1)
        with contextlib.suppress(ConnectionError):
            assert await say(server, b"GET /healthz HTTP/1.0\r\n\r\n") == b""
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_who_does_not_finish_a_handshake_counts_as_a_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.5)
    files = Authority(tmp_path).issue("api", "IP:127.0.0.1")
    context = RenewedContext(files.certificate, files.key).context
    async with serving(max_connections=2, tls=context) as server:
        opened = [await asyncio.open_connection(LOOPBACK, server.address.port) for _ in range(6)]
        async with asyncio.timeout(0.4):
            for reader, _ in opened[2:]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
        for _, writer in opened:
            writer.close()


async def test_a_connection_serves_several_requests() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readuntil(b"ok\n")
        writer.close()


async def test_a_client_that_has_not_asked_yet_does_not_hold_up_the_end() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        await until(server, 1)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert (server.connections, complaints) == (0, [])
    writer.close()


async def test_a_body_that_goes_wrong_behind_its_answer_ends_the_connection_and_no_more() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        writer.write(b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            assert b" 405 " in await reader.readline()
            await reader.readuntil(b"}")
            writer.write(b"no chunk\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
    assert complaints == []


async def test_what_is_being_answered_at_the_end_is_answered() -> None:
    begun = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async with serving(slow) as server:
        asked = asyncio.create_task(say(server, b"GET / HTTP/1.0\r\n\r\n"))
        await begun.wait()
    assert (await asked).endswith(b"done")


async def test_events_come_as_they_happen_and_end_with_the_server() -> None:
    door = Door()
    async with serving(door.app) as server, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b": listening\n\n")
        door.hub.notice(two_party_call())
        assert b"event: call.begin\ndata: {" in await reader.readuntil(b"}\n\n")
        door.hub.close()
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"0\r\n\r\n")
        writer.close()


async def test_https_is_spoken_with_the_newest_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("api", "IP:127.0.0.1", days=30)
    context = RenewedContext(files.certificate, files.key)
    trusting = ssl.create_default_context(cafile=authority.file)
    async with serving(tls=context.context) as server:
        first = await served_certificate(server, trusting)
        assert first == await served_certificate(server, trusting)
        authority.issue("api", "IP:127.0.0.1", days=60)
        context.renew()
        second = await served_certificate(server, trusting)
        assert second != first
        files.certificate.write_text("none")
        with pytest.raises(ConfigurationError, match="tls_certificate"):
            context.renew()
        assert await served_certificate(server, trusting) == second


async def test_the_command_line_speaks_https_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("api", "IP:127.0.0.1")
    async with serving(tls=RenewedContext(files.certificate, files.key).context) as server:
        at = f"https://{LOOPBACK}:{server.address.port}"
        with pytest.raises(Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
            await asyncio.to_thread(ask, at, "GET", "calls")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert (await asyncio.to_thread(ask, at, "GET", "calls"))["more"] == 0


async def test_who_does_not_speak_tls_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.1)
    files = Authority(tmp_path).issue("api", "IP:127.0.0.1")
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with serving(tls=RenewedContext(files.certificate, files.key).context) as server:
        for sent in (b"", b"GET /healthz HTTP/1.0\r\n\r\n", b"\x16\x03\x01"):
            with contextlib.suppress(ConnectionError):
                await say(server, sent)
    assert complaints == []


async def served_certificate(server: HttpServer, trusting: ssl.SSLContext) -> bytes | None:
    """The certificate with which a request was answered."""
    reader, writer = await asyncio.open_connection(LOOPBACK, server.address.port, ssl=trusting)
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b"200 OK" in await reader.read()
    channel = writer.get_extra_info("ssl_object")
    writer.close()
    certificate: bytes | None = channel.getpeercert(binary_form=True)
    return certificate


async def _much(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * 16 * 1024 * 1024})
