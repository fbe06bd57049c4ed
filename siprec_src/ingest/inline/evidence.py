"""The evidence of what the parties were told of the recording (RFC 7866 6.1.2).

One line for each change says of each party how it was told and when, or why it could not be. It is written
when nobody is being told that change any more; a party that is told it later has a line of its own.
"""

from __future__ import annotations

from siprec_src.communication import Side

Fields = tuple[tuple[str, object], ...]


class Evidence:
    """What has been told of one change, until it is written."""

    def __init__(self) -> None:
        self._change: Fields = ()
        self._told: dict[Side, Fields] = {}

    def adds_to(self, change: Fields, side: Side) -> bool:
        """Whether what ``side`` is told of ``change`` belongs into the line that is being made."""
        return not self._told or (change == self._change and side not in self._told)

    def note(self, change: Fields, side: Side, mode: str, why: str, at_s: float | None) -> None:
        """A party was told; ``why``: or why not, ``at_s``: seconds since the call was answered."""
        own = (("", mode), *((("_why", why),) if why else ()), ("_at_s", at_s))
        self._change = change
        self._told[side] = tuple((f"{side.value}{name}", value) for name, value in own)

    def take(self) -> Fields:
        """The fields of the line, which begins anew; none when nobody was told anything."""
        told, self._told = self._told, {}
        return (*self._change, *(field for side in Side for field in told.get(side, ()))) if told else ()
