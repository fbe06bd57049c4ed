"""Control's end of the media socket: `MediaPlane` in the asyncio loop.

Every command gets exactly one answer. Before there is a media process that answer is `Refused` with reason
``media-down``. It is connected again for ever. When the connection is lost, commands wait for the process
that follows. If that one has what was open before, users are told `MediaUp` with ``resumed``, and it gets the
commands, once more also those that were under way. Else users are told `MediaDown`, all these commands are
refused, then `MediaUp` is told.

All commands may be done twice: ports that are opened twice end as orphans, a reader is found
(`app.custody`), what has ended has its last books still. `ResumePorts` is for one process alone.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

from siprec_src.errors import NoRoom, RemoteProtocolError
from siprec_src.media import plane
from siprec_src.media.wire import MAX_MESSAGE_BYTES, decode, encode
from siprec_src.telemetry.log import get_logger

BATCH: Final = 256  #: messages read for one readiness
MAX_UNSENT: Final = 20_000  #: commands that wait for the media process to read; above it they are refused
RECONNECT_S: Final = 0.05
SOCKET_BUFFER_BYTES: Final = 1024 * 1024

Told: TypeAlias = plane.Answer | plane.Event | plane.MediaState
"""What comes from the media process."""


class MediaClient:
    """`MediaPlane` over the Unix socket at ``path``."""

    def __init__(self, path: Path, on_message: Callable[[Told], None]) -> None:
        self._path = path
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._log = get_logger("control")
        self._sock: socket.socket | None = None
        self._up = False
        self._away = False  # it was up, and nothing is known of the next one yet
        self._closed = False
        self._unsent: deque[tuple[int, bytes]] = deque()
        self._writing = False
        self._outstanding: dict[int, plane.Command] = {}
        self._retry: asyncio.TimerHandle | None = None

    @property
    def up(self) -> bool:
        """Whether a media process serves now."""
        return self._up

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        self._retry = None
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        try:
            sock.connect(str(self._path))
        except OSError:
            sock.close()
            self._retry = self._loop.call_later(RECONNECT_S, self.start)
            return
        self._sock = sock
        self._loop.add_reader(sock, self._readable)

    def submit(self, command: plane.Command) -> None:
        """Queue one command; its answer is told later, never inside this call."""
        if not (self._up or self._away):
            self._refuse(command.tag, "media-down")
            return
        try:
            data = encode(command)
        except NoRoom as error:
            self._refuse(command.tag, error.reason)
            return
        if len(self._unsent) >= MAX_UNSENT:
            self._refuse(command.tag, "no-room")
            return
        self._outstanding[command.tag] = command
        self._unsent.append((command.tag, data))
        self._flush()

    def close(self) -> None:
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        self._disconnect()

    def _refuse(self, tag: int, reason: str) -> None:
        self._loop.call_soon(self._on_message, plane.Refused(tag=tag, reason=reason))

    def _readable(self) -> None:
        for _ in range(BATCH):
            if self._sock is None:
                return
            try:
                data = self._sock.recv(MAX_MESSAGE_BYTES + 1)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it had not read all of ours; what it has said is still there
                continue
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            self._arrived(data)

    def _arrived(self, data: bytes) -> None:
        try:
            message = decode(data)
        except RemoteProtocolError as error:
            # Two releases that do not speak alike: no answer can be trusted to come.
            self._log.error("media.bad-message", error=str(error))
            self._lost()
            return
        if isinstance(message, plane.MediaUp):
            self._begin(message)
            return
        if isinstance(message, plane.Answer):
            self._outstanding.pop(message.tag, None)
        elif isinstance(message, plane.Command):
            return
        self._on_message(message)

    def _begin(self, message: plane.MediaUp) -> None:
        """A media process serves: the same calls, or none."""
        self._unsent.clear()
        away, self._away = self._away, False
        self._up = True
        if away and not message.resumed:
            self._on_message(plane.MediaDown())
            self._give_up(self._outstanding)
            self._loop.call_soon(self._on_message, message)
            return
        if not away:  # it has nothing to resume, whoever left what is there
            message = plane.MediaUp()
        again = tuple(self._outstanding.items())
        self._give_up(tag for tag, command in again if isinstance(command, plane.ResumePorts))
        self._on_message(message)  # which asks what goes on, before anything else is asked
        self._unsent.extend((tag, encode(command)) for tag, command in again if tag in self._outstanding)
        self._flush()

    def _give_up(self, tags: Iterable[int]) -> None:
        for tag in tuple(tags):
            self._outstanding.pop(tag, None)
            self._refuse(tag, "media-down")

    def _flush(self) -> None:
        while self._unsent and self._sock is not None and self._up:
            try:
                self._sock.send(self._unsent[0][1])
            except BlockingIOError:
                break
            except OSError:
                # The reader sees the end of the connection next and tells of it.
                return
            self._unsent.popleft()
        self._watch_writing()

    def _watch_writing(self) -> None:
        if self._sock is None or bool(self._unsent) == self._writing:
            return
        self._writing = bool(self._unsent)
        if self._writing:
            self._loop.add_writer(self._sock, self._flush)
        else:
            self._loop.remove_writer(self._sock)

    def _lost(self) -> None:
        self._away = self._away or self._up
        self._disconnect()
        if not self._closed:
            self._retry = self._loop.call_later(RECONNECT_S, self.start)

    def _disconnect(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
        self._sock = None
        self._up = self._writing = False
