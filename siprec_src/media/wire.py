"""The words of `media.plane` as octets, one message of the Unix socket each.

A message is JSON, ``[name, {field: value}]``; octets travel as base64, integers have at most 64
bits. Whatever else arrives is a `RemoteProtocolError`, and nothing in it repeats what was received, since
commands carry keys.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson

from siprec_src.errors import NoRoom, RemoteProtocolError
from siprec_src.media import plane

MAX_MESSAGE_BYTES: Final = 65_536  #: of one message; a longer one is neither sent nor read

Message: TypeAlias = plane.Command | plane.Answer | plane.Event | plane.MediaState
"""Everything that crosses the socket."""


def encode(message: Message) -> bytes:
    """One message as octets.

    Raises:
        NoRoom: it would be longer than `MAX_MESSAGE_BYTES`.
    """
    data = orjson.dumps([type(message).__name__, message], default=_octets)
    if len(data) > MAX_MESSAGE_BYTES:
        msg = f"a {type(message).__name__} of {len(data)} octets does not fit one media message"
        raise NoRoom(msg)
    return data


def decode(data: bytes) -> Message:
    """The message in these octets.

    Raises:
        RemoteProtocolError: they are not one of the known messages with exactly its fields.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        msg = "media message too long"
        raise RemoteProtocolError(msg)
    try:
        name, fields = orjson.loads(data)
        read = _READERS[name]
    except (ValueError, TypeError, KeyError, RecursionError):
        msg = "not a media message"
        raise RemoteProtocolError(msg) from None
    try:
        return typing.cast("Message", read(fields))
    except (ValueError, TypeError, KeyError, OverflowError):
        # The cause is cut off: its text may hold key material.
        msg = f"broken media message {name}"
        raise RemoteProtocolError(msg) from None


_Read: TypeAlias = Callable[[Any], Any]


def _octets(value: Any) -> str:
    """What JSON has no word for."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return base64.b64encode(value).decode("ascii")


def _dataclass_reader(cls: type[Any]) -> _Read:
    hints = typing.get_type_hints(cls)
    kinds = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    plain = [(name, kind) for name, kind in kinds.items() if kind in (int, str, bool)]
    others = [(name, _reader(kind)) for name, kind in kinds.items() if kind not in (int, str, bool)]

    def read(value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != kinds.keys():
            raise ValueError(cls.__name__)
        for name, kind in plain:
            if type(value[name]) is not kind:
                raise TypeError(name)
        for name, read_item in others:
            value[name] = read_item(value[name])
        return cls(**value)

    return read


def _reader(hint: Any) -> _Read:
    if isinstance(hint, typing.NewType):
        return _reader(hint.__supertype__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
        read_inner = _reader(inner)
        return lambda value: None if value is None else read_inner(value)
    if typing.get_origin(hint) is tuple:
        return _tuple_reader(typing.get_args(hint))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass_reader(hint)
    if hint is bytes:
        return lambda value: base64.b64decode(value, validate=True)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint
    return _scalar_reader(hint)


def _tuple_reader(arguments: tuple[Any, ...]) -> _Read:
    if arguments[-1] is Ellipsis:
        read_item = _reader(arguments[0])
        return lambda value: tuple(read_item(item) for item in _list(value))
    readers = tuple(_reader(argument) for argument in arguments)
    return lambda value: tuple(read(item) for read, item in zip(readers, _list(value), strict=True))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _scalar_reader(kind: type[Any]) -> _Read:
    def read(value: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise TypeError(kind.__name__)
        return value

    return read


_READERS: Final[dict[str, _Read]] = {cls.__name__: _dataclass_reader(cls) for cls in typing.get_args(Message)}
