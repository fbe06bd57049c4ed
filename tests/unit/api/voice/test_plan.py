"""What a script means for a call that nobody has answered yet."""

from __future__ import annotations

import dataclasses
import json

import pytest
from twilio.twiml.voice_response import Dial, VoiceResponse

from siprec_src.api.voice.plan import NO_RECORDING, NOT_CARRIED_OUT, Plan, plan_of
from siprec_src.errors import InstructionError
from siprec_src.ingest.inline.voice import AfterInstructions, Voice, VoiceDefault
from siprec_src.instructions.model import StartSiprec, StopSiprec
from siprec_src.instructions.svaml import parse_svaml
from siprec_src.instructions.twiml import parse_twiml
from siprec_src.values import SecretText
from tests.support.reference import reference_path

VOICE = Voice(url=SecretText("http://app.example/voice"))
ROUTES = dataclasses.replace(VOICE, after=AfterInstructions.ROUTE)


def twiml(document: VoiceResponse | str, voice: Voice = VOICE) -> Plan:
    return plan_of(parse_twiml(str(document).encode()), voice)


def svaml(voice: Voice = VOICE, **action: object) -> Plan:
    return plan_of(parse_svaml(json.dumps({"action": action}).encode()), voice)


def codes(plan: Plan) -> list[int]:
    return [report.code for report in plan.reports]


@pytest.mark.feature("F056")
def test_a_document_without_dial_ends_the_call_and_says_so() -> None:
    plan = twiml('<Response><Start><Siprec connectorName="my_addon_connector"/></Start></Response>')
    assert plan.answer.refused == 603
    assert "after_instructions" in plan.reports[0].text


@pytest.mark.feature("F055")
def test_without_dial_the_call_goes_on_where_the_trunk_says_so_and_its_siprec_begins() -> None:
    plan = twiml('<Response><Start><Siprec connectorName="my_addon_connector"/></Start></Response>', ROUTES)
    assert (plan.answer.refused, plan.answer.dialled) == (None, None)
    assert plan.answer.begun == (StartSiprec(connector="my_addon_connector"),)
    assert plan.reports == ()


def test_what_starts_and_stops_before_the_dial_is_done_in_its_order_and_no_more() -> None:
    response = VoiceResponse()
    response.start().siprec(name="one", connector_name="Gridspace_1")
    response.stop().siprec(name="one")
    response.append(Dial("+4930123"))
    response.start().siprec(name="never")
    plan = twiml(response)
    assert plan.answer.begun == (
        StartSiprec(name="one", connector="Gridspace_1"),
        StopSiprec(name="one"),
    )
    assert plan.unreached == 1


def test_a_dial_says_whom_how_long_and_in_whose_name() -> None:
    response = VoiceResponse()
    response.dial("+4930123", timeout=17, caller_id="+4940999")
    dialled = twiml(response).answer.dialled
    assert dialled is not None
    assert (dialled.to, dialled.timeout_s, dialled.caller_id) == ("+4930123", 17, "+4940999")


def test_a_dialled_sip_uri_is_kept_with_its_transport() -> None:
    dial = Dial()
    dial.sip("sip:desk@pbx.example:5070;transport=tcp")
    response = VoiceResponse()
    response.append(dial)
    dialled = twiml(response).answer.dialled
    assert dialled is not None
    assert str(dialled.to) == "sip:desk@pbx.example:5070;transport=tcp"


def test_header_fields_of_a_dialled_uri_are_told_as_not_sent() -> None:
    plan = twiml("<Response><Dial><Sip>sip:desk@pbx.example?x-mine=1</Sip></Dial></Response>")
    assert plan.answer.dialled is not None
    assert codes(plan) == [NOT_CARRIED_OUT]


def test_of_several_nouns_the_first_is_dialled_and_the_others_are_told() -> None:
    dial = Dial()
    dial.number("+4930123")
    dial.sip("sip:desk@pbx.example")
    response = VoiceResponse()
    response.append(dial)
    plan = twiml(response)
    assert plan.answer.dialled is not None
    assert plan.answer.dialled.to == "+4930123"
    assert codes(plan) == [NOT_CARRIED_OUT]


