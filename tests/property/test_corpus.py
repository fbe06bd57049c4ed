"""What the fuzzers start from, and what they have found, is taken without harm (`tests/fuzz`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS

FILES = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_input_of_the_corpus_keeps_the_promise_of_its_target(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


def test_every_target_has_something_to_start_from() -> None:
    assert {file.parent.name for file in FILES} == set(TARGETS)
