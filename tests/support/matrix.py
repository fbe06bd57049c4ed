"""Writes what is proved from the markers of the tests: what no test carries is not claimed.

python -m tests.support.matrix          write docs/rfc-matrix.md and docs/platform-matrix.md
python -m tests.support.matrix --check  fail when a page is not what the tests say, or a row of the list of
                                        requirements or of behaviours has neither a test nor a reason
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support import behaviours
from tests.support.reference import REFERENCE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "rfc-matrix.md"
PLATFORM_PAGE = ROOT / "docs" / "platform-matrix.md"
EXCUSES = ROOT / "docs" / "interop.md"  #: its last table says which rows do not apply here, and why
REQUIREMENTS = REFERENCE / "siprec-requirements.md"
LAST_SECTION = 14  #: of the list; what follows there states no requirement

HEAD = """# What is proved of which RFC

Generated from the markers of the tests by `make docs`; a rule is listed only where a test carries it.
Rows such as SIP-01 are those of the project's list of requirements on a Session Recording Client.
"""


class _Collector:
    """A pytest plugin that keeps every marker of the collected tests."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.rows: dict[str, set[str]] = defaultdict(set)
        self.features: dict[str, set[str]] = defaultdict(set)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = f"{item.path.relative_to(ROOT)}::{item.name.partition('[')[0]}"
            for marker in item.iter_markers("rfc"):
                number, *sections = (str(value) for value in marker.args)
                for section in sections or ["whole"]:
                    self.rules[number][section].add(name)
            for marker in item.iter_markers("req"):
                for row in marker.args:
                    self.rows[str(row)].add(name)
            for marker in item.iter_markers("feature"):
                for row in marker.args:
                    self.features[str(row)].add(name)


def collect() -> _Collector:
    """The markers of all tests of this checkout."""
    collector = _Collector()
    status = pytest.main(["--collect-only", "-qq", "--no-header", "tests"], plugins=[collector])
    if status != pytest.ExitCode.OK:
        sys.exit(f"the tests cannot be collected: {status!r}")
    return collector


def render(collector: _Collector) -> str:
    """The page as the markers make it."""
    lines = [HEAD]
    for number in sorted(collector.rules, key=int):
        lines += [f"## RFC {number}", "", "| section | tests |", "|---|---|"]
        sections = collector.rules[number]
        lines += [f"| {s} | {_names(sections[s])} |" for s in sorted(sections, key=_natural)]
        lines.append("")
    lines += ["## Requirements on the Session Recording Client", "", "| row | tests |", "|---|---|"]
    lines += [f"| {row} | {_names(collector.rows[row])} |" for row in sorted(collector.rows, key=_natural)]
    return "\n".join(lines) + "\n"


def rows_at_odds(collector: _Collector) -> list[str]:
    """What is wrong between the list of requirements, the tests and docs/interop.md; a line for each row."""
    excused, proved = _first_cells(EXCUSES.read_text()), set(collector.rows)
    found = [f"{row}: has a test, and in docs/interop.md a reason for none" for row in excused & proved]
    if REQUIREMENTS.exists():
        listed = _first_cells(REQUIREMENTS.read_text().partition(f"\n## {LAST_SECTION + 1}.")[0])
        missing = listed - excused - proved
        found += [f"{row}: neither a test nor a reason in docs/interop.md" for row in missing]
        found += [f"{row}: not in the list of requirements" for row in (excused | proved) - listed]
    return sorted(found)


def _first_cells(page: str) -> set[str]:
    """The rows that lines of tables begin with: `SIP-01`, or several with commas."""
    cells = re.findall(r"^\| ([A-Z]+-\d\d(?:, [A-Z]+-\d\d)*) \|", page, re.MULTILINE)
    return {row for cell in cells for row in cell.split(", ")}


def _names(tests: set[str]) -> str:
    return "<br>".join(f"`{name.removeprefix('tests/')}`" for name in sorted(tests))


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|[^\d.]+", text)
    ]


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code says whether they are true."""
    collector = collect()
    pages = {PAGE: render(collector), PLATFORM_PAGE: behaviours.render(collector.features)}
    if arguments != ["--check"]:
        for path, page in pages.items():
            path.write_text(page)
        return 0
    wrong = [*rows_at_odds(collector), *behaviours.at_odds(collector.features)]
    for path, page in pages.items():
        if not (path.exists() and path.read_text() == page):
            wrong.append(f"{path.relative_to(ROOT)} is not what the tests say: run make docs")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
