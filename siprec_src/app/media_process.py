"""The media process: the native engine behind a Unix socket.

Python only carries messages here, packets never come near it. One control process is served at a time; the
newest connection wins. When control dies its calls' media flow on (`app.custody`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from siprec_src.app import descriptors, exits, orders, sounds
from siprec_src.app.custody import Custody
from siprec_src.app.keeping import Leaving
from siprec_src.app.losses import Losses
from siprec_src.app.media_io import Watch, Way, Ways, lacking
from siprec_src.app.secure_engine import Engine, SecureEngine
from siprec_src.errors import NoRoom, RemoteProtocolError
from siprec_src.media import plane
from siprec_src.media.keeping import PortSockets, Resumed
from siprec_src.media.model import MediaIo, ThreadPriority
from siprec_src.media.wire import MAX_MESSAGE_BYTES, Message, decode, encode
from siprec_src.telemetry.log import Logger, get_logger
from siprec_src.values import immutable

BATCH: Final = 64  #: commands read for one readiness
MAX_UNREAD: Final = 20_000  #: messages; a control that leaves more unread is cut off and connects again
SOCKET_BUFFER_BYTES: Final = 1024 * 1024
STATE_S: Final = 0.5  #: how often it is looked whether control must be told of another state
KEEP_AGAIN_S: Final = 0.05  #: then the supervisor may have read


def listen(path: Path) -> socket.socket:
    """A listening media socket at ``path`` that only this user can open."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(8)
    return listener


