"""Recorders and carriers that ask for credentials: what goes on the wire, and what never shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.recorder import recorder
from tests.support.script import Script, callee, caller, sdp
from tests.support.sipp import party

CANARY = "canary-5b1e77"
CARRIER = "127.0.0.3"
CHALLENGE = 'Digest realm="r", nonce="n{}", algorithm=SHA-256, qop="auth"'


class Place:
    """A daemon's configuration, with a secret in a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sip_port = free_port()
        self.bob_at = (LOOPBACK, free_port())
        self.secret = directory / "secret"
        self.secret.write_text(f"{CANARY}\n")

    def srs(self, uri: str, *, user: str = "recorder", keys: str = "") -> str:
        password = f'username = "{user}"\npassword_file = "{self.secret}"\n'
        return f'[[srs]]\nuri = "{uri}"\n{password}{keys}\n'

    @contextlib.contextmanager
    def running(self, *entries: str, routed: bool = True) -> Iterator[Daemon]:
        config = '[daemon]\nlog_level = "debug"\n\n' + "\n".join(entries)
        route = f"sip:{self.bob_at[0]}:{self.bob_at[1]}" if routed else ""
        with running(self.directory, route=route, listen=self.sip_port, config=config) as daemon:
            yield daemon
            assert not daemon.events("machine.failed")
        assert CANARY not in daemon.log

    def call(self, seconds: float = 1.0) -> Conversation:
        return Conversation(
            self.directory, via=(LOOPBACK, self.sip_port), bob_at=self.bob_at, seconds=seconds
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.rfc("3261", "22.1", "22.2")
@pytest.mark.rfc("8760", "2.1")
@pytest.mark.req("AUT-01", "AUT-03", "AUT-06", "AUT-07", "ERR-05")
@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-512-256"])
def test_a_call_is_recorded_by_an_srs_that_asks_for_credentials(place: Place, algorithm: str) -> None:
    behave = f"digest=recorder:{CANARY},digest-algorithm={algorithm}"
    with (
        recorder(place.directory, behave=behave) as srs,
        place.running(place.srs(srs.uri(";transport=tcp"))) as daemon,
        place.call() as call,
    ):
        until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
        call.talk()
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        assert recording.track("1") == call.alice_says
        assert recording.track("2") == call.bob_says
        assert recording.summary["ended_by"] == "bye"
        until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
        (end,) = daemon.events("recording.end")
        assert end["result"] == "recorded"
        assert CANARY not in (place.directory / "srs.log").read_text()


@pytest.mark.rfc("3261", "22.1")
@pytest.mark.req("AUT-01", "ERR-05")
def test_a_password_that_is_refused_is_tried_once_and_the_next_srs_records(place: Place) -> None:
    port = free_port()
    strict = f"sip:srs@{LOOPBACK}:{port}"
    with (
        party(_asks_twice(), place.directory, "-m", "1", address=(LOOPBACK, port)) as asks,
        recorder(place.directory) as good,
        place.running(place.srs(f"{strict};transport=udp"), place.srs(good.uri(";transport=tcp"))) as daemon,
        place.call() as call,
    ):
        until(lambda: bool(daemon.events("recording.begin")), 10, "the good one records")
        call.talk()
        call.assert_heard()
        call.hang_up()
        assert asks.wait(10) == 0, asks.errors.read_text()
        first, second = asks.received("INVITE")
        assert not first.all("Authorization")
        assert 'username="recorder"' in second.one("Authorization")
        (failed,) = daemon.events("recording.attempt-failed")
        assert (failed["srs"], failed["reason"], failed["status"]) == (strict, "srs-auth-failed", 401)
        assert daemon.events("recording.begin")[0]["srs"] == good.name


@pytest.mark.rfc("7616", "3.3")
@pytest.mark.req("AUT-01")
def test_an_srs_to_which_no_nonce_is_fresh_is_given_up(place: Place) -> None:
    with (
        recorder(place.directory, behave=f"digest=recorder:{CANARY},digest-stale") as srs,
        place.running(place.srs(srs.uri(";transport=tcp"))) as daemon,
        place.call() as call,
    ):
        call.talk()
        until(lambda: bool(daemon.events("recording.failed")), 5, "the recording failed")
        call.assert_heard()
        call.hang_up()
        assert daemon.events("recording.failed")[0]["why"] == f"{srs.name}: srs-auth-failed 401"


@pytest.mark.req("AUT-01")
def test_a_token_goes_to_the_srs_in_the_field_that_is_configured(place: Place) -> None:
    port = free_port()
    token = f'headers = {{ "X-Auth-Token" = {{ file = "{place.secret}" }} }}'
    entry = f'[[srs]]\nuri = "sip:srs@{LOOPBACK}:{port};transport=udp"\n{token}\n'
    refuses = callee("Recorder", user="srs", peer="src").receive("INVITE").respond(403).receive("ACK")
    with (
        party(refuses, place.directory, "-m", "1", address=(LOOPBACK, port)) as srs,
        place.running(entry) as daemon,
        place.call() as call,
    ):
        until(lambda: bool(daemon.events("recording.failed")), 5, "the recording failed")
        call.talk()
        call.assert_heard()
        call.hang_up()
        assert srs.wait(10) == 0, srs.errors.read_text()
        assert srs.received("INVITE")[0].one("X-Auth-Token") == CANARY


@pytest.mark.rfc("3261", "22.3")
@pytest.mark.rfc("8760", "2.4")
@pytest.mark.req("AUT-01", "AUT-02", "AUT-06", "AUT-07")
def test_the_challenge_of_a_trunk_with_credentials_never_reaches_the_caller(place: Place) -> None:
    carrier_at = (CARRIER, free_port())
    asks = (
        "Proxy-Authenticate: " + CHALLENGE.format(0).replace("SHA-256", "MD5"),
        "Proxy-Authenticate: " + CHALLENGE.format(1),
    )
    bob = (
        callee()
        .receive("INVITE")
        .respond(407, "", *asks, contact=False)
        .receive("ACK")
        .receive("INVITE")
        .respond(200, sdp(42000))
        .receive("ACK")
        .receive("BYE")
        .respond(200)
    )
    alice = caller().invite(sdp(41000)).expect(200).ack().request("BYE").expect(200)
    nowhere = f'[[srs]]\nuri = "sip:{LOOPBACK}:{free_port()};transport=tcp"\n'
    with (
        place.running(_trunks(place, carrier_at), nowhere, routed=False),
        party(bob, place.directory, address=carrier_at) as called,
        party(
            alice, place.directory, f"{LOOPBACK}:{place.sip_port}", address=(LOOPBACK, free_port())
        ) as calling,
    ):
        for each in (calling, called):
            assert each.wait(20) == 0, each.errors.read_text()
    first, second = called.received("INVITE")
    assert not first.all("Proxy-Authorization")
    assert 'nonce="n1"' in second.one("Proxy-Authorization")
    assert called.received("ACK")[-1].one("Proxy-Authorization") == second.one("Proxy-Authorization")
    assert "nc=00000002" in called.received("BYE")[0].one("Proxy-Authorization")
    assert not calling.received(407)


def _asks_twice() -> Script:
    script = callee("Recorder", user="srs", peer="src")
    for number in range(2):
        asks = f"WWW-Authenticate: {CHALLENGE.format(number)}"
        script.receive("INVITE").respond(401, "", asks, contact=False).receive("ACK")
    return script


def _trunks(place: Place, carrier_at: tuple[str, int]) -> str:
    return f"""
[[trunk]]
name = "pbx"
from = ["{LOOPBACK}"]
to = "carrier"

[[trunk]]
name = "carrier"
from = ["{CARRIER}"]
uri = "sip:{carrier_at[0]}:{carrier_at[1]}"
to = "sip:{LOOPBACK}:{place.bob_at[1]}"
username = "trunk"
password_file = "{place.secret}"
"""
