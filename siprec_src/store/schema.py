"""Every table of the store, in one place; in words that SQLite and PostgreSQL both understand."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

VERSION: Final = 1  #: of what stands below; a store of a higher one is left alone

TABLES: Final = MetaData()


class Moment(TypeDecorator[dt.datetime]):
    """A time with its zone, kept in UTC: SQLite forgets zones, PostgreSQL turns them into the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        at: dt.datetime = value
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


version = Table("version", TABLES, Column("number", Integer, primary_key=True, autoincrement=False))

callbacks = Table(
    "callbacks",
    TABLES,
    Column("id", String(34), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("account_sid", String(34), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("call_sid", String(34), nullable=False),
    Column("url", Text, nullable=False),
    Column("method", String(4), nullable=False),
    Column("fields", JSON, nullable=False),
    Column("since", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Moment, nullable=False),
    Column("died", Moment),
    Column("reason", Text, nullable=False),
)
