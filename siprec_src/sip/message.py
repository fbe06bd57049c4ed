"""SIP messages as immutable values: header fields in order and as received, bodies as octets (RFC 3261 7).

Text is decoded as UTF-8 with ``surrogateescape``, so unknown bytes survive from parser to writer.
Typed accessors parse on first use and keep the result; they raise `RemoteProtocolError` and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, Self, TypeVar, overload

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip import headers as h
from siprec_src.sip.uri import Uri, parse_uri
from siprec_src.values import immutable

COMPACT: Final = {  # RFC 3261 7.3.3 and 20, RFC 3515, 3892, 3841, 4028, 3265, 4474
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "n": "identity-info", "o": "event", "r": "refer-to",
    "s": "subject", "t": "to", "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip
_SECRET: Final = frozenset({"authorization", "proxy-authorization"})


class _Keys(dict[str, str]):
    """Names to keys; those seen before are remembered, since each message brings the same dozen."""

    def __missing__(self, name: str) -> str:
        lower = name.lower()
        key = COMPACT.get(lower, lower)
        if len(name) <= _REMEMBERED_LENGTH and len(self) < _REMEMBERED_NAMES:
            self[name] = key
        return key


_REMEMBERED_NAMES: Final = 1024
_REMEMBERED_LENGTH: Final = 64
_KEYS: Final = _Keys()


def header_key(name: str) -> str:
    """The name by which a header field is compared: lower case, compact form expanded (RFC 3261 7.3.3)."""
    return _KEYS[name]


ValueT = TypeVar("ValueT")


class lazy(Generic[ValueT]):  # noqa: N801 - reads as a decorator
    """`functools.cached_property` without the lock of Python 3.11, a tenth of the cost of parsing."""

    def __init__(self, read: Callable[[Any], ValueT]) -> None:
        self._read = read
        self._name = read.__name__
        self.__doc__ = read.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> ValueT: ...
    def __get__(self, instance: object | None, owner: type) -> Self | ValueT:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._read(instance)
        return value


class Headers:
    """An immutable ordered list of header fields; names compare by `header_key`, values are raw text."""

    __slots__ = ("_fields", "_index")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)
        self._index: dict[str, tuple[str, ...]] | None = None

    def get(self, name: str) -> str | None:
        """Value of the first field called ``name``, or None."""
        values = (self._index or self._indexed()).get(_KEYS[name])
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Values of every field called ``name``, one entry a line (comma lists are not split)."""
        return (self._index or self._indexed()).get(_KEYS[name], ())

    def without(self, *names: str) -> Headers:
        keys = {_KEYS[name] for name in names}
        return Headers([field for field in self._fields if _KEYS[field[0]] not in keys])

    def only(self, *names: str) -> Headers:
        keys = {_KEYS[name] for name in names}
        return Headers([field for field in self._fields if _KEYS[field[0]] in keys])

    def replaced(self, name: str, *values: str) -> Headers:
        """All fields called ``name`` replaced by these, at the first one's place (else at the end)."""
        key = header_key(name)
        out: list[tuple[str, str]] = []
        new = [(name, value) for value in values]
        placed = False
        for field in self._fields:
            if header_key(field[0]) != key:
                out.append(field)
            elif not placed:
                out.extend(new)
                placed = True
        return Headers(out if placed else out + new)

    def prepended(self, name: str, value: str) -> Headers:
        return Headers(((name, value), *self._fields))

    def appended(self, *fields: tuple[str, str]) -> Headers:
        return Headers((*self._fields, *fields))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: str) -> bool:
        return _KEYS[name] in (self._index or self._indexed())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        shown = [(name, "…" if header_key(name) in _SECRET else value) for name, value in self._fields]
        return f"Headers({shown!r})"

    def _indexed(self) -> dict[str, tuple[str, ...]]:
        index: dict[str, tuple[str, ...]] = {}
        for name, value in self._fields:
            key = _KEYS[name]
            index[key] = (*index[key], value) if key in index else (value,)
        self._index = index
        return index


@immutable(slots=False)
class Message:
    """What requests and responses share."""

    headers: Headers
    body: bytes = dataclasses.field(default=b"", repr=False)  #: SDP holds keys

    @lazy
    def vias(self) -> tuple[h.Via, ...]:
        """Every Via, topmost first (RFC 3261 20.42)."""
        return tuple(via for value in self.headers.all("via") for via in h.parse_vias(value))

    @property
    def via(self) -> h.Via:
        """The topmost Via."""
        if not self.vias:
            raise RemoteProtocolError("no Via", section="RFC 3261 8.1.1.7")
        return self.vias[0]

    @lazy
    def from_(self) -> h.NameAddress:
        return h.parse_name_address(self._one("from", "8.1.1.3"))

    @lazy
    def to(self) -> h.NameAddress:
        return h.parse_name_address(self._one("to", "8.1.1.2"))

    @lazy
    def call_id(self) -> str:
        return h.parse_call_id(self._one("call-id", "8.1.1.4"))

    @lazy
    def cseq(self) -> h.CSeq:
        return h.parse_cseq(self._one("cseq", "8.1.1.5"))

    @lazy
    def contacts(self) -> tuple[h.NameAddress, ...]:
        """Every Contact in order; a lone ``*`` gives none."""
        return tuple(c for value in self.headers.all("contact") for c in h.parse_contacts(value))

    @lazy
    def routes(self) -> tuple[h.NameAddress, ...]:
        return tuple(r for value in self.headers.all("route") for r in h.parse_name_addresses(value))

    @lazy
    def record_routes(self) -> tuple[h.NameAddress, ...]:
        return tuple(r for value in self.headers.all("record-route") for r in h.parse_name_addresses(value))

    @lazy
    def max_forwards(self) -> int | None:
        value = self.headers.get("max-forwards")
        return None if value is None else h.parse_number("Max-Forwards", value, 255, "RFC 3261 20.22")

    @lazy
    def content_type(self) -> h.MediaType | None:
        value = self.headers.get("content-type")
        return None if value is None else h.parse_media_type(value)

    def tags(self, name: str) -> tuple[str, ...]:
        """The tokens of a comma list such as Require, Supported or Allow, in order, over all its lines."""
        return tuple(t for value in self.headers.all(name) for t in h.parse_tokens(name, value))

    def _one(self, name: str, section: str) -> str:
        values = self.headers.all(name)
        if len(values) != 1:
            count = "no" if not values else "more than one"
            raise RemoteProtocolError(f"{count} {name}", section=f"RFC 3261 {section}")
        return values[0]


@immutable(slots=False)
class Request(Message):
    """A request; ``uri`` is the Request-URI's text as received."""

    method: str
    uri: str

    @lazy
    def target(self) -> Uri:
        """The Request-URI, parsed. Raises 416 for an unknown scheme, 400 for bad syntax."""
        return parse_uri(self.uri)


@immutable(slots=False)
class Response(Message):
    """A response; ``status`` 100..699."""

    status: int
    reason: str
