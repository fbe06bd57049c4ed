"""What a list of calls may be asked to hold: parties, status, and when a call began or ended.

A date alone means that day in UTC: ``StartTime`` all of it, ``StartTime<`` and ``StartTime>`` its midnight at
the beginning. Both bounds belong to the list.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Final

from siprec_src.api.calls.book import KnownCall
from siprec_src.api.errors import ApiError
from siprec_src.api.pages import Query
from siprec_src.machine import WallClock

STATUSES: Final = (
    "queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled",
)  # fmt: skip

Filter = Callable[[KnownCall], bool]


def filters(query: Query, wall: WallClock) -> list[Filter]:
    """One for each field that filters, by its last value; a field of another name is ignored.

    Raises:
        ApiError: 400, of a status or a time that is none.
    """
    return [made for name, value in dict(query).items() if (made := _filter(name, value, wall)) is not None]


_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z)?")
_ONE_DAY: Final = dt.timedelta(days=1)
_ONE_SECOND: Final = dt.timedelta(seconds=1)


def _filter(name: str, value: str, wall: WallClock) -> Filter | None:
    match name.rstrip("<>"):
        case "To" if name == "To":
            return lambda call: call.parties.called == value
        case "From" if name == "From":
            return lambda call: call.parties.caller == value
        case "Status" if name == "Status":
            if value not in STATUSES:
                raise ApiError(400, None, f"Status: expected one of {', '.join(STATUSES)}")
            return lambda call: call.status == value
        case "StartTime":
            within = _within(name, value)
            return lambda call: within(wall.at(call.session.started))
        case "EndTime":
            within = _within(name, value)
            return lambda call: call.session.ended is not None and within(wall.at(call.session.ended))
        case _:
            return None


def _within(name: str, value: str) -> Callable[[dt.datetime], bool]:
    """Whether a moment, cut to the second as it is shown, is what the field asks for."""
    found = _DAY.fullmatch(value)
    try:
        first = dt.datetime.fromisoformat(value) if found else None
    except ValueError:
        first = None
    if found is None or first is None:
        raise ApiError(400, None, f"{name}: expected YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")
    first = first.replace(tzinfo=dt.UTC, microsecond=0)
    if name.endswith("<"):
        return lambda moment: moment.replace(microsecond=0) <= first
    if name.endswith(">"):
        return lambda moment: moment.replace(microsecond=0) >= first
    length = _ONE_SECOND if found[2] else _ONE_DAY
    return lambda moment: dt.timedelta() <= moment - first < length
