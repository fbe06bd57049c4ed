"""What is written is found again by the next process, and what is damaged is put aside."""

from __future__ import annotations

import asyncio
import dataclasses
import stat
from pathlib import Path

import pytest

from siprec_src.store.directory import state_directory
from siprec_src.store.failed import StoreFailed
from siprec_src.store.letter import Letter
from siprec_src.store.letters import Letters
from siprec_src.store.store import FILE, Store
from tests.support.log import Log

ONE = Letter(
    id="CB1",
    number=7,
    account_sid="AC1",
    resource="SR1",
    call_sid="CA1",
    url="https://user:secret@app.example/told?a=1",
    method="GET",
    fields=(("SiprecName", "Größe & a=b+c"), ("SiprecEvent", "siprec-started")),
    since=1795300000.125,
    attempts=3,
    due=1795300008.5,
    reason="HTTP status 503",
)
DEAD = dataclasses.replace(ONE, id="CB2", number=3, died=1795300009.0)


async def kept(directory: Path) -> list[Letter]:
    store = Store(directory, Log())
    try:
        return await Letters(store).load()
    finally:
        await store.close()


async def save(directory: Path, *changes: dict[str, Letter | None]) -> None:
    store = Store(directory, Log())
    for change in changes:
        await Letters(store).save(change)
    await store.close()


async def test_what_is_written_is_found_by_the_next_process_in_its_order(tmp_path: Path) -> None:
    await save(tmp_path, {"CB1": ONE, "CB2": DEAD})
    assert await kept(tmp_path) == [DEAD, ONE]


async def test_a_change_replaces_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    tried = dataclasses.replace(ONE, attempts=4)
    await save(tmp_path, {"CB1": ONE, "CB2": DEAD}, {"CB1": tried, "CB2": None}, {"CB1": tried, "CB2": None})
    assert await kept(tmp_path) == [tried]


async def test_nobody_else_on_the_host_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "siprec-src"
    await save(directory, {"CB1": ONE})
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    store = Store(directory, Log())
    await Letters(store).save({"CB2": DEAD})
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
    await store.close()


async def test_a_second_process_does_not_get_it(tmp_path: Path) -> None:
    store = Store(tmp_path, Log())
    await Letters(store).load()
    with pytest.raises(StoreFailed, match="another process"):
        await kept(tmp_path)
    await store.close()
    assert await kept(tmp_path) == []


@pytest.mark.parametrize(
    "damage", [b"this is no database, and never was one" * 200, b"SQLite format 3\0" + b"\xff" * 8192]
)
async def test_a_file_that_is_damaged_is_put_aside_and_kept(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    log, store = Log(), Store(tmp_path, Log())
    store = Store(tmp_path, log)
    with pytest.raises(StoreFailed):
        await Letters(store).load()
    assert await Letters(store).load() == []
    await store.close()
    (aside,) = tmp_path.glob(f"{FILE}.corrupt-*Z")
    assert aside.read_bytes() == damage
    assert [event for _, event, _ in log.lines] == ["store.corrupt"]


async def test_damage_that_shows_later_begins_a_new_file(tmp_path: Path) -> None:
    store = Store(tmp_path, Log())
    letters = Letters(store)
    await letters.save(
        {str(n): dataclasses.replace(ONE, id=str(n), url="http://x/" + "y" * 3000) for n in range(99)}
    )
    await store.run(lambda connection: connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    await store.close()
    octets = bytearray((tmp_path / FILE).read_bytes())
    octets[8192:16384] = b"\xee" * 8192
    (tmp_path / FILE).write_bytes(octets)
    store = Store(tmp_path, Log())
    letters = Letters(store)
    before = store.openings
    with pytest.raises(StoreFailed):
        await letters.load()
    await letters.save({"CB1": ONE})
    assert store.openings == before + 1
    assert await letters.load() == [ONE]
    await store.close()


async def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    await save(tmp_path, {"CB1": ONE})
    store = Store(tmp_path, Log())
    await store.run(lambda connection: connection.exec_driver_sql("UPDATE version SET number = 99"))
    await store.close()
    with pytest.raises(StoreFailed, match="newer"):
        await kept(tmp_path)
    assert not list(tmp_path.glob("*corrupt*"))


async def test_a_full_disk_is_told_without_the_values_and_what_was_there_stays(tmp_path: Path) -> None:
    store = Store(tmp_path, Log())
    letters = Letters(store)
    await letters.save({"CB1": ONE})

    def fill(connection: object) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    await store.run(fill)
    big = dataclasses.replace(ONE, id="CB9", url="https://user:secret@app.example/" + "x" * 9000)
    with pytest.raises(StoreFailed, match="full") as failed:
        await letters.save({"CB9": big})
    assert "secret" not in str(failed.value)
    assert await letters.load() == [ONE]
    await store.close()


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match="Not a directory"):
        await kept(tmp_path / "file" / "state")


async def test_the_loop_goes_on_while_the_store_works(tmp_path: Path) -> None:
    store, loop = Store(tmp_path, Log()), asyncio.get_running_loop()
    turned = asyncio.Event()

    def work(_connection: object) -> bool:
        loop.call_soon_threadsafe(turned.set)
        return asyncio.run_coroutine_threadsafe(turned.wait(), loop).result(10)

    assert await store.run(work)
    await store.close()


def test_where_the_state_is(tmp_path: Path) -> None:
    assert state_directory(Path("/there"), {"STATE_DIRECTORY": "/x"}) == Path("/there")
    assert state_directory(None, {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}) == Path("/var/lib/one")


def test_the_same_tables_do_on_postgresql() -> None:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    from siprec_src.store.schema import TABLES

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # of SQLAlchemy
    texts = [str(CreateTable(table).compile(dialect=dialect)) for table in TABLES.sorted_tables]
    assert any("since TIMESTAMP WITH TIME ZONE NOT NULL" in text for text in texts)
