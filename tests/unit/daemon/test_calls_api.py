"""Calls and commands by HTTP: who may, what is answered, and when a pause is said to hold."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from siprec_src.app.http import HttpRequest
from siprec_src.communication import id_text
from siprec_src.daemon import calls_api
from siprec_src.daemon.calls_api import CallsApi
from siprec_src.daemon.remote import as_lines
from siprec_src.machine import WallClock
from siprec_src.recording import commands
from siprec_src.sip.flow import Address
from siprec_src.telemetry.explain import Explainer
from siprec_src.telemetry.ladder import Ladder
from tests.unit.recording.play import Play, two_party_call

LOCAL: Mapping[str, str] = {"host": "127.0.0.1:8080"}


class Door:
    """The API before a pool that records one call."""

    def __init__(self, listen: str = "127.0.0.1", token: str | None = None) -> None:
        self.play = Play("sip:srs.example")
        self.told: list[commands.Command] = []
        wall = WallClock(1_767_312_000.0)
        kept = Explainer(Ladder(0), wall, ())
        self.api = CallsApi(self.play.pool, kept, self._tell, wall, listen=Address(listen, 8080), token=token)
        self.play.publish(two_party_call())
        self.play.accept()

    def ask(self, method: str, path: str, fields: Mapping[str, str] = LOCAL) -> tuple[int, dict[str, Any]]:
        request = HttpRequest(method=method, path=path, fields=fields)
        status, kind, body = asyncio.run(self.api.answer(request))
        assert kind == "application/json"
        return status, json.loads(body)

    def _tell(self, command: commands.Command) -> None:
        self.told.append(command)
        self.play.command(command)


def test_calls_and_their_recordings_are_shown() -> None:
    status, answer = Door().ask("GET", "/v1/calls")
    assert (status, answer["more"]) == (200, 0)
    (call,) = answer["calls"]
    assert call == {
        "call": 7,
        "session": id_text(b"S" * 16),
        "started": "2026-01-02T00:00:00.000+00:00",
        "caller": "sip:alice@example.com",
        "callee": "sip:bob@example.net",
        "paused": False,
        "recordings": [
            {"copy": "", "srs": "sip:srs.example", "state": "recording", "copying": True},
        ],
    }
    (line,) = as_lines([call])
    assert line.endswith("sip:alice@example.com -> sip:bob@example.net  recording at sip:srs.example")


@pytest.mark.parametrize("name", ["7", "U1NTU1NTU1NTU1NTU1NTUw%3D%3D"])
def test_a_call_is_named_by_its_number_or_its_session(name: str) -> None:
    assert Door().ask("GET", f"/v1/calls/{name}")[1]["call"] == 7


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
    assert door.ask("POST", f"/v1/calls/7/{verb}")[0] == status
    assert door.told == [command]


@pytest.mark.req("SDP-19")
@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_it_is_not_said_to_be_quiet_before_the_engine_has_said_so(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_api, "PATIENCE_S", 0.0)
    door = Door()
    door.play.hold_media()
    status, answer = door.ask("POST", f"/v1/calls/7/{verb}")
    assert status == 202
    assert answer["recordings"][0]["copying"]
    door.play.release_media()
    assert door.ask("POST", f"/v1/calls/7/{verb}")[0] == 200


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
    assert door.ask(method, path)[0] == status
    assert door.told == []


def test_a_call_that_ends_meanwhile_is_not_found() -> None:
    door = Door()
    door.play.publish(dataclasses.replace(two_party_call(), ended=2.0))
    for _ in range(2):
        door.play.say(200)
    assert door.ask("POST", "/v1/calls/7/pause")[0] == 404


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
    assert door.ask("POST", "/v1/calls/7/stop", fields)[0] == 403
    assert door.told == []


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.9:80", "[::1]:8080", "[::1]"])
def test_loopback_goes_by_several_names(host: str) -> None:
    assert Door().ask("GET", "/v1/calls", {"host": host})[0] == 200


def test_beyond_loopback_nobody_has_commands_without_a_token() -> None:
    door = Door(listen="192.0.2.1")
    assert door.ask("POST", "/v1/calls/7/stop")[0] == 403
    assert door.told == []


@pytest.mark.parametrize("shown", [None, "Bearer", "Bearer wrong", "Basic secret", "bearer secret"])
def test_a_token_is_needed_where_there_is_one(shown: str | None) -> None:
    door = Door(token="secret")
    fields = LOCAL if shown is None else {**LOCAL, "authorization": shown}
    assert door.ask("POST", "/v1/calls/7/stop", fields)[0] == 401
    assert door.told == []


def test_whoever_has_the_token_may_from_anywhere() -> None:
    door = Door(listen="192.0.2.1", token="secret")
    assert door.ask("POST", "/v1/calls/7/stop", {"authorization": "Bearer secret"})[0] == 200


def test_a_long_list_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_api, "MAX_LISTED", 2)
    door = Door()
    for number in (8, 9):
        door.play.publish(dataclasses.replace(two_party_call(), call=number))
    _, answer = door.ask("GET", "/v1/calls")
    assert ([call["call"] for call in answer["calls"]], answer["more"]) == ([7, 8], 1)
