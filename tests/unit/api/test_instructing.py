"""``POST Calls/{CA}.json`` and Manage Call: who may, what is refused and how, and what comes of it."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping

import pytest

from siprec_src.api import app
from siprec_src.api.accounts import Account, Accounts, Application
from siprec_src.api.application import ApplicationAuth
from siprec_src.api.auth import Auth
from siprec_src.api.calls import manage, update
from siprec_src.api.calls.book import CallBook, KnownCall
from siprec_src.api.execution import Scripts
from siprec_src.api.outside import OutsideAnswer, OutsideError, OutsideRequest
from siprec_src.instructions import model as m
from siprec_src.machine import WallClock
from siprec_src.telemetry.log import get_logger
from siprec_src.values import SecretText
from tests.support.asgi import Answer, asked
from tests.unit.recording.play import two_party_call

SECRET = base64.b64encode(b"what signs").decode()
ACCOUNT = Account(
    sid="AC" + "1" * 32,
    auth_token=SecretText("token"),
    application=Application(key="app", secret=SecretText(SECRET)),
)
OTHER = Account(
    sid="AC" + "2" * 32,
    auth_token=SecretText("other"),
    application=Application(key="other", secret=SecretText(SECRET)),
)
START = 1_795_000_000.0


class Api:
    """The two operations over one live call; what is done is written down."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.found: bytes | OutsideError = b""  #: at every URL
        self.ends_meanwhile = False
        accounts = Accounts(known=(ACCOUNT, OTHER))
        self.calls = CallBook(accounts=lambda: accounts, now=lambda: self.now)
        self.session = two_party_call()
        self.calls.notice(self.session)
        self.sid = "CA" + self.session.session_id.hex()
        scripts, wall = Scripts(self), WallClock(START)
        auth = Auth(accounts, None, local=True)
        admit = ApplicationAuth(lambda: accounts, wall, lambda: self.now).admit
        self.app = app.build(
            app.Parts(
                auth=auth,
                pages={},
                routers=(
                    update.router(auth, self.calls, scripts, self.hang_up, self, wall),
                    manage.router(admit, self.calls, scripts),
                ),
                log=get_logger("test"),
                version="0",
            )
        )

    # the doors of scripts

    def start(self, call: KnownCall, account: Account, siprec: m.StartSiprec) -> None:
        assert account is ACCOUNT
        self.done.append(f"start {siprec.name}")

    def stop(self, call: KnownCall, name: str) -> None:
        self.done.append(f"stop {name}")

    def hang_up(self, call: int, cause: str) -> None:
        self.done.append("hang up")
        self.end()

    def later(self, delay_s: float, then: Callable[[], None]) -> Api:
        self.done.append(f"wait {delay_s}")
        return self

    def cancel(self) -> None:
        self.done.append("cancel")

    def report(self, call: KnownCall, code: int, text: str) -> None:
        self.done.append(f"report {code}")

    # the way outside

    async def ask(
        self, request: OutsideRequest, *, connect_timeout_s: float, timeout_s: float, max_bytes: int
    ) -> OutsideAnswer:
        self.done.append(f"ask {request.method} {request.url}")
        assert max(connect_timeout_s, timeout_s) <= 10
        if isinstance(self.found, OutsideError):
            raise self.found
        if self.ends_meanwhile:
            self.end()
        return OutsideAnswer(
            status=200, headers={}, body=self.found[:max_bytes], complete=len(self.found) <= max_bytes
        )

    # what happens

    def end(self) -> None:
        self.calls.notice(dataclasses.replace(self.session, ended=self.now))

    def update(self, form: Mapping[str, str], sid: str = "", account: Account = ACCOUNT) -> Answer:
        shown = base64.b64encode(f"{account.sid}:{account.auth_token}".encode()).decode()
        path = f"/2010-04-01/Accounts/{account.sid}/Calls/{sid or self.sid}.json"
        return asked(self.app, "POST", path, _fields(authorization=f"Basic {shown}"), form=form)

    def manage(self, body: str, call: str = "", **changed: str) -> Answer:
        path = f"/calling/v1/calls/id/{call or uuid.UUID(bytes=self.session.session_id)}"
        fields = _fields(**(signed("PATCH", path, body, START + self.now) | changed))
        return asked(self.app, "PATCH", path, fields, body=body.encode())


