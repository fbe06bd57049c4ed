"""SVAML and recordingOptions as the platform document prints them, and as an enemy would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from siprec_src.errors import InstructionError
from siprec_src.instructions import model as m
from siprec_src.instructions.json_values import MAX_DEPTH, MAX_DOCUMENT_BYTES
from siprec_src.instructions.recording_options import (
    Destination,
    FileFormat,
    RecordingOptions,
    Store,
    Transcription,
    read_recording_options,
)
from siprec_src.instructions.svaml import parse_manage_call, parse_svaml
from tests.support.reference import reference_path

S3 = {"destinationUrl": "s3://b/f/", "credentials": "AK:s/e:c+ret:eu-central-1"}


def printed() -> list[dict[str, Any]]:
    """Every JSON example of the document with an ``action`` or ``recordingOptions``, its ``...`` left out."""
    text = reference_path("platform-docs/S3-sinch-recording.txt").read_text("utf-8")
    text = text.replace("...\n", "")
    decoder = json.JSONDecoder()
    found, at = [], 0
    while (start := text.find("{\n", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, start)
            found.append(value)
        except ValueError:
            at = start + 1
    return [value for value in found if {"action", "recordingOptions"} & set(value)]


def read(action: object, instructions: object = None) -> m.Script:
    document = {"action": action} | ({} if instructions is None else {"instructions": instructions})
    return parse_svaml(json.dumps(document).encode())


def options(**changed: object) -> RecordingOptions:
    given = {key: value for key, value in (S3 | changed).items() if value is not ...}
    return read_recording_options(given)[0]


def refusal(**changed: object) -> str:
    with pytest.raises(InstructionError) as caught:
        options(**changed)
    assert caught.value.code in (40001, 40002)
    return str(caught.value)


@pytest.mark.feature("F188", "F194")
def test_the_answer_to_an_incoming_call_is_understood_as_printed() -> None:
    example = printed()[0]
    (dial,) = parse_svaml(json.dumps(example).encode()).instructions
    assert isinstance(dial, m.Dial)
    assert dial.targets == (m.User(name="johndoe"),)
    assert dial.recording is not None
    assert dial.recording.options is not None
    assert dial.recording.options.destination == Destination(
        store=Store.S3, bucket="sinch-storage", path="voice-recordings/my-recording.mp3"
    )


def test_every_example_with_options_is_understood_as_printed() -> None:
    examples = printed()
    assert len(examples) == 7
    stores = []
    for example in examples:
        holder = example.get("action", example)
        stores.append(read_recording_options(holder["recordingOptions"])[0].destination.store)
        if "action" in example:
            holder["record"] = True
            assert parse_svaml(json.dumps(example).encode()).warnings == ()
    assert stores == [Store.S3] * 3 + [Store.AZURE] * 2 + [Store.GS] * 2


@pytest.mark.feature("F187")
def test_record_without_options_is_refused() -> None:
    with pytest.raises(InstructionError, match="recordingOptions: missing") as caught:
        read({"name": "connectPstn", "record": True})
    assert caught.value.code == 40002


@pytest.mark.parametrize("name", ["connectPstn", "connectPSTN", "CONNECTPSTN"])
def test_names_are_compared_without_case(name: str) -> None:
    (dial,) = read({"name": name, "number": "+46 70-123", "cli": "+461", "maxDuration": 60}).instructions
    assert dial == m.Dial(targets=(m.Number(digits="+4670123"),), caller_id="+461", time_limit_s=60)


def test_each_action_has_its_place() -> None:
    sip = {"name": "connectSip", "destination": {"endpoint": "bob@example.com"}}
    assert read(sip).instructions == (m.Dial(targets=(m.SipTarget(uri="sip:bob@example.com"),)),)
    assert read({"name": "connectPstn"}).instructions == (m.Dial(),)
    assert read({"name": "hangup"}).instructions == (m.Hangup(),)
    assert read({"name": "continue"}).instructions == (m.Continue(),)
    (park,) = read({"name": "park", "holdPrompt": "x"}).instructions
    assert isinstance(park, m.Unsupported)
    assert park.verb == "park"


@pytest.mark.feature("F186")
def test_instructions_come_before_the_action_in_their_order() -> None:
    found = read(
        {"name": "hangup"},
        [{"name": "StartRecording", "options": S3}, {"name": "say", "text": "x"}, {"name": "stopRecording"}],
    )
    assert [type(item) for item in found.instructions] == [
        m.StartRecording, m.Unsupported, m.StopRecording, m.Hangup
    ]  # fmt: skip
    assert found.warnings == ()


def test_what_nobody_acts_on_is_said() -> None:
    transcribed = S3 | {"colour": "red", "transcriptionOptions": {"enabled": True, "locale": "en-US"}}
    found = read({"name": "connectPstn", "amd": {}, "record": True, "recordingOptions": transcribed})
    text = " ".join(warning.text for warning in found.warnings)
    assert all(word in text for word in ("action.amd", "colour", "transcriptionOptions"))


def test_manage_call_connects_nobody() -> None:
    body = {"instructions": [{"name": "stopRecording"}], "action": {"name": "connectPstn", "number": "1"}}
    stop, other = parse_manage_call(json.dumps(body).encode()).instructions
    assert stop == m.StopRecording()
    assert isinstance(other, m.Unsupported)
    assert parse_manage_call(b"{}").instructions == (m.Continue(),)


@pytest.mark.feature("F189")
@pytest.mark.parametrize(
    ("url", "credentials", "account", "bucket", "path"),
    [
        ("s3://b", "A:B:c", "", "b", ""),
        ("s3://b/", "A:B:c", "", "b", ""),
        ("s3://b/folder/", "A:B:c", "", "b", "folder/"),
        ("S3://b/x/y/file", "A:B:c", "", "b", "x/y/file"),
        ("azure://My-Account/box/a b.wav", "AAEC", "My-Account", "box", "a b.wav"),
        ("azure://a/box", "AAEC", "a", "box", ""),
        ("gs://b_1/f", "A:B", "", "b_1", "f"),
    ],
)
def test_a_destination_is_taken_apart(
    url: str, credentials: str, account: str, bucket: str, path: str
) -> None:
    found = options(destinationUrl=url, credentials=credentials).destination
    assert (found.account, found.bucket, found.path) == (account, bucket, path)


@pytest.mark.feature("F190")
def test_credentials_are_split_where_their_store_says_and_shown_nowhere() -> None:
    found = options()
    held = found.credentials
    assert (str(held.access_key), str(held.secret), held.region) == ("AK", "s/e:c+ret", "eu-central-1")
    assert "c+ret" not in repr(found)
    assert "AK" not in repr(found)
    gs = options(destinationUrl="gs://b", credentials="K:s:t").credentials
    assert (str(gs.access_key), str(gs.secret)) == ("K", "s:t")


@pytest.mark.feature("F191", "F192", "F193")
def test_what_is_not_said_has_its_default() -> None:
    found = options()
    assert (found.format, found.notification_events, found.transcription) == (FileFormat.MP3, True, None)
    said = options(
        format="wav", notificationEvents=False, transcriptionOptions={"enabled": True, "locale": "en-US"}
    )
    assert (said.format, said.notification_events) == (FileFormat.WAV, False)
    assert said.transcription == Transcription(enabled=True, locale="en-US")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("destinationUrl", ...),
        ("destinationUrl", 5),
        ("destinationUrl", "https://b/f"),
        ("destinationUrl", "s3:/b"),
        ("destinationUrl", "s3://"),
        ("destinationUrl", "s3://user@b/f"),
        ("destinationUrl", "s3://b:80/f"),
        ("destinationUrl", "s3://b/../f"),
        ("destinationUrl", "s3://b/f?x"),
        ("destinationUrl", "s3://b/a\nb"),
        ("destinationUrl", "s3://b/\ud800"),
        ("destinationUrl", "s3://b/" + "x" * 1025),
        ("destinationUrl", "azure://a"),
        ("destinationUrl", "azure:///c/f"),
        ("credentials", ...),
        ("credentials", None),
        ("credentials", ["geheim"]),
        ("credentials", "geheim"),
        ("credentials", "geheim:x"),
        ("credentials", "::geheim"),
        ("credentials", "a:geheim:"),
        ("credentials", "a:gehe\nim:r"),
        ("credentials", "a:" + "geheim" * 400 + ":r"),
        ("format", "ogg"),
        ("format", None),
        ("notificationEvents", "true"),
        ("transcriptionOptions", True),
        ("transcriptionOptions.enabled", {"enabled": 1}),
        ("transcriptionOptions.locale", {"locale": "e"}),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(key: str, value: object) -> None:
    text = refusal(**{key.partition(".")[0]: value})
    assert f"recordingOptions.{key}" in text
    assert "gehe" not in text


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1,"a":2}',
        b'{"action":{"name":"hangup","name":"continue"}}',
        b'{"a":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":' + b"[" * 30_000,
        b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        b'{"a":' + b"9" * 10_000 + b"}",
        b'{"a":"' + b" " * MAX_DOCUMENT_BYTES + b'"}',
    ],
)
def test_what_is_no_sound_json_is_refused(octets: bytes) -> None:
    with pytest.raises(InstructionError) as caught:
        parse_svaml(octets)
    assert caught.value.code == 40003


@pytest.mark.parametrize(
    "document",
    [
        {"action": "hangup"},
        {"action": {}},
        {"action": {"name": 5}},
        {"instructions": {"name": "x"}},
        {"instructions": ["x"]},
        {"instructions": [{"name": "stopRecording"}] * 51},
        {"instructions": [{"name": "startRecording"}]},
        {"action": {"name": "connectSip"}},
        {"action": {"name": "connectSip", "destination": {"endpoint": "a b"}}},
        {"action": {"name": "connectSip", "destination": {"endpoint": ""}}},
        {"action": {"name": "connectMxp", "destination": {"endpoint": "\ud800"}}},
        {"action": {"name": "connectPstn", "number": "bob"}},
        {"action": {"name": "connectPstn", "maxDuration": True}},
        {"action": {"name": "connectPstn", "maxDuration": 10**9}},
        {"action": {"name": "connectPstn", "record": "yes"}},
        {"action": {"name": "connectPstn", "record": False, "recordingOptions": {}}},
    ],
)
def test_a_wrong_value_refuses_the_whole(document: object) -> None:
    with pytest.raises(InstructionError) as caught:
        parse_svaml(json.dumps(document).encode())
    assert caught.value.code in (40001, 40002)
