"""DTLS passes between the engine and the handshakes, packets do not (RFC 5764 5.1)."""

from __future__ import annotations

import pytest

from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.plane import Refused
from tests.native.engine_support import Call, rtp

HELLO = b"\x16\xfe\xfd" + bytes(range(100))


@pytest.mark.rfc("5764", "5.1.2")
@pytest.mark.req("KEY-32")
@pytest.mark.parametrize("rtcp", [False, True])
def test_dtls_goes_both_ways_on_the_socket_that_it_is_for(call: Call, rtcp: bool) -> None:
    (port,) = call.plane.open(1, dtls=True)
    peer = call.peer()
    try:
        (peer.send_rtcp if rtcp else peer.send)(HELLO, port)
        received = call.plane.event(DtlsReceived)
        assert (received.port, received.rtcp, received.data) == (port.port, rtcp, HELLO)
        command = SendDtls(
            tag=call.plane.next_tag(), port=port.port, rtcp=rtcp, to=received.source, data=HELLO[::-1]
        )
        call.plane.do(command)
        assert (peer.receive_rtcp() if rtcp else peer.receive()) == HELLO[::-1]
        (peer.send_rtcp if rtcp else peer.send)(rtp(1), port)
        assert call.plane.port_counters(port).received == 0
        assert call.plane.events == []
    finally:
        peer.close()


@pytest.mark.parametrize("data", [b"", bytes(2049)])
def test_what_is_no_datagram_is_not_sent(call: Call, data: bytes) -> None:
    (port,) = call.plane.open(1, dtls=True)
    command = SendDtls(tag=call.plane.next_tag(), port=port.port, rtcp=False, to=call.srs.endpoint, data=data)
    refused = call.plane.ask(command)
    assert isinstance(refused, Refused)
    assert refused.reason == "bad-argument"
