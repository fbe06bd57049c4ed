"""Rules in the running daemon: a required recording that nobody takes, and rules that are read again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.script import Script, callee, caller, sdp
from tests.support.sipp import Sipp

RULE = '[[rule]]\nname = "law"\ncaller = "1000"\n'


def _parties(*, ended_by_alice: bool) -> tuple[Script, Script]:
    alice = caller().invite(sdp(free_port())).expect(200).ack()
    bob = callee().receive("INVITE").respond(200, sdp(free_port())).receive("ACK")
    if ended_by_alice:
        alice = alice.pause(100).request("BYE").expect(200)
    else:
        alice = alice.receive("BYE").respond(200)
    return alice, bob.receive("BYE").respond(200)


@pytest.mark.rfc("3326", "2")
def test_a_call_without_its_required_recording_ends_and_after_a_reload_another_goes_on(
    tmp_path: Path,
) -> None:
    listen, bob_at = free_port(), (LOOPBACK, free_port())
    head = f'[recording]\nrequired_grace_s = 1\n[[srs]]\nuri = "sip:{LOOPBACK}:{free_port()};transport=tcp"\n'
    config = f'{head}{RULE}policy = "required"\n'
    route = f"sip:{bob_at[0]}:{bob_at[1]}"
    with running(tmp_path, route=route, listen=listen, config=config) as daemon:

        def call(*, ended_by_alice: bool) -> Sipp:
            one, other = _parties(ended_by_alice=ended_by_alice)
            to = f"{LOOPBACK}:{listen}"
            bob = Sipp(other, tmp_path, "-m", "1", address=bob_at, media_port=free_port())
            here = (LOOPBACK, free_port())
            alice = Sipp(one, tmp_path, to, "-m", "1", address=here, media_port=free_port())
            try:
                assert alice.wait(10) == 0, alice.errors.read_text()
                assert bob.wait(10) == 0, bob.errors.read_text()
            finally:
                for sipp in (alice, bob):
                    sipp.kill()
                    sipp.stop()
            return bob

        bob = call(ended_by_alice=False)
        (bye,) = [message for message in bob.messages if message.method == "BYE"]
        assert bye.one("Reason") == 'SIP;cause=503;text="recording required"'
        assert daemon.event("recording.required")["rule"] == "law"
        assert daemon.event("call.end")["outcome"] == "hung-up"
        daemon.log_file.with_name("siprec-src.toml").write_text(f'{head}{RULE}record = "never"\n')
        daemon.signal(signal.SIGHUP)
        until(lambda: bool(daemon.events("config.reloaded")), 10, "the reload")
        call(ended_by_alice=True)
        until(lambda: len(daemon.events("call.end")) == 2, 5, "the end of the second call")
        assert daemon.events("call.end")[1]["outcome"] == "answered"
        decided = [(line["rule"], line["record"]) for line in daemon.events("recording.decided")]
        assert decided == [("law", "yes"), ("law", "never")]
        assert daemon.events("recording.none")[1]["rule"] == "law"
        assert not daemon.events("machine.failed")