class MediaServer:
    """Carries messages between the control process in charge and the engine until `stop`."""

    def __init__(
        self,
        engine: Engine,
        listener: socket.socket,
        log: Logger,
        io: MediaIo = MediaIo.SOCKETS,
        leaving: Leaving | None = None,
    ) -> None:
        self._engine = SecureEngine(engine, self._opened)
        self._leaving = leaving
        self._ways: deque[Way] = deque()
        self._listener = listener
        self._log = log
        self._custody = Custody()
        left = engine.resumed()
        self._custody.inherit(left, time.monotonic())
        self._goes_on = left.resumed
        self._losses = Losses()
        self._state = plane.MediaState(io=io, loads=())
        self._look_at = time.monotonic()
        self._control: socket.socket | None = None
        self._unsent: deque[bytes] = deque()
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._waker = socket.socketpair()
        self._stopping = False
        listener.setblocking(False)
        self._wakeup.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)
        self._selector.register(engine.fileno(), selectors.EVENT_READ, self._engine_ready)

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler or another thread."""
        self._stopping = True
        self._wake()

    def use(self, way: Way) -> None:
        """Move packets in another way from now on; may be called from another thread."""
        self._ways.append(way)
        self._wake()

    def run(self) -> None:
        """Serve until `stop`; then the engine is closed and every socket with it."""
        try:
            while not self._stopping:
                for key, events in self._selector.select(self._patience_s()):
                    if key.data is not None:
                        key.data()
                    elif key.fileobj is self._control:
                        self._control_ready(events)
                now = time.monotonic()
                for command in self._custody.wake(now):
                    self._submit(command)
                if self._leaving is not None:
                    self._leaving.flush()
                self._deliver_all(self._engine.wake(now))
                self._tell_losses(now)
                self._tell_state(now)
        except BaseException:
            # The engine is left as it is: what is in its memory goes on in the process that follows.
            self._log.error("media.failed", exc_info=True)
            raise
        self._drop_control("")
        self._selector.close()
        for sock in (self._listener, self._wakeup, self._waker):
            sock.close()
        self._engine.close()

    def _patience_s(self) -> float:
        if self._leaving is not None and self._leaving.behind:
            return KEEP_AGAIN_S
        deadlines = (self._look_at, self._custody.deadline, self._engine.deadline, self._losses.deadline)
        due = min(deadline for deadline in deadlines if deadline is not None)
        return max(0.0, due - time.monotonic())

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b".")

    def _woken(self) -> None:
        self._wakeup.recv(64)
        while self._ways:
            self._go(self._ways.popleft())

    def _go(self, way: Way) -> None:
        self._engine.use(way.io)
        self._log.warning("media.io-changed", io=way.io.value, better_io_lacks=way.better_lacks)
        self._state = dataclasses.replace(self._state, io=way.io)
        self._send(self._state)

    def _accept(self) -> None:
        try:
            control, _ = self._listener.accept()
        except OSError:
            return
        self._drop_control("replaced by a newer connection")
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        self._control = control
        self._selector.register(control, selectors.EVENT_READ)
        self._log.info("media.control-connected", orphaned_ports=self._custody.orphaned_ports)
        self._send(plane.MediaUp(resumed=self._goes_on or self._custody.orphaned_ports > 0))
        self._send(self._state)

    def _control_ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if not events & selectors.EVENT_READ:
            return
        for _ in range(BATCH):
            control = self._control
            if control is None:
                return
            try:
                data = control.recv(MAX_MESSAGE_BYTES + 1)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it had not read all of ours; what it has said is still there
                continue
            except OSError:
                data = b""
            if not data:
                self._drop_control("closed by control")
                return
            self._command(data)

    def _command(self, data: bytes) -> None:
        try:
            message = decode(data)
        except RemoteProtocolError as error:
            self._log.warning("media.bad-command", error=str(error))
            return
        if isinstance(message, plane.Command):
            asked = self._custody.command(message)
            if asked is not None:
                self._submit(asked)
        else:
            self._log.warning("media.bad-command", error=f"{type(message).__name__} is not a command")

    def _submit(self, command: plane.Command | plane.Answer) -> None:
        if isinstance(command, plane.Answer):
            self._send(command)
        else:
            self._deliver_all(self._engine.submit(command))

    def _opened(self, sockets: Sequence[PortSockets]) -> None:
        if self._leaving is not None:
            self._leaving.opened(sockets)

    def _engine_ready(self) -> None:
        self._deliver_all(self._engine.drain())
        self._losses.counted(self._engine.notices_lost())

    def _tell_losses(self, now: float) -> None:
        count = self._losses.due(now)
        if count:
            self._log.warning("media.events-lost", count=count)
            self._send(plane.EventsLost(count=count))

    def _tell_state(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + STATE_S
        state = dataclasses.replace(self._state, loads=self._engine.loads())
        if state != self._state:
            self._state = state
            self._send(state)

    def _deliver_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            told = self._custody.message(message, time.monotonic())
            if isinstance(message, plane.PortsClosed) and self._leaving is not None:
                self._leaving.closed([port for port, _ in message.counters])
                if isinstance(told, plane.Refused):  # the same numbers are opened again
                    self._leaving.settle()
            if told is not None:
                self._send(told)

    def _send(self, message: Message) -> None:
        if self._control is None:
            return
        try:
            data = encode(message)
        except NoRoom as error:
            self._log.error("media.message-too-long", error=str(error))
            if isinstance(message, plane.Answer):
                self._send(plane.Refused(tag=message.tag, reason="no-room", detail=str(error)))
            return
        self._unsent.append(data)
        if len(self._unsent) > MAX_UNREAD:
            self._drop_control("does not read")
            return
        self._flush()

    def _flush(self) -> None:
        while self._unsent and self._control is not None:
            try:
                self._control.send(self._unsent[0])
            except BlockingIOError:
                break
            except OSError as error:
                self._drop_control(error.strerror or "send failed")
                return
            self._unsent.popleft()
        if self._control is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
            self._selector.modify(self._control, wanted)

    def _drop_control(self, why: str) -> None:
        if self._control is None:
            return
        self._selector.unregister(self._control)
        self._control.close()
        self._control = None
        self._unsent.clear()
        self._custody.release(time.monotonic())
        if why:
            self._log.info("media.control-gone", why=why, orphaned_ports=self._custody.orphaned_ports)


@immutable
class Wanted:
    """How the engine is to run."""

    threads: int  #: 0: one for each core
    io: MediaIo
    pins: str  #: where its relay in the kernel is kept over its death
    cpus: Sequence[int]
    priority: ThreadPriority


def run(listen_fd: int, wanted: Wanted, memory: int, channel: int) -> int:
    """Serve on an inherited listening socket until SIGTERM, once told to; the exit code of the process."""
    from siprec_src.media.engine import Engine as NativeEngine

    log = get_logger("media")
    open_files = descriptors.allow_all()
    ways = Ways(wanted.io, wanted.pins)
    leaving = Leaving(socket.socket(fileno=channel))
    kept = leaving.begin()
    if kept is None:
        return exits.OK
    try:
        engine = NativeEngine(
            threads=wanted.threads,
            render=sounds.render,
            io=ways.engine,
            pins=wanted.pins,
            cpus=_there(wanted.cpus),
            priority=wanted.priority,
            memory=memory,
            kept=kept,
        )
    except (OSError, MemoryError, ValueError) as error:
        lacks = lacking(wanted.io, error, wanted.pins)
        log.error(  # noqa: TRY400 one line is enough
            "media.no-engine", io=wanted.io.value, error=str(error), lacks=lacks
        )
        return exits.UNAVAILABLE
    _tell(engine.resumed(), kept, leaving, log)
    way = ways.now()
    engine.use(way.io)
    log.info(
        "media.serving",
        io=way.io.value,
        better_io_lacks=way.better_lacks,
        threads=len(engine.stats()),
        cpus=list(wanted.cpus) or "any",
        priority=engine.priority().value,
        open_files=open_files,
    )
    if engine.priority() is not wanted.priority:
        log.warning("media.priority-refused", wanted=wanted.priority.value, needs="CAP_SYS_NICE")
    server = MediaServer(engine, socket.socket(fileno=listen_fd), log, way.io, leaving)
    watch = Watch(ways, way, server.use)
    signal.signal(orders.DRAIN, lambda _signum, _frame: server.stop())
    signal.signal(orders.RELOAD, lambda _signum, _frame: watch.look())
    orders.listening()
    try:
        server.run()
    except BaseException:  # noqa: BLE001 it was logged
        os._exit(exits.FAILED)  # at once: the end of the interpreter would end the engine in order
    watch.stop()
    return exits.OK


def _there(cpus: Sequence[int]) -> Sequence[int]:
    allowed = os.sched_getaffinity(0)
    missing = sorted(set(cpus) - allowed)
    if missing:
        raise ValueError(f"media.cpus: {missing} are not among those of this process, {sorted(allowed)}")
    return cpus


def _tell(left: Resumed, kept: Sequence[PortSockets], leaving: Leaving, log: Logger) -> None:
    """Say what goes on of the process before, and have the supervisor close what does not."""
    lost = [one.port for one in kept if one.port not in left.ports]
    if lost:
        leaving.closed(lost)
        leaving.settle()
    if left.refused:
        log.error(
            "media.not-resumed", why="what was left is not sound, or of another build", closed=len(lost)
        )
    elif left.resumed:
        log.info("media.resumed", ports=len(left.ports), readers=len(left.readers), closed=len(lost))
