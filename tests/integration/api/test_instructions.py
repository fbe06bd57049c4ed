"""TwiML on live calls, built and sent by the platform's own library, with media and recorders behind it."""

from __future__ import annotations

import http.client
import re
import uuid
from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.twiml.voice_response import Parameter, Siprec, Start, Stop, VoiceResponse

from tests.support.api import ACCOUNT, SECRET, TOKEN, Api, LiveCall
from tests.support.customer import Reply, customer
from tests.support.daemon import LOOPBACK, patient, until
from tests.support.recorder import Recording


@pytest.fixture
def call(service: Api) -> Iterator[LiveCall]:
    with service.call() as live:
        yield live


def recorded(service: Api, connector: str, mark: str) -> Recording:
    """The recording whose metadata says this."""

    def found() -> list[Recording]:
        recordings = service.recorders[connector].recordings()
        return [r for r in recordings if any(mark.encode() in document for document in r.metadata())]

    until(lambda: bool(found()), 5, f"a recording of {mark}")
    (recording,) = found()
    return recording


def start(mark: str, **attributes: str) -> Start:
    siprec = Siprec(connector_name="Gridspace1", **attributes)
    for name, value in (("Custom1", "Bob"), ("Custom2", mark), ("Custom3", "Alice & <Co>")):
        siprec.append(Parameter(name=name, value=value))
    verb = Start()
    verb.append(siprec)
    return verb


@pytest.mark.feature("F001", "F039", "F055", "F057", "F060", "F062", "F063")
def test_what_a_script_starts_is_recorded_and_rest_stops_it(service: Api, call: LiveCall) -> None:
    response = VoiceResponse()
    hook = service.hook("?of=theirs")
    called_back = {"status_callback": hook.url, "status_callback_method": "GET"}
    response.append(start("first mark", name="my_first_siprec_stream", **called_back))
    response.pause(length=3600)
    answered = service.client.calls(call.sid).update(twiml=response)
    assert (answered.sid, answered.status) == (call.sid, "in-progress")
    (begun,) = hook.wait("siprec-started")
    assert (begun["SiprecName"], begun["of"]) == ("my_first_siprec_stream", "theirs")
    call.talk_more(50)
    stopped = service.client.calls(call.sid).siprec("my_first_siprec_stream").update(status="stopped")
    assert (stopped.sid, stopped.status) == (begun["SiprecSid"], "stopped")
    hook.wait("siprec-started", "siprec-stopped")
    recording = recorded(service, "Gridspace1", "first mark")
    assert recording.labels == ["1", "2"]
    assert recording.track("1") in call.alice_says
    assert recording.track("2") in call.bob_says
    assert min(len(recording.track("1")), len(recording.track("2"))) > 3200
    document = recording.metadata()[0].decode()
    places = [
        document.index(text) for text in ("Custom1", "Bob", "Custom2", "first mark", "Custom3", "Alice &amp;")
    ]
    assert places == sorted(places)


@pytest.mark.feature("F056", "F058", "F061")
def test_the_next_verb_does_not_wait_and_none_left_ends_the_call(service: Api, call: LiveCall) -> None:
    response = VoiceResponse()
    response.append(start("second mark", name="x", track="outbound_track"))
    response.pause(length=1)
    stop = Stop()
    stop.siprec(name="x")
    response.append(stop)
    service.client.calls(call.sid).update(twiml=response)
    recording = recorded(service, "Gridspace1", "second mark")
    assert recording.track(recording.labels[0]) in call.bob_says
    until(lambda: call.caller.ended and service.exchange.callees[call.number].ended, 5, "BYE to both")
    assert service.client.calls(call.sid).fetch().status == "completed"


def test_a_script_is_fetched_with_a_signature(service: Api, call: LiveCall) -> None:
    with customer() as application:
        application.replies.append(Reply(body=b"<Response><Hangup/></Response>"))
        service.client.calls(call.sid).update(url=f"{application.url}?of=theirs", method="POST")
        (told,) = application.wait(1)
    assert told.is_signed_with(TOKEN)
    assert (told.fields["CallSid"], told.fields["CallStatus"]) == (call.sid, "in-progress")
    until(lambda: call.caller.ended and service.exchange.callees[call.number].ended, 5, "BYE to both")


@pytest.mark.feature("F059")
def test_what_a_script_cannot_do_is_an_alert_and_the_call_goes_on(service: Api, call: LiveCall) -> None:
    response = VoiceResponse()
    unknown = Start()
    unknown.siprec(connector_name="my_addon_connector")
    response.append(unknown)
    response.say("hello")
    service.client.calls(call.sid).update(twiml=response)
    alerts = [line for line in service.daemon.events("script.report") if line["call_sid"] == call.sid]
    assert [line["code"] for line in alerts] == [31940, 12200]
    assert re.search("my_addon_connector", alerts[0]["error"])
    call.talk_more()
    assert not call.caller.ended


@pytest.mark.parametrize("named", ["uuid", "sid"])
def test_manage_call_ends_the_call_for_both(service: Api, call: LiveCall, named: str) -> None:
    path = f"/calling/v1/calls/id/{uuid.UUID(call.sid[2:]) if named == 'uuid' else call.sid}"
    connection = http.client.HTTPConnection(LOOPBACK, service.daemon.http or 0, timeout=patient(5))
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {ACCOUNT}:{SECRET}"}
    connection.request("PATCH", path, '{"instructions": [], "action": {"name": "hangup"}}', headers)
    assert connection.getresponse().status == 204
    connection.close()
    until(lambda: call.caller.ended and service.exchange.callees[call.number].ended, 5, "BYE to both")


def test_completed_ends_the_call_for_both(service: Api, call: LiveCall) -> None:
    service.client.calls(call.sid).update(status="completed")
    until(lambda: call.caller.ended and service.exchange.callees[call.number].ended, 5, "BYE to both")
    with pytest.raises(TwilioRestException) as caught:
        service.client.calls(call.sid).update(twiml="<Response><Hangup/></Response>")
    assert (caught.value.status, caught.value.code) == (400, 21220)
