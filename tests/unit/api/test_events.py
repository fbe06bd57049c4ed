"""Events as they happen: who gets which, what a slow client misses, and how a stream ends."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

from starlette.types import Message

from siprec_src.api.accounts import Operator
from siprec_src.api.v1 import events as module
from siprec_src.api.v1.hub import MAX_LISTENERS, MAX_OF_ACCOUNT, MAX_QUEUED, Listener
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.recording.outcome import Outcome, Result
from tests.support.asgi import LOCAL, ask
from tests.unit.api.door import ALICE, BOB, BOBS_CALL, BOTH, Door
from tests.unit.api.test_auth import basic
from tests.unit.recording.play import two_party_call

CALL = two_party_call()
STARTED = CopyChanged(
    call=7, session_id=CALL.session_id, copy="", state=CopyState.STARTED, srs="sip:srs.example"
)


def read(octets: bytes) -> list[tuple[str, Any]]:
    """Name and value of each event of a stream; comments are passed over."""
    blocks = [block.split("\n") for block in octets.decode().split("\n\n") if block]
    found = [dict(line.split(": ", 1) for line in block) for block in blocks if not block[0].startswith(":")]
    return [(block["event"], json.loads(block["data"])) for block in found]


async def heard(listener: Listener) -> list[tuple[str, Any]]:
    return read(b"".join(await listener.take(0.0)))


async def test_a_call_begins_changes_and_ends() -> None:
    door = Door()
    listener = door.hub.listen(Operator())
    for session in (CALL, CALL, dataclasses.replace(CALL, ended=2.0)):
        door.recent.notice(session)
        door.hub.notice(session)
    told = await heard(listener)
    assert [event for event, _ in told] == ["call.begin", "call.change", "call.end"]
    assert [call["ended"] is None for _, call in told] == [True, True, False]
    assert {call["call"] for _, call in told} == {7}


async def test_what_becomes_of_a_copy_is_told() -> None:
    door = Door()
    listener = door.hub.listen(Operator())
    failed = dataclasses.replace(
        STARTED, state=CopyState.FAILED, outcome=Outcome(result=Result.FAILED, reason="srs-busy")
    )
    for news in (STARTED, failed):
        door.hub.notice(news)
    (began, first), (ended, last) = await heard(listener)
    assert (began, first["srs"], first["result"]) == ("recording.started", "sip:srs.example", None)
    assert (ended, last["result"], last["reason"]) == ("recording.failed", "failed", "srs-busy")


async def test_an_account_hears_of_its_own_calls_alone() -> None:
    door = Door(accounts=BOTH)
    alice, bob = door.hub.listen(ALICE), door.hub.listen(BOB)
    for session in (CALL, BOBS_CALL):
        door.hub.notice(session)
    door.alerts.report("callback.failed", 11200, "no answer", account_sid=BOB.sid)
    assert [value["call"] for _, value in await heard(alice)] == [7]
    assert [event for event, _ in await heard(bob)] == ["call.begin", "alert"]
    (alert,) = (await ask(door.app, "GET", "/v1/alerts", basic(BOB.sid, "bob's"))).json["alerts"]
    assert (alert["code"], alert["error"]) == (11200, "no answer")
    assert (await ask(door.app, "GET", "/v1/alerts", basic(ALICE.sid, "alice's"))).json == {"alerts": []}


async def test_a_slow_client_is_told_how_much_it_has_missed() -> None:
    door = Door()
    listener = door.hub.listen(Operator())
    for _ in range(MAX_QUEUED + 3):
        door.hub.notice(CALL)
    told = await heard(listener)
    assert len(told) == MAX_QUEUED + 1
    assert told[-1] == ("missed", {"events": 3})
    door.hub.notice(CALL)
    assert [event for event, _ in await heard(listener)] == ["call.change"]


async def test_a_stream_goes_on_until_the_server_ends() -> None:
    door = Door()
    asked = asyncio.create_task(ask(door.app, "GET", "/v1/events"))
    while not door.hub.listeners:
        await asyncio.sleep(0)
    door.hub.notice(CALL)
    door.hub.close()
    answer = await asked
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert [event for event, _ in read(answer.body)] == ["call.begin"]
    assert door.hub.listeners == 0


async def test_a_client_that_leaves_is_forgotten() -> None:
    door = Door()
    listener = door.hub.listen(Operator())
    stream = module.EventStream(door.hub, listener)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None: ...

    await stream({}, receive, send)
    assert door.hub.listeners == 0


async def test_silence_is_broken_by_a_heartbeat(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.0)
    door, sent = Door(), []
    listener = door.hub.listen(Operator())

    async def receive() -> Message:
        return await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message.get("body"))
        if len(sent) == 4:
            listener.end()

    await module.EventStream(door.hub, listener)({}, receive, send)
    assert sent[1:4] == [b": listening\n\n", b": still here\n\n", b": still here\n\n"]


async def test_head_of_a_stream_ends_at_once() -> None:
    door = Door()
    assert (await ask(door.app, "HEAD", "/v1/events")).body == b""
    assert door.hub.listeners == 0


async def test_there_are_not_more_listeners_than_there_may_be() -> None:
    door = Door()
    for _ in range(MAX_LISTENERS):
        door.hub.listen(Operator())
    answer = await ask(door.app, "GET", "/v1/events", LOCAL)
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")


async def test_one_account_does_not_keep_others_from_listening() -> None:
    door = Door(accounts=BOTH)
    for _ in range(MAX_OF_ACCOUNT):
        door.hub.listen(ALICE)
    answer = await ask(door.app, "GET", "/v1/events", basic(ALICE.sid, "alice's"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    for other in (BOB, Operator()):
        door.hub.listen(other)
    assert door.hub.listeners == MAX_OF_ACCOUNT + 2


async def test_a_call_that_has_ended_is_still_found() -> None:
    door = Door()
    over = dataclasses.replace(BOBS_CALL, ended=3.0)
    door.recent.notice(over)
    (listed,) = (await ask(door.app, "GET", "/v1/calls?ended=true")).json["calls"]
    assert (listed["call"], listed["ended"]) == (8, "2026-01-02T00:00:03.000+00:00")
    for name in ("8", listed["sid"]):
        assert (await ask(door.app, "GET", f"/v1/calls/{name}")).json == listed
    assert (await ask(door.app, "GET", "/v1/calls?ended=maybe")).status == 400


async def test_srss_are_shown_with_their_health() -> None:
    (srs,) = (await ask(Door().app, "GET", "/v1/srs")).json["srs"]
    assert srs == {"name": "sip:srs.example", "up": True}
