"""TwiML as the platform documents print it, as its library builds it, and as an enemy would."""

from __future__ import annotations

import html
import re

import pytest
from twilio.twiml.voice_response import Dial, Parameter, Siprec, Start, Stop, VoiceResponse

from siprec_src.errors import InstructionError
from siprec_src.instructions import model as m
from siprec_src.instructions.twiml import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_ELEMENTS,
    MAX_INSTRUCTIONS,
    parse_twiml,
)
from siprec_src.values import SecretText
from tests.support.reference import reference_path


def printed(document: str) -> list[str]:
    """The TwiML fragments of a platform document, without the line numbers between the lines."""
    text = reference_path(f"platform-docs/{document}").read_text("utf-8")
    text = re.sub(r"^\d+\s*$\n?", "", text, flags=re.MULTILINE)
    text = re.sub(r'(?<=")\d(?=[a-z])', " ", re.sub(r"(?<=>)\d(?=<)", "", text))
    return re.findall(
        r"<Start>.*?</Start>|<Stop>.*?</Stop>|<Response>\s*<Dial.*?</Response>", text, re.DOTALL
    )


def script(body: str) -> m.Script:
    return parse_twiml(f"<Response>{body}</Response>".encode())


def instructions(body: str) -> tuple[m.Instruction, ...]:
    found = script(body)
    assert found.warnings == ()
    return found.instructions


def refusal(octets: bytes | str) -> InstructionError:
    with pytest.raises(InstructionError) as caught:
        parse_twiml(octets.encode() if isinstance(octets, str) else octets)
    return caught.value


@pytest.mark.feature("F060", "F064")
def test_the_examples_of_the_siprec_page_are_understood_as_printed() -> None:
    basic, named, stop, passing, library = printed("S1-twiml-siprec.txt")
    assert instructions(basic) == (m.StartSiprec(connector="my_addon_connector"),)
    assert instructions(basic)[0].track is m.Track.BOTH  # type: ignore[union-attr]
    assert instructions(named) == (
        m.StartSiprec(name="my_first_siprec_stream", connector="my_addon_connector"),
    )
    assert instructions(stop) == (m.StopSiprec(name="my_first_siprec_stream"),)
    assert instructions(passing) == (
        m.StartSiprec(
            name="my_stream_1",
            connector="Gridspace_1",
            track=m.Track.OUTBOUND,
            parameters=(("Custom1", "Bob"), ("Custom2", "Blah"), ("Custom3", "Alice")),
        ),
    )
    assert instructions(library) == (m.StartSiprec(name="My SIPREC Stream", connector="Gridspace_1"),)


@pytest.mark.feature("F062")
def test_the_example_with_a_status_callback_is_understood_as_printed() -> None:
    (example,) = printed("S0-siprec-resource.txt")
    (start,) = instructions(example)
    assert isinstance(start, m.StartSiprec)
    assert start.callback is not None
    assert (start.name, start.connector) == ("my-first-siprec", "Gridspace1")
    assert (start.callback.url, start.callback.method) == ("https://87b252436d40.ngrok.app", "GET")


@pytest.mark.feature("F183")
def test_the_example_of_a_recorded_dial_is_understood_as_printed() -> None:
    (example,) = printed("S4-single-party-recording.txt")
    (dial,) = parse_twiml(example.encode()).instructions
    assert isinstance(dial, m.Dial)
    assert dial.targets == (m.Number(digits="+15551239876"),)
    assert dial.recording is not None
    assert (dial.recording.track, dial.recording.channels) == (m.RecordedTrack.INBOUND, m.Channels.MONO)
    assert dial.recording.callback == m.StatusCallback(
        url=SecretText("https://www.myexample.com/recording-handler")
    )


@pytest.mark.feature("F065")
def test_what_the_library_builds_is_what_is_understood() -> None:
    response = VoiceResponse()
    start = Start()
    siprec = Siprec(name="Ünï & <co>", connector_name="C", track="inbound_track",
                    status_callback="https://a.example/cb?x=1&y=2", status_callback_method="GET")  # fmt: skip
    siprec.append(Parameter(name="Käse", value='a "b" & c'))
    siprec.append(Parameter(name="Käse", value=""))
    start.append(siprec)
    response.append(start)
    stop = Stop()
    stop.siprec(name="Ünï & <co>")
    response.append(stop)
    response.pause(length=3600)
    dial = Dial(
        timeout=12,
        caller_id="+1555",
        record="record-from-ringing-dual",
        answer_on_bridge=True,
        hangup_on_star=True,
        time_limit=60,
        action="/next",
        method="GET",
        ring_tone="us-old",
    )
    dial.number("+1 (555) 123-9876")
    dial.sip("sip:bob@example.com;transport=tcp")
    response.append(dial)
    response.reject(reason="busy")
    response.hangup()
    found = parse_twiml(str(response).encode())
    assert found.warnings == ()
    assert found.instructions == (
        m.StartSiprec(
            name="Ünï & <co>",
            connector="C",
            track=m.Track.INBOUND,
            callback=m.StatusCallback(url=SecretText("https://a.example/cb?x=1&y=2"), method="GET"),
            parameters=(("Käse", 'a "b" & c'), ("Käse", "")),
        ),
        m.StopSiprec(name="Ünï & <co>"),
        m.Pause(length_s=3600),
        m.Dial(
            targets=(m.Number(digits="+15551239876"), m.SipTarget(uri="sip:bob@example.com;transport=tcp")),
            timeout_s=12,
            caller_id="+1555",
            time_limit_s=60,
            action=SecretText("/next"),
            method="GET",
            hang_up_on_star=True,
            ring_tone="us-old",
            answer_on_bridge=True,
            recording=m.Recording(from_ringing=True),
        ),
        m.Reject(reason=m.RejectReason.BUSY),
        m.Hangup(),
    )


