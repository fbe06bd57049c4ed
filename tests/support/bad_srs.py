"""An SRS over TCP that answers as a test wants it, in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable

from tests.support.schema import Sessions

LOOPBACK = "127.0.0.1"
Answer = Callable[[str, str], str]
"""From a request's method and its head to what is sent back; "" for nothing."""


def answered(head: str, status: str, *fields: str, body: str = "") -> str:
    """A response to the request with this head."""
    copied = [line for line in head.split("\r\n") if re.match(r"(?i)(via|from|call-id|cseq):", line)]
    (to,) = [line for line in head.split("\r\n") if line.lower().startswith("to:")]
    to = to if ";tag=" in to else f"{to};tag=bad"
    lines = (f"SIP/2.0 {status}", *copied, to, *fields, f"Content-Length: {len(body)}", "", body)
    return "\r\n".join(lines)


def description(*ports: int, lines: str = "a=recvonly\r\n") -> str:
    """An SDP answer with PCMU at these ports."""
    media = "".join(
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=label:{n}\r\n{lines}"
        for n, port in enumerate(ports, 1)
    )
    return f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n{media}"


@contextlib.asynccontextmanager
async def bad_srs(answer: Answer) -> AsyncIterator[int]:
    """Its port; it answers until the block is left."""
    writers: list[asyncio.StreamWriter] = []
    bodies: list[tuple[str, bytes]] = []  # by Call-ID

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = re.search(r"(?im)^content-length:\s*(\d+)", head)
                (call_id,) = re.findall(r"(?im)^call-id:\s*(\S+)", head)
                bodies.append((call_id, await reader.readexactly(int(length[1]) if length else 0)))
                writer.write(answer(head.partition(" ")[0], head).encode())

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        sessions = Sessions()
        for call_id, body in bodies:
            sessions.take(call_id, body)
