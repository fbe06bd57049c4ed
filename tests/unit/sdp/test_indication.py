"""``a=record`` (RFC 7866 7.1.2, 7.3.1)."""

from __future__ import annotations

import pytest

from siprec_src.communication import Preference, RecordingState
from siprec_src.sdp.indication import preference, recording_said, with_recording
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp

ON, PAUSED, OFF = RecordingState.ON, RecordingState.PAUSED, RecordingState.OFF
HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
LINE = b"m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.rfc("7866", "7.1.2")
@pytest.mark.req("IND-06")
@pytest.mark.parametrize("state", RecordingState)
def test_the_three_words_of_the_grammar_are_written_and_read(state: RecordingState) -> None:
    written = with_recording(parse_sdp(HEAD + LINE), state)
    assert write_sdp(written) == HEAD + b"a=record:%s\r\n" % state.value.encode() + LINE
    assert recording_said(parse_sdp(write_sdp(written))) is state


@pytest.mark.req("IND-06")
@pytest.mark.parametrize("value", [b"", b":", b":yes", b": on", b":on off", b":pause", b":on;x"])
def test_no_other_word_is_a_state(value: bytes) -> None:
    description = parse_sdp(HEAD + b"a=record" + value + b"\r\n" + LINE)
    assert recording_said(description) is None
    assert recording_said(with_recording(description, OFF)) is OFF


@pytest.mark.rfc("7866", "7.1.2")
@pytest.mark.req("IND-05")
def test_a_stream_with_a_word_of_its_own_keeps_one() -> None:
    description = parse_sdp(HEAD + b"a=record:on\r\n" + LINE + LINE + b"a=record:off\r\n")
    told = with_recording(description, PAUSED)
    assert [recording_said(level) for level in told.media] == [None, PAUSED]
    assert recording_said(told) is ON


@pytest.mark.rfc("7866", "7.3.1")
@pytest.mark.req("IND-10")
@pytest.mark.parametrize(
    ("ours", "theirs", "joint"),
    [
        (ON, OFF, ON),
        (OFF, ON, ON),
        (PAUSED, ON, ON),
        (PAUSED, OFF, PAUSED),
        (OFF, PAUSED, PAUSED),
        (OFF, OFF, OFF),
    ],
)
def test_of_two_clients_the_one_that_records_is_told(
    ours: RecordingState, theirs: RecordingState, joint: RecordingState
) -> None:
    said = parse_sdp(HEAD + b"a=record:%s\r\n" % theirs.value.encode() + LINE)
    assert recording_said(with_recording(said, ours)) is joint


@pytest.mark.rfc("7866", "7.3.2")
@pytest.mark.req("IND-08", "IND-09")
@pytest.mark.parametrize("wish", Preference)
def test_a_preference_is_read_from_one_attribute_with_its_name_once(wish: Preference) -> None:
    wished = parse_sdp(HEAD + b"a=recordpref:%s\r\n" % wish.value.encode() + LINE)
    assert preference([wished]) is wish
    doubled = parse_sdp(HEAD + b"a=a=recordpref:%s\r\n" % wish.value.encode() + LINE)
    assert preference([doubled]) is Preference.NONE


@pytest.mark.rfc("7866", "7.3.1")
@pytest.mark.req("IND-11")
@pytest.mark.parametrize("state", RecordingState)
def test_what_another_client_does_is_no_wish(state: RecordingState) -> None:
    line = b"a=record:%s\r\n" % state.value.encode()
    assert preference([parse_sdp(HEAD + line + LINE + line)]) is Preference.NONE


@pytest.mark.rfc("7866", "7.3.2")
@pytest.mark.req("IND-08")
def test_a_stream_s_own_preference_goes_before_that_of_the_session() -> None:
    def wish(session: bytes, own: bytes) -> Preference:
        return preference([parse_sdp(HEAD + session + LINE + own)])

    assert wish(b"", b"") is Preference.NONE
    assert wish(b"a=recordpref:off\r\n", b"a=recordpref:on\r\n") is Preference.ON
    assert wish(b"a=recordpref:off\r\n", b"a=recordpref:nopreference\r\n") is Preference.NONE
    assert wish(b"a=recordpref:stop\r\n", b"") is Preference.NONE


def test_of_several_preferences_the_one_counts_that_lets_least_be_recorded() -> None:
    on, off = (parse_sdp(HEAD + b"a=recordpref:%s\r\n" % w + LINE) for w in (b"on", b"off"))
    two = parse_sdp(HEAD + LINE + b"a=recordpref:on\r\n" + LINE + b"a=recordpref:pause\r\n")
    assert preference([on, off]) is Preference.OFF
    assert preference([on, two]) is Preference.PAUSE
