"""Transfers and holds on the wire: SIPp on both sides, speech between them, recordings at the bundled SRS."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import speech
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.metadata import Told, directions
from tests.support.ports import media_ports
from tests.support.recorder import Recorder, Recording, recorder
from tests.support.script import Script, callee, caller, sdp
from tests.support.sipp import Sipp
from tests.support.voice import Voice

CARRIER = "127.0.0.3"
WORDS_S = 0.5
ALICE, BOB, CAROL = (f"sip:{number}@pbx.example" for number in (1000, 2000, 3000))
SIPFRAG = "message/sipfrag;version=2.0"


@dataclasses.dataclass(slots=True)
class Site:
    """A PBX and a carrier with the daemon between them, and an SRS, as one test has them."""

    daemon: Daemon
    srs: Recorder
    directory: Path
    listen: tuple[str, int]
    pbx_at: tuple[str, int]
    carrier_at: tuple[str, int]
    before: int = 0  #: recordings of the tests before

    @contextlib.contextmanager
    def party(
        self, script: Script, host: str, *, at: tuple[str, int] | None = None, calls: int = 1
    ) -> Iterator[Sipp]:
        """``at``: where it takes ``calls``; else it makes one, from ``host``."""
        target = () if at else (f"{self.listen[0]}:{self.listen[1]}",)
        address, arguments = at or (host, free_port()), (*target, "-m", str(calls))
        started = Sipp(script, self.directory, *arguments, address=address, media_port=free_port())
        try:
            yield started
        finally:
            started.kill()
            started.stop()

    def wait_recorded(self, calls: int) -> None:
        count = self.before + calls
        until(lambda: len(self.daemon.events("recording.begin")) >= count, 10, "the recording begins")

    def wait_told(self, sends: dict[str, list[str]]) -> None:
        """Until the newest document says who sends on which label."""

        def newest() -> bytes:
            files = (self.srs.directory / "out").glob("*.metadata-*.xml")
            return max(files, key=_age).read_bytes()

        until(lambda: directions(newest())[0] == sends, 10, f"metadata that says {sends}")

    def finish(self, *parties: Sipp) -> list[Recording]:
        """All scripts come to their ends; the recordings of all calls, oldest first."""
        for each in parties:
            assert each.wait(15) == 0, each.errors.read_text()
        return self.srs.recordings(len(self.daemon.events("recording.begin")))[self.before :]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    tmp_path = tmp_path_factory.mktemp("transfers")
    listen, pbx_at, carrier_at = (LOOPBACK, free_port()), (LOOPBACK, free_port()), (CARRIER, free_port())
    with recorder(tmp_path) as srs:
        config = f"""
[[edge]]
name = "both"
listen = "{listen[0]}:{listen[1]}"
rtp_low = {media_ports()[0]}
rtp_high = {media_ports()[1]}

[[trunk]]
name = "pbx"
from = ["{LOOPBACK}"]
to = "carrier"
uri = "sip:{pbx_at[0]}:{pbx_at[1]}"

[[trunk]]
name = "carrier"
from = ["{CARRIER}/32"]
to = "pbx"
uri = "sip:{carrier_at[0]}:{carrier_at[1]}"

