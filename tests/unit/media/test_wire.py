"""Commands, answers and events cross the socket unchanged, and nothing else does."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.errors import NoRoom, RemoteProtocolError
from siprec_src.media import plane
from siprec_src.media.model import Endpoint, PortCounters, PortId, SrtpKey
from siprec_src.media.wire import MAX_MESSAGE_BYTES, decode, encode

CLASSES = typing.get_args(plane.Command | plane.Answer | plane.Event)
KEY = SrtpKey("AES_CM_128_HMAC_SHA1_80", b"secretsecretsecretsecretsecret")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_of_the_media_plane_comes_back_equal(cls: type[Any]) -> None:
    @settings(max_examples=25)
    @given(st.from_type(cls).filter(_can_be_said))
    def round_trip(message: Any) -> None:
        assert decode(encode(message)) == message

    round_trip()


def test_keys_arrive_and_do_not_show() -> None:
    command = plane.ConnectPort(tag=1, port=PortId(2), remote=Endpoint("127.0.0.1", 4000), send_key=KEY)
    arrived = decode(encode(command))
    assert isinstance(arrived, plane.ConnectPort)
    assert arrived.send_key == KEY
    assert "secret" not in repr(arrived)


def test_an_error_does_not_repeat_what_was_received() -> None:
    name, fields = json.loads(encode(plane.ConnectPort(tag=1, port=PortId(2), send_key=KEY)))
    fields["send_key"]["material"] = "not base64: secret"
    with pytest.raises(RemoteProtocolError) as caught:
        decode(json.dumps([name, fields]).encode())
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_arbitrary_octets_raise_one_error_only(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(data)


@settings(max_examples=200)
@given(
    st.sampled_from([cls.__name__ for cls in CLASSES]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ),
)
def test_known_names_with_arbitrary_fields_raise_one_error_only(name: str, fields: object) -> None:
    if fields == {}:
        return
    with pytest.raises(RemoteProtocolError):
        decode(json.dumps([name, fields]).encode())


def test_each_field_is_checked_for_its_type() -> None:
    name, fields = json.loads(encode(plane.OpenPorts(tag=1, host="127.0.0.1", low=1, high=9, count=2)))
    for field in fields:
        broken = dict(fields, **{field: {"x": 1}})
        with pytest.raises(RemoteProtocolError):
            decode(json.dumps([name, broken]).encode())
        with pytest.raises(RemoteProtocolError):
            decode(json.dumps([name, {k: v for k, v in fields.items() if k != field}]).encode())


def test_a_message_above_the_limit_is_neither_sent_nor_read() -> None:
    many = plane.PortsClosed(tag=1, counters=tuple((PortId(n), PortCounters()) for n in range(500)))
    with pytest.raises(NoRoom):
        encode(many)
    with pytest.raises(RemoteProtocolError):
        decode(b" " * (MAX_MESSAGE_BYTES + 1))


def test_a_full_answer_for_a_large_call_fits() -> None:
    books = dataclasses.replace(PortCounters(), received=2**40)
    assert encode(plane.PortsClosed(tag=1, counters=tuple((PortId(n), books) for n in range(64))))


def _can_be_said(message: Any) -> bool:
    """Without numbers that no engine has: of more than 64 bits, infinite, or none."""
    try:
        encode(message)
    except TypeError:
        return False
    return _finite(message)


def _finite(value: Any) -> bool:
    if dataclasses.is_dataclass(value):
        return all(_finite(getattr(value, field.name)) for field in dataclasses.fields(value))
    return not isinstance(value, float) or math.isfinite(value)
