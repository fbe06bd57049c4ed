"""Plain values to frozen settings: every key known, every value of its type, every error found at once."""

from __future__ import annotations

import dataclasses
import typing
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from siprec_src.config.lines import KeyPath
from siprec_src.config.profiles import TABLE as PROFILE_TABLE
from siprec_src.config.profiles import all_profiles, with_profile
from siprec_src.config.settings import ARRAYS, SECTIONS, keys_of
from siprec_src.config.sources import Problems, suggestion
from siprec_src.errors import ConfigurationError
from siprec_src.recording.srs import SrsConfig

T = TypeVar("T")


def build_sections(values: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Settings of each section, tuples of them for arrays, and all profiles; what is broken is left out."""
    known = (*SECTIONS, *ARRAYS, PROFILE_TABLE)
    for key in values:
        if key not in known:
            problems.add((key,), f"unknown section{suggestion(key, known)}")
    profiles = all_profiles(values, problems)
    built: dict[str, Any] = {PROFILE_TABLE: profiles}
    for name, cls in SECTIONS.items():
        built[name] = build_table(cls, values.get(name, {}), (name,), problems)
    for name, array_cls in ARRAYS.items():
        entries = values.get(name, [])
        if not isinstance(entries, list):
            problems.add((name,), f"expected an array of tables, [[{name}]]")
            entries = []
        if array_cls is SrsConfig:
            entries = [with_profile(srs, profiles, (name, n), problems) for n, srs in enumerate(entries)]
        made = (build_table(array_cls, entry, (name, n), problems) for n, entry in enumerate(entries))
        built[name] = tuple(made)
    return built


def build_table(cls: type[T], values: Any, path: KeyPath, problems: Problems) -> T | None:
    """Settings of one table; None when it is broken."""
    if not isinstance(values, dict):
        problems.add(path, "expected a table")
        return None
    hints = typing.get_type_hints(cls)
    fields = keys_of(cls)
    before = len(problems.found)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        field = fields.get(key)
        if field is None:
            problems.add((*path, key), f"unknown key{suggestion(key, fields)}")
            continue
        try:
            arguments[field.name] = _adapter(hints[field.name]).validate_python(value)
        except ValidationError as error:
            problems.add((*path, key), _text(error))
        except ConfigurationError as error:
            problems.add((*path, key), str(error))
    for key, field in fields.items():
        if key not in values and _required(field):
            problems.add((*path, key), "missing")
    if len(problems.found) > before:
        return None
    try:
        return cls(**arguments)
    except ConfigurationError as error:
        key, colon, what = str(error).partition(": ")
        known = bool(colon) and key in fields
        problems.add((*path, key) if known else path, what if known else str(error))
        return None


@lru_cache(maxsize=256)
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _text(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = "".join(f"[{part}] " for part in first["loc"] if isinstance(part, int))
    message = str(first["msg"])
    return place + message.replace("Input should be", "expected")


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
