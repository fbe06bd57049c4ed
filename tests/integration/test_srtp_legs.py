"""Call legs that use SRTP: each leg with keys of its own, heard and recorded octet for octet."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.recorder import recorder
from tests.support.script import sdp
from tests.support.secure_voice import SecureVoice, key_in


@pytest.mark.rfc("4568", "5.1.2", "6.1", "7.1.2")
@pytest.mark.rfc("3711", "3.3")
@pytest.mark.rfc("7866", "12.2")
def test_two_srtp_legs_have_keys_of_their_own_and_are_recorded_under_others(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    alice, bob = SecureVoice(ssrc=0xA11CE), SecureVoice(ssrc=0xB0B)
    with (
        recorder(tmp_path) as srs,
        running(
            tmp_path,
            srs=[srs.uri(";secure=true;transport=tcp")],
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
        ) as daemon,
        Conversation(
            tmp_path,
            via=(LOOPBACK, port),
            bob_at=bob_at,
            alice_voice=alice,
            bob_voice=bob,
            alice_offers=sdp(alice.port, alice.line, profile="RTP/SAVP"),
            bob_answers=sdp(bob.port, bob.line, profile="RTP/SAVP"),
        ) as call,
    ):
        until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
        (offered,), (answered,) = call.bob.received("INVITE"), call.alice.received(200, of="INVITE")
        bob.trust(key_in(offered))
        alice.trust(key_in(answered))
        assert len({alice.key, bob.key, key_in(offered), key_in(answered)}) == 4
        call.talk()
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        assert recording.track("1") == call.alice_says
        assert recording.track("2") == call.bob_says
        assert recording.summary["secure"]
        end = daemon.event("call.end")
        assert end["caller_dropped"] == end["callee_dropped"] == 0
        for key in (alice.key, bob.key, key_in(offered), key_in(answered)):
            assert base64.b64encode(key).decode() not in daemon.log
        assert "inline:" not in daemon.log.replace("inline:[redacted]", "")
