"""The media engine inside the probe's own process, shown what goes to it and what comes back."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from siprec_src.app.secure_engine import SecureEngine
from siprec_src.media import plane
from siprec_src.media.engine import Engine
from siprec_src.media.model import PortId, ReaderCounters, ReaderId


@dataclasses.dataclass(slots=True)
class Track:
    """What the media plane has said of the fork of one track."""

    reader: ReaderId | None = None
    payload_types: tuple[tuple[int, int], ...] = ()  #: (as spoken, as the SRS answered)
    remote: str = ""  #: where its RTP goes
    report: plane.ReaderReport | None = None  #: the newest of the SRS
    unreachable: bool = False


class ProbePlane:
    """`MediaPlane` for a driver, and for the probe itself by `ask`."""

    def __init__(self, on_message: Callable[[plane.Answer | plane.Event], None]) -> None:
        self.tracks: dict[PortId, Track] = {}  #: by the port at which the track is received
        self._on_message = on_message
        self._engine = SecureEngine(Engine(threads=1))
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._asked: dict[int, asyncio.Future[plane.Answer]] = {}
        self._attaching: dict[int, PortId] = {}
        self._loop.add_reader(self._engine.fileno(), self._ready)

    def submit(self, command: plane.Command) -> None:
        """A command of a machine."""
        if isinstance(command, plane.AttachReader):
            self._attaching[command.tag] = command.stream
            track = self.tracks.setdefault(command.stream, Track())
            track.payload_types = command.payload_types
            track.remote = f"{command.remote.host}:{command.remote.port}"
        self._hand_over(command)

    async def ask(self, command: plane.Command) -> plane.Answer:
        """A command of the probe, and its answer."""
        self._asked[command.tag] = self._loop.create_future()
        self._hand_over(command)
        return await self._asked[command.tag]

    async def counters(self, tag: int) -> dict[PortId, ReaderCounters]:
        """The books of every track's fork as they are now."""
        ports = {track.reader: port for port, track in self.tracks.items() if track.reader is not None}
        answer = await self.ask(plane.ReadCounters(tag=tag, readers=tuple(ports)))
        known = answer.readers if isinstance(answer, plane.Counters) else ()
        return {ports[reader]: counters for reader, counters in known}

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._engine.fileno())
        self._engine.close()

    def _hand_over(self, command: plane.Command) -> None:
        answers = self._engine.submit(command)
        self._loop.call_soon(self._take, answers)  # never inside the call
        self._arm()

    def _ready(self) -> None:
        self._take(self._engine.drain())
        self._arm()

    def _arm(self) -> None:
        """Handshakes want to be looked after."""
        if self._timer is not None:
            self._timer.cancel()
        due = self._engine.deadline
        self._timer = None if due is None else self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._take(self._engine.wake(self._loop.time()))
        self._arm()

    def _take(self, messages: Sequence[plane.Answer | plane.Event]) -> None:
        for message in messages:
            if isinstance(message, plane.Answer) and message.tag in self._asked:
                self._asked.pop(message.tag).set_result(message)
            else:
                self._learn(message)
                self._on_message(message)

    def _learn(self, message: plane.Answer | plane.Event) -> None:
        match message:
            case plane.ReaderAttached():
                self.tracks[self._attaching.pop(message.tag)].reader = message.reader
            case plane.ReaderReport():
                for track in self._of(message.reader):
                    track.report = message
            case plane.ReaderUnreachable():
                for track in self._of(message.reader):
                    track.unreachable = True
            case _:
                pass

    def _of(self, reader: ReaderId) -> list[Track]:
        return [track for track in self.tracks.values() if track.reader == reader]
