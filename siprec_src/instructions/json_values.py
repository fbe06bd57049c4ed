"""JSON from the network: bounded, each key once, nothing that JSON does not have (RFC 8259)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from siprec_src.errors import InstructionError

MAX_DOCUMENT_BYTES: Final = 65_536
MAX_DEPTH: Final = 16

INVALID_PARAMETER: Final = 40001
MISSING_PARAMETER: Final = 40002
INVALID_REQUEST: Final = 40003

Object = Mapping[str, Any]


def parse_object(octets: bytes) -> Object:
    """One JSON object in UTF-8. No error tells what is in it. Raises InstructionError."""
    if len(octets) > MAX_DOCUMENT_BYTES:
        raise _error(f"longer than {MAX_DOCUMENT_BYTES} bytes")
    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _error("not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise _error("expected an object")
    _check_depth(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _error("a key stands twice in one object")
    return found


def _no_constant(_name: str) -> Any:
    raise _error("NaN and Infinity are no JSON")


def _check_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _inside(item)]
    if level:
        raise _error(f"more than {MAX_DEPTH} levels deep")


def _inside(item: object) -> list[object]:
    match item:
        case dict():
            return list(item.values())
        case list():
            return item
        case _:
            return []


def _error(what: str) -> InstructionError:
    return InstructionError(f"JSON: {what}", code=INVALID_REQUEST)
