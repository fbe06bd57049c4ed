"""What is on its way: the queue of each resource, when what is tried, and what became of it.

The first callback of a resource is tried until it is delivered or dead, and only then the next one; the
queues of different resources do not wait for each other, save for the number of requests at a time, in all
and to one host. Neither clock nor I/O: whoever asks says what time it is.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never
from urllib.parse import urlsplit

from siprec_src.api.callbacks.callback import Delivered, Failed, Result
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.errors import Gone, NoRoom
from siprec_src.store.letter import Letter


@dataclasses.dataclass(slots=True)
class _Host:
    """One customer's server."""

    ready: deque[str] = dataclasses.field(default_factory=deque)  #: ids that are due
    flying: int = 0  #: requests to it now


class Outbox:
    """Callbacks on their way, and dead ones.

    Args:
        uniform: a random number between two, for pauses.
    """

    def __init__(self, settings: CallbackSettings, uniform: Callable[[float, float], float]) -> None:
        self._settings = settings
        self._uniform = uniform
        self._letters: dict[str, Letter] = {}
        self._lines: dict[str, deque[str]] = {}  #: by resource, the first is due, tried or waits
        self._dead: OrderedDict[str, Letter] = OrderedDict()
        self._waiting: list[tuple[float, int, str]] = []  #: heap: due, number, id of firsts
        self._hosts: OrderedDict[str, _Host] = OrderedDict()  #: whose turn it is stands first
        self._flying: set[str] = set()
        self._number = 0
        self._changes: dict[str, Letter | None] = {}

    @property
    def pending(self) -> Sequence[Letter]:
        """On their way, in the order in which they came."""
        return sorted(self._letters.values(), key=lambda letter: letter.number)

    @property
    def dead(self) -> Sequence[Letter]:
        """Tried no more, the oldest first."""
        return tuple(self._dead.values())

    @property
    def count(self) -> int:
        """Callbacks on their way."""
        return len(self._letters)

    @property
    def flying(self) -> int:
        """Callbacks that are being tried."""
        return len(self._flying)

    @property
    def deadline(self) -> float | None:
        """When `start` has something to do next, for all that is known now."""
        return self._waiting[0][0] if self._waiting else None

    def is_due(self, now: float) -> bool:
        """Whether something can be tried now."""
        waiting = self.deadline
        return any(host.ready for host in self._hosts.values()) or (waiting is not None and waiting <= now)

    def number(self) -> int:
        """The number of one more callback."""
        self._number += 1
        return self._number

    def take_changes(self) -> dict[str, Letter | None]:
        """What is to be kept of each id, since the last time; None: nothing."""
        changes, self._changes = self._changes, {}
        return changes

    def everything(self) -> dict[str, Letter | None]:
        """All that is to be kept."""
        return {**self._letters, **self._dead}

    def restore(self, letters: Iterable[Letter], now: float) -> None:
        """What a process before this one has left, each in its place before all that came since."""
        latest = now + self._settings.max_retry_s  # the clock may have been far ahead then
        found = sorted(letters, key=lambda letter: letter.number)
        for letter in found:
            if letter.died is not None:
                self._dead[letter.id] = letter
            else:
                self.put(dataclasses.replace(letter, due=min(letter.due, latest)))
        self._number = max([self._number, *(letter.number for letter in found)])

    def check_room(self, fresh: int = 0) -> None:
        """Raises NoRoom when with so many more `CallbackSettings.max_pending` are on their way."""
        if (count := self.count + fresh) >= self._settings.max_pending:
            raise NoRoom(f"{count} callbacks are on their way")

    def put(self, letter: Letter) -> None:
        """One more, behind all of its resource, that stands on disk if there is one."""
        self._letters[letter.id] = letter
        line = self._lines.setdefault(letter.resource, deque())
        line.append(letter.id)
        if len(line) == 1:
            self._wait(letter)

    def start(self, now: float) -> list[Letter]:
        """Those to be tried now; `settle` says what became of each."""
        while self._waiting and self._waiting[0][0] <= now:
            _, _, id_ = heapq.heappop(self._waiting)
            if (letter := self._letters.get(id_)) is not None:  # one that was dropped meanwhile is not
                self._hosts.setdefault(_host(letter), _Host()).ready.append(id_)
        started: list[Letter] = []
        for name, host in tuple(self._hosts.items()):
            before = len(started)
            self._start_of(host, started)
            if not (host.ready or host.flying):
                del self._hosts[name]
            elif len(started) > before:
                self._hosts.move_to_end(name)
        return started

    def settle(self, id_: str, result: Result, now: float) -> Letter:
        """A try has ended. Returns the callback as it is now: dead, or due again, or as it was delivered."""
        letter = self._letters[id_]
        self._flying.remove(id_)
        self._hosts[_host(letter)].flying -= 1
        match result:
            case Delivered():
                self._leave(letter)
                self._changes[id_] = None
                return letter
            case Failed():
                return self._failed(letter, result, now)
            case _:
                assert_never(result)

    def again(self, id_: str, now: float) -> Letter:
        """Try a dead one once more, from the beginning, behind what its resource has on its way.

        Raises:
            Gone: it is not among the dead.
                NoRoom: as of `check_room`.
        """
        if id_ not in self._dead:
            raise Gone(f"no dead callback {id_}")
        self.check_room()
        fresh = dataclasses.replace(
            self._dead[id_], number=self.number(), since=now, attempts=0, due=now, died=None, reason=""
        )
        del self._dead[id_]
        self._changes[id_] = fresh
        self.put(fresh)
        return fresh

    def drop(self, id_: str) -> Letter:
        """Forget one that is dead, or waits.

        Raises:
            Gone: there is none, or it is being tried at this moment.
        """
        letter = self._dead.pop(id_, None)
        if letter is None:
            letter = self._letters.get(id_)
            if letter is None or id_ in self._flying:
                raise Gone(f"no callback {id_} that is dead or waits")
            self._unready(letter)
            self._leave(letter)
        self._changes[id_] = None
        return letter

    def expire(self, now: float) -> list[Letter]:
        """Forget the dead that are too many, or dead for too long; these they were."""
        oldest = now - self._settings.max_dead_age_s
        forgotten: list[Letter] = []
        while self._dead:
            first = next(iter(self._dead.values()))
            if len(self._dead) <= self._settings.max_dead and (first.died or 0.0) >= oldest:
                break
            del self._dead[first.id]
            self._changes[first.id] = None
            forgotten.append(first)
        return forgotten

    def _start_of(self, host: _Host, started: list[Letter]) -> None:
        while (
            host.ready
            and host.flying < self._settings.max_concurrent_per_host
            and len(self._flying) < self._settings.max_concurrent
        ):
            id_ = host.ready.popleft()
            host.flying += 1
            self._flying.add(id_)
            started.append(self._letters[id_])

    def _wait(self, letter: Letter) -> None:
        heapq.heappush(self._waiting, (letter.due, letter.number, letter.id))

    def _failed(self, letter: Letter, failed: Failed, now: float) -> Letter:
        settings = self._settings
        attempts = letter.attempts + 1
        grown = settings.first_retry_s * settings.retry_factor ** min(letter.attempts, 64)
        pause_s = min(grown, settings.max_retry_s) * self._uniform(0.5, 1.0)
        if failed.wait_s is not None:
            pause_s = max(pause_s, min(failed.wait_s, settings.max_retry_s))
        tried = dataclasses.replace(letter, attempts=attempts, due=now + pause_s, reason=failed.reason)
        if failed.again and tried.due <= letter.since + settings.max_age_s:
            self._letters[letter.id] = self._changes[letter.id] = tried
            self._wait(tried)
            return tried
        self._leave(letter)
        dead = dataclasses.replace(tried, died=now)
        self._dead[letter.id] = self._changes[letter.id] = dead
        return dead

    def _leave(self, letter: Letter) -> None:
        """It is not on its way any more; the next of its resource is."""
        del self._letters[letter.id]
        line = self._lines[letter.resource]
        was_first = line[0] == letter.id
        line.remove(letter.id)
        if not line:
            del self._lines[letter.resource]
        elif was_first:
            self._wait(self._letters[line[0]])

    def _unready(self, letter: Letter) -> None:
        host = self._hosts.get(_host(letter))
        if host is not None and letter.id in host.ready:
            host.ready.remove(letter.id)


def _host(letter: Letter) -> str:
    return urlsplit(letter.url).netloc.rpartition("@")[2].lower()
