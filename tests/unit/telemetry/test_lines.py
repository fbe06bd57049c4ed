"""Lines leave by a thread of their own: a pipe that nobody reads holds up nobody."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from siprec_src.telemetry.lines import LineWriter

LINE = "x" * 1023 + "\n"
PIPE_LINES = 64  # a pipe holds 64 KiB (pipe(7))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], on_dropped=lambda _: None)
    for number in range(10):
        writer.write(f"{number}\n")
    assert writer.drain(10)
    assert os.read(pipe[0], 4096).decode().split() == [str(number) for number in range(10)]
    assert (writer.counters.written, writer.counters.dropped) == (10, 0)


def test_a_full_pipe_holds_up_nobody_and_what_was_dropped_is_counted_and_told(pipe: tuple[int, int]) -> None:
    told: list[int] = []
    writer = LineWriter(pipe[1], max_lines=5, on_dropped=told.append)
    for _ in range(PIPE_LINES + 200):
        writer.write(LINE)
    dropped = writer.counters.dropped
    assert dropped >= 195 - 1
    assert not writer.drain(0)
    while not writer.drain(0.01):
        os.read(pipe[0], 65536)
    assert sum(told) == dropped
    assert writer.counters.written + dropped == PIPE_LINES + 200


def test_a_reader_that_went_away_is_no_error(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], on_dropped=lambda _: None)
    os.close(pipe[0])
    writer.write(LINE)
    assert writer.drain(10)
    assert writer.counters.dropped == 1


def test_a_pipe_that_someone_else_made_non_blocking_loses_no_line(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = LineWriter(pipe[1], on_dropped=lambda _: None)
    for _ in range(2 * PIPE_LINES):
        writer.write(LINE)
    read = 0
    while read < 2 * PIPE_LINES * len(LINE):
        read += len(os.read(pipe[0], 65536))
    assert writer.drain(10)
    assert writer.counters.dropped == 0
