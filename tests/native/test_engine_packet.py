"""What is sent by packet(7) and what is left to sockets."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from siprec_src.media.model import Endpoint, MediaIo
from tests.native.site import Site
from tests.native.wired import COMES_WITHIN_S, Wired
from tests.support.namespaces import Wire

MANY_HOSTS = 600


@pytest.fixture
def site(wire: Wire) -> Iterator[Site]:
    made = Site(MediaIo.PACKET, wire)
    with made.entered():
        yield made


@pytest.fixture
def wired(site: Site, request: pytest.FixtureRequest) -> Iterator[Wired]:
    with site.engine() as engine, contextlib.closing(Wired(site, site.plane(engine), request.param)) as made:
        made.settle()
        yield made


@pytest.mark.parametrize("wired", [socket.AF_INET, socket.AF_INET6], indirect=True)
def test_what_is_relayed_and_copied_is_sent_by_no_socket(wired: Wired) -> None:
    assert wired.by_sockets(200) < 20


@pytest.mark.parametrize("wired", [socket.AF_INET], indirect=True)
def test_what_not_every_path_carries_goes_by_socket(wired: Wired) -> None:
    assert wired.by_sockets(10, 536) <= 4
    assert wired.by_sockets(10, 540) == 20


@pytest.mark.parametrize("wired", [socket.AF_INET], indirect=True)
def test_what_may_pass_by_nothing_goes_by_socket_until_it_may(wired: Wired) -> None:
    wired.call.plane.engine.use(MediaIo.SOCKETS)
    wired.call.plane.port_counters(wired.call.caller_port)
    assert wired.by_sockets(50) == 100
    wired.call.plane.engine.use(MediaIo.PACKET)
    wired.settle()


@pytest.mark.parametrize("wired", [socket.AF_INET], indirect=True)
def test_an_interface_that_is_busy_costs_packets_and_no_path(wire: Wire, wired: Wired) -> None:
    wire.run("tc", "qdisc", "add", "dev", wire.near_device, "root", "pfifo", "limit", "0")
    assert not wired.speak(within_s=COMES_WITHIN_S)
    wire.run("tc", "qdisc", "del", "dev", wire.near_device, "root")
    assert wired.by_sockets(50) < 10
    assert wired.call.plane.port_counters(wired.call.caller_port).dropped_full == 1


@pytest.mark.parametrize("wired", [socket.AF_INET], indirect=True)
def test_paths_to_very_many_hosts_at_once_become_known(wire: Wire, wired: Wired) -> None:
    """More than the kernel's answers of one moment find room for."""
    wire.ip("route", "add", "10.96.0.0/16", "via", wire.far_host)
    wire.ip("route", "add", "local", "10.96.0.0/16", "dev", "lo", far=True)
    for number in range(MANY_HOSTS):
        host = f"10.96.{number // 250}.{1 + number % 250}"
        wired.call.attach(remote=Endpoint(host, 4000), ssrc=number, no_rtcp=True)
    deadline = time.monotonic() + 20
    while (sent := wired.by_sockets(1)) > MANY_HOSTS // 10:
        assert time.monotonic() < deadline, f"sockets send {sent} of {MANY_HOSTS} copies"
