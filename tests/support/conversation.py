"""A call in which two voices speak: SIPp does the signalling, `voice.Voice` the media."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import speech
from tests.support.daemon import Daemon, free_port, until
from tests.support.script import Script, callee, caller, sdp
from tests.support.sipp import Sipp
from tests.support.voice import Voice

SPEECH_S = 2.0
TALK_MS = 1500  #: for the beginning of a recording, and for the last packets


class Conversation:
    """Alice calls Bob through the daemon; they talk, and she hangs up, when the test says so."""

    def __init__(
        self,
        directory: Path,
        *,
        via: tuple[str, int],
        bob_at: tuple[str, int],
        alice_at: tuple[str, int] | None = None,
        alice_voice: Voice | None = None,
        bob_voice: Voice | None = None,
        alice_offers: str | None = None,
        bob_answers: str | None = None,
        seconds: float = SPEECH_S,
        turned: bool = False,
        ended_by_alice: bool = True,
        over_tcp: bool = False,
    ) -> None:
        """Start it. ``turned``: the speech of the one is said by the other; ``over_tcp``: SIP of both."""
        transport = ("-t", "t1") if over_tcp else ()
        self._told = not over_tcp  # SIPp cannot be told to go on over TCP: she hangs up by herself
        leaves_ms = 0 if self._told else int(seconds * 1000) + TALK_MS
        words = (speech.caller(seconds), speech.callee(seconds))
        self.alice_says, self.bob_says = words[::-1] if turned else words
        alice_at = alice_at or (via[0], free_port())
        self.alice_voice = alice_voice or Voice(alice_at[0], ssrc=0x0A11CE)
        self.bob_voice = bob_voice or Voice(bob_at[0], ssrc=0x0B0B, first_sequence=100)
        alice = _alice(alice_offers or sdp(self.alice_voice.port), ends=ended_by_alice, leaves_ms=leaves_ms)
        bob = _bob(bob_answers or sdp(self.bob_voice.port))
        self.bob = Sipp(
            bob.over_tcp() if over_tcp else bob,
            directory,
            *("-m", "1", *transport),
            address=bob_at,
            media_port=free_port(),
        )
        self.alice = Sipp(
            alice.over_tcp() if over_tcp else alice,
            directory,
            *(f"[{via[0]}]:{via[1]}" if ":" in via[0] else f"{via[0]}:{via[1]}", "-m", "1", *transport),
            address=alice_at,
            media_port=free_port(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sipp in (self.alice, self.bob):
            sipp.kill()
            sipp.stop()
        self.alice_voice.stop()
        self.bob_voice.stop()

    @property
    def alice_sends_to(self) -> tuple[str, int]:
        """The daemon's port for Alice, once she has the answer."""
        until(lambda: bool(self.alice.sent("ACK")), 10, "the call is answered")
        return self.alice.peer_media()

    @property
    def bob_sends_to(self) -> tuple[str, int]:
        return self.bob.peer_media()

    def talk(self) -> None:
        """Both begin to speak, at once."""
        to_alice, to_bob = self.alice_sends_to, self.bob_sends_to
        self.alice_voice.speak(self.alice_says, to_alice)
        self.bob_voice.speak(self.bob_says, to_bob)

    def wait_talking(self, packets: int = 40) -> None:
        """Until each has heard so many packets of the other."""
        voices = (self.alice_voice, self.bob_voice)
        until(lambda: all(len(voice.heard) > packets for voice in voices), 10, "some of the speech")

    def wind_up(self, packets: int = 25) -> None:
        """Both say so many packets more, and one as much as the other: that is all that they say."""
        most = max(self.alice_voice.sent, self.bob_voice.sent) + packets
        self.alice_says = self.alice_voice.wind_up(most)
        self.bob_says = self.bob_voice.wind_up(most)

    def wait_heard(self, timeout_s: float = 30.0) -> None:
        """Until both have spoken to the end and all of it has had time to arrive."""
        voices = (self.alice_voice, self.bob_voice)
        assert all(voice.wait_spoken(timeout_s) for voice in voices), "not all was said"
        with contextlib.suppress(TimeoutError):
            until(
                lambda: (
                    len(self.alice_voice.heard) >= self.bob_voice.sent
                    and len(self.bob_voice.heard) >= self.alice_voice.sent
                ),
                2,
                "every packet",
            )

    def assert_heard(self) -> None:
        """Each heard the other octet for octet, packet for packet, from the daemon's port."""
        self.wait_heard()
        for hears, says, source in (
            (self.alice_voice, self.bob_says, self.alice_sends_to),
            (self.bob_voice, self.alice_says, self.bob_sends_to),
        ):
            numbers = [packet.sequence for packet in hears.heard]
            assert len(numbers) == len(says) // 160
            assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))
            assert hears.heard_audio() == says
            assert {packet.source for packet in hears.heard} == {source}

    def hang_up(self) -> None:
        """Alice says BYE."""
        if self._told:
            self.alice.nudge()
        self.wait_ended()

    def wait_ended(self) -> None:
        """Until the BYE has come and gone on both sides."""
        assert self.alice.wait(15) == 0, self.alice.errors.read_text()
        assert self.bob.wait(15) == 0, self.bob.errors.read_text()


@contextlib.contextmanager
def talking(
    directory: Path,
    daemon: Daemon,
    *,
    via: tuple[str, int],
    bob_at: tuple[str, int],
    alice_at: tuple[str, int] | None = None,
    bob_voice: Voice | None = None,
    seconds: float = SPEECH_S,
    over_tcp: bool = False,
) -> Iterator[Conversation]:
    """A conversation that is being recorded from its first word."""
    with Conversation(
        directory,
        via=via,
        bob_at=bob_at,
        alice_at=alice_at,
        bob_voice=bob_voice,
        seconds=seconds,
        over_tcp=over_tcp,
    ) as call:
        until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
        call.talk()
        yield call


def _alice(offer: str, *, ends: bool, leaves_ms: int) -> Script:
    """``leaves_ms``: she hangs up by herself after so long; 0: when she is told to."""
    script = caller().invite(offer).expect(180).expect(200).ack()
    if ends:
        script = script.pause(leaves_ms) if leaves_ms else script.wait_for_word()
        return script.request("BYE").expect(200)
    return script.receive("BYE").respond(200)


def _bob(answer: str) -> Script:
    return (
        callee()
        .receive("INVITE")
        .respond(180)
        .respond(200, answer, 'P-Asserted-Identity: "Bob Callee" <sip:2000@carrier.example>')
        .receive("ACK")
        .receive("BYE")
        .respond(200)
    )
