"""One call in several copies at once, and recordings that are commanded while the call lasts."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, Daemon, free_port, patient, running, until
from tests.support.recorder import Recorder, recorder


def _session_ids(documents: list[bytes]) -> set[bytes]:
    return {part.split(b'"')[0] for document in documents for part in document.split(b'session_id="')[1:]}


@pytest.mark.rfc("6341", "REQ-021")
@pytest.mark.rfc("7865", "6.10")
@pytest.mark.req("SIP-22", "PER-05")
def test_each_of_two_recorders_gets_the_whole_call_while_a_third_is_dead(tmp_path: Path) -> None:
    bob_at, listen = (LOOPBACK, free_port()), free_port()
    with recorder(tmp_path / "live") as live, recorder(tmp_path / "archive") as archive:
        dead = f"sip:srs@{LOOPBACK}:{free_port()};transport=tcp"
        config = "[recording]\nmax_forked_streams = 6\n" + "".join(
            f'[[srs]]\nuri = "{uri}"\ncopy = "{copy}"\n'
            for uri, copy in (
                (dead, "nobody"),
                (live.uri(";transport=tcp"), "live"),
                (archive.uri(";transport=tcp"), "archive"),
            )
        )
        route = f"sip:{bob_at[0]}:{bob_at[1]}"
        with (
            running(tmp_path, route=route, listen=listen, config=config) as daemon,
            Conversation(tmp_path, via=(LOOPBACK, listen), bob_at=bob_at) as call,
        ):
            until(lambda: len(daemon.events("recording.begin")) == 2, 10, "both recordings")
            call.talk()
            call.assert_heard()
            call.hang_up()
            one, two = live.recording(), archive.recording()
            for recording in (one, two):
                assert recording.track("1") == call.alice_says
                assert recording.track("2") == call.bob_says
            assert len(_session_ids([*one.metadata(), *two.metadata()])) == 1
            until(lambda: bool(daemon.events("recording.summary")), 10, "the verdict on the call")
            (summary,) = daemon.events("recording.summary")
            assert summary["copies"] == "nobody=failed:srs-unreachable live=recorded archive=recorded"
            assert not daemon.events("machine.failed")


@contextlib.contextmanager
def recorded(directory: Path, config: str = "") -> Iterator[tuple[Recorder, Daemon, dict[str, Any]]]:
    """A daemon with one SRS, and the ways of a conversation through it."""
    bob_at, listen = (LOOPBACK, free_port()), free_port()
    with recorder(directory / "srs") as srs:
        text = f'{config}[[srs]]\nuri = "{srs.uri(";transport=tcp")}"\n'
        route = f"sip:{bob_at[0]}:{bob_at[1]}"
        with running(directory, route=route, listen=listen, config=text) as daemon:
            yield srs, daemon, {"via": (LOOPBACK, listen), "bob_at": bob_at}
            assert not daemon.events("machine.failed")


def _marked(number: int) -> bytes:
    """So many packets of G.711, each of which says its number all over."""
    return b"".join(struct.pack("!I", 0x55AA0000 + i) * 40 for i in range(number))


def _numbers(track: bytes, number: int) -> list[int]:
    """The packets that are in a track, whole or in part."""
    return [i for i in range(number) if struct.pack("!I", 0x55AA0000 + i) in track]


def _command(daemon: Daemon, *words: str) -> dict[str, Any]:
    at = ("--http", f"{LOOPBACK}:{daemon.http}", "--json")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "siprec_src", "call", *words, *at],
        capture_output=True,
        text=True,
        timeout=patient(20),
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _copied(daemon: Daemon) -> bool:
    """Whether the only call is, as far as the daemon knows."""
    (known,) = json.loads(daemon.get("/v1/calls")[1])["calls"]
    return bool(known["recordings"][0]["copying"])


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.rfc("3550", "5.1")
@pytest.mark.req("SDP-19", "SIP-23", "RTP-33")
def test_nothing_spoken_in_a_pause_reaches_the_recorder_and_nothing_is_made_up_for(tmp_path: Path) -> None:
    with (
        recorded(tmp_path) as (srs, daemon, ways),
        Conversation(tmp_path, **ways) as call,
    ):
        call.alice_says = call.bob_says = _marked(3000)
        until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
        (known,) = _command(daemon, "list")["calls"]
        name = str(known["call"])
        voices = (call.alice_voice, call.bob_voice)
        call.talk()
        call.wait_talking(40)
        status, paused = daemon.post(f"/v1/calls/{name}/pause")
        first = [voice.sent + 1 for voice in voices]  # the next one may be on its way already
        assert (status, paused["paused"], paused["recordings"][0]["copying"]) == (200, True, False)
        until(lambda: min(voice.sent for voice in voices) > 90, 5, "the card number")
        last = [voice.sent for voice in voices]
        assert daemon.post(f"/v1/calls/{name}/resume")[0] == 202
        until(lambda: _copied(daemon), 5, "the copying goes on")
        again = [voice.sent + 50 for voice in voices]  # by then the engine has been told
        call.wind_up(80)
        call.wait_heard()
        call.hang_up()
        recording = srs.recording()
        said = (call.alice_says, call.bob_says)
        for label, says, begin, end, on in zip(("1", "2"), said, first, last, again, strict=True):
            there = _numbers(recording.track(label), len(says) // 160)
            assert not set(there) & set(range(begin, end))
            assert set(there) >= set(range(41)) | set(range(on, len(says) // 160))
            books = recording.books(label)
            assert (books["received"], books["lost"]) == (len(there), 0)
            assert recording.channels().shape[1] >= len(says), "in its time the pause is there"
        line = daemon.event("recording.end")
        assert line["result"] == "recorded"
        assert line["offered"] == line["delivered"] + line["skipped_paused"] == sum(v.sent for v in voices)


@pytest.mark.req("UPD-02", "PER-04")
def test_a_recording_is_begun_stopped_and_begun_again_while_the_call_lasts(tmp_path: Path) -> None:
    with (
        recorded(tmp_path, "[recording]\nautomatic = false\n") as (srs, daemon, ways),
        Conversation(tmp_path, **ways, seconds=60.0) as call,
    ):
        call.talk()
        call.wait_talking(20)
        (known,) = _command(daemon, "list")["calls"]
        assert known["recordings"] == []
        name = str(known["session"])
        _command(daemon, "start", name)
        until(lambda: len(daemon.events("recording.begin")) == 1, 5, "the recording")
        stopped = _command(daemon, "stop", name)
        assert not any(recording["copying"] for recording in stopped["recordings"])
        until(lambda: len(daemon.events("recording.end")) == 1, 5, "its end")
        assert daemon.post(f"/v1/calls/{known['call']}/start")[0] == 202
        until(lambda: len(daemon.events("recording.begin")) == 2, 5, "the second one")
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        one, two = srs.recordings(2)
        assert len(_session_ids([*one.metadata(), *two.metadata()])) == 1
        for recording in (one, two):
            assert b"<datamode>complete</datamode>" in recording.metadata()[0]
        assert call.alice_says.endswith(two.track("1"))
        assert len(two.track("1")) > 160
        until(lambda: bool(daemon.events("recording.summary")), 5, "the verdict")
        (summary,) = daemon.events("recording.summary")
        assert (summary["result"], summary["sessions"]) == ("recorded", 2)
