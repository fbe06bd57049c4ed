"""Siprecs: what is begun and ended on request, and what is told of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

import pytest

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.callbacks import Callback
from siprec_src.api.calls.book import CallBook
from siprec_src.api.errors import ApiError
from siprec_src.api.siprec.book import MAX_OF_CALL, SiprecBook
from siprec_src.api.siprec.resource import Siprec, Status
from siprec_src.communication import CommunicationSession
from siprec_src.instructions.model import StartSiprec, StatusCallback, Track
from siprec_src.recording import srs
from siprec_src.recording.commands import CopyCommand, End
from siprec_src.recording.commands import Record as BeginCopy
from siprec_src.recording.connector import Connector
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.recording.outcome import Outcome, Result
from siprec_src.recording.policy import Decision
from siprec_src.recording.rule import Record
from siprec_src.recording.srs import SrsConfig, parse_target
from siprec_src.recording.view import CallView
from siprec_src.values import SecretText
from tests.support.identity import CountingIdentity
from tests.unit.recording.play import edge, two_party_call

ACCOUNT = Account(sid="AC" + "1" * 32, auth_token=SecretText("token"))
CALL = "CA" + (b"S" * 16).hex()
HOOK = SecretText("https://example.com/hook")
TOLD = StartSiprec(callback=StatusCallback(url=HOOK))


class Desk:
    """A book whose doors write down what goes through them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.free = 4
        self.decision = Decision(targets=())
        self.commands: list[CopyCommand] = []
        self.sent: list[Callback] = []
        self.at_command: Callable[[CopyCommand], None] = lambda command: None
        self._identity = CountingIdentity()
        self._connectors = {
            name: Connector(sid=f"XE{name}", name=name, use_in=("voice",), targets=(_target(uri),))
            for name, uri in (("Default", "sip:one.example"), ("Other", "sip:two.example"))
        }
        self.calls = CallBook(
            accounts=lambda: Accounts(known=(ACCOUNT,)),
            now=lambda: self.now,
        )
        self.book = SiprecBook(self.calls, self)
        self.session = two_party_call()
        self.publish(self.session)

    # the doors

    def connector(self, name: str) -> Connector | None:
        return self._connectors.get(name)

    def room(self, call: int) -> int:
        assert call == self.session.call
        return self.free

    def command(self, command: CopyCommand) -> None:
        self.commands.append(command)
        self.at_command(command)

    def send(self, callback: Callback) -> None:
        self.sent.append(callback)

    def failed(self, siprec: Siprec, news: CopyChanged) -> tuple[str, int]:
        assert news.outcome is not None
        return f"{siprec.sid[:2]}: {news.outcome.reason}", 32011

    def new_id(self) -> bytes:
        return self._identity.uuid()

    def today(self) -> dt.datetime:
        return dt.datetime(2026, 11, 21, 12, 0, 0, 250_000, dt.UTC) + dt.timedelta(seconds=self.now)

    # what happens

    def publish(self, session: CommunicationSession) -> None:
        self.session = session
        self.calls.notice(session)
        self.book.notice(session)

    def start(self, request: StartSiprec = TOLD) -> Siprec:
        view = CallView(call=self.session, paused=False, decision=self.decision, recordings=())
        return self.book.start(view, ACCOUNT, request)

    def refused_start(self, **asked: str) -> int:
        """The code of what is refused, with nothing begun."""
        before = len(self.commands)
        with pytest.raises(ApiError) as caught:
            self.start(StartSiprec(**asked))  # type: ignore[arg-type] # names alone
        assert len(self.commands) == before
        assert caught.value.status == 400
        return caught.value.code

    def copy(self, siprec: Siprec, state: CopyState, reason: str = "srs-refused") -> None:
        outcome = Outcome(result=Result.FAILED, reason=reason) if state is CopyState.FAILED else None
        session = self.session
        self.book.notice(
            CopyChanged(
                call=session.call,
                session_id=session.session_id,
                copy=siprec.sid,
                state=state,
                srs="sip:one.example",
                outcome=outcome,
            )
        )

    def hang_up(self) -> None:
        self.publish(dataclasses.replace(self.session, ended=self.now))

    def status(self, siprec: Siprec) -> Status:
        """As a second stop finds it, which changes nothing where it was stopped."""
        before = len(self.commands)
        found = self.book.stop(CALL, siprec.sid).status
        assert len(self.commands) == before, "it was in progress"
        return found

    def told(self) -> list[tuple[str, str]]:
        return [(dict(c.fields)["SiprecEvent"], c.resource) for c in self.sent]


