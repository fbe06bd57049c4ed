"""The native engine with the handshakes that its readers wait for; whoever commands it sees none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from siprec_src.app.handshakes import Effect, Handshakes
from siprec_src.errors import NoRoom
from siprec_src.media import plane
from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.keeping import PortSockets, Resumed, SocketsOpened
from siprec_src.media.model import MediaIo


class ThreadStats(Protocol):
    """What is asked of the engine's statistics."""

    @property
    def load(self) -> float: ...
    @property
    def notices_lost(self) -> int: ...


class Engine(Protocol):
    """What is needed of the native engine (`media.engine.Engine`)."""

    def submit(self, command: plane.Command | SendDtls) -> None: ...
    def fileno(self) -> int: ...
    def drain(self) -> Sequence[plane.Answer | plane.Event | DtlsReceived | SocketsOpened]: ...
    def resumed(self) -> Resumed: ...
    def stats(self) -> Sequence[ThreadStats]: ...
    def use(self, most: MediaIo) -> None: ...
    def close(self) -> None: ...


class SecureEngine:
    """Commands in, answers and events out. What was not asked of the engine is answered at once."""

    def __init__(
        self, engine: Engine, opened: Callable[[Sequence[PortSockets]], None] = lambda _sockets: None
    ) -> None:
        """``opened`` is told of new sockets, before anybody hears of their ports."""
        self._engine = engine
        self._opened = opened
        self._handshakes = Handshakes(engine.resumed().ports)

    @property
    def deadline(self) -> float | None:
        """When `wake` has something to do, of the monotonic clock."""
        return self._handshakes.deadline

    def submit(self, command: plane.Command) -> list[plane.Answer]:
        """Hand one command over; the answers that are there already, of it or of one before."""
        return self._perform(self._handshakes.command(command, time.monotonic()))

    def wake(self, now: float) -> list[plane.Answer]:
        """Send again what an SRS has not answered; the answers to what is given up."""
        return self._perform(self._handshakes.wake(now))

    def drain(self) -> list[plane.Answer | plane.Event]:
        """Take what the engine has to say, when `fileno` is readable."""
        told: list[plane.Answer | plane.Event] = []
        for message in self._engine.drain():
            if isinstance(message, DtlsReceived):
                told += self._perform(self._handshakes.received(message, time.monotonic()))
            elif isinstance(message, SocketsOpened):
                self._opened(message.sockets)
            elif isinstance(message, plane.Answer):
                told.append(self._handshakes.answer(message))
            else:
                told.append(message)
        return told

    def fileno(self) -> int:
        return self._engine.fileno()

    def notices_lost(self) -> int:
        """Events that were not drained in time, of all threads since the start."""
        return sum(thread.notices_lost for thread in self._engine.stats())

    def loads(self) -> tuple[float, ...]:
        """Of each thread, the share of its time that it is busy, in hundredths."""
        return tuple(round(thread.load, 2) for thread in self._engine.stats())

    def use(self, most: MediaIo) -> None:
        """Move packets by no better way than ``most``."""
        self._engine.use(most)

    def close(self) -> None:
        self._engine.close()

    def _perform(self, effects: Iterable[Effect]) -> list[plane.Answer]:
        answers: list[plane.Answer] = []
        for effect in effects:
            if isinstance(effect, plane.Answer):
                answers.append(effect)
                continue
            try:
                self._engine.submit(effect)
            except (ValueError, TypeError, OverflowError) as error:
                # Values that no engine takes: answered like any command that changed nothing.
                answers.append(plane.Refused(tag=effect.tag, reason="bad-argument", detail=str(error)))
            except (NoRoom, MemoryError) as error:
                answers.append(plane.Refused(tag=effect.tag, reason="no-room", detail=str(error)))
        return answers
