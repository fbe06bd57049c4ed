"""The supervisor: starts the media and the control process, watches them, starts a dead one again.

It knows no SIP. The media socket, the settings, and what a media process needs that follows a killed one
(`app.keeping`) live in descriptors of the supervisor, so that a restarted child finds the same ones. A second
media process waits, loaded and idle, to take the place of the first: its calls wait for nothing but that.

SIGTERM or SIGINT: control drains, then media stops; again: every call is ended now. SIGHUP: the
configuration is read again; when it is good control takes it over. Media looks again how it may move packets.
A control process whose loop does not turn any more (`app.pulse`) is killed, and so started again. Media has
no such watch: its engine relays on when the Python beside it hangs, and a kill would take the calls' packets
with it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from typing import Final

from siprec_src.app import descriptors as open_files
from siprec_src.app import exits, orders
from siprec_src.app.keeping import Keeper
from siprec_src.app.notify import notify, watchdog_interval_s
from siprec_src.app.pulse import READY, Pulse
from siprec_src.telemetry.log import Logger
from siprec_src.values import immutable

MAX_DEATHS: Final = 5  #: of one child within `DEATHS_WINDOW_S`; then something is wrong for good
MAX_MEDIA_DEATHS: Final = 30  #: more, since its calls go on; but not for ever
DEATHS_WINDOW_S: Final = 60.0
MAX_CRASHES: Final = (
    3  #: of media, killed by nobody; then it may be what it is left, and the next gets nothing
)
SPARE_DELAY_S: Final = 5.0  #: so the start is over, and a service that lives shortly has none
SPARE_AGAIN_S: Final = 0.5  #: when the spare has begun to serve
STOP_PATIENCE_S: Final = 10.0  #: between "end now" and SIGKILL
LAST_WORDS_S: Final = 0.5  #: for the traceback of a hung process, before SIGKILL
SPAWN_RETRY_S: Final = 1.0  #: when the system has no process to give


@immutable
class ChildSpec:
    """How one child is started."""

    name: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...]  #: it inherits


class RestartBudget:
    """How often a child may die before it is given up."""

    def __init__(self, limit: int = MAX_DEATHS, window_s: float = DEATHS_WINDOW_S) -> None:
        self.limit = limit
        self._window_s = window_s
        self._deaths: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Take a death at ``now``; whether the child may be started again."""
        self._deaths.append(now)
        while self._deaths and now - self._deaths[0] > self._window_s:
            self._deaths.popleft()
        return len(self._deaths) < self.limit


class _Phase(enum.Enum):
    SERVING = "serving"
    DRAINING = "draining"
    ENDING = "ending"
    STOPPING_MEDIA = "stopping-media"


