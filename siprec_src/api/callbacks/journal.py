"""The outbox on disk, so that what is not delivered outlives the process; without a disk it does not.

Nothing waits for a disk for longer than `PATIENCE_S`. What could not be written is written with the next
thing that is; until then the callback goes on from memory, and a warning says what that means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from siprec_src.store.failed import StoreFailed
from siprec_src.store.letter import Letter
from siprec_src.telemetry.log import Logger

PATIENCE_S: Final = 3.0
PAUSE_S: Final = 5.0  #: before a store that has failed is tried again

Changes = Mapping[str, Letter | None]


class Letters(Protocol):
    """Where callbacks are kept: `store.letters`."""

    @property
    def openings(self) -> int: ...

    async def load(self) -> list[Letter]: ...

    async def save(self, changes: Changes) -> None: ...


class Journal:
    """Keeps what is kept in step with the outbox.

    Args:
        everything: all that is to be kept, for a file in which nothing stands yet.
        restored: told what an earlier process has left, once.
    """

    def __init__(
        self,
        letters: Letters,
        everything: Callable[[], Changes],
        restored: Callable[[list[Letter]], None],
        log: Logger,
    ) -> None:
        self._letters = letters
        self._everything = everything
        self._restored = restored
        self._log = log
        self._owed: dict[str, Letter | None] = {}  #: what is not written yet
        self._standing: set[str] = set()  #: what stands on the disk, or may soon
        self._openings = 0
        self._loaded = False
        self._writing: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self.works: bool | None = None  #: whether the last use of the store went well; None: there was none

    @property
    def owes(self) -> Changes:
        """What does not stand on the disk as it is."""
        return self._owed

    @property
    def due(self) -> float | None:
        """When there is something to write or to read, by the loop's clock; None: never, or that goes on."""
        waits = self._owed or not self._loaded
        return self._not_before if waits and self._writing is None else None

    async def write(self, changes: Changes) -> None:
        """Write these and what is owed; returns when that is done, or has failed, or takes too long."""
        self._owed.update(changes)
        self._forget(changes)
        if self._writing is not None or asyncio.get_running_loop().time() < self._not_before:
            return  # the disk is known to be in trouble
        if self._owed or not self._loaded:
            writing = self._writing = asyncio.create_task(self._write())
            await asyncio.wait({writing}, timeout=PATIENCE_S)
            if not writing.done():
                self._failed("the disk does not answer")

    async def close(self, changes: Changes) -> None:
        """Write these and what is owed, if that can be done."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=PATIENCE_S)
        self._not_before = 0.0
        await self.write(changes)
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        written = dict(self._owed)
        begun = {id_ for id_, letter in written.items() if letter is not None} - self._standing
        self._standing |= begun
        try:
            if not self._loaded:
                found = await self._letters.load()
                self._standing.update(letter.id for letter in found)
                self._restored(found)
                self._loaded = True
                self._openings = self._letters.openings
            await self._letters.save(written)
            if self._letters.openings != self._openings:  # another file than that in which the rest stood
                written = {**self._everything(), **self._owed}
                await self._letters.save(written)
                self._openings = self._letters.openings
        except Exception as error:  # noqa: BLE001 - whatever it is, callbacks go on from memory
            self._not_before = asyncio.get_running_loop().time() + PAUSE_S
            self._standing -= begun
            self._forget(begun)
            self._failed(str(error) if isinstance(error, StoreFailed) else repr(error))
        else:
            self._settle(written)
        finally:
            self._writing = None

    def _forget(self, ids: Iterable[str]) -> None:
        """What is over and never stood on the disk is not owed: a disk may be in trouble for days."""
        for id_ in ids:
            if id_ in self._owed and self._owed[id_] is None and id_ not in self._standing:
                del self._owed[id_]

    def _settle(self, written: Changes) -> None:
        for id_, letter in written.items():
            if letter is None:
                self._standing.discard(id_)
            else:
                self._standing.add(id_)
            if id_ in self._owed and self._owed[id_] is letter:
                del self._owed[id_]
        if self.works is False:
            self._log.info("store.works-again")
        self.works = True

    def _failed(self, why: str) -> None:
        if self.works is not False:
            self._log.warning(
                "store.failed", error=why, consequence="callbacks on their way do not outlive this process"
            )
        self.works = False
