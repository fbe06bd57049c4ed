"""The table of callbacks that are not done with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from siprec_src.store.letter import Letter
from siprec_src.store.store import Store

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row


class Letters:
    """Reads and writes them; `StoreFailed` by any method means that nothing was."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def openings(self) -> int:
        """Changes when there is another file, in which nothing stands of what was written before."""
        return self._store.openings

    async def load(self) -> list[Letter]:
        """All of them, in their order."""
        return await self._store.run(_load)

    async def save(self, changes: Mapping[str, Letter | None]) -> None:
        """Make what is kept of each id so; None: nothing. Saying the same again changes nothing."""
        await self._store.run(lambda connection: _save(connection, changes))


def _load(connection: Connection) -> list[Letter]:
    from sqlalchemy import select

    from siprec_src.store.schema import callbacks

    rows = connection.execute(select(callbacks).order_by(callbacks.c.number))
    return [_letter(row) for row in rows]


def _save(connection: Connection, changes: Mapping[str, Letter | None]) -> None:
    from sqlalchemy import bindparam, delete, insert

    from siprec_src.store.schema import callbacks

    if changes:
        gone = delete(callbacks).where(callbacks.c.id == bindparam("gone"))
        connection.execute(gone, [{"gone": id_} for id_ in changes])
    if kept := [_row(letter) for letter in changes.values() if letter is not None]:
        connection.execute(insert(callbacks), kept)


def _row(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "number": letter.number,
        "account_sid": letter.account_sid,
        "resource": letter.resource,
        "call_sid": letter.call_sid,
        "url": letter.url,
        "method": letter.method,
        "fields": list(letter.fields),
        "since": _moment(letter.since),
        "attempts": letter.attempts,
        "due": _moment(letter.due),
        "died": None if letter.died is None else _moment(letter.died),
        "reason": letter.reason,
    }


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        id=row.id,
        number=row.number,
        account_sid=row.account_sid,
        resource=row.resource,
        call_sid=row.call_sid,
        url=row.url,
        method=row.method,
        fields=tuple((name, value) for name, value in row.fields),
        since=row.since.timestamp(),
        attempts=row.attempts,
        due=row.due.timestamp(),
        died=None if row.died is None else row.died.timestamp(),
        reason=row.reason,
    )


def _moment(unix_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC)
