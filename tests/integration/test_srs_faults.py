"""SRSs that refuse, talk nonsense, say nothing or vanish: the call goes on untouched, and the log tells."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.conversation import Conversation, talking
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.recorder import Recorder, recorder
from tests.support.script import Script, callee, srs_answer
from tests.support.sipp import Sipp

REFUSALS = (403, 488, 500, 503, 603)
IMPATIENCE = "answer_timeout_s = 1.0\n"  #: with those that never answer; the others may take their time
NONSENSE = {
    "no-description": "",
    "garbage": "\x01\x02 this is no session description",
    "one-line-too-few": srs_answer([41000]),
    "one-line-too-many": srs_answer([41000, 41002, 41004]),
}


@contextlib.contextmanager
def bad_servers(directory: Path) -> Iterator[dict[str, tuple[str, int | None]]]:
    """Every kind of SRS that does not take a call, by URI: the reason and the status that must be told."""
    scripts: list[tuple[Script, str, int | None]] = [
        (_refuses(status), "srs-refused", status) for status in REFUSALS
    ]
    scripts += [(_answers(body), "srs-bad-answer", None) for body in NONSENSE.values()]
    scripts.append((_answers(srs_answer([0, 0])), "srs-no-media", None))
    expected: dict[str, tuple[str, int | None]] = {}
    with contextlib.ExitStack() as stack:
        for number, (script, reason, status) in enumerate(scripts):
            port = free_port()
            server = Sipp(
                script, directory, address=(LOOPBACK, port), media_port=free_port(), name=f"srs{number}"
            )
            stack.callback(server.stop)
            stack.callback(server.kill)
            expected[_uri(port, "udp")] = (reason, status)
        for kind, transport in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
            silent = stack.enter_context(socket.socket(socket.AF_INET, kind))
            silent.bind((LOOPBACK, 0))
            if kind is socket.SOCK_STREAM:
                silent.listen()
            expected[_uri(silent.getsockname()[1], transport)] = ("srs-timeout", 408)
        expected[_uri(free_port(), "tcp")] = ("srs-unreachable", 503)
        expected[_uri(free_port(), "udp")] = ("srs-unreachable", 503)
        yield expected


def silent_ones(bad: Mapping[str, tuple[str, int | None]]) -> set[str]:
    return {uri for uri, (reason, _) in bad.items() if reason == "srs-timeout"}


@pytest.fixture
def fault(tmp_path: Path) -> Fault:
    return Fault(tmp_path)


class Fault:
    """A daemon that knows some SRSs, and one call through it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._sip_port = free_port()
        self._bob_at = (LOOPBACK, free_port())

    @contextlib.contextmanager
    def daemon(self, uris: list[str], silent: Collection[str] = ()) -> Iterator[Daemon]:
        config = "".join(f'[[srs]]\nuri = "{uri}"\n{IMPATIENCE if uri in silent else ""}\n' for uri in uris)
        route = f"sip:{self._bob_at[0]}:{self._bob_at[1]}"
        with running(self.directory, route=route, listen=self._sip_port, config=config) as daemon:
            yield daemon
            assert not daemon.events("machine.failed")

    def call(self, seconds: float) -> Conversation:
        """A call that is not yet talked in."""
        return Conversation(
            self.directory, via=(LOOPBACK, self._sip_port), bob_at=self._bob_at, seconds=seconds
        )

    def recorded_call(
        self, daemon: Daemon, seconds: float
    ) -> contextlib.AbstractContextManager[Conversation]:
        return talking(
            self.directory,
            daemon,
            via=(LOOPBACK, self._sip_port),
            bob_at=self._bob_at,
            seconds=seconds,
        )


def check_call_books(daemon: Daemon, packets: int) -> None:
    """Nothing of the call was lost or dropped."""
    end = daemon.event("call.end")
    assert end["outcome"] == "answered"
    for side in ("caller", "callee"):
        assert end[f"{side}_received"] == end[f"{side}_relayed"] == packets
        assert end[f"{side}_lost"] == end[f"{side}_dropped"] == 0


