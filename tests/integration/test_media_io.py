"""How packets are moved is looked at again: what is loaded after the start is not passed by."""

from __future__ import annotations

import contextlib
import errno
import signal
from pathlib import Path

from siprec_src.media.engine import try_relay
from tests.support import bpffs
from tests.support.daemon import free_port, running, until
from tests.support.namespaces import Wire


def _best(pins: Path) -> str:
    try:
        try_relay(str(pins))
    except OSError as error:
        assert error.errno == errno.ENOSYS  # noqa: PT017 anything else is a fault
        return "packet"
    return "bpf"


def test_sighup_after_a_change_of_the_host_finds_the_other_way_and_metrics_name_it(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Wire())
        stack.enter_context(wire.inside())
        pins = stack.enter_context(bpffs.mounted(tmp_path))
        best = _best(pins / "test")
        daemon = stack.enter_context(
            running(
                tmp_path,
                srs=["sip:127.0.0.1:5999"],
                route="sip:127.0.0.1:5998",
                listen=free_port(),
                config=f'[media]\nio = "auto"\npins = "{pins}"\n',
            )
        )
        assert daemon.event("media.serving")["io"] == best
        for change, io in (("add", "sockets"), ("del", best)):
            wire.ip("rule", change, "dport", "5000", "lookup", "100")
            daemon.signal(signal.SIGHUP)
            until(lambda io=io: daemon.metric("media_io", io=io) == 1, 5, io)  # type: ignore[misc]
        by_sockets, again = daemon.events("media.io-changed")
        assert "routing rules" in by_sockets["better_io_lacks"]
        assert again["better_io_lacks"] == daemon.event("media.serving")["better_io_lacks"]
        assert daemon.stop() == 0
        assert not [pin for pin in pins.rglob("*") if not pin.is_dir()], "an end in order leaves no pins"
        assert "siprec_relay" not in wire.run("tc", "filter", "show", "dev", wire.near_device, "ingress")
