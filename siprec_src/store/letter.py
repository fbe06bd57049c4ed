"""A callback on its way, as it is kept; nothing in it is a secret but what a customer put into the URL."""

from __future__ import annotations

import dataclasses
from typing import Literal

from siprec_src.values import immutable

Method = Literal["GET", "POST"]


@immutable
class Letter:
    """A callback that is not done with. Times are seconds of Unix time."""

    id: str  #: ``CB`` and 32 hex digits; the same for each try, so that a receiver knows a second one
    number: int  #: of two callbacks of one resource that with the lower one goes first
    account_sid: str  #: whose token signs it, at each try anew
    resource: str  #: SID of what it tells of; the callbacks of one resource keep their order
    call_sid: str
    url: str = dataclasses.field(repr=False)
    method: Method
    fields: tuple[tuple[str, str], ...]
    since: float  #: since when it is tried
    attempts: int = 0
    due: float  #: when it is tried next
    died: float | None = None  #: since when it is tried no more
    reason: str = ""  #: why the last try failed

    @property
    def event(self) -> str:
        """What it tells, in the words of the API."""
        return next((value for name, value in self.fields if name.endswith("Event")), "")
