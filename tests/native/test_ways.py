"""Which way of moving packets is the best on a host, what the next better one lacks, and changes of that."""

from __future__ import annotations

import contextlib
import errno
import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from siprec_src.app.media_io import Watch, Way, Ways, lacking
from siprec_src.media.engine import Engine, try_relay
from siprec_src.media.model import MediaIo
from tests.native.site import Site
from tests.native.wired import PATIENCE_S
from tests.support import bpffs
from tests.support.namespaces import Wire

CHOOSE = (
    sys.executable,
    "-c",
    "import sys; from siprec_src.app.media_io import Ways; from siprec_src.media.model import MediaIo;"
    " way = Ways(MediaIo.AUTO, sys.argv[1]).now(); print(way.io.value, way.better_lacks)",
)
NO_BPFFS = "/nowhere/in/a/bpffs"


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[str]:
    with bpffs.mounted(tmp_path) as place:
        with bpffs.built():
            try_relay(str(place / "test"))
        yield str(place / "test")


def choose(wire: Wire, pins: str = NO_BPFFS, *, without: str = "") -> str:
    """What a process without some capability says."""
    dropped = ("setpriv", f"--bounding-set={without}") if without else ()
    return wire.run(*dropped, *CHOOSE, pins).strip()


def test_the_relay_in_the_kernel_is_chosen_where_all_is_permitted_and_nothing_passed_by(
    wire: Wire, pins: str
) -> None:
    assert choose(wire, pins) == "bpf"


def test_without_a_bpffs_packet_is_chosen_and_says_so(wire: Wire, pins: str) -> None:
    told = choose(wire)
    assert told == f"packet bpf: No such file or directory: it needs a bpffs, in which {NO_BPFFS} is"
    told = choose(wire, str(Path(pins).parents[2] / "plain" / "directory"))
    assert told.startswith("packet bpf: No such device: it needs a bpffs, in which ")


@pytest.mark.parametrize(
    ("without", "lacks"),
    [("-net_admin", "packet: whether the host has a firewall"), ("-bpf,-sys_admin", "bpf: ")],
)
def test_without_a_capability_the_next_one_is_chosen(wire: Wire, pins: str, without: str, lacks: str) -> None:
    told = choose(wire, pins, without=without)
    assert lacks in told
    assert told.endswith("it needs CAP_BPF" if "bpf" in without else "it needs CAP_NET_ADMIN")


def test_without_net_raw_sockets_are_left(wire: Wire, pins: str) -> None:
    told = choose(wire, pins, without="-net_raw")
    assert told == "sockets packet: Operation not permitted: it needs CAP_NET_RAW"
    forced = "from siprec_src.media.engine import Engine; from siprec_src.media.model import MediaIo;"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        wire.run(
            "setpriv",
            "--bounding-set=-net_raw",
            sys.executable,
            "-c",
            f"{forced} Engine(threads=1, io=MediaIo.PACKET)",
        )
    assert "Operation not permitted" in refused.value.stderr


def test_a_firewall_that_it_may_not_see_counts_as_one(wire: Wire) -> None:
    """The kernel shows its rules and policies to CAP_NET_ADMIN alone; a refusal is no empty list."""
    told = choose(wire, without="-net_admin")
    assert told.startswith("sockets packet: whether the host has a firewall cannot be asked")
    assert "CAP_NET_ADMIN" in told


def test_it_does_not_pass_by_ipsec(wire: Wire, pins: str) -> None:
    wire.ip("xfrm", "policy", "add", "src", wire.near_host, "dst", wire.far_host, "dir", "out",
            "tmpl", "proto", "esp", "mode", "transport")  # fmt: skip
    assert choose(wire, pins).startswith("sockets packet: the host has IPsec policies")


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_it_leaves_routing_rules_to_the_kernel(wire: Wire, family: str) -> None:
    wire.ip(family, "rule", "add", "dport", "5000", "lookup", "100")
    assert choose(wire).startswith("sockets packet: the host has routing rules")


@pytest.mark.parametrize("chain", ["OUTPUT", "INPUT"])
def test_it_does_not_pass_by_a_firewall(wire: Wire, pins: str, chain: str) -> None:
    try:
        wire.run("iptables", "-A", chain, "-j", "ACCEPT")
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("iptables is not here or not permitted")
    assert choose(wire, pins).startswith("sockets packet: the host has a firewall")


@pytest.mark.parametrize("discipline", ["clsact", "ingress"])
def test_the_relay_does_not_pass_by_filters_of_others(wire: Wire, pins: str, discipline: str) -> None:
    wire.run("tc", "qdisc", "add", "dev", wire.near_device, discipline)
    assert choose(wire, pins) == "bpf"
    wire.run("tc", "filter", "add", "dev", wire.near_device, "ingress",
             "bpf", "bytecode", "1,6 0 0 4294967295")  # fmt: skip
    told = choose(wire, pins)
    assert told.startswith(f"packet bpf: at the ingress of {wire.near_device} are filters (tc)")


def test_a_relay_of_ours_is_no_filter_of_others(wire: Wire, pins: str) -> None:
    with wire.inside(), contextlib.closing(Engine(threads=1, io=MediaIo.BPF, pins=pins)) as engine:
        attached = Site(MediaIo.BPF, wire).plane(engine).open(1)
        assert attached
        assert "siprec_relay" in wire.run("tc", "filter", "show", "dev", wire.near_device, "ingress")
        assert choose(wire, str(Path(pins).with_name("other"))) == "bpf"


def test_a_way_is_left_when_it_would_pass_by_something_and_taken_up_again(wire: Wire, pins: str) -> None:
    told: queue.SimpleQueue[Way] = queue.SimpleQueue()
    with wire.inside():
        ways = Ways(MediaIo.AUTO, pins)
        best = ways.now()
        watch = Watch(ways, best, told.put)
    assert best == Way(io=MediaIo.BPF)
    for change, way in (("add", MediaIo.SOCKETS), ("del", MediaIo.BPF)):
        wire.ip("rule", change, "dport", "5000", "lookup", "100")
        watch.look()
        assert told.get(timeout=PATIENCE_S).io is way
    watch.stop()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EINVAL, "Linux 5.10"),
        (errno.ENOSYS, "a build with clang and libbpf"),
        (errno.ENODEV, "a bpffs, in which /x/y is"),
        (errno.ENOENT, "a bpffs, in which /x/y is"),
        (errno.ENOTDIR, ""),
    ],
)
def test_what_a_forced_relay_lacks_is_said(number: int, words: str) -> None:
    assert lacking(MediaIo.BPF, OSError(number, "x"), "/x/y") == words
