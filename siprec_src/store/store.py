"""The store: an SQLite database that a thread of its own reads and writes, so that the loop never waits.

One process at a time has it, by a lock that ends with the process. A file that is no database any more is
put aside under a name that says when, and a new one is begun; nothing is ever deleted. SQLAlchemy is loaded
by the first use, in that thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from siprec_src.store.failed import StoreFailed
from siprec_src.telemetry.log import Logger

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

ResultT = TypeVar("ResultT")

FILE: Final = "siprec-src.db"
LOCK: Final = "siprec-src.lock"
BUSY_TIMEOUT_S: Final = 5.0  #: for somebody who looks into the file meanwhile
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Store:
    """The database in ``directory``, which is made when it is first used."""

    def __init__(self, directory: Path, log: Logger) -> None:
        self.directory = directory
        self.openings = 0  #: how often one was opened; after another, nothing may stand in it
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._engine: Engine | None = None
        self._lock = -1

    async def run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """What ``work`` returns, as one transaction in the store's thread.

        Raises:
            StoreFailed: nothing of it was done; another try may go well.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    async def close(self) -> None:
        """Let go of the file; after what was begun."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if self._engine is None:
                self._open()
            assert self._engine is not None  # noqa: S101 - opened just now
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            origin = getattr(error, "orig", None)
            if getattr(origin, "sqlite_errorcode", 0) & 0xFF in _CORRUPT:
                self._put_aside(str(origin))
            # Not the whole text: it shows the statement's values.
            raise StoreFailed(str(origin or type(error).__name__)) from None
        except OSError as error:
            raise StoreFailed(f"{self.directory}: {error.strerror or error}") from None

    def _open(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        file = self.directory / FILE
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        engine = _engine(file)
        try:
            _prepare(engine)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        self.openings += 1

    def _take_lock(self) -> None:
        if self._lock >= 0:
            return
        lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreFailed(f"{self.directory}: another process uses it") from None
        self._lock = lock

    def _put_aside(self, why: str) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        name = f"{FILE}.corrupt-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%fZ}"
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (self.directory / (FILE + suffix)).rename(self.directory / (name + suffix))
        self._log.error("store.corrupt", directory=str(self.directory), kept_as=name, error=why)

    def _release(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _engine(file: Path) -> Engine:
    from sqlalchemy import URL, create_engine, event
    from sqlalchemy.pool import StaticPool

    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        poolclass=StaticPool,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _record: object) -> None:
    """A commit survives the death of the process, not that of the machine: no sync for each."""
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        with _cursor(connection) as cursor:
            cursor.execute(f"PRAGMA {pragma}")


@contextlib.contextmanager
def _cursor(connection: Any) -> Iterator[Any]:
    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


def _prepare(engine: Engine) -> None:
    """The tables, in a file that is sound."""
    from sqlalchemy import insert, select, text
    from sqlalchemy.exc import DatabaseError

    from siprec_src.store.schema import TABLES, VERSION, version

    with engine.begin() as connection:
        if (found := connection.execute(text("PRAGMA quick_check(1)")).scalar_one()) != "ok":
            raise DatabaseError("", None, _damaged(str(found)))
        TABLES.create_all(connection)
        found = connection.execute(select(version.c.number)).scalar()
        if found is None:
            connection.execute(insert(version).values(number=VERSION))
        elif found > VERSION:
            raise StoreFailed(f"made by a newer siprec-src (version {found} of its tables)")


def _damaged(text: str) -> sqlite3.DatabaseError:
    """What SQLite itself would say, had it come upon the damage while reading."""
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
