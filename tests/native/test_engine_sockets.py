"""Sockets do with no privilege: this is what the suite on loopback is run with."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from siprec_src.media.model import MediaIo
from tests.native.engine_support import rtp
from tests.native.site import Site


def test_packet_threads_that_have_no_capability_relay_and_copy() -> None:
    site = Site(MediaIo.SOCKETS)
    with site.entered(), site.engine(threads=2) as engine:
        with pytest.raises(PermissionError):
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        statuses = [path.read_text() for path in Path("/proc/self/task").glob("*/status")]
        threads = [status for status in statuses if status.startswith("Name:\trtpfork\n")]
        assert len(threads) >= 2
        assert all(re.search(r"^CapEff:\s+0+$", status, re.MULTILINE) for status in threads)
        call = site.call(site.plane(engine))
        call.attach()
        call.caller.send(rtp(1), call.caller_port)
        assert call.callee.receive() == rtp(1)
        assert call.srs.receive()[12:] == rtp(1)[12:]
        call.close()
