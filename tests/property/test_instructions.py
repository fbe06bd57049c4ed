"""Whatever a voice application answers, it is a script, or one exception."""

from __future__ import annotations

import contextlib
import json
from xml.sax.saxutils import quoteattr

from hypothesis import given
from hypothesis import strategies as st

from siprec_src.errors import InstructionError
from siprec_src.instructions.svaml import parse_manage_call, parse_svaml
from siprec_src.instructions.twiml import parse_twiml

VALUE = st.sampled_from(["", "1", "true", "GET", "both_tracks", "http://a/b", "sip:a@b", "s3://b/f", "A:B:c"])
TEXT = VALUE | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)
ATTRIBUTE = st.sampled_from(
    ["name", "connectorName", "track", "statusCallback", "statusCallbackMethod", "value", "length", "reason",
     "record", "recordingTrack", "recordingStatusCallback", "timeout", "callerId", "action", "method", "x"]
)  # fmt: skip
NAME = st.sampled_from(
    [
        "Start",
        "Stop",
        "Siprec",
        "Parameter",
        "Recording",
        "Dial",
        "Number",
        "Sip",
        "Pause",
        "Hangup",
        "Say",
        "a",
    ]
)
KEY = st.sampled_from(
    ["name", "action", "instructions", "options", "record", "recordingOptions", "destinationUrl",
     "credentials", "format", "destination", "endpoint", "number", "cli", "maxDuration",
     "transcriptionOptions", "locale"]
)  # fmt: skip
WORD = st.sampled_from(
    ["connectPstn", "connectMxp", "connectSip", "hangup", "startRecording", "stopRecording"]
)


@st.composite
def element(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(NAME)
    attributes = draw(st.dictionaries(ATTRIBUTE, TEXT, max_size=3))
    inner = draw(st.lists(element(depth + 1), max_size=2)) if depth < 3 else []
    head = "".join(f" {key}={quoteattr(text)}" for key, text in attributes.items())
    return f"<{name}{head}>{''.join(inner)}{draw(VALUE)}</{name}>"


@given(st.binary(max_size=200) | st.lists(element(), max_size=4).map(lambda e: "".join(e).encode()))
def test_twiml(octets: bytes) -> None:
    for document in (octets, b"<Response>" + octets + b"</Response>"):
        with contextlib.suppress(InstructionError):
            repr(parse_twiml(document))


@given(
    st.binary(max_size=200)
    | st.dictionaries(
        KEY,
        st.recursive(
            WORD | TEXT | st.none() | st.booleans() | st.integers(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEY, inner, max_size=4),
            max_leaves=8,
        ),
        max_size=4,
    ).map(lambda value: json.dumps(value).encode())
)
def test_svaml(octets: bytes) -> None:
    for read in (parse_svaml, parse_manage_call):
        with contextlib.suppress(InstructionError):
            repr(read(octets))
