"""Whatever becomes of the wire, each engine goes on as soon as it can: nothing is started again."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import pytest

from siprec_src.media.model import MediaIo
from tests.native.engine_support import Plane, rtp
from tests.native.site import ENGINES, Site
from tests.native.wired import COMES_WITHIN_S, PATIENCE_S, Wired
from tests.support.namespaces import Wire

OTHER_ADDRESS = "02:00:00:00:00:77"


@pytest.fixture(params=ENGINES, ids=lambda io: io.value)
def site(request: pytest.FixtureRequest, wire: Wire) -> Iterator[Site]:
    io: MediaIo = request.param
    made = Site(io, wire)
    with made.entered():
        yield made


@pytest.fixture
def wired(site: Site, plane: Plane) -> Iterator[Wired]:
    with contextlib.closing(Wired(site, plane)) as made:
        made.settle()
        yield made


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_every_length_arrives_as_it_was_said(site: Site, plane: Plane, family: socket.AddressFamily) -> None:
    with contextlib.closing(Wired(site, plane, family)) as wired:
        wired.settle()
        assert all(wired.speak(size) for size in (0, 4, 8, 536, 540, 1000, 1400))


@pytest.mark.parametrize(("family", "bind"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_port_of_every_address_sends_from_the_one_that_leads_there(
    site: Site, plane: Plane, family: socket.AddressFamily, bind: str
) -> None:
    with contextlib.closing(Wired(site, plane, family, bind=bind)) as wired:
        wired.speak_until(heard=True)
        wired.call.callee.rtp.settimeout(PATIENCE_S)
        for number in range(50):
            time.sleep(0.005)  # a path is known within 10 ms of its first datagram
            wired.call.caller.send(rtp(1000 + number), wired.call.caller_port)
            heard, source = wired.call.callee.rtp.recvfrom(4096)
            assert heard == rtp(1000 + number)
            assert source[:2] == (site.host(family), wired.call.callee_port.rtp_port)


def test_a_neighbour_that_has_another_address_is_reached_there(wire: Wire, wired: Wired) -> None:
    wire.ip("link", "set", wire.far_device, "address", OTHER_ADDRESS, far=True)
    wire.ip("neighbour", "replace", wire.far_host, "lladdr", OTHER_ADDRESS, "dev", wire.near_device)
    wired.settle()


def test_a_neighbour_that_is_forgotten_is_found_again(wire: Wire, wired: Wired) -> None:
    wire.ip("neighbour", "flush", "dev", wire.near_device)
    wired.settle()


def test_an_interface_that_was_down_is_used_again(wire: Wire, wired: Wired) -> None:
    wire.ip("link", "set", wire.near_device, "down")
    wired.speak_until(heard=False)
    wire.ip("link", "set", wire.near_device, "up")
    wired.settle()


def test_a_route_that_goes_elsewhere_is_followed(wire: Wire, wired: Wired) -> None:
    plane, port = wired.call.plane, wired.call.caller_port
    wire.ip("route", "add", "blackhole", f"{wire.far_host}/32")
    plane.until(
        lambda: not wired.speak(within_s=COMES_WITHIN_S) and plane.port_counters(port).dropped_send > 0
    )
    assert plane.reader_counters(wired.reader).dropped_send > 0
    wire.ip("route", "del", "blackhole", f"{wire.far_host}/32")
    wired.settle()


def test_what_the_wire_no_longer_carries_goes_in_pieces(wire: Wire, wired: Wired) -> None:
    for mtu in (400, 1500):
        for far in (False, True):
            wire.ip("link", "set", wire.far_device if far else wire.near_device, "mtu", str(mtu), far=far)
        assert all(wired.speak(size) for size in (160, 480, 1000) for _ in range(3))
    wired.settle()


def test_what_a_queue_drops_of_a_recording_is_not_taken_for_delivered(wire: Wire, wired: Wired) -> None:
    """A wire of 64 kbit/s whose queue holds a dozen packets."""
    plane, srs = wired.call.plane, wired.call.srs
    before = plane.reader_counters(wired.reader)
    wire.run("tc", "qdisc", "add", "dev", wire.near_device, "root",
             "tbf", "rate", "64kbit", "burst", "2kb", "limit", "3kb")  # fmt: skip
    plane.until(lambda: wired.flood(20) and plane.reader_counters(wired.reader).dropped_full > 0)
    heard = 0
    while select.select([srs.rtp], [], [], COMES_WITHIN_S)[0]:
        heard += len(srs.rtp.recv(4096)) > 0
    wire.run("tc", "qdisc", "del", "dev", wire.near_device, "root")
    copied = plane.reader_counters(wired.reader)
    assert heard == copied.delivered - before.delivered
    assert copied.offered == copied.delivered + copied.dropped_full
    wired.settle()


def test_what_the_kernel_has_no_room_for_is_named_and_the_rest_goes_on(wire: Wire, wired: Wired) -> None:
    """A wire of 64 kbit/s: first the queues behind it fill, then the buffers of the sockets."""
    if wired.site.io is MediaIo.BPF:
        pytest.skip("what the kernel relays it drops without a word to us")
    wire.run("tc", "qdisc", "add", "dev", wire.near_device, "root",
             "tbf", "rate", "64kbit", "burst", "2kb", "limit", "64mb")  # fmt: skip
    plane, port = wired.call.plane, wired.call.caller_port
    plane.until(lambda: wired.flood(200) and plane.port_counters(port).dropped_full > 0)
    plane.until(lambda: wired.flood(200) and plane.reader_counters(wired.reader).dropped_full > 0)
    wire.run("tc", "qdisc", "del", "dev", wire.near_device, "root")
    wired.settle()
    told, copied = plane.port_counters(port), plane.reader_counters(wired.reader)
    assert told.received == told.relayed + told.dropped_full == copied.offered
    assert copied.offered == copied.delivered + copied.dropped_full
