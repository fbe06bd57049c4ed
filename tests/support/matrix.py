"""Writes docs/rfc-matrix.md from the markers of the tests: what no test carries is not claimed.

python -m tests.support.matrix          write the page
python -m tests.support.matrix --check  fail when the page is not what the tests say
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "rfc-matrix.md"

HEAD = """# What is proved of which RFC

Generated from the markers of the tests by `make docs`; a rule is listed only where a test carries it.
Rows such as SIP-01 are those of the project's list of requirements on a Session Recording Client.
"""


class _Collector:
    """A pytest plugin that keeps every marker of the collected tests."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.rows: dict[str, set[str]] = defaultdict(set)

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


def render() -> str:
    """The page as the tests of this checkout make it."""
    collector = _Collector()
    status = pytest.main(["--collect-only", "-qq", "--no-header", "tests"], plugins=[collector])
    if status != pytest.ExitCode.OK:
        sys.exit(f"the tests cannot be collected: {status!r}")
    lines = [HEAD]
    for number in sorted(collector.rules, key=int):
        lines += [f"## RFC {number}", "", "| section | tests |", "|---|---|"]
        sections = collector.rules[number]
        lines += [f"| {s} | {_names(sections[s])} |" for s in sorted(sections, key=_natural)]
        lines.append("")
    lines += ["## Requirements on the Session Recording Client", "", "| row | tests |", "|---|---|"]
    lines += [f"| {row} | {_names(collector.rows[row])} |" for row in sorted(collector.rows, key=_natural)]
    return "\n".join(lines) + "\n"


def _names(tests: set[str]) -> str:
    return "<br>".join(f"`{name.removeprefix('tests/')}`" for name in sorted(tests))


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|[^\d.]+", text)
    ]


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit code says whether it is true."""
    page = render()
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text() == page:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what the tests say: run make docs")
        return 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
