"""Calls and commands by HTTP: who may, what is answered, and when a pause is said to hold."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping

import pytest

from siprec_src.api.accounts import Operator
from siprec_src.api.v1 import calls
from siprec_src.communication import Name, id_text
from siprec_src.daemon.remote import as_lines
from siprec_src.recording import commands
from siprec_src.recording.rule import Record, Rule
from tests.support.asgi import LOCAL
from tests.unit.api.door import Door
from tests.unit.recording.play import two_party_call


def test_calls_and_their_recordings_are_shown() -> None:
    answer = Door().ask("GET", "/v1/calls")
    assert (answer.status, answer.json["more"]) == (200, 0)
    (call,) = answer.json["calls"]
    assert call == {
        "call": 7,
        "session": id_text(b"S" * 16),
        "sid": "CA" + (b"S" * 16).hex(),
        "account": None,
        "trunk": "",
        "started": "2026-01-02T00:00:00.000+00:00",
        "ended": None,
        "caller": "sip:alice@example.com",
        "callee": "sip:bob@example.net",
        "paused": False,
        "rule": "",
        "record": "dont-care",
        "recordings": [
            {"copy": "", "srs": "sip:srs.example", "state": "recording", "copying": True},
        ],
        "recorded": None,
        "verdict": None,
    }
    (line,) = as_lines([call])
    assert line.endswith("sip:alice@example.com -> sip:bob@example.net  recording at sip:srs.example")


def test_octets_of_sip_that_are_no_utf8_hide_no_call() -> None:
    call = two_party_call()
    alice = dataclasses.replace(call.participants[0], names=(Name(aor="sip:\udcff@example.com"),))
    odd = dataclasses.replace(call, participants=(alice, call.participants[1]))
    door = Door()
    door.play.publish(odd)
    (shown,) = door.ask("GET", "/v1/calls").json["calls"]
    assert shown["caller"] == "sip:?@example.com"
    listener = door.hub.listen(Operator())
    door.hub.notice(odd)
    assert b"sip:?@example.com" in b"".join(asyncio.run(listener.take(0.0)))


@pytest.mark.parametrize("name", ["7", "U1NTU1NTU1NTU1NTU1NTUw%3D%3D", "CA" + "53" * 16])
def test_a_call_is_named_by_its_number_or_its_session(name: str) -> None:
    assert Door().ask("GET", f"/v1/calls/{name}").json["call"] == 7


@pytest.mark.parametrize(
    ("verb", "command", "status"),
    [
        ("pause", commands.Pause(7), 200),
        ("resume", commands.Resume(7), 202),
        ("stop", commands.Stop(7), 200),
        ("start", commands.Start(7), 202),
    ],
)
def test_each_verb_is_its_command(verb: str, command: commands.Command, status: int) -> None:
    door = Door()
    assert door.ask("POST", f"/v1/calls/7/{verb}").status == status
    assert door.told == [command]


@pytest.mark.parametrize(
    ("record", "verb", "status"),
    [
        (Record.FORCE, "stop", 409),
        (Record.FORCE, "pause", 409),
        (Record.FORCE, "resume", 202),
        (Record.FORCE, "start", 202),
        (Record.NEVER, "start", 409),
        (Record.NEVER, "stop", 200),
        (Record.YES, "stop", 200),
        (Record.NO, "start", 202),
    ],
)
def test_what_a_rule_binds_is_refused_and_not_commanded(record: Record, verb: str, status: int) -> None:
    door = Door(rules=[Rule(name="law", record=record)])
    answer = door.ask("POST", f"/v1/calls/7/{verb}")
    assert answer.status == status
    assert bool(door.told) is (status != 409)
    if status == 409:
        assert answer.json == {"error": f"rule 'law' lets nobody {verb} the recording of this call"}
    shown = door.ask("GET", "/v1/calls/7").json
    assert (shown["rule"], shown["record"]) == ("law", record.value)
    assert as_lines([shown])[0].endswith("  by rule law")


@pytest.mark.req("SDP-19")
@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_it_is_not_said_to_be_quiet_before_the_engine_has_said_so(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PATIENCE_S", 0.0)
    door = Door()
    door.play.hold_media()
    answer = door.ask("POST", f"/v1/calls/7/{verb}")
    assert answer.status == 202
    assert answer.json["recordings"][0]["copying"]
    door.play.release_media()
    assert door.ask("POST", f"/v1/calls/7/{verb}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/calls/8", 404),
        ("GET", "/v1/calls/99999999999999999999999", 404),
        ("GET", "/v1/calls/%00", 404),
        ("POST", "/v1/calls/8/pause", 404),
        ("GET", "/v1/calls/7/pause", 405),
        ("POST", "/v1/calls", 405),
        ("DELETE", "/v1/calls/7", 405),
        ("POST", "/v1/calls/7/delete", 404),
        ("GET", "/v1/", 404),
    ],
)
def test_what_is_not_there_is_refused(method: str, path: str, status: int) -> None:
    door = Door()
    assert door.ask(method, path).status == status
    assert door.told == []


def test_a_call_that_ends_meanwhile_is_not_found() -> None:
    door = Door()
    door.play.publish(dataclasses.replace(two_party_call(), ended=2.0))
    for _ in range(2):
        door.play.say(200)
    assert door.ask("POST", "/v1/calls/7/pause").status == 404


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"host": "siprec.example:8080"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "192.0.2.1"},
        {**LOCAL, "origin": "http://127.0.0.1:8080"},
    ],
)
def test_no_web_page_has_commands(fields: Mapping[str, str]) -> None:
    door = Door()
    assert door.ask("POST", "/v1/calls/7/stop", fields).status == 403
    assert door.told == []


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.9:80", "[::1]:8080", "[::1]"])
def test_loopback_goes_by_several_names(host: str) -> None:
    assert Door().ask("GET", "/v1/calls", {"host": host}).status == 200


def test_beyond_loopback_nobody_has_commands_without_a_token() -> None:
    door = Door(local=False)
    assert door.ask("POST", "/v1/calls/7/stop").status == 403
    assert door.told == []


@pytest.mark.parametrize("shown", [None, "Bearer", "Bearer wrong", "Basic secret", "Digest secret"])
def test_a_token_is_needed_where_there_is_one(shown: str | None) -> None:
    door = Door(token="secret")
    fields = LOCAL if shown is None else {**LOCAL, "authorization": shown}
    assert door.ask("POST", "/v1/calls/7/stop", fields).status == 401
    assert door.told == []


def test_whoever_has_the_token_may_from_anywhere() -> None:
    door = Door(local=False, token="secret")
    assert door.ask("POST", "/v1/calls/7/stop", {"authorization": "Bearer secret"}).status == 200


def test_a_long_list_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_LISTED", 2)
    door = Door()
    for number in (8, 9):
        door.play.publish(dataclasses.replace(two_party_call(), call=number))
    answer = door.ask("GET", "/v1/calls").json
    assert ([call["call"] for call in answer["calls"]], answer["more"]) == ([7, 8], 1)
