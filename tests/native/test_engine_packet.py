"""What is sent by packet(7): it arrives as what sockets send does, whatever happens to the way there."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from siprec_src.media.engine import Engine
from siprec_src.media.model import MediaIo
from tests.native.engine_support import Call, Peer, Plane, make_call, read_rtp, rtp
from tests.support.namespaces import Wire

CHOOSE = (
    sys.executable,
    "-c",
    "from siprec_src.app.media_io import choose; from siprec_src.media.model import MediaIo;"
    " chosen = choose(MediaIo.AUTO); print(chosen.io.value, chosen.better_lacks)",
)
PATIENCE_S = 10.0


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


@pytest.fixture
def plane(wire: Wire) -> Iterator[Plane]:
    with wire.inside():
        engine = Engine(threads=1, port_rest_ms=0, io=MediaIo.PACKET)
    yield Plane(engine)
    engine.close()


class Wired:
    """A recorded call whose parties and SRS are at the other end of the wire."""

    def __init__(
        self, wire: Wire, plane: Plane, family: socket.AddressFamily = socket.AF_INET, bind: str = ""
    ) -> None:
        self.wire = wire
        near, far = (wire.near_host, wire.far_host)
        if family == socket.AF_INET6:
            near, far = (wire.near_host6, wire.far_host6)
        with wire.inside(far=True):
            parties = [Peer(family, far) for _ in range(3)]
        with wire.inside():
            self.call: Call = make_call(plane, family, parties=parties, host=bind or near)
            self.call.attach()
        self.engine_host = near
        self._sequence = 0

    def speak(self, size: int = 160) -> bool:
        """Have the caller say something; whether it came to the callee and the SRS as it was said."""
        self._sequence += 1
        packet = rtp(self._sequence, payload=self._sequence.to_bytes(4) * (size // 4))
        self.call.caller.rtp.sendto(packet, (self.engine_host, self.call.caller_port.rtp_port))
        try:
            heard = self.call.callee.receive(0.5), self.call.srs.receive(0.5)
        except AssertionError:
            return False
        return heard[0] == packet and read_rtp(heard[1]).payload == packet[12:]

    def speak_until(self, *, heard: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.speak() != heard:
            assert time.monotonic() < deadline, "nothing comes through" if heard else "it comes through"
            for peer in (self.call.callee, self.call.srs):
                while not peer.is_quiet():
                    peer.receive()

    def by_sockets(self, packets: int, size: int = 160) -> int:
        """Say so much, all of which must be heard; how many datagrams sockets have sent for it."""
        before = self._sent_by_sockets()
        assert all(self.speak(size) for _ in range(packets))
        return self._sent_by_sockets() - before

    def settle(self) -> None:
        """Speak until sockets are not needed."""
        deadline = time.monotonic() + PATIENCE_S
        while self.by_sockets(10) > 4:
            assert time.monotonic() < deadline, "it is still sent by sockets"

    def _sent_by_sockets(self) -> int:
        lines = self.wire.run("cat", "/proc/net/snmp", "/proc/net/snmp6")
        table = re.search(r"^Udp: (\D+)\nUdp: (.*)$", lines, re.MULTILINE)
        six = re.search(r"^Udp6OutDatagrams\s+(\d+)$", lines, re.MULTILINE)
        assert table
        assert six
        values = dict(zip(table[1].split(), table[2].split(), strict=True))
        return int(values["OutDatagrams"]) + int(six[1])


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_what_is_relayed_and_copied_arrives_and_no_socket_has_sent_it(
    wire: Wire, plane: Plane, family: socket.AddressFamily
) -> None:
    wired = Wired(wire, plane, family)
    wired.speak_until(heard=True)
    wired.settle()
    assert wired.by_sockets(200) < 20
    assert all(wired.speak(size) for size in (0, 4, 8, 1000, 1400))
    wired.call.close()


def test_a_neighbour_that_has_another_address_is_reached_there(wire: Wire, plane: Plane) -> None:
    wired = Wired(wire, plane)
    wired.speak_until(heard=True)
    wired.settle()
    wire.ip("link", "set", wire.far_device, "address", "02:00:00:00:00:77", far=True)
    wire.ip("neighbour", "replace", wire.far_host, "lladdr", "02:00:00:00:00:77", "dev", wire.near_device)
    wired.speak_until(heard=True)
    wired.settle()
    wired.call.close()


def test_an_interface_that_was_down_is_used_again(wire: Wire, plane: Plane) -> None:
    wired = Wired(wire, plane)
    wired.speak_until(heard=True)
    wired.settle()
    wire.ip("link", "set", wire.near_device, "down")
    wired.speak_until(heard=False)
    wire.ip("link", "set", wire.near_device, "up")
    wired.speak_until(heard=True)
    wired.settle()
    wired.call.close()


def test_what_not_every_path_carries_goes_by_socket(wire: Wire, plane: Plane) -> None:
    wired = Wired(wire, plane)
    wired.speak_until(heard=True)
    wired.settle()
    assert wired.by_sockets(10, 536) <= 4
    assert wired.by_sockets(10, 540) == 20
    wired.call.close()


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_port_of_every_address_sends_from_the_one_that_leads_there(
    wire: Wire, plane: Plane, family: socket.AddressFamily, host: str
) -> None:
    wired = Wired(wire, plane, family, bind=host)
    wired.speak_until(heard=True)
    wired.call.callee.rtp.settimeout(PATIENCE_S)
    for number in range(50):
        time.sleep(0.005)  # a path is known within 10 ms of its first datagram
        wired.call.caller.rtp.sendto(rtp(1000 + number), (wired.engine_host, wired.call.caller_port.rtp_port))
        _, source = wired.call.callee.rtp.recvfrom(4096)
        assert source[0] == wired.engine_host
    wired.call.close()


def test_a_route_that_goes_elsewhere_is_followed(wire: Wire, plane: Plane) -> None:
    wired = Wired(wire, plane)
    wired.speak_until(heard=True)
    wired.settle()
    wire.ip("route", "add", "blackhole", f"{wire.far_host}/32")
    wired.speak_until(heard=False)
    wire.ip("route", "del", "blackhole", f"{wire.far_host}/32")
    wired.speak_until(heard=True)
    wired.settle()
    wired.call.close()


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