def _target(uri: str):  # type: ignore[no-untyped-def]
    return parse_target(SrsConfig(uri=uri), {"default": edge()})


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.feature("F008", "F009", "F010", "F011", "F012", "F013", "F014", "F054")
def test_the_answer_has_seven_keys_and_the_stop_differs_in_status_and_date(desk: Desk) -> None:
    begun = desk.start(StartSiprec(name="my-first-siprec"))
    shown = {
        "sid": begun.sid,
        "account_sid": ACCOUNT.sid,
        "call_sid": CALL,
        "name": "my-first-siprec",
        "status": "in-progress",
        "date_updated": "Sat, 21 Nov 2026 12:00:00 +0000",
        "uri": f"/2010-04-01/Accounts/{ACCOUNT.sid}/Calls/{CALL}/Siprec/{begun.sid}.json",
    }
    assert begun.shown == shown
    desk.now = 61.0
    stopped = desk.book.stop(CALL, "my-first-siprec")
    assert stopped.shown == {**shown, "status": "stopped", "date_updated": "Sat, 21 Nov 2026 12:01:01 +0000"}


@pytest.mark.feature("F032", "F033", "F036")
def test_a_start_is_one_more_copy_at_the_connectors_srs_with_its_track_and_parameters(desk: Desk) -> None:
    asked = (("Custom1", "Bob"), ("custom1", "Blah"))
    begun = desk.start(StartSiprec(connector="Other", track=Track.OUTBOUND, parameters=asked))
    (command,) = desk.commands
    assert isinstance(command, BeginCopy)
    assert (command.call, command.streams) == (desk.session.call, 1)
    assert (command.copy.name, command.copy.persistent) == (begun.sid, False)
    (target,) = command.copy.targets
    assert target.config.uri == "sip:two.example"
    assert (target.config.track, target.config.parameters) == (srs.Track.OUTBOUND, asked)


@pytest.mark.feature("F040", "F041", "F042", "F043", "F044", "F045", "F046", "F047", "F048", "H11")
def test_callbacks_say_started_then_stopped_with_the_standard_parameters(desk: Desk) -> None:
    begun = desk.start(StartSiprec(name="n & m", callback=StatusCallback(url=HOOK, method="GET")))
    assert desk.sent == []
    desk.copy(begun, CopyState.STARTED)
    desk.book.stop(CALL, begun.sid)
    assert desk.told() == [("siprec-started", begun.sid), ("siprec-stopped", begun.sid)]
    for callback in desk.sent:
        assert (callback.account, callback.call_sid) == (ACCOUNT, CALL)
        assert (callback.url, callback.method) == (HOOK, "GET")
    assert dict(desk.sent[0].fields) == {
        "AccountSid": ACCOUNT.sid,
        "CallSid": CALL,
        "From": "sip:alice@example.com",
        "To": "sip:bob@example.net",
        "CallStatus": "in-progress",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
        "CallerName": "Alice & Co",
        "SiprecSid": begun.sid,
        "SiprecName": "n & m",
        "SiprecEvent": "siprec-started",
        "Timestamp": "2026-11-21T12:00:00.250Z",
    }


@pytest.mark.feature("F034")
def test_without_a_callback_url_nobody_is_told(desk: Desk) -> None:
    begun = desk.start(StartSiprec())
    desk.copy(begun, CopyState.STARTED)
    desk.copy(begun, CopyState.FAILED)
    assert desk.sent == []
    assert desk.status(begun) is Status.STOPPED


@pytest.mark.feature("F046", "F048", "H12", "H13")
@pytest.mark.parametrize("agreed", [False, True])
def test_a_failure_is_told_as_error_once_and_the_siprec_is_stopped(desk: Desk, agreed: bool) -> None:
    begun = desk.start()
    if agreed:
        desk.copy(begun, CopyState.STARTED)
    desk.copy(begun, CopyState.FAILED, "srs-timeout")
    desk.hang_up()
    assert [event for event, _ in desk.told()] == ["siprec-started"] * agreed + ["siprec-error"]
    fields = dict(desk.sent[-1].fields)
    assert (fields["SiprecError"], fields["SiprecErrorCode"]) == ("SR: srs-timeout", "32011")
    assert desk.status(begun) is Status.STOPPED


@pytest.mark.feature("F050", "F051", "H9")
def test_stopping_twice_answers_alike_and_is_told_once(desk: Desk) -> None:
    begun = desk.start()
    desk.copy(begun, CopyState.STARTED)
    first = desk.book.stop(CALL, begun.sid)
    desk.now = 5.0
    assert desk.book.stop(CALL, begun.sid) == first
    desk.copy(begun, CopyState.STOPPED)
    assert desk.commands[1:] == [End(desk.session.call, begun.sid)]
    assert [event for event, _ in desk.told()] == ["siprec-started", "siprec-stopped"]


@pytest.mark.feature("F046", "H12")
def test_one_that_is_stopped_before_any_srs_has_agreed_says_stopped_and_nothing_later(desk: Desk) -> None:
    begun = desk.start()
    desk.book.stop(CALL, begun.sid)
    desk.copy(begun, CopyState.STARTED)
    desk.copy(begun, CopyState.FAILED)
    assert desk.told() == [("siprec-stopped", begun.sid)]