@dataclasses.dataclass(slots=True, eq=False)
class _Child:
    spec: ChildSpec
    budget: RestartBudget = dataclasses.field(default_factory=RestartBudget)
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    channel: socket.socket | None = None  #: of a media process

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class Supervisor:
    """Two children and the signals of the service."""

    def __init__(
        self,
        *,
        media: ChildSpec,
        control: ChildSpec,
        status: int,
        hang_limit_s: float,
        reload: Callable[[], bool],
        log: Logger,
    ) -> None:
        self._media = _Child(media, RestartBudget(MAX_MEDIA_DEATHS))
        self._spare = _Child(dataclasses.replace(media, name="spare"))
        self._crashes = RestartBudget(MAX_CRASHES)
        self._keeper = Keeper()
        self._control = _Child(control)
        self._status = status
        self._pulse = Pulse(hang_limit_s)
        self._ready = False
        self._spared = False  # a spare was asked for before
        self._reload = reload
        self._log = log
        self._phase = _Phase.SERVING
        self._exit_code = exits.OK
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._killer: asyncio.TimerHandle | None = None

    async def run(self) -> int:
        """Supervise until both children have ended for good; the exit code of the service."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._terminate)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        os.set_blocking(self._status, False)
        self._loop.add_reader(self._status, self._told)
        open_files.allow_all()  # it holds as many sockets as the media process
        self._watchdog()
        self._listen()
        self._start(self._media)
        self._start(self._control)
        await self._done.wait()
        self._keeper.close()
        self._loop.remove_reader(self._status)
        for number in (signal.SIGTERM, signal.SIGINT):
            # It ends already; one more must not keep it from cleaning up.
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        return self._exit_code

    def _start(self, child: _Child) -> None:
        if child is self._control:
            self._pulse.started(self._loop.time())
        if child is self._media and self._spare.process is not None:
            self._promote()
        elif not self._spawn(child):
            return
        assert child.process is not None  # noqa: S101 it has just been started
        self._log.info("supervisor.started", child=child.spec.name, pid=child.process.pid)
        if child is self._media:
            self._hand_over()

    def _spawn(self, child: _Child) -> bool:
        spec = child.spec
        command, descriptors, ours, theirs = spec.command, spec.descriptors, None, None
        try:
            if child is not self._control:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                ours.setblocking(False)
                passed = (self._keeper.memory, theirs.fileno())
                command += ("--memory-fd", str(passed[0]), "--channel-fd", str(passed[1]))
                descriptors += passed
            with orders.held_back():
                # In a process group of its own: what a terminal sends to ours is answered here alone.
                child.process = subprocess.Popen(
                    command, pass_fds=descriptors, stdin=subprocess.DEVNULL, process_group=0
                )
            child.pidfd = os.pidfd_open(child.process.pid)
        except OSError as error:
            self._log.error("supervisor.cannot-start", child=spec.name, error=str(error))
            if child.process is not None:
                child.process.kill()
                child.process.wait()
                child.process = None
            if ours is not None:
                ours.close()
            self._loop.call_later(SPAWN_RETRY_S, self._gone, child, None)
            return False
        finally:
            if theirs is not None:
                theirs.close()
        self._loop.add_reader(child.pidfd, self._ended, child)
        child.channel = ours
        if ours is not None:
            self._loop.add_reader(ours, self._hear, child)
        return True

    def _promote(self) -> None:
        """The spare is the media process now."""
        media, spare = self._media, self._spare
        self._loop.remove_reader(spare.pidfd)
        media.process, media.pidfd, media.channel = spare.process, spare.pidfd, spare.channel
        spare.process, spare.pidfd, spare.channel = None, -1, None
        self._loop.add_reader(media.pidfd, self._ended, media)
        if media.channel is not None:
            self._loop.remove_reader(media.channel)
            self._loop.add_reader(media.channel, self._hear, media)

    def _hand_over(self) -> None:
        if self._media.channel is not None:
            try:
                self._keeper.hand_over(self._media.channel)
            except OSError:  # if it has not died, it is of no use: `_ended` is next
                self._media.signal(signal.SIGKILL)
        delay_s = SPARE_AGAIN_S if self._spared else SPARE_DELAY_S
        self._spared = True
        self._loop.call_later(delay_s, self._start_spare)

    def _start_spare(self) -> None:
        if self._phase is _Phase.SERVING and self._spare.process is None:
            self._start(self._spare)

    def _hear(self, child: _Child) -> None:
        """What a media process leaves, as it goes."""
        if child.channel is not None and not self._keeper.hear(child.channel):
            self._hang_up_on(child)

    def _hang_up_on(self, child: _Child) -> None:
        if child.channel is not None:
            self._loop.remove_reader(child.channel)
            child.channel.close()
            child.channel = None

    def _ended(self, child: _Child) -> None:
        self._loop.remove_reader(child.pidfd)
        os.close(child.pidfd)
        self._hear(child)  # to the end
        self._hang_up_on(child)
        assert child.process is not None  # noqa: S101 it was watched
        code = child.process.wait()
        child.process = None
        self._gone(child, code)

    def _gone(self, child: _Child, code: int | None) -> None:
        """A child has ended; without a code it could not even be started."""
        if child is self._control:
            self._control_ended(code)
        elif child is self._media:
            self._media_ended(code)
        else:
            self._spare_ended(code)

    def _control_ended(self, code: int | None) -> None:
        if self._phase is not _Phase.SERVING or code == exits.OK:
            if code != exits.OK:
                self._log.warning("supervisor.died", child="control", code=code)
                self._exit_code = exits.FAILED
            self._stop_media()
        elif not self._again(self._control, code):
            self._exit_code = exits.FAILED
            self._stop_media()

    def _media_ended(self, code: int | None) -> None:
        if self._phase is _Phase.STOPPING_MEDIA:
            if code not in (exits.OK, -signal.SIGKILL):
                self._log.warning("supervisor.died", child="media", code=code)
            self._finish()
            return
        crashed = code not in (None, -signal.SIGKILL)
        if crashed and not self._crashes.spend(self._loop.time()):
            self._log.error("supervisor.media-forgotten", ports=self._keeper.ports)
            self._keeper.drop()
        if not self._again(self._media, code):
            self._exit_code = exits.FAILED
            self._end_now()

    def _spare_ended(self, code: int | None) -> None:
        if self._phase is not _Phase.SERVING:
            self._finish()
            return
        self._log.warning("supervisor.died", child="spare", code=code)
        if self._spare.budget.spend(self._loop.time()):
            self._loop.call_later(SPARE_DELAY_S, self._start_spare)

    def _again(self, child: _Child, code: int | None) -> bool:
        """Start a dead child again, if that can help."""
        name = child.spec.name
        carries_calls = child is self._media and self._keeper.ports != 0  # then it could have all before
        if code == exits.UNAVAILABLE and not carries_calls:
            return False
        may = child.budget.spend(self._loop.time())
        self._log.error("supervisor.died", child=name, code=code, restarted=may)
        if may:
            self._start(child)
        else:
            self._log.error(
                "supervisor.gave-up", child=name, deaths=child.budget.limit, within_s=int(DEATHS_WINDOW_S)
            )
        return may

    def _terminate(self) -> None:
        match self._phase:
            case _Phase.SERVING:
                self._log.info("supervisor.draining")
                self._phase = _Phase.DRAINING
                notify("STOPPING=1\nSTATUS=draining: running calls finish")
                self._control.signal(orders.DRAIN)
            case _Phase.DRAINING:
                self._log.info("supervisor.ending")
                self._end_now()
            case _Phase.ENDING | _Phase.STOPPING_MEDIA:
                self._kill()

    def _end_now(self) -> None:
        self._phase = _Phase.ENDING
        self._control.signal(orders.END_NOW)
        self._killer = self._loop.call_later(STOP_PATIENCE_S, self._kill)

    def _stop_media(self) -> None:
        self._phase = _Phase.STOPPING_MEDIA
        self._spare.signal(signal.SIGKILL)  # it does nothing yet
        if self._media.process is None:
            self._finish()
            return
        self._media.signal(orders.DRAIN)
        if self._killer is None:
            self._killer = self._loop.call_later(STOP_PATIENCE_S, self._kill)

    def _kill(self) -> None:
        self._phase = _Phase.STOPPING_MEDIA  # whichever is seen to end first, none is started again
        for child in (self._control, self._media, self._spare):
            child.signal(signal.SIGKILL)

    def _finish(self) -> None:
        if all(child.process is None for child in (self._control, self._media, self._spare)):
            if self._killer is not None:
                self._killer.cancel()
            self._done.set()

    def _hang_up(self) -> None:
        tell = notify if self._ready and self._phase is _Phase.SERVING else _nobody
        tell("RELOADING=1")
        self._media.signal(orders.RELOAD)
        try:
            if self._reload():
                self._control.signal(orders.RELOAD)
        finally:
            tell("READY=1")

    def _told(self) -> None:
        told = os.read(self._status, 4096)
        self._pulse.beat(self._loop.time())
        if READY in told and self._phase is _Phase.SERVING:
            self._ready = True
            self._log.info("supervisor.ready")
            notify("READY=1\nSTATUS=taking calls")

    def _listen(self) -> None:
        """Look, for ever, whether the control process still beats."""
        if self._pulse.lost(self._loop.time()) and self._control.process is not None:
            self._log.error("supervisor.hung", child="control", pid=self._control.process.pid)
            self._pulse.started(self._loop.time())
            # First where it hangs, then the end, which also a stopped process obeys.
            self._control.signal(orders.TRACEBACK)
            self._loop.call_later(LAST_WORDS_S, self._kill_hung, self._control.process)
        self._loop.call_later(self._pulse.interval_s, self._listen)

    def _kill_hung(self, process: subprocess.Popen[bytes]) -> None:
        if self._control.process is process:
            process.kill()

    def _watchdog(self) -> None:
        interval_s = watchdog_interval_s()
        if interval_s is not None:
            notify("WATCHDOG=1")
            self._loop.call_later(interval_s, self._watchdog)


def _nobody(_state: str) -> None:
    """A manager that has not been told READY=1, or has been told STOPPING=1, is told nothing of a reload."""