def test_a_number_may_stand_in_dial_itself() -> None:
    assert instructions("<Dial>\n 415-123-4567 </Dial>") == (
        m.Dial(targets=(m.Number(digits="4151234567"),)),
    )


def test_a_recording_is_read_with_all_it_asks_for() -> None:
    (found,) = instructions(
        '<Start><Recording recordingStatusCallback="http://a/b" recordingStatusCallbackMethod="GET" '
        'recordingStatusCallbackEvent="in-progress absent" trim="trim-silence" track="outbound" '
        'channels="mono"/></Start>'
    )
    assert found == m.StartRecording(
        recording=m.Recording(
            track=m.RecordedTrack.OUTBOUND,
            channels=m.Channels.MONO,
            trim=True,
            callback=m.StatusCallback(url=SecretText("http://a/b"), method="GET"),
            events=frozenset({m.RecordingEvent.IN_PROGRESS, m.RecordingEvent.ABSENT}),
        )
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '<Start><Siprec track="both"/></Start>',
            "Siprec> track: both inbound_track outbound_track both_tracks",
        ),
        ('<Start><Siprec statusCallback="/x"/></Start>', "Siprec> statusCallback: absolute http"),
        ('<Start><Siprec statusCallback="ftp://a/x"/></Start>', "statusCallback: absolute http"),
        ('<Start><Siprec statusCallback="http://[::1/x"/></Start>', "statusCallback: absolute http"),
        ('<Start><Siprec statusCallbackMethod="PUT"/></Start>', "statusCallbackMethod: PUT GET POST"),
        (f'<Start><Siprec name="SR{"0" * 32}"/></Start>', "Siprec> name: SID"),
        ('<Start><Siprec name="a/b"/></Start>', "Siprec> name: slash"),
        ('<Start><Siprec name="x.json"/></Start>', "Siprec> name: .json"),
        ('<Start><Siprec><Parameter value="x"/></Siprec></Start>', "Parameter> name"),
        (
            '<Start><Siprec><Parameter name="A" value="x&#13;&#10;Y: z"/></Siprec></Start>',
            "Parameter> 'A' control",
        ),
        ("<Start/>", "Start> Siprec"),
        ("<Stop><Siprec/></Stop>", "Siprec> name: missing"),
        ('<Start><Recording channels="3"/></Start>', "Recording> channels: mono dual"),
        ('<Start><Recording recordingStatusCallbackEvent="done"/></Start>', "in-progress completed absent"),
        ('<Dial record="yes">1</Dial>', "Dial> record: yes record-from-answer do-not-record"),
        ('<Dial timeout="0">1</Dial>', "Dial> timeout: 0 1 600"),
        ('<Dial timeout="1e9">1</Dial>', "Dial> timeout:"),
        ('<Dial hangupOnStar="yes">1</Dial>', "hangupOnStar: true false"),
        ('<Dial callerId="a&lt;b">1</Dial>', "callerId:"),
        ("<Dial/>", "Dial> Number Sip"),
        ("<Dial>bob</Dial>", "Dial> telephone number"),
        ("<Dial><Sip>bob@example.com</Sip></Dial>", "Dial><Sip> sip:"),
        ('<Pause length="-1"/>', "Pause> length:"),
        ('<Reject reason="no"/>', "Reject> reason: rejected busy"),
        ("<start/>", "<start> <Start>"),
        ("<Start><siprec/></Start>", "<siprec> <Siprec>"),
    ],
)
def test_one_wrong_value_refuses_the_whole_and_is_named(body: str, words: str) -> None:
    error = refusal(f"<Response><Hangup/>{body}</Response>")
    assert error.code == 12200
    assert [word for word in words.split() if word not in str(error)] == []


