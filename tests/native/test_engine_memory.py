"""What a recorded call takes of the process: with 23 kB in the kernel no more than 40 kB."""

from __future__ import annotations

import os

from siprec_src.media.model import Endpoint, SrtpKey
from siprec_src.media.plane import AttachReader, BridgePorts, ConnectPort, ReaderAttached
from tests.native.engine_support import Plane
from tests.support.processes import resident_bytes

CALLS = 60
MOST_BYTES = 17_000
KEY = SrtpKey("AES_CM_128_HMAC_SHA1_80", bytes(range(30)))


def record_call(plane: Plane) -> None:
    """Two parties with RTP, copied as SRTP."""
    nobody = Endpoint(plane.host, 9)
    caller, callee, *vias = plane.open(4)
    for port in (caller, callee):
        plane.do(ConnectPort(tag=plane.next_tag(), port=port.port, remote=nobody))
    plane.do(BridgePorts(tag=plane.next_tag(), a=caller.port, b=callee.port))
    for ssrc, (stream, via) in enumerate(zip((caller, callee), vias, strict=True)):
        command = AttachReader(
            tag=plane.next_tag(),
            stream=stream.port,
            via=via.port,
            remote=nobody,
            ssrc=ssrc,
            cname="Y2FsbGVy",
            first_sequence=500,
            first_timestamp=90000,
            payload_types=((0, 0),),
            send_key=KEY,
            live=True,
        )
        assert isinstance(plane.ask(command), ReaderAttached)


def test_a_recorded_call_with_srtp_takes_at_most_17_kb_of_the_process(plane: Plane) -> None:
    for _ in range(10):  # what is taken once
        record_call(plane)
    before_bytes = resident_bytes(os.getpid())
    for _ in range(CALLS):
        record_call(plane)
    assert resident_bytes(os.getpid()) - before_bytes <= CALLS * MOST_BYTES
