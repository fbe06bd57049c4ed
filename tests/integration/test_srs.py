"""The bundled SRS on loopback: a whole recording session over real sockets, bit-exact."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pylibsrtp import Policy, Session

from siprec_src.communication import Direction, Format
from siprec_src.net.sockets import BindError
from siprec_src.recorder.g711 import decode
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Media, Origin, SessionDescription, new_session
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip.body import join_mixed, make_part
from siprec_src.srs.server import SrsServer
from siprec_src.srs.settings import SrsSettings

PCMA = Format(payload_type=8, encoding="PCMA", clock_rate=8000)
SUITE = "AES_CM_128_HMAC_SHA1_80"
SESSION = "hVpd7YQgRW2nD22h7q60JQ=="
DOCUMENT = (
    f'<recording xmlns="urn:ietf:params:xml:ns:recording:1"><session session_id="{SESSION}"/></recording>'
)
NAME = "855a5ded-8420-456d-a70f-6da1eeaeb425"
PACKETS = 20
WAIT_S = 30.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SrsServer]:
    served = SrsServer(SrsSettings(directory=tmp_path, port=0))
    await served.start()
    yield served
    await served.close()


class Client:
    """A recording client of a few lines: one dialog over TCP, two sockets for media."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.media = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for sock in self.media:
            sock.bind(("127.0.0.1", 0))
        self.keys = [bytes([n]) * 30 for n in (1, 2)]
        self.cseq = 0
        self.to_tag = ""
        self.target = "sip:srs@127.0.0.1"
        self.head = ""  # of the newest final response

    def offer(self, *, secure: bool) -> SessionDescription:
        lines = []
        for index, sock in enumerate(self.media):
            media = Media(
                medium="audio",
                port=sock.getsockname()[1],
                protocol="RTP/SAVP" if secure else "RTP/AVP",
                formats=(),
            )
            media = media.with_formats((PCMA,)).with_label(str(index + 1)).with_direction(Direction.SENDONLY)
            lines.append(media.with_crypto(Crypto(1, SUITE, self.keys[index])) if secure else media)
        return new_session(Origin(session_id=1, version=1, address="127.0.0.1"), *lines)

    async def request(self, method: str, offer: SessionDescription | None = None) -> tuple[int, bytes]:
        """Send a request; the status and body of its final response."""
        content_type, body = "text/plain", b""
        if offer is not None:
            sdp = make_part("application/sdp", write_sdp(offer))
            metadata = make_part("application/rs-metadata+xml", DOCUMENT.encode(), "recording-session")
            content_type, body = join_mixed([sdp, metadata], "b0undary")
        self.cseq += method != "ACK"
        to = f"<sip:srs@127.0.0.1>{f';tag={self.to_tag}' if self.to_tag else ''}"
        here = "127.0.0.1:{}".format(self.writer.get_extra_info("sockname")[1])
        lines = [
            f"{method} {self.target} SIP/2.0",
            f"Via: SIP/2.0/TCP {here};branch=z9hG4bK{method}{self.cseq}",
            "Max-Forwards: 70",
            "From: <sip:src@127.0.0.1>;tag=a",
            f"To: {to}",
            "Call-ID: try",
            f"CSeq: {self.cseq} {method}",
            f"Contact: <sip:src@{here};transport=tcp>;+sip.src",
            *(["Require: siprec"] if method == "INVITE" else []),
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
        ]
        head = "\r\n".join(lines) + "\r\n\r\n"
        self.writer.write(head.encode() + body)
        if method == "ACK":
            return 0, b""
        while True:
            status, body, text = await self._response()
            if status >= 200:
                self.head = text
                self.to_tag = re.search(r"(?m)^To:.*;tag=(\S+?)\r?$", text)[1]  # type: ignore[index]
                contact = re.search(r"(?m)^Contact: <([^>]+)>", text)
                self.target = contact[1] if contact else self.target
                return status, body

    async def _response(self) -> tuple[int, bytes, str]:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)).decode()
        length = int(re.search(r"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        body = await asyncio.wait_for(self.reader.readexactly(length), WAIT_S)
        return int(head.split(" ")[1]), body, head

    def speak(self, answer: SessionDescription, *, secure: bool) -> None:
        for index, sock in enumerate(self.media):
            sealer = (
                Session(Policy(key=self.keys[index], ssrc_type=Policy.SSRC_ANY_OUTBOUND)) if secure else None
            )
            for n in range(PACKETS):
                packet = struct.pack(">BBHII", 0x80, 8, 65530 + n & 0xFFFF, 160 * n, index + 1)
                packet += speech(index)[160 * n : 160 * n + 160]
                sock.sendto(
                    sealer.protect(packet) if sealer else packet, ("127.0.0.1", answer.media[index].port)
                )


def speech(index: int) -> bytes:
    return bytes((7 * n + 31 * index + n // 160) & 0xFF for n in range(160 * PACKETS))


@contextlib.asynccontextmanager
async def connected(server: SrsServer) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection(server.address.host, server.address.port))
    try:
        yield client
    finally:
        client.writer.close()
        for sock in client.media:
            sock.close()


@pytest.mark.rfc("3261", "11.2")
async def test_it_claims_to_be_able_to_do_what_it_does(server: SrsServer) -> None:
    async with connected(server) as client:
        assert (await client.request("OPTIONS"))[0] == 200
    fields = dict(line.partition(":")[::2] for line in client.head.split("\r\n"))
    assert fields["Allow"].strip() == "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
    assert "application/rs-metadata+xml" in fields["Accept"]
    assert fields["Supported"].strip() == ""


async def summary_of(directory: Path) -> dict[str, Any]:
    """The summary, once it is there; it is written last."""
    path = directory / f"{NAME}.json"
    async with asyncio.timeout(WAIT_S):
        while not path.exists():
            await asyncio.sleep(0.01)
    summary: dict[str, Any] = json.loads(path.read_text())
    return summary


@pytest.mark.rfc("7866", "5.1")
@pytest.mark.parametrize("secure", [False, True], ids=["rtp", "srtp"])
async def test_both_tracks_are_recorded_bit_exact_on_their_labels(
    server: SrsServer, tmp_path: Path, secure: bool
) -> None:
    async with connected(server) as client:
        status, body = await client.request("INVITE", client.offer(secure=secure))
        assert status == 200
        await client.request("ACK")
        client.speak(parse_sdp(body), secure=secure)
        status, _ = await client.request("BYE")
        assert status == 200
        summary = await summary_of(tmp_path)
    for index, label in enumerate("12"):
        assert (tmp_path / f"{NAME}.{label}.alaw").read_bytes() == speech(index)
        track = summary["tracks"][index]
        assert (track["label"], track["received"], track["lost"]) == (label, PACKETS, 0)
    assert (summary["secure"], summary["ended_by"]) == (secure, "bye")
    assert (tmp_path / f"{NAME}.metadata-1.xml").read_bytes() == DOCUMENT.encode()
    with wave.open(str(tmp_path / f"{NAME}.wav")) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    for index in range(2):
        heard = np.trim_zeros(frames[:, index])
        assert np.array_equal(heard, np.trim_zeros(decode("PCMA", speech(index))))


async def test_stopping_ends_sessions_with_bye_and_keeps_their_files(tmp_path: Path) -> None:
    server = SrsServer(SrsSettings(directory=tmp_path, port=0))
    await server.start()
    async with connected(server) as client:
        await client.request("INVITE", client.offer(secure=False))
        await client.request("ACK")
        await server.close()
        head = await asyncio.wait_for(client.reader.readuntil(b"\r\n"), WAIT_S)
        assert head.startswith(b"BYE ")
        assert (await summary_of(tmp_path))["ended_by"] == "shutdown"


async def test_a_taken_port_is_a_clear_error(server: SrsServer, tmp_path: Path) -> None:
    with pytest.raises(BindError, match=str(server.address.port)):
        SrsServer(SrsSettings(directory=tmp_path, port=server.address.port))
