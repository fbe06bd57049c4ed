"""``profile`` of an ``[[srs]]``: those that come with siprec-src, and the operator's ``[profile.NAME]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from siprec_src.config.lines import KeyPath
from siprec_src.config.settings import keys_of
from siprec_src.config.sources import Problems, suggestion
from siprec_src.recording.profile import DEFAULT_PROFILE, PROFILES, joined
from siprec_src.recording.srs import SrsConfig

TABLE: Final = "profile"  #: ``[profile.NAME]``
BASE: Final = "based_on"

Values = Mapping[str, Any]


def all_profiles(values: Values, problems: Problems) -> dict[str, Values]:
    """Every profile by its name, with what it is based on joined in."""
    own = values.get(TABLE, {})
    if not isinstance(own, dict) or not all(isinstance(profile, dict) for profile in own.values()):
        problems.add((TABLE,), f"expected tables, [{TABLE}.NAME]")
        return dict(PROFILES)
    known = (*keys_of(SrsConfig), BASE)
    found: dict[str, Values] = dict(PROFILES)
    for name in own:
        path = (TABLE, name)
        if name in PROFILES:
            problems.add(path, "comes with siprec-src; take another name")
            continue
        for key in own[name]:
            if key in ("uri", TABLE):
                problems.add((*path, key), "stands in an [[srs]] only")
            elif key not in known:
                problems.add((*path, key), f"unknown key{suggestion(key, known)}")
        found[name] = _complete(name, own, problems)
    return found


def with_profile(entry: Any, profiles: Mapping[str, Values], path: KeyPath, problems: Problems) -> Any:
    """An ``[[srs]]`` with the values of its profile where it has none of its own."""
    if not isinstance(entry, dict):
        return entry
    name = entry.get(TABLE, DEFAULT_PROFILE)
    if not isinstance(name, str) or name not in profiles:
        problems.add((*path, TABLE), unknown_profile(name, profiles))
        return {key: value for key, value in entry.items() if key != TABLE}
    for key in profiles[name]:
        if key not in entry and (TABLE, name) in problems.origins:
            there = problems.origins.get((TABLE, name, key), problems.origins[TABLE, name])
            problems.origins[*path, key] = f"{there}: profile {name}"
    return joined(profiles[name], entry)


def unknown_profile(name: object, known: Mapping[str, object]) -> str:
    """What is said of a name that is no profile's."""
    hint = suggestion(name, known) if isinstance(name, str) else ""
    return f"unknown profile {str(name)[:64]!r}{hint}; expected one of {', '.join(known)}"


def _complete(name: str, own: Mapping[str, Values], problems: Problems) -> Values:
    """A profile of the operator's, from what it is based on upwards."""
    chain: list[str] = []
    while name in own:
        if name in chain:
            problems.add((TABLE, name, BASE), "is based on itself")
            return {}
        chain.append(name)
        base = own[name].get(BASE, DEFAULT_PROFILE)
        if not isinstance(base, str) or not (base in own or base in PROFILES):
            problems.add((TABLE, name, BASE), unknown_profile(base, {**PROFILES, **own}))
            return {}
        name = base
    complete: Values = PROFILES[name]
    for link in reversed(chain):
        complete = joined(complete, {key: own[link][key] for key in own[link] if key in keys_of(SrsConfig)})
    return complete
