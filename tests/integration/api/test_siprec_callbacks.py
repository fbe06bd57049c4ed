"""What a customer's server is told of the Siprecs of live calls, judged by the library's validator."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.api import ACCOUNT, TOKEN, Api, LiveCall
from tests.support.daemon import patient, until


@pytest.fixture
def call(service: Api) -> Iterator[LiveCall]:
    with service.call() as live:
        yield live


@pytest.mark.feature(
    "F038", "F040", "F041", "F042", "F043", "F044", "F045", "F046", "F047", "F048", "F049", "H11"
)
@pytest.mark.parametrize("method", ["GET", "POST", None])
def test_a_server_is_told_that_a_siprec_has_started_and_stopped(service: Api, method: str | None) -> None:
    hook, name = service.hook("?own=a%20b&x=1"), "Größe & a=b+c"
    with service.call("Diversion: <sip:+14155550199@pbx.example>;reason=no-answer") as call:
        siprec = service.client.calls(call.sid).siprec
        asked = {"status_callback_method": method} if method else {}
        begun = siprec.create(name=name, status_callback=hook.url, **asked)
        hook.wait("siprec-started")
        siprec(name).update(status="stopped")
        told = hook.wait("siprec-started", "siprec-stopped")
        siprec(begun.sid or "").update(status="stopped")
        call.talk_more()
    own = {"own": "a b", "x": "1"} if method == "GET" else {}
    for fields, event in zip(told, ("siprec-started", "siprec-stopped"), strict=True):
        moment = dt.datetime.fromisoformat(fields["Timestamp"])
        assert abs(moment.timestamp() - time.time()) < 60
        assert fields == {
            **own,
            "AccountSid": ACCOUNT,
            "CallSid": call.sid,
            "From": "+14155550000",
            "To": call.number,
            "CallStatus": "in-progress",
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
            "ForwardedFrom": "+14155550199",
            "SiprecSid": begun.sid,
            "SiprecName": name,
            "SiprecEvent": event,
            "Timestamp": fields["Timestamp"],
        }
    assert {request.method for request in hook.told} == {method or "POST"}
    hook.wait("siprec-started", "siprec-stopped")


@pytest.mark.feature("F001", "F038", "F046", "H34")
def test_the_end_of_the_call_stops_its_siprecs_and_says_so(service: Api, call: LiveCall) -> None:
    siprec = service.client.calls(call.sid).siprec
    hooks = service.hook(), service.hook()
    begun = [siprec.create(status_callback=hook.url, track="inbound_track") for hook in hooks]
    for hook in hooks:
        hook.wait("siprec-started")
    call.hang_up()
    for hook in hooks:
        assert hook.wait("siprec-started", "siprec-stopped")[1]["CallStatus"] == "completed"
    for one in begun:
        assert siprec(one.sid or "").update(status="stopped").status == "stopped"
    assert len(service.recordings(call, 2)) == 2


@pytest.mark.feature("F007", "F046", "F048", "H12")
@pytest.mark.parametrize("connector", ["Refusing", "Nobody"])
def test_a_recorder_that_does_not_take_it_is_told_as_error_and_reported(
    service: Api, call: LiveCall, connector: str
) -> None:
    siprec, hook = service.client.calls(call.sid).siprec, service.hook()
    begun = siprec.create(name="in vain", connector_name=connector, status_callback=hook.url)
    assert begun.status == "in-progress"
    (told,) = hook.wait("siprec-error")
    assert (told["SiprecSid"], told["SiprecErrorCode"]) == (begun.sid, "32011")
    assert told["SiprecError"]
    assert siprec("in vain").update(status="stopped").status == "stopped"
    assert siprec.create(name="in vain").sid != begun.sid, "name and room are free again"
    (line,) = (line for line in service.daemon.events("siprec.failed") if line["siprec_sid"] == begun.sid)
    assert (line["call_sid"], line["code"], line["error"]) == (call.sid, 32011, told["SiprecError"])
    if connector == "Refusing":
        assert line["status"] == 603
    alerts = json.loads(service.daemon.get("/v1/alerts")[1])["alerts"]
    (alert,) = (alert for alert in alerts if alert["fields"].get("siprec_sid") == begun.sid)
    assert (alert["code"], alert["error"]) == (32011, told["SiprecError"])
    assert service.daemon.metric("alerts_total", code="32011") >= 1
    hook.wait("siprec-error")


@pytest.mark.feature("F007", "F038", "F046", "H13")
def test_a_recorder_that_dies_is_told_as_error_and_the_call_goes_on(service: Api, call: LiveCall) -> None:
    siprec, hook = service.client.calls(call.sid).siprec, service.hook()
    begun = siprec.create(connector_name="Mortal", status_callback=hook.url)
    hook.wait("siprec-started")
    service.recorders["Mortal"].kill()
    call.talk_more()
    error = hook.wait("siprec-started", "siprec-error")[1]
    assert error["SiprecErrorCode"].isdigit()
    assert error["SiprecError"]
    call.talk_more()
    assert siprec(begun.sid or "").update(status="stopped").status == "stopped"
    assert call.bob.heard_audio() == call.alice_says[: len(call.bob.heard_audio())]
    until(lambda: bool(service.logged("recording.end", begun.sid)), 5, "the verdict")
    call.hang_up()
    hook.wait("siprec-started", "siprec-error")


@pytest.mark.feature("F028", "F037", "F040")
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_example_of_the_documentation_works_with_curl(service: Api, call: LiveCall) -> None:
    hook = service.hook()
    url = f"{service.base}/2010-04-01/Accounts/{ACCOUNT}/Calls/{call.sid}/Siprec.json"
    done = subprocess.run(
        [
            *("curl", "-sS", "-u", f"{ACCOUNT}:{TOKEN}", "-XPOST", url),
            *("--data-urlencode", "Name=my-first-siprec", "--data-urlencode", "ConnectorName=Gridspace1"),
            *(
                "--data-urlencode",
                f"StatusCallback={hook.url}",
                "--data-urlencode",
                "StatusCallbackMethod=GET",
            ),
        ],
        capture_output=True,
        text=True,
        timeout=patient(10),
        check=True,
    )
    assert re.search(r'"name": ?"my-first-siprec"', done.stdout)
    (started,) = hook.wait("siprec-started")
    assert started["SiprecSid"] in done.stdout
    assert hook.told[0].method == "GET"
