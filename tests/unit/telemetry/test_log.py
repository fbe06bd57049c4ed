"""Log lines: one JSON object each, and nothing secret in any of them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from siprec_src.telemetry import log
from siprec_src.telemetry.redaction import REDACTED, redact_text


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_fields(stream: io.StringIO) -> None:
    log.configure(format_="json", stream=stream)
    log.get_logger("control").info("call.end", call=3, trunk="pbx")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "call.end", "level": "info", "process": "control", "call": 3, "trunk": "pbx"}


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    log.configure(format_="json", level="warning", stream=stream)
    log.get_logger("control").info("quiet")
    log.get_logger("control").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


@pytest.mark.req("KEY-12")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sdp", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0|2^31"),
        ("head", "Authorization: Digest username=u, response=c2VjcmV0c2VjcmV0"),
        ("head", "Proxy-Authorization: Basic c2VjcmV0c2VjcmV0"),
        ("uri", "sip:user:c2VjcmV0c2VjcmV0@host"),
        ("url", "https://user:c2VjcmV0c2VjcmV0@host/path"),
        ("uri", "sip:user;day=1:c2VjcmV0c2VjcmV0@host"),
        ("contact", "<sip:10.0.0.1:5060>,<sips:user:c2VjcmV0c2VjcmV0@host>"),
        ("head", "X-Auth: c2VjcmV0c2VjcmV0"),
        ("head", "X-Auth-Ticket:c2VjcmV0c2VjcmV0"),
        ("problems", ("srs.1.uri: 'sip:user:c2VjcmV0c2VjcmV0@host'",)),
        ("settings", {"srs": [{"api_token": "c2VjcmV0c2VjcmV0"}]}),
        ("send_key", "c2VjcmV0c2VjcmV0"),
        ("password", "c2VjcmV0c2VjcmV0"),
        ("api_token", "c2VjcmV0c2VjcmV0"),
    ],
)
@pytest.mark.parametrize("format_", ["json", "console"])
def test_secrets_are_taken_out_wherever_they_stand(
    stream: io.StringIO, format_: log.LogFormat, name: str, value: object
) -> None:
    log.configure(format_=format_, stream=stream)
    log.get_logger("control").info("line", **{name: value})
    assert "c2VjcmV0" not in stream.getvalue()
    assert REDACTED in stream.getvalue()


def test_ordinary_uris_stay_as_they_are(stream: io.StringIO) -> None:
    log.configure(format_="json", stream=stream)
    log.get_logger("control").info("x", uri="sip:alice@example.com:5060;transport=tcp", at="127.0.0.1:5060")
    assert lines(stream)[0]["uri"] == "sip:alice@example.com:5060;transport=tcp"


def test_addresses_beside_a_user_are_no_password() -> None:
    text = "Contact: <sip:10.0.0.1:5060>,<sip:bob@10.0.0.2:5060>; authority: here"
    assert redact_text(text) == text


def test_a_peer_cannot_make_redaction_slow() -> None:
    for text in ("sip:" * 20_000, "a-" * 40_000, "sip:a:" + "b" * 80_000):
        assert redact_text(text) == text


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_traceback_shows_neither_secrets_nor_the_values_of_locals(
    stream: io.StringIO, format_: log.LogFormat
) -> None:
    log.configure(format_=format_, stream=stream)
    key_material, message = "bG9jYWxsb2NhbA", "inline:c2VjcmV0"
    try:
        raise ValueError(message)  # noqa: TRY301 the traceback is what is tested
    except ValueError:
        log.get_logger("control").error("machine.failed", exc_info=True)
    assert "ValueError" in stream.getvalue()
    assert "c2VjcmV0" not in stream.getvalue()
    assert key_material not in stream.getvalue()


def test_a_logger_follows_a_later_level(stream: io.StringIO) -> None:
    log.configure(format_="json", level="warning", stream=stream)
    logger = log.get_logger("control")
    logger.info("quiet")
    log.configure(format_="json", level="info", stream=stream)
    logger.info("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_the_traceback_of_a_fault_is_in_its_line(stream: io.StringIO) -> None:
    log.configure(format_="json", stream=stream)
    try:
        int("broken")
    except ValueError:
        log.get_logger("control").error("machine.failed", exc_info=True)
    assert "ValueError: invalid literal" in lines(stream)[0]["exception"]