def test_a_dial_that_records_is_carried_out_and_the_recording_is_told() -> None:
    response = VoiceResponse()
    response.dial("+4930123", record="record-from-answer-dual", action="/after", time_limit=60)
    plan = twiml(response)
    assert plan.answer.dialled is not None
    assert codes(plan) == [NO_RECORDING, NOT_CARRIED_OUT, NOT_CARRIED_OUT]


@pytest.mark.parametrize(("reason", "status"), [("rejected", 603), ("busy", 486)])
def test_a_reject_is_a_status(reason: str, status: int) -> None:
    response = VoiceResponse()
    response.reject(reason=reason)
    assert twiml(response).answer.refused == status


def test_a_hangup_before_the_answer_declines_after_the_pauses_before_it() -> None:
    response = VoiceResponse()
    response.pause(length=2)
    response.pause(length=3)
    response.hangup()
    answer = twiml(response).answer
    assert (answer.refused, answer.pause_s) == (603, 5)


def test_a_pause_beyond_the_limit_is_told() -> None:
    response = VoiceResponse()
    response.pause(length=61)
    response.dial("+4930123")
    assert codes(twiml(response)) == [NOT_CARRIED_OUT]


@pytest.mark.parametrize(("default", "status"), [(VoiceDefault.ROUTE, None), (VoiceDefault.REFUSE, 503)])
def test_a_verb_that_is_not_carried_out_is_told_and_the_default_applies(
    default: VoiceDefault, status: int | None
) -> None:
    response = VoiceResponse()
    response.start().siprec(name="one")
    response.say("hello")
    plan = twiml(response, dataclasses.replace(VOICE, default=default))
    assert plan.answer.refused == status
    assert plan.answer.begun == (StartSiprec(name="one"),)
    assert [report.text.split(":")[0] for report in plan.reports] == ["Say"]


def test_a_verb_that_is_not_carried_out_leaves_those_behind_it_as_they_are() -> None:
    response = VoiceResponse()
    response.say("hello")
    response.dial("+4930123")
    answer = twiml(response).answer
    assert answer.dialled is not None


def test_a_local_recording_is_told_and_the_call_goes_on() -> None:
    plan = twiml("<Response><Start><Recording/></Start><Dial>+4930123</Dial></Response>")
    assert plan.answer.dialled is not None
    assert codes(plan) == [NO_RECORDING]


def test_an_address_that_is_none_is_the_authors_mistake() -> None:
    with pytest.raises(InstructionError):
        twiml("<Response><Dial><Sip>sip:desk@pbx.example:99999</Sip></Dial></Response>")


@pytest.mark.feature("F194")
def test_the_documented_answer_of_the_other_kind_dials_and_tells_of_its_recording() -> None:
    text = reference_path("platform-docs/S3-sinch-recording.txt").read_text()
    documented = text[text.index("{", text.index("example ICE response")) : text.index("Property |")]
    plan = plan_of(parse_svaml(documented.encode()), VOICE)
    assert plan.answer.dialled is not None
    assert plan.answer.dialled.to == "johndoe"
    assert codes(plan) == [NO_RECORDING]
    assert "wJalrXUtnFEMI" not in repr(plan)


@pytest.mark.feature("F187")
def test_a_record_without_its_options_is_refused() -> None:
    with pytest.raises(InstructionError, match="recordingOptions"):
        svaml(name="connectPstn", number="+4930123", record=True)


@pytest.mark.feature("F186")
def test_the_actions_of_the_other_kind_route_and_refuse() -> None:
    number = svaml(name="connectPstn", number="+4930123", cli="+4940999", dialTimeout=17).answer.dialled
    assert number is not None
    assert (number.to, number.timeout_s, number.caller_id) == ("+4930123", 17, "+4940999")
    sip = svaml(name="connectSip", destination={"endpoint": "desk@pbx.example"}).answer.dialled
    assert sip is not None
    assert str(sip.to) == "sip:desk@pbx.example"
    where_it_was_going = svaml(name="connectMxp").answer.dialled
    assert where_it_was_going is not None
    assert where_it_was_going.to is None
    assert svaml(name="hangup").answer.refused == 603
    assert svaml(name="continue").answer.refused is None
    assert svaml(name="connectConf", conferenceId="x").answer.refused is None