def _fields(**fields: str) -> Mapping[str, str]:
    return {"host": "127.0.0.1:8080"} | {
        name.replace("_", "-"): value for name, value in fields.items() if value
    }


def signed(method: str, path: str, body: str, at: float, *, key: str = "app") -> dict[str, str]:
    """The header fields of a signed request, as the platform documents them."""
    kind = "application/json; charset=utf-8"
    moment = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.1234567Z")
    digest = base64.b64encode(hashlib.md5(body.encode()).digest()).decode()  # noqa: S324 the platform's
    text = f"{method}\n{digest}\n{kind}\nx-timestamp:{moment}\n{path}"
    proof = base64.b64encode(
        hmac.new(base64.b64decode(SECRET), text.encode(), hashlib.sha256).digest()
    ).decode()
    return {"content_type": kind, "x_timestamp": moment, "authorization": f"Application {key}:{proof}"}


@pytest.fixture
def api() -> Api:
    return Api()


def twiml(verbs: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'


def test_a_live_call_takes_a_script_and_is_shown(api: Api) -> None:
    answer = api.update({"Twiml": twiml('<Start><Siprec name="a"/></Start><Pause length="5"/>')})
    assert answer.status == 200
    assert (answer.json["sid"], answer.json["status"]) == (api.sid, "in-progress")
    assert api.done == ["start a", "wait 5"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_script_is_fetched_from_its_url(api: Api, method: str) -> None:
    stop = '<Response><Stop><Siprec name="Käse"/></Stop></Response>'
    api.found = f'<?xml version="1.0" encoding="iso-8859-1"?>{stop}'.encode("iso-8859-1")
    assert api.update({"Url": "https://a.example/x", "Method": method}).status == 200
    asked, *done = api.done
    assert asked.startswith(f"ask {method} https://a.example/x")
    assert ("CallStatus=in-progress" in asked) == (method == "GET")
    assert done == ["stop Käse", "hang up"]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (OutsideError("nobody there"), 11200),
        (b"<Response>" + b" " * 70_000 + b"</Response>", 11200),
        (b"not found", 12100),
        (b"<Response><Dial>1</Dial></Response>", 20001),
    ],
)
def test_a_url_without_a_script_changes_nothing(api: Api, found: bytes | OutsideError, code: int) -> None:
    api.found = found
    answer = api.update({"Url": "https://a.example/x"})
    assert (answer.status, answer.json["code"]) == (400, code)
    assert len(api.done) == 1


def test_a_call_that_ends_while_its_script_is_fetched_takes_none(api: Api) -> None:
    api.found, api.ends_meanwhile = b"<Response><Hangup/></Response>", True
    assert api.update({"Url": "https://a.example/x"}).json["code"] == 21220
    assert len(api.done) == 1


def test_completed_ends_the_call_once(api: Api) -> None:
    assert (api.update({"Status": "completed"})).json["status"] == "completed"
    assert (api.update({"Status": "completed"})).status == 200
    assert api.done == ["hang up"]


def test_canceled_and_nothing_leave_an_answered_call(api: Api) -> None:
    for form in ({"Status": "canceled"}, {"Unknown": "x"}, {}):
        assert (api.update(form)).json["status"] == "in-progress"
    assert api.done == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Twiml": "hello"}, 12100),
        ({"Twiml": "<!DOCTYPE Response><Response/>"}, 12100),
        ({"Twiml": "<Start/>"}, 12102),
        ({"Twiml": twiml('<Start><Siprec track="all"/></Start>')}, 12200),
        ({"Twiml": twiml("<Dial>+1555</Dial>")}, 20001),
        ({"Twiml": twiml("<Start><Recording/></Start>")}, 21220),
        ({"Twiml": twiml("<Hangup/>"), "Status": "completed"}, 20001),
        ({"Status": "ringing"}, 20001),
        ({"Url": "/relative"}, 21205),
        ({"Url": "https://a.example/", "Twiml": twiml("<Hangup/>")}, 20001),
        ({"Url": "https://a.example/", "Method": "PUT"}, 21209),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_done(
    api: Api, form: dict[str, str], code: int
) -> None:
    answer = api.update(form)
    assert (answer.status, answer.json["status"], answer.json["code"]) == (400, 400, code)
    assert api.done == []


