"""Text that the call fills in, and what a hostile call cannot do with it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siprec_src.errors import ConfigurationError
from siprec_src.recording.srs import SrsConfig
from siprec_src.recording.templates import MAX_VALUE, Facts, fill, fill_field, parse_template
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import Play, two_party_call

FIELDS = (
    ("From", '"Alice" <sip:alice@example.com;user=phone>;tag=1'),
    ("To", "<tel:+4312345>"),
    ("Call-ID", "a84b4c76e66710@pc33.example.com"),
    ("User-to-User", "00FA080019001038F725B3;encoding=hex"),
    ("X-Foo", " bar "),
)
CALL = dataclasses.replace(
    two_party_call(), headers=FIELDS, trunk="pbx", sip_session_ids=("a" * 32 + ";remote=" + "b" * 32,)
)


def filled(text: str, *fields: tuple[str, str]) -> str:
    call = dataclasses.replace(CALL, headers=fields or FIELDS)
    return fill(parse_template(text), Facts(call=call, values={"queue": "7"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{call_id}", "a84b4c76e66710@pc33.example.com"),
        ("{conversation_id}", "CID-a84b4c76e66710-pc33-example-com"),
        ("{ucid}", "FA080019001038F725B3"),
        ("{session_id}", "U1NTU1NTU1NTU1NTU1NTUw=="),
        ("{group_id}", "R0dHR0dHR0dHR0dHR0dHRw=="),
        ("{sip_session_id}", "a" * 32 + ";remote=" + "b" * 32),
        ("{trunk}", "pbx"),
        ("{from.user} {from.name} {from.uri}", "alice Alice sip:alice@example.com"),
        ("{to.user}", "+4312345"),
        ("{header:x-foo}-{value:queue}", "bar-7"),
        ("{header:X-Bar}", ""),
        ("left away with {header:X-Bar}", ""),
    ],
)
def test_placeholders_are_filled_from_the_call(text: str, expected: str) -> None:
    assert filled(text) == expected


def test_without_a_sip_message_the_parties_say_who_calls() -> None:
    call = dataclasses.replace(CALL, headers=())
    found = fill(parse_template("{from.user} {from.name} {to.uri}"), Facts(call=call, values={}))
    assert found == "alice Alice & Co sip:bob@example.net"


@pytest.mark.parametrize("call_id", ["x", "1@2", "é" * 80, "a" * 300])
def test_a_conversation_id_is_one_that_google_takes(call_id: str) -> None:
    found = filled("{conversation_id}", ("Call-ID", call_id))
    assert 3 <= len(found) <= 64
    assert found.isascii()
    assert found[0].isalpha()
    assert all(sign.isalnum() or sign in "_-" for sign in found)


@pytest.mark.parametrize(
    "text",
    ["{", "}", "{}", "{from}", "{FROM.USER}", "{header:}", "{header:a b}", "{0}", "{call_id!r}", "{{x}}"],
)
def test_a_placeholder_that_is_none_is_named_with_those_that_are(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_template(text)
    assert "brace" in str(caught.value) or "call_id" in str(caught.value)


@pytest.mark.parametrize("text", ["a\r\nEvil: x", "a\x00", "\x85"])
def test_a_template_holds_no_control_characters(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_template(text)


@pytest.mark.parametrize("name", ["Authorization", "proxy-authorization"])
def test_credentials_of_the_call_go_nowhere_else(name: str) -> None:
    with pytest.raises(ConfigurationError, match="credentials"):
        parse_template(f"{{header:{name}}}")


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("<http://x.example/{header:X-Id}>;a", "7>, <http://evil.example", "<http://x.example/7%3E%2C%20%3C"),
        ("<{from.uri}>", "unused", "<sip:alice@example.com>"),
        ('"{header:X-Id}" <sip:x>', 'a" <sip:evil>, "\\', '"a\\" <sip:evil>, \\"\\\\" <sip:x>'),
        ("{header:X-Id}", "a;encoding=hex", "a;encoding=hex"),
    ],
)
def test_a_value_stays_in_the_brackets_or_quotes_around_it(template: str, value: str, expected: str) -> None:
    call = dataclasses.replace(CALL, headers=(*FIELDS, ("X-Id", value)))
    assert fill_field(parse_template(template), Facts(call=call, values={})).startswith(expected)


@given(st.text(st.characters(codec=None), max_size=40))
def test_nothing_that_a_call_says_makes_another_header_field(value: str) -> None:
    config = SrsConfig(uri="sip:srs.example", headers={"X-Copy": "{header:X-Foo}", "X-After": "1"})
    play = Play(config)
    play.publish(dataclasses.replace(CALL, headers=(("X-Foo", value),)))
    fields = [(name, text) for name, text in play.invites[0].headers if name.startswith("X-")]
    assert [name for name, _ in fields][-1] == "X-After"
    assert len(fields) <= 2
    assert not any(sign < " " or sign == "\x7f" for _, text in fields for sign in text)


@pytest.mark.parametrize(
    ("template", "first", "second", "expected"),
    [
        ('{header:X-One};b="{header:X-Two}"', '"', '";c="', '";b="\\";c=\\""'),
        ("{header:X-One} <sip:{header:X-Two}>", "<", "a>b", "< <sip:a%3Eb>"),
        ('"{header:X-One}";b="{header:X-Two}"', "<", "a b", '"<";b="a b"'),
        ("<sip:{header:X-One}?b={header:X-Two}>", "a", "c>d", "<sip:a?b=c%3Ed>"),
    ],
)
def test_one_value_opens_no_way_out_for_the_next(
    template: str, first: str, second: str, expected: str
) -> None:
    call = dataclasses.replace(CALL, headers=(*FIELDS, ("X-One", first), ("X-Two", second)))
    assert fill_field(parse_template(template), Facts(call=call, values={})) == expected


def test_a_value_is_cut_off_at_its_limit() -> None:
    assert len(filled("{header:X-Foo}", ("X-Foo", "x" * 5000))) == MAX_VALUE


def test_the_operators_fields_are_in_every_request_of_the_session() -> None:
    config = SrsConfig(uri="sip:srs.example", headers={"X-Call": "{call_id}", "X-Bar": "{header:X-Bar}"})
    play = Play(config)
    play.publish(CALL)
    play.accept()
    play.publish(dataclasses.replace(CALL, ended=9.0))
    play.say(200)
    assert [r.method for r in play.requests] == ["UPDATE", "BYE"]
    sent: list[sip.StartInvite | sip.SendRequest] = [*play.invites, *play.requests]
    for command in sent:
        assert command.headers.all("x-call") == ("a84b4c76e66710@pc33.example.com",)
        assert "x-bar" not in command.headers
