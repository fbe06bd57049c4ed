"""Voice applications that answer, fail, are slow: calls get what they say, or the default, in time."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from siprec_src.api.accounts import Account, Accounts, Application
from siprec_src.api.application import signature, text_to_sign
from siprec_src.api.outside import OutsideAnswer, OutsideError, OutsideRequest
from siprec_src.api.voice.applications import NO_ANSWER, TOO_LARGE, Applications
from siprec_src.api.voice.breaker import FAILURES, REST_S
from siprec_src.communication import CommunicationSession, Name, Participant, Side
from siprec_src.ingest.inline.voice import (
    Answer,
    AskVoice,
    Instructed,
    Voice,
    VoiceAnswered,
    VoiceFormat,
    VoiceUnfit,
)
from siprec_src.instructions.model import Script, StopSiprec
from siprec_src.machine import Observe
from siprec_src.values import SecretText
from tests.support.log import Log

TOKEN = SecretText("0123456789abcdef0123456789abcdef")
ACCOUNT = Account(
    sid="AC" + 32 * "1",
    auth_token=TOKEN,
    application=Application(key="app-key", secret=SecretText("c2VjcmV0")),
)
VOICE = Voice(url=SecretText("http://user:pass@app.example/voice?x=1"))
BOTH = dataclasses.replace(VOICE, fallback_url=SecretText("http://app.example/second"))
CALL = CommunicationSession(
    call=7,
    session_id=bytes(range(16)),
    group_id=b"",
    participants=tuple(
        Participant(participant_id=b"", side=side, names=(Name(aor=aor, display=display),), joined=0.0)
        for side, aor, display in (
            (Side.CALLER, "sip:+4940999@pbx.example", "Alice"),
            (Side.CALLEE, "sip:2000@pbx.example", ""),
        )
    ),
    streams=(),
    started=0.0,
    trunk="pbx",
    headers=(("To", "<sip:2000@pbx.example>"), ("Diversion", "<sip:+4941888@pbx.example>")),
)
SID = "CA" + bytes(range(16)).hex()
DIAL = b"<Response><Dial>+4930123</Dial></Response>"

Reply = Callable[[OutsideRequest], Awaitable[OutsideAnswer]]


def reply(body: bytes = DIAL, status: int = 200, *, complete: bool = True) -> Reply:
    async def answer(request: OutsideRequest) -> OutsideAnswer:
        return OutsideAnswer(status=status, headers={}, body=body, complete=complete)

    return answer


async def refused(request: OutsideRequest) -> OutsideAnswer:
    raise OutsideError("10.0.0.1 is private")


async def broken(request: OutsideRequest) -> OutsideAnswer:
    raise RuntimeError


async def silent(request: OutsideRequest) -> OutsideAnswer:
    await asyncio.Event().wait()
    raise AssertionError


@dataclasses.dataclass
class FakeDoors:
    replies: list[Reply]
    known: tuple[Account, ...] = (ACCOUNT,)
    asked: list[OutsideRequest] = dataclasses.field(default_factory=list)
    told: list[tuple[int, Answer | None]] = dataclasses.field(default_factory=list)
    begun: list[tuple[CommunicationSession, Script]] = dataclasses.field(default_factory=list)
    reports: list[tuple[int, str, dict[str, object]]] = dataclasses.field(default_factory=list)
    outcomes: list[str] = dataclasses.field(default_factory=list)
    time: float = 0.0

    def accounts(self) -> Accounts:
        return Accounts(known=self.known)

    async def ask(self, request: OutsideRequest, *, timeout_s: float, max_bytes: int) -> OutsideAnswer:
        self.asked.append(request)
        answer = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await answer(request)

    def answered(self, call: int, event: VoiceAnswered) -> None:
        self.told.append((call, event.answer))

    def begin(self, session: CommunicationSession, script: Script) -> None:
        self.begun.append((session, script))

    def report(self, event: str, code: int, text: str, **fields: object) -> None:
        self.reports.append((code, text, fields))

    def observe(self, observe: Observe) -> None:
        if observe.name == "voice_requests_total":
            self.outcomes.append(dict(observe.labels)["outcome"])

    def now(self) -> float:
        return self.time

    def today(self) -> dt.datetime:
        return dt.datetime(2026, 11, 21, 22, 0, 0, 5000, dt.UTC)


async def ask(applications: Applications, doors: FakeDoors, voice: Voice = VOICE) -> Answer | None:
    before = len(doors.told)
    applications.take(AskVoice(CALL, voice))
    while len(doors.told) == before:
        await asyncio.sleep(0)
    call, answer = doors.told[-1]
    assert call == CALL.call
    return answer


async def asked(*replies: Reply, voice: Voice = VOICE) -> tuple[FakeDoors, Answer | None]:
    doors = FakeDoors(list(replies))
    return doors, await ask(Applications(doors, Log()), doors, voice)


async def test_a_call_gets_what_its_application_says() -> None:
    doors, answer = await asked(reply())
    assert answer is not None
    assert answer.dialled is not None
    assert answer.dialled.to == "+4930123"
    assert (doors.reports, doors.outcomes) == ([], ["answered"])


async def test_the_application_is_told_who_calls_whom_and_can_tell_who_asks() -> None:
    doors, _ = await asked(reply())
    (request,) = doors.asked
    fields = dict(parse_qsl((request.body or b"").decode()))
    assert fields == {
        "AccountSid": ACCOUNT.sid,
        "CallSid": SID,
        "From": "+4940999",
        "To": "2000",
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
        "ForwardedFrom": "+4941888",
        "CallerName": "Alice",
    }
    assert (request.method, request.url) == ("POST", "http://app.example/voice?x=1")
    shown = request.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(request.url, fields, shown)


async def test_by_get_the_parameters_are_in_the_query() -> None:
    doors, _ = await asked(reply(), voice=dataclasses.replace(VOICE, method="GET"))
    (request,) = doors.asked
    assert request.url.startswith("http://app.example/voice?x=1&AccountSid=")
    shown = request.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(request.url, {}, shown)


@pytest.mark.feature("F188")
async def test_an_application_of_the_other_kind_gets_an_incoming_call_event_signed_by_its_secret() -> None:
    voice = Voice(url=SecretText("http://app.example/ice?a=b"), format=VoiceFormat.SVAML)
    doors, answer = await asked(reply(b'{"action": {"name": "hangup"}}'), voice=voice)
    assert answer is not None
    assert answer.refused == 603
    (request,) = doors.asked
    assert request.body is not None
    assert json.loads(request.body) == {
        "event": "ice",
        "callid": "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "timestamp": "2026-11-21T22:00:00Z",
        "version": 1,
        "cli": "+4940999",
        "to": {"type": "did", "endpoint": "2000"},
        "domain": "pstn",
        "originationType": "PSTN",
        "rdnis": "+4941888",
        "applicationKey": "app-key",
    }
    assert request.headers["x-timestamp"] == "2026-11-21T22:00:00.005Z"
    text = text_to_sign("POST", request.body, "application/json", request.headers["x-timestamp"], "/ice")
    assert request.headers["Authorization"] == f"Application app-key:{signature('c2VjcmV0', text)}"


@pytest.mark.parametrize(
    ("answer", "code", "outcome"),
    [
        (refused, NO_ANSWER, "no-answer"),
        (silent, NO_ANSWER, "no-answer"),
        (reply(status=500), NO_ANSWER, "no-answer"),
        (reply(status=404), NO_ANSWER, "unusable"),
        (reply(status=302), NO_ANSWER, "unusable"),
        (reply(complete=False), TOO_LARGE, "unusable"),
        (reply(b"hello"), 12100, "unusable"),
        (reply(b""), 12100, "unusable"),
        (reply(b"<Resp/>"), 12102, "unusable"),
        (reply(b"<Response><Pause length='x'/></Response>"), 12200, "unusable"),
        (reply(b"<Response><Dial><Sip>sip:a@b:99999</Sip></Dial></Response>"), 13224, "unusable"),
    ],
)
async def test_what_cannot_be_used_is_told_with_its_code_and_the_default_applies(
    answer: Reply, code: int, outcome: str
) -> None:
    doors, got = await asked(answer, voice=dataclasses.replace(VOICE, timeout_s=0.1))
    assert got is None
    ((told, text, fields),) = doors.reports
    assert (told, doors.outcomes) == (code, [outcome])
    assert (fields["call_sid"], fields["account_sid"]) == (SID, ACCOUNT.sid)
    assert "pass" not in text


async def test_the_second_url_is_asked_when_the_first_fails_and_is_told_why() -> None:
    doors, answer = await asked(refused, reply(), voice=BOTH)
    assert answer is not None
    assert [request.url for request in doors.asked] == [
        "http://app.example/voice?x=1",
        "http://app.example/second",
    ]
    fields = dict(parse_qsl((doors.asked[1].body or b"").decode()))
    assert fields["ErrorCode"] == "11200"
    assert fields["ErrorUrl"] == "http://app.example/voice?x=1"


async def test_a_url_that_does_not_answer_delays_only_the_first_calls_until_it_is_there_again() -> None:
    doors = FakeDoors([refused])
    applications = Applications(doors, Log())
    for _ in range(FAILURES + 3):
        assert await ask(applications, doors) is None
    assert doors.outcomes == ["no-answer"] * FAILURES + ["skipped"] * 3
    assert len(doors.reports) == FAILURES
    doors.time += REST_S
    assert await ask(applications, doors) is None
    assert await ask(applications, doors) is None
    assert doors.outcomes[-2:] == ["no-answer", "skipped"]
    doors.time += REST_S
    doors.replies = [reply()]
    for _ in range(2):
        assert await ask(applications, doors) is not None


async def test_while_the_first_url_rests_the_second_is_asked_at_once() -> None:
    doors = FakeDoors([refused, reply()] * FAILURES + [reply()])
    applications = Applications(doors, Log())
    for _ in range(FAILURES + 1):
        assert await ask(applications, doors, BOTH) is not None
    assert doors.outcomes[-2:] == ["skipped", "answered"]


async def test_a_fault_of_ours_leaves_the_call_to_the_default() -> None:
    doors, answer = await asked(broken)
    assert (answer, doors.outcomes) == (None, [])


async def test_a_call_of_no_account_asks_nobody() -> None:
    doors = FakeDoors([reply()], known=())
    assert await ask(Applications(doors, Log()), doors) is None
    assert doors.asked == []


async def test_what_the_script_said_beside_the_call_is_told() -> None:
    doors, _ = await asked(reply(b"<Response><Say>x</Say><Dial>+4930123</Dial></Response>"))
    assert [code for code, _, _ in doors.reports] == [12200]


async def test_instructions_for_an_answered_call_are_carried_out() -> None:
    doors = FakeDoors([reply()])
    Applications(doors, Log()).take(Instructed(CALL, (StopSiprec(name="x"),)))
    assert doors.begun == [(CALL, Script(instructions=(StopSiprec(name="x"),)))]


async def test_an_address_that_leads_nowhere_is_told() -> None:
    doors = FakeDoors([reply()])
    Applications(doors, Log()).take(VoiceUnfit(CALL, "the next hop is this server"))
    ((code, text, _),) = doors.reports
    assert (code, "this server" in text) == (13224, True)


async def test_at_the_end_nobody_is_asked_any_more() -> None:
    doors = FakeDoors([silent])
    applications = Applications(doors, Log())
    applications.take(AskVoice(CALL, VOICE))
    await asyncio.sleep(0)
    await applications.close()
    assert doors.told == []
