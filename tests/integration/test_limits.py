"""Out of room: a clear refusal with Retry-After, and everything works again when there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.script import Script, callee, caller, sdp
from tests.support.sipp import Sipp

TWO_PAIRS = "[media]\nrtp_low = {low}\nrtp_high = {high}\n"
ONE_CALL = "[daemon]\nmax_calls = 1\n"


@pytest.mark.parametrize(
    ("limit", "reason"),
    [pytest.param(TWO_PAIRS, "ports-exhausted", id="ports"), pytest.param(ONE_CALL, "calls", id="calls")],
)
@pytest.mark.rfc("3261", "21.5.4", "20.33")
def test_a_call_for_which_there_is_no_room_gets_503_and_a_later_one_has_it(
    tmp_path: Path, limit: str, reason: str
) -> None:
    port, bob_at, low = free_port(), (LOOPBACK, free_port()), free_port()
    limit = limit.format(low=low, high=low + 3)
    nobody = f'[[srs]]\nuri = "sip:{LOOPBACK}:{free_port()};transport=tcp"\n'
    with running(
        tmp_path, route=f"sip:{bob_at[0]}:{bob_at[1]}", listen=port, config=limit + nobody
    ) as daemon:
        with Conversation(tmp_path, via=(LOOPBACK, port), bob_at=bob_at, seconds=1.0) as call:
            call.talk()
            refused = _play(caller("Carol").invite(sdp(4000)).expect(503).ack_refusal(), tmp_path, port)
            assert refused is not None
            assert refused.received(503)[0].one("Retry-After").isdecimal()
            call.assert_heard()
            call.hang_up()
        line = daemon.event("call.refused")
        assert line["status"] == 503
        assert reason in line["reason"]

        bob = Sipp(
            callee("Dave")
            .receive("INVITE")
            .respond(200, sdp(5000))
            .receive("ACK")
            .receive("BYE")
            .respond(200),
            tmp_path,
            address=bob_at,
            media_port=free_port(),
        )
        again = caller("Erin").invite(sdp(4000)).expect(200).ack().request("BYE").expect(200)
        try:
            until(lambda: _play(again, tmp_path, port) is not None, 10, "room for a call again")
        finally:
            bob.kill()
            bob.stop()
        assert not daemon.events("machine.failed")


def _play(script: Script, directory: Path, port: int) -> Sipp | None:
    """The caller whose call went as the script says; None when it went otherwise."""
    party = Sipp(
        script,
        directory,
        *(f"{LOOPBACK}:{port}", "-m", "1"),
        address=(LOOPBACK, free_port()),
        media_port=free_port(),
    )
    try:
        return party if party.wait(10) == 0 else None
    finally:
        party.stop()