[[srs]]
uri = "{srs.uri(";transport=tcp")}"
"""
        with running(tmp_path, config=config) as daemon:
            yield Site(daemon, srs, tmp_path, listen, pbx_at, carrier_at)


@pytest.fixture
def site(shared: Site, tmp_path: Path) -> Site:
    before = len(shared.daemon.events("recording.begin"))
    return dataclasses.replace(shared, directory=tmp_path, before=before)


def _age(document: Path) -> tuple[int, int]:
    """When it was written, and its number: the clock of files may stand still from one to the next."""
    return document.stat().st_mtime_ns, int(document.stem.rpartition("-")[2])


@contextlib.contextmanager
def voices(*hosts: str) -> Iterator[list[Voice]]:
    made = [Voice(host, ssrc=0x1000 + n) for n, host in enumerate(hosts)]
    try:
        yield made
    finally:
        for voice in made:
            voice.stop()


def words(of: int) -> bytes:
    """What one of three people says."""
    first, second = speech.caller(2 * WORDS_S), speech.callee(WORDS_S)
    return (first[: len(second)], second, first[len(second) :])[of]


def say(voice: Voice, what: bytes, sipp: Sipp) -> None:
    """Speak to where the newest SDP that this party got wants it."""
    voice.speak(what, sipp.peer_media())


def heard(*voices: Voice) -> None:
    assert all(voice.wait_spoken(10) for voice in voices)


@pytest.mark.rfc("3515", "2.4.4")
@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.req("MD-55", "MD-20")
def test_a_blind_transfer_is_recorded_as_two_sessions_of_one_group(site: Site) -> None:
    refer = (f"Refer-To: <{CAROL}>", f"Referred-By: <{ALICE}>")
    event = ("Event: refer", "Subscription-State: active;expires=60")
    with voices(LOOPBACK, CARRIER, LOOPBACK, CARRIER) as (alice_says, bob_says, carol_says, bob_says_again):
        alice = (
            caller("Alice").invite(sdp(alice_says.port)).expect(200).ack().wait_for_word()
            .request("REFER", "", *refer).expect(202)
            .receive("NOTIFY").respond(200).receive("NOTIFY").respond(200)
            .request("BYE").expect(200)
        )  # fmt: skip
        bob = (
            callee("Bob").receive("INVITE").respond(200, sdp(bob_says.port)).receive("ACK")
            .receive("REFER").respond(202)
            .request("NOTIFY", "SIP/2.0 100 Trying\r\n", *event, kind=SIPFRAG).expect(200)
            .wait_for_word()
            .request("NOTIFY", "SIP/2.0 200 OK\r\n", *event, kind=SIPFRAG).expect(200)
            .receive("BYE").respond(200)
        )  # fmt: skip
        calling_on = (
            caller("Bobagain", user="2000", peer="3000")
            .invite(sdp(bob_says_again.port), f"Referred-By: <{ALICE}>").expect(200).ack().wait_for_word()
            .request("BYE").expect(200)
        )  # fmt: skip
        carol = (
            callee("Carol", user="3000", peer="2000").receive("INVITE")
            .respond(200, sdp(carol_says.port)).receive("ACK").receive("BYE").respond(200)
        )  # fmt: skip
        with (
            site.party(bob, CARRIER, at=site.carrier_at) as bob_sipp,
            site.party(carol, LOOPBACK, at=site.pbx_at) as carol_sipp,
            site.party(alice, LOOPBACK) as alice_sipp,
        ):
            site.wait_recorded(1)
            say(alice_says, words(0), alice_sipp)
            say(bob_says, words(1), bob_sipp)
            heard(alice_says, bob_says)
            alice_sipp.nudge()
            until(lambda: bool(bob_sipp.sent("NOTIFY")), 10, "Bob calls on")
            with site.party(calling_on, CARRIER) as again_sipp:
                site.wait_recorded(2)
                bob_sipp.nudge()
                say(bob_says_again, words(1), again_sipp)
                say(carol_says, words(2), carol_sipp)
                heard(bob_says_again, carol_says)
                again_sipp.nudge()
                first, second = site.finish(alice_sipp, bob_sipp, again_sipp, carol_sipp)
    assert (first.track("1"), first.track("2")) == (words(0), words(1))
    assert (second.track("1"), second.track("2")) == (words(1), words(2))
    before, after = Told(first.metadata()[-1]), Told(second.metadata()[0])
    assert before.groups == after.groups
    assert before.sessions != after.sessions
    assert before.stopped
    assert before.people.keys() == {ALICE, BOB}
    assert after.present == {BOB: True, CAROL: True}
    assert before.people[BOB] == after.people[BOB]
    progress = [notify.body.strip() for notify in alice_sipp.received("NOTIFY") if notify.all("Event")]
    assert progress == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]


@pytest.mark.rfc("3891", "3")
@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.req("MD-55")
def test_a_leg_that_replaces_another_goes_on_being_recorded_in_the_group(site: Site) -> None:
    with voices(LOOPBACK, LOOPBACK, CARRIER) as (alice_says, moved_says, bob_says):
        alice = (
            caller("Alice").invite(sdp(alice_says.port)).expect(200).ack().wait_for_word()
            .request("BYE").expect(200)
        )  # fmt: skip
        bob = callee("Bob").receive("INVITE").respond(200, sdp(bob_says.port)).receive("ACK")
        bob = bob.receive("BYE").respond(200)
        with (
            site.party(bob, CARRIER, at=site.carrier_at, calls=2) as bob_sipp,
            site.party(alice, LOOPBACK) as alice_sipp,
        ):
            site.wait_recorded(1)
            say(alice_says, words(0), alice_sipp)
            say(bob_says, words(1), bob_sipp)
            heard(alice_says, bob_says)
            (answer,) = alice_sipp.received(200, of="INVITE")
            own, peer = (answer.one(name).partition("tag=")[2] for name in ("To", "From"))
            replaces = f"Replaces: {answer.one('Call-ID')};to-tag={own};from-tag={peer}"
            moved = (
                caller("Moved").invite(sdp(moved_says.port), replaces).expect(200).ack().wait_for_word()
                .request("BYE").expect(200)
            )  # fmt: skip
            with site.party(moved, LOOPBACK) as moved_sipp:
                site.wait_recorded(2)
                alice_sipp.nudge()
                say(moved_says, words(2), moved_sipp)
                heard(moved_says)
                moved_sipp.nudge()
                first, second = site.finish(alice_sipp, moved_sipp, bob_sipp)
    invite, ack = bob_sipp.received("INVITE")[1], bob_sipp.received("ACK")[0]
    tags = [ack.one(name).partition("tag=")[2] for name in ("To", "From")]
    assert invite.one("Replaces") == f"{ack.one('Call-ID')};to-tag={tags[0]};from-tag={tags[1]}"
    assert (first.track("1"), first.track("2"), second.track("1")) == (words(0), words(1), words(2))
    before, after = Told(first.metadata()[-1]), Told(second.metadata()[0])
    assert before.groups == after.groups
    assert before.people == after.people
    assert before.stopped


@pytest.mark.rfc("3264", "8.3.1", "8.4")
@pytest.mark.rfc("8068", "3.2.2")
@pytest.mark.req("MD-50", "MD-51", "SDP-20")
def test_holds_of_both_sides_and_music_are_recorded_as_they_are_heard(site: Site) -> None:
    with voices(LOOPBACK, CARRIER, CARRIER, CARRIER) as (alice_says, bob_says, music, bob_says_on):
        alice = (
            caller("Alice").invite(sdp(alice_says.port)).expect(200).ack()
            .receive("INVITE").respond(200, sdp(alice_says.port, "a=recvonly", version=2)).receive("ACK")
            .receive("INVITE").respond(200, sdp(alice_says.port, version=3)).receive("ACK").wait_for_word()
            .invite(sdp(alice_says.port, "a=inactive", version=4)).expect(200).ack().wait_for_word()
            .request("BYE").expect(200)
        )  # fmt: skip
        bob = (
            callee("Bob").receive("INVITE").respond(200, sdp(bob_says.port)).receive("ACK").wait_for_word()
            .invite(sdp(music.port, "a=sendonly", version=2)).expect(200).ack().wait_for_word()
            .invite(sdp(bob_says_on.port, version=3)).expect(200).ack()
            .receive("INVITE").respond(200, sdp(bob_says_on.port, "a=inactive", version=4)).receive("ACK")
            .receive("BYE").respond(200)
        )  # fmt: skip
        with (
            site.party(bob, CARRIER, at=site.carrier_at) as bob_sipp,
            site.party(alice, LOOPBACK) as alice_sipp,
        ):
            site.wait_recorded(1)
            say(bob_says, words(1), bob_sipp)
            heard(bob_says)
            bob_sipp.nudge()
            site.wait_told({ALICE: [], BOB: ["2"]})
            say(music, words(2), bob_sipp)
            heard(music)
            bob_sipp.nudge()
            site.wait_told({ALICE: ["1"], BOB: ["2"]})
            say(alice_says, words(0), alice_sipp)
            say(bob_says_on, words(1), bob_sipp)
            heard(alice_says, bob_says_on)
            alice_sipp.nudge()
            site.wait_told({ALICE: [], BOB: []})
            alice_sipp.nudge()
            (recording,) = site.finish(alice_sipp, bob_sipp)
    assert recording.track("1") == words(0)
    assert recording.track("2") == words(1) + words(2) + words(1)
    assert [recording.books(label)["lost"] for label in ("1", "2")] == [0, 0]
