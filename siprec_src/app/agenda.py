"""The deadlines of all machines, earliest first, in O(log n) for each change."""

from __future__ import annotations

import heapq
import itertools
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Agenda(Generic[ItemT]):
    """One deadline for each item; setting it again moves it. Items are compared by identity."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, ItemT]] = []
        self._entries: dict[int, tuple[float, int]] = {}
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, item: ItemT, deadline: float | None) -> None:
        """Put the item's deadline at ``deadline``, or take it off."""
        known = self._entries.get(id(item))
        if known is not None and known[0] == deadline:
            return
        if deadline is None:
            self._entries.pop(id(item), None)
        else:
            order = next(self._order)
            self._entries[id(item)] = (deadline, order)
            heapq.heappush(self._heap, (deadline, order, item))
        self._compact()

    @property
    def earliest(self) -> float | None:
        self._discard_stale()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[ItemT]:
        """Take off and return every item whose deadline has come, earliest first."""
        items: list[ItemT] = []
        while (earliest := self.earliest) is not None and earliest <= now:
            _, _, item = heapq.heappop(self._heap)
            del self._entries[id(item)]
            items.append(item)
        return items

    def _current(self, entry: tuple[float, int, ItemT]) -> bool:
        return self._entries.get(id(entry[2])) == entry[:2]

    def _discard_stale(self) -> None:
        while self._heap and not self._current(self._heap[0]):
            heapq.heappop(self._heap)

    def _compact(self) -> None:
        """Moved deadlines leave stale entries behind; when they are the most, they are swept out."""
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._entries):
            self._heap = [entry for entry in self._heap if self._current(entry)]
            heapq.heapify(self._heap)