@pytest.mark.parametrize("verb", ["Say", "Play", "Gather", "Redirect", "Record", "Enqueue", "Whatever"])
def test_a_verb_that_is_not_carried_out_is_kept_in_its_place(verb: str) -> None:
    found = instructions(f'<Hangup/><{verb} loop="2">text</{verb}><Pause/>')
    assert found[0::2] == (m.Hangup(), m.Pause())
    assert isinstance(found[1], m.Unsupported)
    assert found[1].verb == verb


def test_nouns_that_are_not_carried_out_are_reported() -> None:
    found = instructions('<Start><Stream url="wss://x"/></Start><Stop><Stream/></Stop>')
    assert [repr(item).split("'")[1] for item in found] == ["Start/Stream", "Stop/Stream"]
    mixed = script("<Dial><Client>joe</Client><Number>1</Number></Dial>")
    assert mixed.instructions == (m.Dial(targets=(m.Number(digits="1"),)),)
    assert "Client" in mixed.warnings[0].text
    (alone,) = script("<Dial><Conference>room</Conference></Dial>").instructions
    assert isinstance(alone, m.Unsupported)
    assert alone.verb == "Dial"


def test_what_nobody_acts_on_is_said_without_its_value() -> None:
    found = script('<Dial sequential="true"><Sip username="u" password="geheim">sip:a@b</Sip></Dial>stray')
    assert len(found.instructions) == 1
    text = " ".join(warning.text for warning in found.warnings)
    assert all(word in text for word in ("sequential", "username", "password", "text between"))
    assert "geheim" not in text


def test_of_what_nobody_acts_on_so_much_is_said_and_that_there_is_more() -> None:
    found = script("<Dial>" + '<Number a="" b="" c="" d="">1</Number>' * 10 + "</Dial>")
    assert len(found.warnings) == 20
    assert "there is more" in found.warnings[-1].text


def test_order_space_comments_and_processing_instructions_change_nothing() -> None:
    plain = '<Siprec name="n" track="inbound_track" connectorName="c"/>'
    odd = "<Siprec\n connectorName='c'   track='inbound_track'\tname='n'><!-- x --><?pi y?>\n</Siprec>"
    assert instructions(f"<Start>{plain}</Start>") == instructions(f"\n<!-- a --><Start>\n{odd}</Start>\n")


def test_an_empty_attribute_is_as_none() -> None:
    assert instructions('<Start><Siprec name="" statusCallback="" track=""/></Start>') == (m.StartSiprec(),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "us-ascii"])
def test_the_encoding_that_is_declared_is_honoured(encoding: str) -> None:
    name = "abc" if encoding == "us-ascii" else "Käse"
    stop = f'<Response><Stop><Siprec name="{name}"/></Stop></Response>'
    text = f'<?xml version="1.0" encoding="{encoding}"?>{stop}'
    assert parse_twiml(text.encode(encoding)).instructions == (m.StopSiprec(name=name),)


def test_text_has_no_encoding_whatever_it_declares() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><Response><Stop><Siprec name="Käse"/></Stop></Response>'
    assert parse_twiml(text).instructions == (m.StopSiprec(name="Käse"),)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<Response>",
        b"{}",
        b"\x00",
        b'<?xml version="1.0" encoding="utf-7"?><Response/>',
        b'<?xml version="1.0" encoding="klingon"?><Response/>',
        b"<Response a='\xff'/>",
        b"<Response/><Response/>",
        b"<!DOCTYPE Response><Response/>",
        b'<!DOCTYPE r [<!ENTITY a "x">]><Response>&a;</Response>',
        b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><Response/>',
        b"<Response>&unknown;</Response>",
        b"<Response>" + b" " * MAX_DOCUMENT_BYTES + b"</Response>",
        b"<Response>" + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</Response>",
        b"<Response>" + b"<Pause/>" * MAX_ELEMENTS + b"</Response>",
        b"<Response>" + b"<Pause/>" * (MAX_INSTRUCTIONS + 1) + b"</Response>",
    ],
)
def test_what_is_no_sound_xml_is_refused(octets: bytes) -> None:
    assert refusal(octets).code == 12100


def test_an_endless_attribute_is_refused() -> None:
    assert refusal(f'<Response><Pause length="{"1" * 5000}"/></Response>').code == 12200


@pytest.mark.parametrize("root", ["response", "Start", "html", "r" * 300])
def test_another_root_is_refused(root: str) -> None:
    error = refusal(f"<{root}/>")
    assert error.code == 12102
    assert len(str(error)) < 200


def test_no_url_is_shown() -> None:
    secret = "https://user:" + "geheim@a.example/"
    (found,) = instructions(f'<Start><Siprec statusCallback="{html.escape(secret)}"/></Start>')
    assert "geheim" not in repr(found)
    assert "geheim" not in str(
        refusal(f'<Response><Start><Siprec statusCallback="x{secret}"/></Start></Response>')
    )
