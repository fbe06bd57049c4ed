"""The edges of the example configuration, put onto loopback: what an SRS sees of each, from the wire."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import socketserver
import threading
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siprec_src.config.example import assignment
from tests.support.bad_srs import answered, description
from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, REPOSITORY, free_port, running, until

EXAMPLE = REPOSITORY / "configs" / "edges.toml"
NARROW = "narrow"  #: an edge with ports for one track and a call has two


class Srs(socketserver.ThreadingTCPServer):
    """Takes whatever comes over TCP; two ports for media, with those of RTCP, are all its sessions'."""

    daemon_threads = True

    def __init__(self) -> None:
        self.invites: list[tuple[str, str, str]] = []  #: address they came from, head, body
        self._media = [free_port() for _ in range(2)]
        self._ears = [_ear(port + rtcp) for port in self._media for rtcp in (0, 1)]
        super().__init__((LOOPBACK, free_port()), _Connection)

    @property
    def uri(self) -> str:
        return f"sip:srs@{LOOPBACK}:{self.server_address[1]};transport=tcp"

    def answer(self, source: str, head: str, body: str) -> str:
        method = head.partition(" ")[0]
        if method == "ACK":
            return ""
        if method != "INVITE":
            return answered(head, "200 OK")
        self.invites.append((source, head, body))
        fields = (f"Contact: <{self.uri}>;+sip.srs", "Allow: UPDATE", "Content-Type: application/sdp")
        return answered(head, "200 OK", *fields, body=description(*self._media))

    def heard(self) -> Iterator[tuple[str, int]]:
        """Address and port of every packet of RTP or RTCP so far."""
        for ear in self._ears:
            with contextlib.suppress(BlockingIOError):
                while True:
                    yield ear.recvfrom(2048)[1]

    def server_close(self) -> None:
        super().server_close()
        for ear in self._ears:
            ear.close()


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Srs)
        with contextlib.suppress(OSError):
            while head := self._head():
                length = re.search(r"(?im)^content-length:\s*(\d+)", head)
                body = self.rfile.read(int(length[1]) if length else 0).decode()
                self.wfile.write(self.server.answer(self.client_address[0], head, body).encode())

    def _head(self) -> str:
        lines: list[bytes] = []
        while (line := self.rfile.readline()).strip():
            lines.append(line)
        return b"".join(lines).decode()


def _ear(port: int) -> socket.socket:
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    ear.bind((LOOPBACK, port))
    ear.setblocking(False)
    return ear


@contextlib.contextmanager
def recording_server() -> Iterator[Srs]:
    with Srs() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def on_loopback() -> list[dict[str, Any]]:
    """The edges of the example, with other addresses, networks to them, and SIP ports that are free."""
    edges: list[dict[str, Any]] = tomllib.loads(EXAMPLE.read_text())["edge"]
    for number, edge in enumerate(edges):
        host = f"127.0.10.{number + 1}"
        edge["listen"], edge["tls_listen"] = f"{host}:{free_port()}", f"{host}:{free_port()}"
        if "media_networks" in edge:
            edge["signalling_networks"] = edge["media_networks"] = [f"{host}/32"]
    low = 10_000 + 2 * len(edges)
    narrow = {"name": NARROW, "listen": f"127.0.10.99:{free_port()}", "rtp_low": low, "rtp_high": low + 1}
    return [*edges, narrow]


def configuration(edges: list[dict[str, Any]], bob: tuple[str, int], srs: Srs) -> str:
    lines = ["[sip]", f'route = "sip:{bob[0]}:{bob[1]}"', "[recording]", "max_forked_streams = 20"]
    for edge in edges:
        lines += ["[[edge]]", *(assignment(key, value) for key, value in edge.items())]
    for edge in edges[1:]:
        lines += ["[[srs]]", f'uri = "{srs.uri}&edge={edge["name"]}"', f'copy = "{edge["name"]}"']
    return "\n".join(lines) + "\n"


@pytest.mark.feature("F024", "F026", "F027", "F066", "F067", "F068", "F069", "F070", "F071", "F072", "F073")
@pytest.mark.feature("F074", "F076")
def test_all_that_an_srs_gets_comes_from_the_networks_and_ports_of_the_edge(tmp_path: Path) -> None:
    bob, edges = (LOOPBACK, free_port()), on_loopback()
    inside = edges[0]["listen"].partition(":")
    by_host = {edge["listen"].partition(":")[0]: edge for edge in edges[1:]}
    named = [edge for edge in edges[1:] if edge["name"] != NARROW]
    heard: dict[str, set[int]] = defaultdict(set)
    with (
        recording_server() as srs,
        running(tmp_path, config=configuration(edges, bob, srs)) as daemon,
        Conversation(
            tmp_path,
            via=(inside[0], int(inside[2])),
            alice_at=(LOOPBACK, free_port()),
            bob_at=bob,
            seconds=0.2,
        ) as call,
    ):
        until(lambda: len(daemon.events("recording.begin")) == len(named), 10, "a recording by each edge")
        call.talk()
        call.assert_heard()
        call.hang_up()
        until(lambda: len(daemon.events("recording.end")) == len(named), 10, "their ends")
        for host, port in srs.heard():
            heard[host].add(port)
        assert {line["reason"] for line in daemon.events("recording.attempt-failed")} == {"ports-exhausted"}
        summary = daemon.event("recording.summary")
        assert f"{NARROW}=failed:ports-exhausted" in summary["copies"]
        assert not daemon.events("machine.failed")
    assert sorted(by_host[source]["name"] for source, _, _ in srs.invites) == sorted(e["name"] for e in named)
    for source, head, body in srs.invites:
        edge = by_host[source]
        assert head.startswith(f"INVITE {srs.uri} SIP/2.0\r\n")
        assert re.search(rf"\r\nVia: SIP/2.0/TCP {edge['listen']};", head)
        assert re.search(rf"\r\nContact: <sip:siprec-src@{edge['listen']};transport=tcp>;\+sip\.src", head)
        assert set(re.findall(r"c=IN IP4 (\S+)", body)) == {source}
        offered = {int(port) for port in re.findall(r"m=audio (\d+)", body)}
        assert heard[source] >= offered
        assert heard[source] <= offered | {port + 1 for port in offered}
        assert all(edge["rtp_low"] <= port <= edge["rtp_high"] for port in heard[source])
        assert ipaddress.ip_address(source) in ipaddress.ip_network(edge["media_networks"][0])
    assert heard.keys() == {source for source, _, _ in srs.invites}
