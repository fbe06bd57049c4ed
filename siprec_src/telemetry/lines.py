"""Log lines on their way out of the process: who logs never waits for who reads.

Standard error may be a pipe whose reader is slow, stopped or gone. A thread of its own writes the lines;
what does not fit its bounded queue is dropped and counted, and the log says so once there is room again.
"""

from __future__ import annotations

import dataclasses
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_LINES: Final = 10_000  #: that wait to be written
LAST_LINES_S: Final = 1.0  #: what a process that ends gives its last lines
_RETRY_S: Final = 1.0
_GATHER_S: Final = 0.01  # between two writes: under load many lines cost one switch of threads
_TOGETHER_BYTES: Final = select.PIPE_BUF  # of one write: the other processes' lines do not get in between


@dataclasses.dataclass(slots=True)
class LineCounters:
    """What became of the lines of this process."""

    written: int = 0
    dropped: int = 0


class LineWriter:
    """A text stream for loggers over ``descriptor``; one `write` is one line."""

    def __init__(
        self, descriptor: int, *, max_lines: int = MAX_LINES, on_dropped: Callable[[int], object]
    ) -> None:
        self.counters: Final = LineCounters()
        self._descriptor = descriptor
        self._max_lines = max_lines
        self._on_dropped = on_dropped  # told how many, in the writer's thread, when there is room again
        self._lines: deque[str] = deque()
        self._untold = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: str) -> int:
        """Queue one line; never blocks, never raises."""
        with self._changed:
            if len(self._lines) < self._max_lines:
                self._lines.append(line)
                self._changed.notify_all()
            else:
                self.counters.dropped += 1
                self._untold += 1
        return len(line)

    def flush(self) -> None:
        """Part of a stream's interface; lines leave by themselves."""

    def drain(self, patience_s: float = LAST_LINES_S) -> bool:
        """Wait until every line is out, at most ``patience_s``; whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines, patience_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._lines))
                data, count = self._first()
            # Left in the queue meanwhile, so that `drain` waits for them too.
            written = self._put(data)
            with self._changed:
                for _ in range(count):
                    self._lines.popleft()
                self.counters.written += count if written else 0
                self.counters.dropped += 0 if written else count
                untold, self._untold = self._untold, 0
                more = bool(self._lines)
                self._changed.notify_all()
            if untold:
                self._on_dropped(untold)
            if not more:
                time.sleep(_GATHER_S)

    def _first(self) -> tuple[bytes, int]:
        """The octets of the next write, whole lines, and of how many."""
        data, count = b"", 0
        for line in self._lines:
            more = line.encode("utf-8", "replace")
            if count and len(data) + len(more) > _TOGETHER_BYTES:
                break
            data += more
            count += 1
        return data, count

    def _put(self, data: bytes) -> bool:
        """Write all of it; False: nobody reads any more."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                # A terminal or pipe that another process has made non-blocking for all who share it.
                select.select((), (self._descriptor,), (), _RETRY_S)
            except OSError:
                return False
        return True
