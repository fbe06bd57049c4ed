"""Recording sessions by HTTP, and commands to one copy of a call."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.api.v1 import recordings as module
from siprec_src.recording import commands
from siprec_src.recording.rule import Record
from tests.unit.api.door import ALICE, BOB, BOBS_CALL, BOTH, Door
from tests.unit.api.test_auth import basic
from tests.unit.recording.play import two_party_call


def only(door: Door) -> dict[str, object]:
    (recording,) = door.ask("GET", "/v1/recordings").json["recordings"]
    return dict(recording)


def test_a_recording_session_is_shown_with_its_tracks() -> None:
    door = Door()
    recording = only(door)
    assert str(recording["id"]).startswith("7-")
    assert (recording["call"], recording["sid"]) == (7, "CA" + "53" * 16)
    assert (recording["srs"], recording["state"], recording["siprec"]) == (
        "sip:srs.example",
        "recording",
        None,
    )
    tracks = [(s["label"], s["track"], s["accepted"], s["copying"]) for s in recording["streams"]]  # type: ignore[attr-defined]
    assert tracks == [("1", "inbound", True, True), ("2", "outbound", True, True)]
    fetched = door.ask("GET", f"/v1/recordings/{recording['id']}").json
    assert fetched == {"recording": recording, "ladder": []}
    assert door.ask("GET", "/v1/recordings?call=7").json["recordings"] == [recording]


def test_one_copy_is_paused_and_resumed() -> None:
    door = Door()
    name = only(door)["id"]
    assert door.ask("POST", f"/v1/recordings/{name}/pause").json["state"] == "paused"
    assert not door.ask("GET", "/v1/calls/7").json["paused"]
    door.ask("POST", f"/v1/recordings/{name}/resume")
    assert door.told == [commands.Pause(7, ""), commands.Resume(7, "")]
    assert only(door)["state"] == "recording"


def test_one_copy_is_stopped_and_begun_again() -> None:
    door = Door()
    name = only(door)["id"]
    answer = door.ask("POST", f"/v1/recordings/{name}/stop")
    assert (answer.status, answer.json["state"]) == (200, "ending")
    door.ask("POST", "/v1/calls/7/start")
    assert door.told == [commands.End(7, ""), commands.Start(7)]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/recordings/7-0", 404),
        ("GET", "/v1/recordings/7", 404),
        ("GET", "/v1/recordings/x-y", 404),
        ("GET", "/v1/recordings/%C2%B2-1", 404),
        ("GET", f"/v1/recordings/{'9' * 5000}-1", 404),
        ("POST", "/v1/recordings/7-0/stop", 404),
        ("GET", "/v1/recordings?call=9", 404),
        ("GET", "/v1/recordings?after=-1", 400),
        ("GET", "/v1/recordings?after=99999999999999999999", 400),
    ],
)
def test_what_is_not_there_is_refused(method: str, path: str, status: int) -> None:
    door = Door()
    assert door.ask(method, path).status == status
    assert door.told == []


def test_an_account_has_the_recordings_of_its_own_calls() -> None:
    door = Door(accounts=BOTH)
    door.play.publish(BOBS_CALL)
    mine = door.ask("GET", "/v1/recordings", basic(ALICE.sid, "alice's")).json["recordings"]
    assert [recording["call"] for recording in mine] == [7]
    bob = basic(BOB.sid, "bob's")
    assert door.ask("POST", f"/v1/recordings/{mine[0]['id']}/stop", bob).status == 404
    assert door.told == []


def test_a_recording_that_a_rule_forces_is_left_alone() -> None:
    door = Door()
    name = only(door)["id"]
    known = door.play.pool._calls[7]
    known.decision = dataclasses.replace(known.decision, record=Record.FORCE, rule="all")
    for verb in ("pause", "stop"):
        assert door.ask("POST", f"/v1/recordings/{name}/{verb}").status == 409
    assert door.told == []


def test_long_lists_are_read_call_by_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALLS", 2)
    door = Door()
    for number in (8, 9):
        session_id = number.to_bytes(16, "big")
        door.play.publish(dataclasses.replace(two_party_call(), call=number, session_id=session_id))
    first = door.ask("GET", "/v1/recordings").json
    rest = door.ask("GET", f"/v1/recordings?after={first['next']}").json
    assert (first["next"], rest["next"]) == (8, None)
    calls = [recording["call"] for page in (first, rest) for recording in page["recordings"]]
    assert calls == [7, 8, 9]
