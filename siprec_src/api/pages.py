"""Lists in pages (contract 5): the keys that the platform's clients take for paging, and one for the list.

Links are relative and carry the filters; a client follows them as they are until there is none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from typing_extensions import TypedDict

from siprec_src.api.errors import ApiError
from siprec_src.values import immutable

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 1000
TOO_LARGE: Final = 20007
AT_ONCE: Final = 100  #: of many things; then others have their turn

Query = Sequence[tuple[str, str]]  #: names and values as they came, decoded
ItemT = TypeVar("ItemT")


class Page(TypedDict):
    """What every page has beside its list."""

    page: int
    page_size: int
    start: int
    end: int
    uri: str
    first_page_uri: str
    previous_page_uri: str | None
    next_page_uri: str | None


@immutable
class Wanted:
    """Which page."""

    number: int  #: from 0
    size: int


def wanted(query: Query) -> Wanted:
    """Read ``Page`` and ``PageSize``; ``PageToken`` is not needed.

    Raises:
        ApiError: 400, one is no number, or the page would be too large.
    """
    said = dict(query)
    number, size = (_number(said, name, least) for name, least in (("Page", 0), ("PageSize", 1)))
    if size is not None and size > MAX_SIZE:
        raise ApiError(400, TOO_LARGE, f"PageSize: expected at most {MAX_SIZE}")
    return Wanted(number=number or 0, size=size or DEFAULT_SIZE)


async def unhurried(items: Iterable[ItemT]) -> AsyncIterator[ItemT]:
    """The items, and after every `AT_ONCE` of them a turn of the loop: calls do not wait for lists."""
    for number, item in enumerate(items):
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
        yield item


async def page(
    path: str, query: Query, key: str, items: Sequence[ItemT], show: Callable[[ItemT], Mapping[str, Any]]
) -> dict[str, Any]:
    """The page of ``items`` that ``query`` asks for, with its neighbours.

    Raises:
        ApiError: as `wanted`.
    """
    asked = wanted(query)
    start = asked.number * asked.size
    shown = [show(item) async for item in unhurried(items[start : start + asked.size])]

    def link(number: int) -> str:
        kept = [(name, value) for name, value in query if name not in ("Page", "PageSize", "PageToken")]
        return f"{path}?{urlencode([*kept, ('PageSize', asked.size), ('Page', number)])}"

    return {
        key: shown,
        "page": asked.number,
        "page_size": asked.size,
        "start": start,
        "end": start + max(len(shown) - 1, 0),
        "uri": link(asked.number),
        "first_page_uri": link(0),
        "previous_page_uri": link(asked.number - 1) if asked.number else None,
        "next_page_uri": link(asked.number + 1) if start + asked.size < len(items) else None,
    }


_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def _number(said: dict[str, str], name: str, least: int) -> int | None:
    text = said.get(name)
    if text is None:
        return None
    if _DIGITS.fullmatch(text) is None or int(text) < least:
        raise ApiError(400, None, f"{name}: expected a number from {least}")
    return int(text)
