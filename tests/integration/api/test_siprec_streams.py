"""What of a live call reaches the recorders behind connectors, and what does not."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.support.api import Api, LiveCall
from tests.support.daemon import until


@pytest.fixture
def call(service: Api) -> Iterator[LiveCall]:
    with service.call() as live:
        yield live


def told_recorders(service: Api, call: LiveCall) -> list[str]:
    """Every SIP message of the call's that went to a recorder."""
    status, text = service.daemon.get(f"/v1/explained/{call.handle}/full")
    assert status == 200, text
    explained = json.loads(text)
    recorders = {n for n, lane in enumerate(explained["lanes"]) if lane.startswith("SRS ")}
    sip = (entry for entry in explained["entries"] if entry["kind"] == "sip")
    return [entry["text"] for entry in sip if entry["to"] in recorders]


@pytest.mark.feature("F001", "F003", "F004", "F033", "F061", "H1", "H27")
@pytest.mark.parametrize("track", ["inbound_track", "outbound_track", "both_tracks", None])
def test_each_track_holds_what_its_party_says_and_the_call_goes_on_untouched(
    service: Api, call: LiveCall, track: str | None
) -> None:
    siprec = service.client.calls(call.sid).siprec
    begun = siprec.create(track=track) if track else siprec.create()
    service.wait_recording(begun.sid)
    call.talk_more(20)
    siprec(begun.sid or "").update(status="stopped")
    (recording,) = service.recordings(call)
    said = {"1": call.alice_says, "2": call.bob_says}
    wanted = {"inbound_track": ["1"], "outbound_track": ["2"]}.get(track or "", ["1", "2"])
    assert recording.labels == wanted
    for label in wanted:
        heard = recording.track(label)
        assert len(heard) >= 15 * 160
        assert heard in said[label]
        assert recording.books(label)["lost"] == 0
    assert call.bob.heard_audio() == call.alice_says[: len(call.bob.heard_audio())]
    assert call.alice.heard_audio() == call.bob_says[: len(call.alice.heard_audio())]


@pytest.mark.feature("F001", "F002", "F032")
def test_two_siprecs_of_a_call_are_recorded_apart(service: Api, call: LiveCall) -> None:
    siprec = service.client.calls(call.sid).siprec
    one = siprec.create(name="one", track="inbound_track")
    two = siprec.create(name="two", connector_name="Gridspace1")
    service.wait_recording(one.sid, two.sid)
    call.talk_more()
    siprec("one").update(status="stopped")
    first = service.recordings(call)[0]
    call.talk_more(20)
    siprec("two").update(status="stopped")
    second = service.recordings(call, at="Gridspace1")[0]
    assert (first.labels, second.labels) == (["1"], ["1", "2"])
    assert len(second.track("1")) >= len(first.track("1")) + 15 * 160
    assert second.track("2") in call.bob_says
    invites = [message for message in told_recorders(service, call) if message.startswith("INVITE ")]
    assert len(invites) == 2
    for invite in invites:
        assert "\r\nRequire: siprec\r\n" in invite
        assert re.search(r"\r\nContact: [^\r]*;\+sip\.src", invite)
        assert "Content-Type: application/rs-metadata+xml" in invite


@pytest.mark.feature("F005", "H8")
def test_a_call_has_room_for_four_streams_and_what_does_not_fit_is_refused_whole(
    service: Api, call: LiveCall
) -> None:
    siprec = service.client.calls(call.sid).siprec

    def refused(**asked: str) -> bool:
        with pytest.raises(TwilioRestException) as caught:
            siprec.create(**asked)
        return (caught.value.status, caught.value.code) == (400, 31945)

    both = siprec.create(name="both")
    third = siprec.create(track="inbound_track")
    assert refused()
    fourth = siprec.create(track="outbound_track", connector_name="Gridspace1")
    assert refused(name="fifth", track="inbound_track")
    siprec("both").update(status="stopped")
    again = siprec.create(name="fifth")
    service.wait_recording(again.sid, third.sid, fourth.sid)
    assert refused(track="outbound_track")
    begun = {line["copy"] for line in service.daemon.events("recording.begin") if line["call"] == call.handle}
    assert begun <= {both.sid, third.sid, fourth.sid, again.sid}


@pytest.mark.feature("F006")
def test_dtmf_does_not_reach_the_recorder(service: Api, call: LiveCall) -> None:
    siprec = service.client.calls(call.sid).siprec
    begun = siprec.create()
    service.wait_recording(begun.sid)
    for number in range(5):
        header = struct.pack("!BBHII", 0x80, 101 | 0x80, 40_000 + number, 9_000_000, 0x0A11CE)
        call.alice.send_now(header + struct.pack("!BBH", 5, 0x8A, 160 * (number + 1)), call.caller.media)
    call.exchange.info(call.caller, "Signal=5\r\nDuration=160\r\n", "application/dtmf-relay")
    until(lambda: any(packet.payload_type == 101 for packet in call.bob.heard), 5, "Bob hears the tone")
    call.talk_more(10)
    siprec(begun.sid or "").update(status="stopped")
    (recording,) = service.recordings(call)
    (end,) = service.logged("recording.end", begun.sid)
    assert end["skipped_event_1"] == 5
    assert recording.books("1")["received"] == end["delivered_1"]
    messages = told_recorders(service, call)
    assert not any("telephone-event" in message for message in messages)
    assert not any(message.startswith("INFO ") for message in messages)


@pytest.mark.feature("F023")
def test_a_secure_connector_gets_srtp(service: Api, call: LiveCall) -> None:
    siprec = service.client.calls(call.sid).siprec
    begun = siprec.create(connector_name="Secure", track="inbound_track")
    service.wait_recording(begun.sid)
    call.talk_more()
    siprec(begun.sid or "").update(status="stopped")
    (recording,) = service.recordings(call)
    assert recording.summary["secure"]
    assert recording.track("1") in call.alice_says
    assert len(recording.track("1")) > 0


@pytest.mark.feature("F036", "F064", "H14")
def test_custom_parameters_reach_the_recorder_in_their_order(service: Api, call: LiveCall) -> None:
    siprec = service.client.calls(call.sid).siprec
    begun = siprec.create(
        parameter1_name="Custom1",
        parameter1_value="Bob & <Zoë>",
        parameter3_name="custom1",
        parameter3_value="Blah",
        parameter99_name="Custom3",
        parameter99_value="",
    )
    service.wait_recording(begun.sid)
    siprec(begun.sid or "").update(status="stopped")
    document = service.recordings(call)[0].metadata()[0].decode()
    found = [
        document.index(text) for text in ("Custom1", "Bob &amp; &lt;Zoë&gt;", "custom1", "Blah", "Custom3")
    ]
    assert found == sorted(found)
