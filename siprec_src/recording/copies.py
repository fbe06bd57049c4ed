"""The copies of a call's recording: each at one of its SRSs, apart from all others (RFC 6341 REQ-021).

Every copy of a call has recording sessions of its own: own dialogs, SSRCs, keys and metadata, under the
session and group ids of the call, by which they can be joined (RFC 7865 6.10).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from siprec_src.instructions.model import Track as TrackName
from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.recording.srs import SrsTarget, Track
from siprec_src.values import immutable

ON_REQUEST: Final = "on-request"

TRACKS: Final[Mapping[TrackName, Track]] = {
    TrackName.INBOUND: Track.INBOUND,
    TrackName.OUTBOUND: Track.OUTBOUND,
    TrackName.BOTH: Track.BOTH,
}
"""What an SRS gets, as requests and rules name it."""


@immutable
class Copy:
    """One copy, and the SRSs that may hold it."""

    name: str  #: "" for that of the SRSs which name none
    targets: tuple[SrsTarget, ...]  #: in the order in which they are asked
    persistent: bool = True  #: its SRSs are asked again as long as the call lasts; False: each once

    @property
    def entry(self) -> str:
        """Its name in the verdict on the call, where all those are one that end by themselves."""
        return self.name if self.persistent else ON_REQUEST


def tailored(
    targets: Iterable[SrsTarget],
    name: str | None,
    *,
    track: Track | None = None,
    parameters: tuple[tuple[str, str], ...] = (),
) -> tuple[SrsTarget, ...]:
    """The same SRSs for the copy ``name``: with these tracks, where they are said, and custom parameters.

    Without a name each is for the copy that it is for by itself.

    Raises:
        ConfigurationError: a parameter that is to be a header field too cannot be one.
    """
    return tuple(
        dataclasses.replace(
            target,
            config=dataclasses.replace(
                target.config,
                copy=target.config.copy if name is None else name,
                track=track or target.config.track,
                parameters=parameters,
            ),
        )
        for target in targets
    )


def copies_of(targets: Sequence[SrsTarget], distribution: Distribution, turn: int) -> tuple[Copy, ...]:
    """The copies that are made of the call number ``turn``, in the order of their first SRSs."""
    groups: dict[str, list[SrsTarget]] = {}
    for target in targets:
        groups.setdefault(copy_name(target, distribution), []).append(target)
    return tuple(
        Copy(name=name, targets=_in_turn(group, turn if distribution is Distribution.ROUND_ROBIN else 0))
        for name, group in groups.items()
    )


def copy_name(target: SrsTarget, distribution: Distribution) -> str:
    """Which copy an SRS is for; in parallel one that names none has one for itself."""
    alone = target.name if distribution is Distribution.PARALLEL else ""
    return target.config.copy or alone


class Room:
    """How many streams of one call may be forked, shared by its copies; whoever asks first has it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: dict[str, int] = {}  #: by copy
        self._reserved: dict[str, int] = {}  #: the least that a copy has, whatever it takes

    @property
    def free(self) -> int:
        """How many more may be forked now."""
        return self._limit - sum(self._taken.values())

    def reserve(self, copy: str, count: int) -> bool:
        """Keep so many for ``copy`` from now on, until it is released; whether there was room."""
        if count > self.free:
            return False
        self._taken[copy] = self._reserved[copy] = count
        return True

    def release(self, copy: str) -> None:
        """The copy has no streams any more."""
        self._taken.pop(copy, None)
        self._reserved.pop(copy, None)

    def take(self, copy: str, wanted: int) -> bool:
        """Let ``copy`` have so many from now on, all or none; without room it keeps what it has."""
        wanted = max(wanted, self._reserved.get(copy, 0))
        others = sum(count for name, count in self._taken.items() if name != copy)
        if wanted and others + wanted > self._limit:
            return False
        self._taken[copy] = wanted
        return True


def crowded(targets: Sequence[SrsTarget], settings: RecordingSettings) -> tuple[str, ...]:
    """What the operator should be told of copies for which an ordinary call has no room."""
    room, found = Room(settings.max_forked_streams), []
    for copy in copies_of(targets, settings.distribution, 0):
        wanted = max(2 if target.config.track is Track.BOTH else 1 for target in copy.targets)
        if not room.take(copy.name, wanted):
            what = (
                f"max_forked_streams = {settings.max_forked_streams} leaves an ordinary call no room for it"
            )
            found.append(f"copy {copy.name or 'default'!r}: {what}")
    return tuple(found)


def _in_turn(group: Sequence[SrsTarget], turn: int) -> tuple[SrsTarget, ...]:
    first = turn % len(group)
    return (*group[first:], *group[:first])
