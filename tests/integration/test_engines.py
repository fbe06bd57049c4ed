"""The main job on every media engine over an Ethernet; on sockets by a daemon without any capability."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from siprec_src.media.model import MediaIo
from tests.native.site import ENGINES, Site
from tests.support import bpffs, capabilities
from tests.support.conversation import talking
from tests.support.daemon import Daemon, free_port, running, until
from tests.support.namespaces import Wire
from tests.support.recorder import Recorder, recorder

SPEECH_S = 1.0


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


@contextlib.contextmanager
def served(
    wire: Wire, directory: Path, io: MediaIo, *, port: int, bob: int
) -> Iterator[tuple[Daemon, Recorder]]:
    """A daemon at the near end, the SRS at the far end."""
    with contextlib.ExitStack() as stack:
        with wire.inside(far=True):
            srs = stack.enter_context(recorder(directory, host=wire.far_host))
        pins = stack.enter_context(bpffs.mounted(directory)) if io is MediaIo.BPF else directory
        config = (
            f'[sip]\nlisten = "{wire.near_host}:{port}"\n'
            f'[media]\nio = "{io.value}"\npins = "{pins}"\n'
            f'[[trunk]]\nname = "pbx"\nfrom = ["{wire.far_host}"]\nto = "sip:{wire.far_host}:{bob}"\n'
            f'[[srs]]\nuri = "{srs.uri(";transport=tcp")}"\n'
        )
        stack.enter_context(wire.inside())
        with capabilities.dropped() if io is MediaIo.SOCKETS else contextlib.nullcontext():
            daemon = stack.enter_context(running(directory, config=config))
        yield daemon, srs


@pytest.mark.parametrize("io", ENGINES, ids=lambda io: io.value)
def test_a_call_is_relayed_and_recorded_octet_for_octet(tmp_path: Path, wire: Wire, io: MediaIo) -> None:
    port, bob = free_port(), free_port()
    with served(wire, tmp_path, io, port=port, bob=bob) as (daemon, srs):
        sets = re.findall(r"^Cap(?:Eff|Prm):\s+(\w+)$", _status(daemon), re.MULTILINE)
        assert any(int(each, 16) for each in sets) == (io is not MediaIo.SOCKETS)
        assert daemon.metric("media_io", io=io.value) == 1
        before = Site(io, wire).sent_by_sockets()
        with contextlib.ExitStack() as stack:
            with wire.inside(far=True):
                call = stack.enter_context(
                    talking(
                        tmp_path,
                        daemon,
                        via=(wire.near_host, port),
                        alice_at=(wire.far_host, free_port()),
                        bob_at=(wire.far_host, bob),
                        seconds=SPEECH_S,
                    )
                )
                call.assert_heard()
                call.hang_up()
            recording = srs.recording()
            assert (recording.track("1"), recording.track("2")) == (call.alice_says, call.bob_says)
            until(lambda: bool(daemon.events("call.end")), 5, "the end of the call")
            end, recorded = daemon.event("call.end"), daemon.event("recording.end")
        packets = len(call.alice_says) // 160
        assert recorded["result"] == "recorded"
        assert end["caller_received"] == end["caller_relayed"] == end["callee_relayed"] == packets
        assert end["caller_dropped"] == end["callee_dropped"] == 0
        by_sockets = Site(io, wire).sent_by_sockets() - before
        assert (by_sockets < 2 * packets) == (io is not MediaIo.SOCKETS), (
            "of four packets for each that was said"
        )


def _status(daemon: Daemon) -> str:
    return Path(f"/proc/{daemon.pid_of('media')}/status").read_text()
