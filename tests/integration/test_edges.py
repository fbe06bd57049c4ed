"""The edges of the example configuration, put onto loopback: what an SRS sees of each, from the wire."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from siprec_src.config.example import assignment
from tests.support.bare_srs import BareSrs, bare_srs
from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, REPOSITORY, free_port, running, until

EXAMPLE = REPOSITORY / "configs" / "edges.toml"
NARROW = "narrow"  #: an edge with ports for one track and a call has two


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


def configuration(edges: list[dict[str, Any]], bob: tuple[str, int], srs: BareSrs) -> str:
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
        bare_srs() as srs,
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
