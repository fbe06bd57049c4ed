"""Processes that are killed or told to end while two people talk and are recorded."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.recorder import Recorder, recorder
from tests.support.script import caller, sdp
from tests.support.sipp import Sipp


class Service:
    """A daemon with an SRS, and calls through it."""

    def __init__(
        self, directory: Path, daemon: Daemon, srs: Recorder, port: int, bob_at: tuple[str, int]
    ) -> None:
        self.directory = directory
        self.daemon = daemon
        self.srs = srs
        self.port = port
        self._bob_at = bob_at
        self._calls = 0

    @contextlib.contextmanager
    def call(self, seconds: float, *, ended_by_alice: bool = True) -> Iterator[Conversation]:
        """Two who talk and are recorded from their first word."""
        self._calls += 1
        directory = self.directory / f"call{self._calls}"
        directory.mkdir()
        before = len(self.daemon.events("recording.begin"))
        with Conversation(
            directory,
            via=(LOOPBACK, self.port),
            bob_at=self._bob_at,
            seconds=seconds,
            ended_by_alice=ended_by_alice,
        ) as call:
            until(lambda: len(self.daemon.events("recording.begin")) > before, 10, "the recording")
            call.talk()
            call.wait_talking()
            yield call

    def kill(self, child: str) -> None:
        """As a crash would, and wait for the next one."""
        before = self.daemon.pid_of(child)
        os.kill(before, signal.SIGKILL)
        until(lambda: self.daemon.pid_of(child) != before, 10, f"a new {child} process")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with (
        recorder(tmp_path) as srs,
        running(
            tmp_path, srs=[srs.uri(";transport=tcp")], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port
        ) as daemon,
    ):
        yield Service(tmp_path, daemon, srs, port, bob_at)
        assert not daemon.events("machine.failed")


def test_no_packet_is_lost_when_control_is_killed_and_its_successor_takes_new_calls(service: Service) -> None:
    with service.call(60.0) as orphaned:
        service.kill("control")
        until(lambda: len(service.daemon.events("control.listening")) == 2, 15, "control again")
        orphaned.wind_up()
        orphaned.assert_heard()
    with service.call(60.0) as call:
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        until(lambda: bool(service.daemon.events("recording.end")), 10, "the end of the recording")
    recordings = [r for r in service.srs.recordings() if r.summary["ended_by"] == "bye"]
    assert [(r.track("1"), r.track("2")) for r in recordings] == [(call.alice_says, call.bob_says)]


def test_speech_and_recording_go_on_when_the_media_process_is_killed(service: Service) -> None:
    with service.call(60.0) as call:
        for deaths in (1, 2):
            service.kill("media")
            until(lambda n=deaths: _resumed(service.daemon) == n, 10, "the next")  # type: ignore[misc]
        call.wind_up(60)
        for hears, says in ((call.alice_voice, call.bob_says), (call.bob_voice, call.alice_says)):
            until(lambda v=hears, end=says[-8000:]: v.heard_audio().endswith(end), 10, "the rest")  # type: ignore[misc]
        call.hang_up()
        until(lambda: bool(service.daemon.events("recording.end")), 10, "the end of the recording")
        (end,) = service.daemon.events("recording.end")
        assert end["offered"] == end["delivered"] + end["dropped_restart"]
        assert end["dropped_restart"] <= 4  # a packet of each track a death
        assert (end["result"], end["reason"]) in {("recorded", "call-ended"), ("partly", "media-restart")}
        assert service.srs.recording().track("1").endswith(call.alice_says[-8000:])
        assert not service.daemon.events("call.media-down")


def _resumed(daemon: Daemon) -> int:
    return sum(event["process"] == "control" for event in daemon.events("media.resumed"))


def test_a_media_process_that_finds_no_sound_memory_interrupts_speech_and_recording_but_not_the_call(
    service: Service,
) -> None:
    with service.call(60.0) as call:
        service.daemon.spoil_media_memory()
        service.kill("media")
        until(lambda: len(service.daemon.events("recording.begin")) == 2, 10, "recorded again")
        from_here = {voice: voice.sent * 160 for voice in (call.alice_voice, call.bob_voice)}
        call.wind_up(60)
        for hears, voice, says in (
            (call.alice_voice, call.bob_voice, call.bob_says),
            (call.bob_voice, call.alice_voice, call.alice_says),
        ):
            rest = says[from_here[voice] :]
            assert len(rest) > 8000
            until(lambda v=hears, end=rest: v.heard_audio().endswith(end), 10, "the rest")  # type: ignore[misc]
        call.hang_up()
        first, second = service.srs.recordings(2)
        for label, voice, says in (
            ("1", call.alice_voice, call.alice_says),
            ("2", call.bob_voice, call.bob_says),
        ):
            assert says.startswith(first.track(label))
            assert second.track(label).endswith(says[from_here[voice] :])
            assert says.endswith(second.track(label))
        until(lambda: len(service.daemon.events("recording.end")) == 2, 10, "the end of both recordings")
        broken, whole = service.daemon.events("recording.end")
        assert (broken["result"], broken["reason"]) == ("interrupted", "media-down")
        assert whole["result"] == "recorded"
        assert service.daemon.events("media.not-resumed")


@pytest.mark.rfc("3261", "21.5.4")
def test_sigterm_refuses_new_calls_and_lets_the_running_one_finish_and_be_recorded(service: Service) -> None:
    with service.call(60.0) as call:
        service.daemon.signal(signal.SIGTERM)
        until(lambda: bool(service.daemon.events("control.draining")), 10, "draining")
        late = Sipp(
            caller("Carol").invite(sdp(4000)).expect(503).ack_refusal(),
            service.directory,
            *(f"{LOOPBACK}:{service.port}", "-m", "1"),
            address=(LOOPBACK, free_port()),
            media_port=free_port(),
        )
        assert late.wait(10) == 0, late.errors.read_text()
        late.stop()
        assert late.received(503)[0].one("Retry-After").isdecimal()
        assert service.daemon.get("/readyz")[0] == 503
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        assert service.daemon.wait() == 0
        recording = service.srs.recording()
        assert recording.track("1") == call.alice_says
        assert recording.track("2") == call.bob_says
        (end,) = service.daemon.events("recording.end")
        assert end["result"] == "recorded"


@pytest.mark.rfc("3261", "15.1.1")
def test_a_second_sigterm_says_bye_to_both_parties_and_to_the_srs(service: Service) -> None:
    with service.call(60.0, ended_by_alice=False) as call:
        service.daemon.signal(signal.SIGTERM)
        until(lambda: bool(service.daemon.events("control.draining")), 10, "draining")
        service.daemon.signal(signal.SIGTERM)
        assert service.daemon.wait() == 0
        call.wait_ended()
        recording = service.srs.recording()
        assert recording.summary["ended_by"] == "bye"
        for label, says in (("1", call.alice_says), ("2", call.bob_says)):
            assert len(recording.track(label)) >= 40 * 160
            assert says.startswith(recording.track(label))