@pytest.mark.feature("F001", "H34")
def test_the_end_of_the_call_stops_all_its_siprecs_which_can_still_be_stopped(desk: Desk) -> None:
    both = [desk.start(), desk.start()]
    desk.copy(both[0], CopyState.STARTED)
    desk.now = 9.0
    desk.hang_up()
    assert desk.told() == [
        ("siprec-started", both[0].sid), ("siprec-stopped", both[0].sid), ("siprec-stopped", both[1].sid),
    ]  # fmt: skip
    assert dict(desk.sent[-1].fields)["CallStatus"] == "completed"
    assert [desk.status(begun) for begun in both] == [Status.STOPPED] * 2
    assert desk.refused_start() == 21220


@pytest.mark.feature("F031", "H5")
def test_a_name_is_unique_among_those_in_progress_and_then_means_the_newest(desk: Desk) -> None:
    first = desk.start(StartSiprec(name="agent"))
    assert desk.refused_start(name="agent") == 20409
    assert desk.start(StartSiprec(name="Agent")).name == "Agent"
    assert desk.book.stop(CALL, "agent").sid == first.sid
    second = desk.start(StartSiprec(name="agent"))
    third_would_be = desk.refused_start(name="agent")
    assert third_would_be == 20409
    assert desk.book.stop(CALL, "agent").sid == second.sid
    assert desk.book.stop(CALL, "agent").sid == second.sid
    assert desk.book.stop(CALL, first.sid).sid == first.sid


@pytest.mark.feature("F031")
def test_calls_have_names_of_their_own(desk: Desk) -> None:
    first = desk.start(StartSiprec(name="agent"))
    desk.publish(dataclasses.replace(two_party_call(), call=8, session_id=b"T" * 16))
    second = desk.start(StartSiprec(name="agent"))
    assert desk.book.stop("CA" + (b"T" * 16).hex(), "agent").sid == second.sid
    assert desk.book.stop(CALL, "agent").sid == first.sid


@pytest.mark.feature("F051")
def test_what_the_call_has_not_cannot_be_stopped(desk: Desk) -> None:
    begun = desk.start(StartSiprec(name="agent"))
    for call, name in (
        (CALL, "nobody"), (CALL, "Agent"), (CALL, "SR" + "0" * 32), ("CA" + "0" * 32, "agent"),
        ("CA" + "0" * 32, begun.sid),
    ):  # fmt: skip
        with pytest.raises(ApiError) as caught:
            desk.book.stop(call, name)
        assert (caught.value.status, caught.value.code) == (404, 20404)


@pytest.mark.feature("F032", "H2")
def test_a_connector_that_is_not_there_is_refused(desk: Desk) -> None:
    assert desk.refused_start(connector="Nobody") == 31940


@pytest.mark.feature("F005", "H8")
def test_without_room_for_all_its_streams_nothing_is_begun(desk: Desk) -> None:
    desk.free = 1
    assert desk.refused_start() == 31945
    assert desk.start(StartSiprec(track=Track.INBOUND)).status is Status.IN_PROGRESS


def test_a_call_that_a_rule_says_is_never_recorded_is_refused(desk: Desk) -> None:
    desk.decision = Decision(targets=(), record=Record.NEVER, rule="lawyers")
    assert desk.refused_start() == 31946
    desk.decision = Decision(targets=(), record=Record.NO)
    assert desk.start().status is Status.IN_PROGRESS


@pytest.mark.feature("H12")
def test_a_start_that_fails_at_once_is_still_answered_in_progress(desk: Desk) -> None:
    desk.at_command = lambda command: (
        desk.copy(dataclasses.replace(_SOME, sid=command.copy.name), CopyState.FAILED)
        if isinstance(command, BeginCopy)
        else None
    )
    begun = desk.start()
    assert begun.status is Status.IN_PROGRESS
    assert [event for event, _ in desk.told()] == ["siprec-error"]
    assert desk.status(begun) is Status.STOPPED


def test_news_of_copies_that_nobody_has_asked_for_is_not_told(desk: Desk) -> None:
    for state in CopyState:
        desk.copy(_SOME, state)
    assert desk.sent == []


@pytest.mark.feature("H9", "H34")
def test_all_is_forgotten_ten_minutes_after_the_call(desk: Desk) -> None:
    begun = desk.start()
    desk.now = 100.0
    desk.hang_up()
    desk.now = 699.0
    assert desk.calls.find(CALL) is not None
    assert desk.status(begun) is Status.STOPPED
    desk.now = 700.0
    assert desk.calls.find(CALL) is None
    with pytest.raises(ApiError):
        desk.book.stop(CALL, begun.sid)


def test_of_one_call_a_bounded_number_is_kept(desk: Desk) -> None:
    begun = [desk.start() for _ in range(2)]
    for _ in range(MAX_OF_CALL):
        desk.book.stop(CALL, desk.start().sid)
    assert desk.book.stop(CALL, begun[0].sid).sid == begun[0].sid, "none in progress is forgotten"
    assert len(desk.book._of_call[CALL]) == MAX_OF_CALL


_SOME = Siprec(
    sid="SR" + "9" * 32,
    account_sid=ACCOUNT.sid,
    call_sid=CALL,
    name=None,
    status=Status.IN_PROGRESS,
    date_updated=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
)
