"""Hours of the week, as rules say them: ``mon-fri 08:00-18:00``, ``sat,sun``, ``22:00-06:00``."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60  #: minutes
_TEXT: Final = re.compile(r"(?:([a-z,-]+))?(?:\s*([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2}))?")


@immutable(kw_only=False)
class Hours:
    """From one time of a day to another, perhaps of the day after."""

    days: frozenset[int]  #: on which they begin; 0: Monday
    begin: int  #: minutes of the day
    end: int  #: the first minute that is not among them; up to `begin`: of the next day

    def hold(self, at: dt.datetime) -> bool:
        """Whether this time of some clock on a wall is among them."""
        minute, day = at.hour * 60 + at.minute, at.weekday()
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        yesterday = (day - 1) % len(_DAYS)
        return (day in self.days and minute >= self.begin) or (yesterday in self.days and minute < self.end)


@lru_cache(maxsize=256)
def parse_hours(text: str) -> Hours:
    """Read days, times, or both; what is not said is not restricted.

    Raises:
        ConfigurationError: it says neither, or what is none.
    """
    said = _TEXT.fullmatch(text.strip().lower())
    if said is None or not text.strip():
        raise ConfigurationError(f'{text[:64]!r}: expected hours such as "mon-fri 08:00-18:00"')
    days, *times = said.groups()
    begin, end = 0, _DAY
    if times[0] is not None:
        begin, end = _minutes(text, *times[:2]), _minutes(text, *times[2:])
        if begin in (end, _DAY):
            raise ConfigurationError(f"{text[:64]!r}: expected two different times, the first before 24:00")
    return Hours(_days(text, days), begin, end)


def _minutes(text: str, hour: str, minute: str) -> int:
    minutes = int(hour) * 60 + int(minute)
    if int(minute) > 59 or minutes > _DAY:
        raise ConfigurationError(f"{text[:64]!r}: {hour}:{minute} is no time of a day")
    return minutes


def _days(text: str, said: str | None) -> frozenset[int]:
    if said is None:
        return frozenset(range(len(_DAYS)))
    found: set[int] = set()
    for part in said.split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ConfigurationError(f"{text[:64]!r}: expected days of {', '.join(_DAYS)}")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return frozenset(found)
