"""Connectors: SRSs that a request names, with how they are reached, apart from those of every call.

A connector records nothing by itself. Whoever asks for a recording says its name, never a URI or a
credential, which are the operator's alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator
from typing import Final

from siprec_src.recording.srs import SrsTarget, told_apart
from siprec_src.values import immutable

VOICE: Final = "voice"  #: of ``use_in``: it may be asked for in calls


@immutable
class Connector:
    """One way to record on request."""

    sid: str  #: ``XE`` and 32 hexadecimal digits
    name: str  #: unique
    use_in: tuple[str, ...]  #: what it is available to
    targets: tuple[SrsTarget, ...]  #: its SRS, then those that stand in for it


@immutable
class Connectors:
    """All of the configuration."""

    every: tuple[Connector, ...] = ()

    def find(self, name: str) -> Connector | None:
        """The one of exactly this name; None: there is none, or calls may not use it."""
        return next((known for known in self.every if known.name == name and VOICE in known.use_in), None)

    def told_apart_from(self, srs: tuple[SrsTarget, ...]) -> tuple[tuple[SrsTarget, ...], Connectors]:
        """The SRSs of every call, and the connectors, under names that all differ."""
        known = iter(told_apart((*srs, *self.targets)))
        named = tuple(itertools.islice(known, len(srs)))
        every = (
            dataclasses.replace(one, targets=tuple(itertools.islice(known, len(one.targets))))
            for one in self.every
        )
        return named, Connectors(every=tuple(every))

    @property
    def targets(self) -> Iterator[SrsTarget]:
        """The SRSs of all of them."""
        return (target for connector in self.every for target in connector.targets)


def sid_of(name: str) -> str:
    """The id of a connector whose configuration says none: always the same for one name."""
    return "XE" + hashlib.sha256(name.encode()).hexdigest()[:32]
