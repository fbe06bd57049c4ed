"""IPv6 on every leg, alone and beside IPv4: SIP over each transport, media, sources, metadata."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.conversation import talking
from tests.support.daemon import LOOPBACK, Daemon, free_port, running
from tests.support.ports import media_ports
from tests.support.recorder import Recorder, recorder
from tests.support.sipp import Message
from tests.support.voice import Voice

SIX = "::1"


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind((SIX, 0))
        return True
    return False


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def edge(name: str, host: str, port: int, part: int) -> str:
    """``part``: of the ports that media may have here, the first or the second two hundred."""
    rtp_low = media_ports()[0] + 200 * part
    return (
        f'[[edge]]\nname = "{name}"\nlisten = "{bracketed(host)}:{port}"\n'
        f"rtp_low = {rtp_low}\nrtp_high = {rtp_low + 199}\n"
    )


def recorded(daemon: Daemon, srs: Recorder, *, says: tuple[bytes, bytes]) -> None:
    """Both tracks are at the SRS octet for octet."""
    recording = srs.recording()
    assert (recording.track("1"), recording.track("2")) == says
    assert daemon.event("recording.end")["result"] == "recorded"
    assert not daemon.events("machine.failed")


def assert_of_ipv6(message: Message) -> None:
    """What a peer is told of us is an IPv6 address, in brackets where it is part of a URI or Via."""
    assert re.match(r"SIP/2\.0/\w+ \[::1\]:\d+;branch=", message.all("Via")[0])
    assert re.match(r"<sip:[^@]*@?\[::1\]:\d+[;>]", message.one("Contact"))
    assert "\r\nc=IN IP6 ::1\r\n" in message.body
    assert re.search(r"^o=.* IN IP6 ::1\r$", message.body, re.MULTILINE)
    assert "IP4" not in message.body


@pytest.mark.rfc("3261", "18.1.1", "19.1.1", "20.42")
@pytest.mark.rfc("4566", "5.7")
def test_a_call_and_its_recording_over_ipv6_alone(tmp_path: Path) -> None:
    """SIP of the parties by TCP, to the SRS by TLS with its address in the certificate."""
    port, tls_port, bob_at = free_port(), free_port(), (SIX, free_port())
    authority = Authority(tmp_path / "ca")
    ours, theirs = authority.issue("src", "IP:::1"), authority.issue("srs", "IP:::1")
    config = (
        f'[sip]\nlisten = "[{SIX}]:{port}"\ntls_listen = "[{SIX}]:{tls_port}"\n'
        'transports = ["udp", "tcp", "tls"]\n'
        f'[tls]\ncertificate = "{ours.certificate}"\nkey = "{ours.key}"\ntrusted_ca = "{authority.file}"\n'
    )
    route = f"sip:[{SIX}]:{bob_at[1]};transport=tcp"
    with recorder(tmp_path, tls=theirs, client_ca=authority.file, host=SIX) as srs:
        uri = f"sip:srs@[{SIX}]:{srs.tls_port};secure=true"
        with (
            running(tmp_path, srs=[uri], route=route, config=config) as daemon,
            talking(tmp_path, daemon, via=(SIX, port), bob_at=bob_at, seconds=0.5, over_tcp=True) as call,
        ):
            call.assert_heard()
            call.hang_up()
            recorded(daemon, srs, says=(call.alice_says, call.bob_says))
            (invite,) = call.bob.received("INVITE")
            assert_of_ipv6(invite)
            (ok,) = call.alice.received(200, of="INVITE")
            assert "\r\nc=IN IP6 ::1\r\n" in ok.body
            assert {srs.recording().books(label)["suite"] for label in ("1", "2")} == {
                "AES_CM_128_HMAC_SHA1_80"
            }


@pytest.mark.rfc("4566", "5.7")
@pytest.mark.parametrize(
    ("of_call", "of_srs", "transport"),
    [(LOOPBACK, SIX, "udp"), (SIX, LOOPBACK, "tcp")],
    ids=["call-4-srs-6", "call-6-srs-4"],
)
def test_the_call_and_the_srs_may_be_of_different_families(
    tmp_path: Path, of_call: str, of_srs: str, transport: str
) -> None:
    port, bob_at = free_port(), (of_call, free_port())
    with recorder(tmp_path, host=of_srs) as srs:
        config = (
            edge("calls", of_call, port, 0)
            + edge("records", of_srs, free_port(), 1)
            + f'[[trunk]]\nname = "pbx"\nfrom = ["{of_call}"]\n'
            f'to = "sip:{bracketed(of_call)}:{bob_at[1]}"\nedge = "calls"\n'
            + f'[[srs]]\nuri = "{srs.uri(f";transport={transport};edge=records")}"\n'
        )
        with (
            running(tmp_path, config=config) as daemon,
            talking(tmp_path, daemon, via=(of_call, port), bob_at=bob_at, seconds=0.5) as call,
        ):
            stray = Voice(of_call, ssrc=0xBAD)
            stray.speak(bytes(1600), call.alice_sends_to)
            assert stray.wait_spoken(5)
            stray.stop()
            call.assert_heard()
            call.hang_up()
            recorded(daemon, srs, says=(call.alice_says, call.bob_says))