@pytest.mark.rfc("3261", "8.1.3.1", "21.5.4")
@pytest.mark.rfc("3264", "6")
@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("ERR-08", "ERR-13")
def test_every_bad_srs_is_passed_by_and_the_last_good_one_records(fault: Fault) -> None:
    with (
        bad_servers(fault.directory) as bad,
        recorder(fault.directory) as good,
        fault.daemon([*bad, good.uri(";transport=tcp")], silent_ones(bad)) as daemon,
        fault.call(60.0) as call,
    ):
        call.talk()
        until(lambda: bool(daemon.events("recording.begin")), 10, "the good one records")
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        recording = good.recording()
        for label, speech in (("1", call.alice_says), ("2", call.bob_says)):
            assert len(recording.track(label)) > 160
            assert speech.endswith(recording.track(label))
            assert recording.books(label)["lost"] == 0
        assert _attempts(daemon) == {_name(uri): why for uri, why in bad.items()}
        (begin,) = daemon.events("recording.begin")
        assert begin["srs"] == good.name
        check_call_books(daemon, len(call.alice_says) // 160)


@pytest.mark.rfc("7866", "4")
@pytest.mark.req("ERR-13")
def test_without_any_good_srs_the_call_goes_on_and_what_was_not_recorded_is_told(fault: Fault) -> None:
    with (
        bad_servers(fault.directory) as bad,
        fault.daemon(list(bad), silent_ones(bad)) as daemon,
        fault.call(60.0) as call,
    ):
        call.talk()
        until(lambda: bool(daemon.events("recording.failed")), 10, "the round has failed")
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        failed = daemon.events("recording.failed")[0]
        for uri, (reason, _) in bad.items():
            assert f"{_name(uri)}: {reason}" in failed["why"]
        assert failed["not_recorded"] == "audio,audio"
        assert failed["from_s"] == 0.0
        until(lambda: bool(daemon.events("recording.none")), 5, "the last word on the call")
        assert sum(line.startswith("siprec_src_calls_unrecorded_total{") for line in _metrics(daemon)) == 1
        check_call_books(daemon, len(call.alice_says) // 160)


@pytest.mark.rfc("7866", "7.1.1.1", "7.2.1.2")
def test_an_srs_that_answers_inactive_gets_nothing_and_keeps_its_session(fault: Fault) -> None:
    with (
        recorder(fault.directory, behave="inactive") as srs,
        fault.daemon([srs.uri(";transport=tcp")]) as daemon,
        fault.recorded_call(daemon, 1.0) as call,
    ):
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        assert [recording.books(label)["received"] for label in recording.labels] == [0, 0]
        assert recording.summary["ended_by"] == "bye"
        check_call_books(daemon, len(call.alice_says) // 160)


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-20")
def test_an_srs_that_refuses_one_track_gets_the_other(fault: Fault) -> None:
    with (
        recorder(fault.directory, behave="port-zero=1") as srs,
        fault.daemon([srs.uri(";transport=tcp")]) as daemon,
        fault.recorded_call(daemon, 1.0) as call,
    ):
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        assert recording.track("2") == call.bob_says
        assert recording.track("1") == b""
        (begin,) = daemon.events("recording.begin")
        assert begin["tracks"] == "2"
        check_call_books(daemon, len(call.alice_says) // 160)


@pytest.mark.rfc("4568", "5.1.3", "7.4")
@pytest.mark.rfc("7866", "12.2")
def test_a_secure_recording_never_falls_back_to_rtp(fault: Fault) -> None:
    with (
        recorder(fault.directory, behave="plain") as srs,
        fault.daemon([srs.uri(";secure=true;transport=tcp")]) as daemon,
        fault.call(1.0) as call,
    ):
        call.talk()
        call.assert_heard()
        until(lambda: bool(daemon.events("recording.failed")), 5, "the recording failed")
        call.hang_up()
        assert _attempts(daemon) == {srs.name: ("srs-bad-answer", None)}
        assert not daemon.events("recording.begin")
        assert [srs.recording().books(label)["received"] for label in ("1", "2")] == [0, 0]
        check_call_books(daemon, len(call.alice_says) // 160)


@pytest.mark.rfc("3261", "15.1.2")
@pytest.mark.req("DLG-11")
def test_an_srs_that_says_bye_in_mid_call_ends_only_its_recording(fault: Fault) -> None:
    with (
        recorder(fault.directory, behave="bye-after=2") as srs,
        fault.daemon([srs.uri(";transport=tcp")]) as daemon,
        fault.recorded_call(daemon, 60.0) as call,
    ):
        end = daemon.event("recording.end")
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        for label, speech in (("1", call.alice_says), ("2", call.bob_says)):
            assert 0 < len(recording.track(label)) < len(speech)
            assert speech.startswith(recording.track(label))
        assert (end["result"], end["reason"], end["srs"]) == ("interrupted", "srs-bye", srs.name)
        failed = daemon.event("recording.failed")
        assert failed["why"] == f"{srs.name}: srs-bye"
        assert failed["from_s"] >= 1.0
        check_call_books(daemon, len(call.alice_says) // 160)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_srs_that_is_killed_in_mid_call_costs_the_call_nothing(fault: Fault, transport: str) -> None:
    with (
        recorder(fault.directory) as srs,
        fault.daemon([srs.uri(f";transport={transport}")]) as daemon,
        fault.recorded_call(daemon, 60.0) as call,
    ):
        _kill_in_mid_speech(srs, call)
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        check_call_books(daemon, len(call.alice_says) // 160)
        end = daemon.event("recording.end")
        assert end["srs"] == srs.name
        assert end["result"] == "interrupted"


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("ERR-08", "DLG-04")
def test_when_the_srs_dies_in_mid_call_the_next_one_takes_over_with_a_complete_snapshot(fault: Fault) -> None:
    (fault.directory / "second").mkdir()
    with (
        recorder(fault.directory) as first,
        recorder(fault.directory / "second") as second,
        fault.daemon([srs.uri(";transport=tcp") for srs in (first, second)]) as daemon,
        fault.recorded_call(daemon, 60.0) as call,
    ):
        _kill_in_mid_speech(first, call)
        until(lambda: len(daemon.events("recording.begin")) == 2, 10, "the second one records")
        call.wind_up()
        call.assert_heard()
        call.hang_up()
        recording = second.recording()
        for label, speech in (("1", call.alice_says), ("2", call.bob_says)):
            assert len(recording.track(label)) > 160
            assert speech.endswith(recording.track(label))
        assert b"<datamode>complete</datamode>" in recording.metadata()[0]
        until(lambda: len(daemon.events("recording.end")) == 2, 10, "the end of both recordings")
        lost, kept = daemon.events("recording.end")
        assert (lost["srs"], lost["result"]) == (first.name, "interrupted")
        assert (kept["srs"], kept["result"]) == (second.name, "recorded")
        check_call_books(daemon, len(call.alice_says) // 160)


def _kill_in_mid_speech(srs: Recorder, call: Conversation) -> None:
    call.wait_talking()
    srs.kill()


def _refuses(status: int) -> Script:
    return (
        callee("Recorder", user="srs", peer="src")
        .receive("INVITE")
        .respond(status, "", contact=False)
        .receive("ACK")
    )


def _answers(body: str) -> Script:
    return (
        callee("Recorder", user="srs", peer="src")
        .receive("INVITE")
        .respond(200, body, "Contact: <sip:srs@[local_ip]:[local_port]>;+sip.srs", contact=False)
        .receive("ACK")
        .receive("BYE")
        .respond(200)
    )


def _uri(port: int, transport: str) -> str:
    return f"sip:srs@{LOOPBACK}:{port};transport={transport}"


def _name(uri: str) -> str:
    return uri.partition(";")[0]


def _attempts(daemon: Daemon) -> dict[str, tuple[str, int | None]]:
    """Which SRS did not take the call, why, and by which status."""
    lines = daemon.events("recording.attempt-failed")
    return {line["srs"]: (line["reason"], line.get("status")) for line in lines}


def _metrics(daemon: Daemon) -> list[str]:
    return daemon.get("/metrics")[1].splitlines()
