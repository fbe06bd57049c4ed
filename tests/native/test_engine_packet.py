"""What is sent by packet(7) and what is left to sockets; where it is chosen, and where not."""

from __future__ import annotations

import contextlib
import queue
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from siprec_src.app.media_io import Watch, Way, Ways
from siprec_src.media.model import Endpoint, MediaIo
from tests.native.site import Site
from tests.native.wired import COMES_WITHIN_S, PATIENCE_S, Wired
from tests.support.namespaces import Wire

MANY_HOSTS = 600
CHOOSE = (
    sys.executable,
    "-c",
    "from siprec_src.app.media_io import Ways; from siprec_src.media.model import MediaIo;"
    " way = Ways(MediaIo.AUTO).now(); print(way.io.value, way.better_lacks)",
)


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
    wired.call.plane.engine.pass_by(False)
    wired.call.plane.port_counters(wired.call.caller_port)
    assert wired.by_sockets(50) == 100
    wired.call.plane.engine.pass_by(True)
    wired.settle()


@pytest.mark.parametrize("wired", [socket.AF_INET], indirect=True)
def test_an_interface_that_is_busy_costs_packets_and_no_path(wire: Wire, wired: Wired) -> None:
    wire.run("tc", "qdisc", "add", "dev", wire.near_device, "root", "pfifo", "limit", "0")
    assert not wired.speak(within_s=COMES_WITHIN_S)
    wire.run("tc", "qdisc", "del", "dev", wire.near_device, "root")
    assert wired.by_sockets(50) < 10
    assert wired.call.plane.port_counters(wired.call.caller_port).dropped_full == 1


def test_it_is_left_when_it_would_pass_by_something_and_taken_up_again(wire: Wire) -> None:
    told: queue.SimpleQueue[Way] = queue.SimpleQueue()
    with wire.inside():
        ways = Ways(MediaIo.AUTO)
        best = ways.now()
        watch = Watch(ways, best, told.put)
    assert best == Way(io=MediaIo.PACKET)
    for change, way in (("add", MediaIo.SOCKETS), ("del", MediaIo.PACKET)):
        wire.ip("rule", change, "dport", "5000", "lookup", "100")
        watch.look()
        assert told.get(timeout=PATIENCE_S).io is way
    watch.stop()


def test_without_the_capability_it_says_so(wire: Wire) -> None:
    command = ("setpriv", "--bounding-set=-net_raw", *CHOOSE)
    assert wire.run(*command).startswith("sockets packet: Operation not permitted: it needs CAP_NET_RAW")
    forced = "from siprec_src.media.engine import Engine; from siprec_src.media.model import MediaIo;"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        wire.run(*command[:3], "-c", f"{forced} Engine(threads=1, io=MediaIo.PACKET)")
    assert "Operation not permitted" in refused.value.stderr


def test_a_firewall_that_it_may_not_see_counts_as_one(wire: Wire) -> None:
    """The kernel shows its rules and policies to CAP_NET_ADMIN alone; a refusal is no empty list."""
    told = wire.run("setpriv", "--bounding-set=-net_admin", *CHOOSE)
    assert told.startswith("sockets packet: whether the host has a firewall cannot be asked")
    assert "CAP_NET_ADMIN" in told


def test_where_it_would_pass_by_nothing_it_is_chosen(wire: Wire) -> None:
    assert wire.run(*CHOOSE).strip() == "packet"


def test_it_does_not_pass_by_ipsec(wire: Wire) -> None:
    wire.ip("xfrm", "policy", "add", "src", wire.near_host, "dst", wire.far_host, "dir", "out",
            "tmpl", "proto", "esp", "mode", "transport")  # fmt: skip
    assert wire.run(*CHOOSE).startswith("sockets packet: the host has IPsec policies")


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_it_leaves_routing_rules_to_the_kernel(wire: Wire, family: str) -> None:
    wire.ip(family, "rule", "add", "dport", "5000", "lookup", "100")
    assert wire.run(*CHOOSE).startswith("sockets packet: the host has routing rules")


def test_it_does_not_pass_by_a_firewall(wire: Wire) -> None:
    try:
        wire.run("iptables", "-A", "OUTPUT", "-j", "ACCEPT")
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("iptables is not here or not permitted")
    assert wire.run(*CHOOSE).startswith("sockets packet: the host has a firewall")


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
