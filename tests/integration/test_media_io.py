"""How packets are moved is looked at again: what is loaded after the start is not passed by."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.daemon import free_port, running, until
from tests.support.namespaces import Wire

AUTO = '[media]\nio = "auto"\n'


def test_sighup_after_a_change_of_the_host_finds_the_other_way_and_metrics_name_it(tmp_path: Path) -> None:
    with (
        Wire() as wire,
        wire.inside(),
        running(
            tmp_path, srs=["sip:127.0.0.1:5999"], route="sip:127.0.0.1:5998", listen=free_port(), config=AUTO
        ) as daemon,
    ):
        assert daemon.event("media.serving")["io"] == "packet"
        for change, io in (("add", "sockets"), ("del", "packet")):
            wire.ip("rule", change, "dport", "5000", "lookup", "100")
            daemon.signal(signal.SIGHUP)
            until(lambda io=io: daemon.metric("media_io", io=io) == 1, 5, io)  # type: ignore[misc]
        sockets, packet = daemon.events("media.io-changed")
        assert "routing rules" in sockets["better_io_lacks"]
        assert packet["better_io_lacks"] == ""
