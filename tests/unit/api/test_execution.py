"""Scripts on a live call: what is done, in which order, and what is not begun at all. Time is a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.calls.book import CallBook, KnownCall
from siprec_src.api.errors import ApiError
from siprec_src.api.execution import Scripts
from siprec_src.instructions import model as m
from siprec_src.instructions.svaml import parse_manage_call
from siprec_src.instructions.twiml import parse_twiml
from siprec_src.values import SecretText
from tests.unit.recording.play import two_party_call

ACCOUNT = Account(sid="AC" + "1" * 32, auth_token=SecretText("token"))
OPTIONS = '{"destinationUrl": "gs://b", "credentials": "k:s"}'


@dataclasses.dataclass(eq=False)
class Later:
    """What a fake clock is asked to do."""

    at: float
    then: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Desk:
    """Scripts whose doors write down what goes through them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.alerts: list[tuple[int, str]] = []
        self.timers: list[Later] = []
        self.refusal: ApiError | None = None
        self.ends_at_start = False
        self.scripts = Scripts(self)
        calls = CallBook(accounts=lambda: Accounts(known=(ACCOUNT,)), now=lambda: self.now)
        calls.notice(two_party_call())
        self.call: KnownCall = next(calls.newest_first())

    # the doors

    def start(self, call: KnownCall, account: Account, siprec: m.StartSiprec) -> None:
        assert (call, account) == (self.call, ACCOUNT)
        self.done.append(f"start {siprec.name}")
        if self.refusal is not None:
            raise self.refusal
        if self.ends_at_start:
            self.call.session = dataclasses.replace(call.session, ended=self.now)

    def stop(self, call: KnownCall, name: str) -> None:
        assert call is self.call
        self.done.append(f"stop {name}")

    def hang_up(self, call: int, cause: str) -> None:
        assert call == self.call.session.call
        self.done.append(f"hang up: {cause}")

    def later(self, delay_s: float, then: Callable[[], None]) -> Later:
        self.timers.append(Later(self.now + delay_s, then))
        return self.timers[-1]

    def report(self, call: KnownCall, code: int, text: str) -> None:
        assert call is self.call
        self.alerts.append((code, text))

    # what happens

    def begin(self, verbs: str) -> list[str]:
        self.scripts.begin(self.call, ACCOUNT, parse_twiml(f"<Response>{verbs}</Response>"))
        return self.done

    def manage(self, body: str) -> list[str]:
        self.scripts.manage(self.call, ACCOUNT, parse_manage_call(body.encode()))
        return self.done

    def sleep(self, seconds: float) -> list[str]:
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.at <= self.now]:
            self.timers.remove(timer)
            if not timer.cancelled:
                timer.then()
        return self.done


@pytest.fixture
def desk() -> Desk:
    return Desk()


START = '<Start><Siprec name="a"/></Start>'


@pytest.mark.feature("F056")
def test_verbs_follow_each_other_at_once_and_none_left_ends_the_call(desk: Desk) -> None:
    done = desk.begin(f'{START}<Start><Siprec name="b"/></Start><Stop><Siprec name="a"/></Stop>')
    assert done == ["start a", "start b", "stop a", "hang up: no instruction left"]
    assert desk.alerts == []


def test_a_pause_keeps_the_call_for_its_seconds(desk: Desk) -> None:
    assert desk.begin(f'{START}<Pause length="60"/><Stop><Siprec name="a"/></Stop>') == ["start a"]
    assert desk.sleep(59) == ["start a"]
    assert desk.sleep(1) == ["start a", "stop a", "hang up: no instruction left"]


def test_hangup_ends_the_call_and_the_script(desk: Desk) -> None:
    assert desk.begin(f"<Hangup/>{START}") == ["hang up: hung up by instruction"]


def test_a_new_script_takes_the_place_of_one_that_pauses(desk: Desk) -> None:
    desk.begin('<Pause length="60"/>')
    desk.begin(f'{START}<Pause length="600"/>')
    assert desk.sleep(60) == ["start a"]


def test_a_script_that_is_refused_leaves_the_one_that_pauses(desk: Desk) -> None:
    desk.begin(f'<Pause length="60"/>{START}<Pause length="60"/>')
    with pytest.raises(ApiError):
        desk.begin("<Hangup/><Reject/>")
    assert desk.sleep(60) == ["start a"]


@pytest.mark.parametrize(
    ("verb", "code", "word"),
    [
        ("<Dial>+1555</Dial>", 20001, "voice URL"),
        ("<Reject/>", 20001, "<Hangup>"),
        ("<Start><Recording/></Start>", 21220, "<Siprec>"),
        ("<Stop><Recording/></Stop>", 21220, "<Siprec>"),
    ],
)
def test_what_a_live_call_cannot_be_told_refuses_all(desk: Desk, verb: str, code: int, word: str) -> None:
    with pytest.raises(ApiError, match=word) as caught:
        desk.begin(START + verb)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert (desk.done, desk.alerts, desk.timers) == ([], [], [])


def test_a_verb_that_is_not_carried_out_is_reported_and_the_call_goes_on(desk: Desk) -> None:
    assert desk.begin(f"<Say>hello</Say>{START}") == ["start a"]
    ((code, text),) = desk.alerts
    assert code == 12200
    assert "Say" in text


def test_an_attribute_that_nobody_acts_on_is_reported(desk: Desk) -> None:
    desk.begin('<Start><Siprec colour="red"/></Start><Pause/>')
    assert "colour" in desk.alerts[0][1]


@pytest.mark.feature("F059")
def test_what_goes_wrong_with_one_verb_is_reported_and_the_next_one_follows(desk: Desk) -> None:
    desk.refusal = ApiError(400, 31940, "no such connector")
    assert desk.begin(f'{START}<Stop><Siprec name="b"/></Stop><Pause/>') == ["start a", "stop b"]
    assert desk.alerts == [(31940, "no such connector")]


def test_nothing_is_carried_out_on_a_call_that_has_ended(desk: Desk) -> None:
    desk.begin(f'<Pause length="9"/>{START}')
    desk.scripts.notice(dataclasses.replace(desk.call.session, ended=5.0))
    assert desk.sleep(9) == []


def test_a_verb_that_ends_the_call_ends_the_script(desk: Desk) -> None:
    desk.ends_at_start = True
    assert desk.begin(f'{START}<Pause length="9"/>{START}') == ["start a"]
    assert desk.timers == []


def test_manage_call_ends_a_call_by_its_action_alone(desk: Desk) -> None:
    assert desk.manage("{}") == []
    assert desk.manage('{"action": {"name": "continue"}}') == []
    assert desk.manage('{"action": {"name": "HangUp"}}') == ["hang up: hung up by instruction"]


def test_manage_call_reports_what_is_not_carried_out(desk: Desk) -> None:
    assert desk.manage('{"instructions": [{"name": "say"}], "action": {"name": "park"}}') == []
    assert [text.partition(":")[0] for _, text in desk.alerts] == ["say", "park"]


@pytest.mark.parametrize(
    "instruction",
    [f'{{"name": "StartRecording", "options": {OPTIONS}}}', '{"name": "stopRecording"}'],
)
def test_manage_call_refuses_local_recordings_with_what_to_do(desk: Desk, instruction: str) -> None:
    with pytest.raises(ApiError, match="connector") as caught:
        desk.manage(f'{{"instructions": [{instruction}], "action": {{"name": "hangup"}}}}')
    assert (caught.value.status, caught.value.code) == (400, 21220)
    assert desk.done == []
