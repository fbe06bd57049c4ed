"""The copies of a call's recording: each at one of its SRSs, apart from all others (RFC 6341 REQ-021).

Every copy of a call has recording sessions of its own: own dialogs, SSRCs, keys and metadata, under the
session and group ids of the call, by which they can be joined (RFC 7865 6.10).
"""

from __future__ import annotations

from collections.abc import Sequence

from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.recording.srs import SrsTarget, Track
from siprec_src.values import immutable


@immutable
class Copy:
    """One copy, and the SRSs that may hold it."""

    name: str  #: "" for that of the SRSs which name none
    targets: tuple[SrsTarget, ...]  #: in the order in which they are asked


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

    def take(self, copy: str, wanted: int) -> bool:
        """Let ``copy`` have so many from now on, all or none; without room it keeps what it has."""
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
