"""Session timers on the wire: SIPp as an SRS that keeps the recording session alive (RFC 4028)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conversation import talking
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.script import Script, callee, srs_answer
from tests.support.sipp import Sipp
from tests.support.voice import Voice


def _refreshing_srs(ports: list[int]) -> Script:
    """Refreshes once, then asks for an interval that is too short."""
    timer = "Supported: timer"
    return (
        callee("Recorder", user="srs", peer="src")
        .receive("INVITE")
        .respond(
            200,
            srs_answer(ports),
            "Contact: <sip:srs@[local_ip]:[local_port]>;+sip.srs",
            "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE",
            "Session-Expires: 90;refresher=uas",
            contact=False,
        )
        .receive("ACK")
        .pause(200)
        .request("UPDATE", "", timer, "Session-Expires: 120;refresher=uac")
        .expect(200)
        .request("UPDATE", "", timer, "Session-Expires: 60;refresher=uac")
        .expect(422)
        .receive("UPDATE")
        .respond(200)
        .receive("BYE")
        .respond(200)
    )


@pytest.mark.rfc("4028", "7.1", "9")
@pytest.mark.req("TIM-01", "TIM-02", "TIM-07")
def test_the_srs_keeps_its_session_alive_and_is_refused_what_is_too_short(tmp_path: Path) -> None:
    sip_port, bob_at, srs_at = free_port(), (LOOPBACK, free_port()), (LOOPBACK, free_port())
    ears = [Voice(ssrc=n) for n in (1, 2)]
    script = _refreshing_srs([ear.port for ear in ears])
    srs = Sipp(script, tmp_path, "-m", "1", address=srs_at, media_port=free_port(), name="srs")
    config = f'[[srs]]\nuri = "sip:srs@{LOOPBACK}:{srs_at[1]};transport=udp"\nsession_expires_s = 600\n'
    route = f"sip:{bob_at[0]}:{bob_at[1]}"
    try:
        with (
            running(tmp_path, route=route, listen=sip_port, config=config) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, sip_port), bob_at=bob_at, seconds=1.5) as call,
        ):
            call.assert_heard()
            call.hang_up()
            assert srs.wait(10) == 0, srs.errors.read_text()
            until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
    finally:
        srs.kill()
        srs.stop()
        for ear in ears:
            ear.stop()
    requests = [m for m in srs.messages if m.received and m.method not in ("", "ACK")]
    assert [m.method for m in requests] == ["INVITE", "UPDATE", "BYE"]
    assert [m.one("Supported") for m in requests] == ["timer"] * 3
    assert requests[0].one("Session-Expires") == "600"
    granted, refused = [m for m in srs.messages if m.received and m.status >= 200]
    assert (granted.one("Session-Expires"), granted.one("Require")) == ("120;refresher=uac", "timer")
    assert (refused.status, refused.one("Min-SE")) == (422, "90")