def test_a_call_that_has_ended_takes_no_script(api: Api) -> None:
    api.end()
    answer = api.update({"Twiml": twiml("<Hangup/>")})
    assert (answer.status, answer.json["code"]) == (400, 21220)


def test_a_call_of_another_account_is_not_there(api: Api) -> None:
    assert (api.update({"Status": "completed"}, account=OTHER)).status == 404
    assert (api.update({"Status": "completed"}, sid="CA" + "0" * 32)).status == 404
    assert api.done == []


def test_manage_call_ends_the_call_by_its_uuid_or_sid(api: Api) -> None:
    answer = api.manage('{"action": {"name": "continue"}}', call=api.sid)
    assert (answer.status, answer.body) == (204, b"")
    assert (api.manage('{"action": {"name": "hangup"}}')).status == 204
    assert api.done == ["hang up"]
    ended = api.manage('{"action": {"name": "hangup"}}')
    assert (ended.status, ended.json["errorCode"]) == (400, "40003")


def test_manage_call_reads_the_options_of_a_recording_in_full_before_it_refuses(api: Api) -> None:
    body = '{"instructions": [{"name": "startRecording", "options": %s}], "action": {"name": "hangup"}}'
    broken = api.manage(body % '{"destinationUrl": "s3://b", "credentials": "gehe:im"}')
    assert (broken.status, broken.json["errorCode"]) == (400, "40001")
    assert "recordingOptions.credentials" in broken.json["message"]
    assert "gehe" not in broken.body.decode()
    sound = api.manage(body % '{"destinationUrl": "gs://b", "credentials": "gehe:im"}')
    assert sound.status == 400
    assert "connector" in sound.json["message"]
    assert set(sound.json) == {"status", "errorCode", "message", "reference"}
    assert api.done == []


def test_manage_call_takes_the_secret_as_password(api: Api) -> None:
    shown = f"app:{SECRET}"
    for authorization in (f"Basic {shown}", f"basic {base64.b64encode(shown.encode()).decode()}"):
        assert (api.manage("{}", authorization=authorization, x_timestamp="")).status == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"authorization": ""},
        {"authorization": "Application app:AAAA"},
        {"authorization": "Application nobody:"},
        {"authorization": "Basic app:wrong"},
        {"authorization": "Basic !"},
        {"authorization": f"Bearer app:{SECRET}"},
        {"x_timestamp": "2026-11-18T11:06:41Z"},
        {"x_timestamp": ""},
        {"content_type": "application/json"},
    ],
)
def test_manage_call_is_for_who_has_signed_it(api: Api, changed: dict[str, str]) -> None:
    answer = api.manage("{}", **changed)
    assert (answer.status, answer.json["errorCode"]) == (401, "40100")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signature_of_another_time_is_refused(api: Api, seconds: float) -> None:
    path = f"/calling/v1/calls/id/{api.sid}"
    answer = api.manage("{}", call=api.sid, **signed("PATCH", path, "{}", START + seconds))
    assert answer.status == 401


def test_another_application_finds_no_such_call(api: Api) -> None:
    path = f"/calling/v1/calls/id/{api.sid}"
    answer = api.manage("{}", call=api.sid, **signed("PATCH", path, "{}", START, key="other"))
    assert (answer.status, answer.json["errorCode"]) == (404, "40400")
    for other in ("x", str(uuid.UUID(int=0)), "0" * 36):
        assert (api.manage("{}", call=other)).status == 404


def test_who_guesses_has_to_wait(api: Api) -> None:
    for _ in range(10):
        assert (api.manage("{}", authorization="Application app:AAAA")).status == 401
    answer = api.manage("{}")
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) == 60


def test_another_content_type_is_refused(api: Api) -> None:
    path = f"/calling/v1/calls/id/{api.sid}"
    fields = signed("PATCH", path, "{}", START) | {"content_type": "text/plain"}
    assert (api.manage("{}", call=api.sid, **fields)).status == 415
