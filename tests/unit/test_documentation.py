"""What the documentation says of this repository is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import behaviours
from tests.support.reference import reference_path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_table_of_races_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "architecture.md").read_text()))
    files = (ROOT / "tests").rglob("test_*.py")
    defined = {
        name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert named - defined == set()
    assert named


def test_the_rows_of_the_platform_are_those_of_the_list_of_its_behaviours() -> None:
    page = reference_path("api", "platform-features.md").read_text()
    listed = re.findall(r"^\| (F\d{3}) \|", page, re.MULTILINE)
    built = {row for row in listed if "F001" <= row <= "F076" or "F186" <= row <= "F194"}
    assert set(behaviours.ROWS) == built
    assert set(behaviours.NOT_TESTED) < built


def test_the_page_of_the_platform_names_every_row_once_and_its_tests_or_the_reason() -> None:
    page = behaviours.render({"F001": {"tests/unit/test_a.py::test_b"}})
    assert re.findall(r"^\| (F\d{3}) \|", page, re.MULTILINE) == list(behaviours.ROWS)
    assert "| `unit/test_a.py::test_b` |" in page
    assert "| none: advice about a support desk" in page


def test_a_row_that_nothing_proves_and_nothing_excuses_is_found() -> None:
    everything = {row: {"a test"} for row in behaviours.ROWS if row not in behaviours.NOT_TESTED}
    assert behaviours.at_odds(everything) == []
    del everything["F033"]
    assert behaviours.at_odds({**everything, "F016": {"a test"}}) == [
        "F033: neither a test nor a reason",
        "F016: has a test, and a reason for none",
    ]
