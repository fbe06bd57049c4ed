"""One load run: callers, callees and an SRS, all SIPp with media, and what each of them counted."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.processes import cpu_s, resident_bytes
from tests.support.sipp import Result, Sipp

MEDIA = "[media]\nrtp_low = 10000\nrtp_high = 19999\n"  #: of the daemon, which needs more than one test
MEDIA_KILLS = 25  #: in a minute; of more the supervisor would despair
HOLD_S = 8  #: the stock scenario `uac_pcap` speaks for so long, then sends a digit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is offered to the daemon."""

    rate: int  #: calls a second
    duration_s: int
    concurrency: int | None = None  #: calls at a time; then the next one waits. By default never reached
    target: tuple[str, int] | None = (
        None  #: a daemon elsewhere, which routes to `callee` and records at `srs`
    )
    callee: tuple[str, int] | None = None
    srs: tuple[str, int] | None = None
    kill_srs: bool = False  #: in the middle of the run, as a crash would
    kill_media: bool = False  #: the media process, once a second, `MEDIA_KILLS` times

    @property
    def calls(self) -> int:
        return self.rate * self.duration_s

    @property
    def at_once(self) -> int:
        """The limit that SIPp is given."""
        return self.concurrency or self.rate * (HOLD_S + 12)

    @property
    def limit_s(self) -> float:
        """When the last call must be over: offered at the rate, or as room for it comes."""
        return max(self.duration_s, self.calls / self.at_once * (HOLD_S + 2)) + HOLD_S + 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it. Packets and recordings are known only of a daemon that the run started itself."""

    callers: Result
    callees: Result
    srs: Result
    elapsed_s: float
    recordings: dict[str, int]  #: result of `recording.end` lines → how many
    unrecorded: int  #: calls that no SRS took (`recording.failed`)
    totals: dict[str, int]  #: sums over the `call.end` and `recording.end` lines
    control_cpu_s: float
    media_cpu_s: float
    media_resident_bytes: int
    control_resident_bytes: int


def perform(load: Load, *, tell: Callable[[str], None]) -> Report:
    """Run the load to its end; bounded by its duration, the call's length and half a minute."""
    with _alone(), tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        workdir = Path(name)
        callee_at = load.callee or (LOOPBACK, free_port())
        srs_at = load.srs or (LOOPBACK, free_port())
        srs = stack.enter_context(
            _peer("srs", workdir, "-t", "t1", address=srs_at, media_port=44000, formats="8 0")
        )
        callees = stack.enter_context(
            _peer("-sn uas", workdir, "-rtp_echo", address=callee_at, media_port=42000)
        )
        daemon = None
        target = load.target
        if target is None:
            target = (LOOPBACK, free_port())
            daemon = stack.enter_context(
                running(
                    workdir,
                    srs=[f"sip:srs@{srs_at[0]}:{srs_at[1]};transport=tcp"],
                    route=f"sip:{callee_at[0]}:{callee_at[1]}",
                    listen=target[1],
                    config=MEDIA,
                )
            )
        start = time.monotonic()
        callers = stack.enter_context(_callers(load, workdir, target))
        _watch(load, callers, srs, daemon, tell)
        elapsed_s = time.monotonic() - start
        with contextlib.suppress(TimeoutError):  # then the table shows how many are missing
            until(lambda: callees.result().successful >= callers.result().successful, 10, "the callees")
        return _report(daemon, callers, callees, srs, elapsed_s)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One run at a time on a machine: SIPp counts its media ports up from where it is told, free or not."""
    with (Path(tempfile.gettempdir()) / "siprec-src-load.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _peer(
    scenario: str,
    workdir: Path,
    *arguments: str,
    address: tuple[str, int],
    media_port: int,
    formats: str = "0",
) -> Iterator[Sipp]:
    peer = Sipp(scenario, workdir, *arguments, address=address, media_port=media_port, formats=formats)
    try:
        yield peer
    finally:
        peer.stop()


def _callers(load: Load, workdir: Path, target: tuple[str, int]) -> contextlib.AbstractContextManager[Sipp]:
    return _peer(
        "-sn uac_pcap",
        workdir,
        f"{target[0]}:{target[1]}",
        *("-r", str(load.rate), "-m", str(load.calls), "-l", str(load.at_once)),
        address=(LOOPBACK, free_port()),
        media_port=20000,  # and 10,000 ports up, one after another: the other peers stay clear of them
    )


def _watch(load: Load, callers: Sipp, srs: Sipp, daemon: Daemon | None, tell: Callable[[str], None]) -> None:
    """Say once a second how far it is; kill what is to be killed."""
    start = time.monotonic()
    kills = MEDIA_KILLS if load.kill_media else 0
    while callers.running:
        elapsed_s = time.monotonic() - start
        if elapsed_s > load.limit_s:
            raise TimeoutError(f"the callers did not end within {load.limit_s:.0f} s")
        if load.kill_srs and srs.running and elapsed_s > load.duration_s / 2:
            srs.kill()
            tell("the SRS is killed")
        if kills and daemon is not None:
            kills -= 1
            os.kill(daemon.pid_of("media"), signal.SIGKILL)
        time.sleep(1.0)
        with contextlib.suppress(OSError, IndexError):
            result = callers.result()
            tell(f"{elapsed_s:4.0f} s  {result.successful:6d} calls ended well  {result.failed:4d} failed")


def _report(daemon: Daemon | None, callers: Sipp, callees: Sipp, srs: Sipp, elapsed_s: float) -> Report:
    recordings: dict[str, int] = {}
    totals: dict[str, int] = {}
    unrecorded = 0
    usage = (0.0, 0.0, 0, 0)
    if daemon is not None:
        control, media = daemon.pid_of("control"), daemon.pid_of("media")
        usage = (cpu_s(control), cpu_s(media), resident_bytes(media), resident_bytes(control))
        for line in (ends := daemon.events("recording.end")) + daemon.events("call.end"):
            for key, value in line.items():
                if isinstance(value, int) and not isinstance(value, bool):
                    totals[key] = totals.get(key, 0) + value
        unrecorded = len(daemon.events("recording.failed"))
        for line in ends:
            recordings[line["result"]] = recordings.get(line["result"], 0) + 1
    callees.stop()
    srs.stop()
    return Report(
        callers=callers.result(),
        callees=callees.result(),
        srs=srs.result(),
        elapsed_s=elapsed_s,
        recordings=recordings,
        unrecorded=unrecorded,
        totals=totals,
        control_cpu_s=usage[0],
        media_cpu_s=usage[1],
        media_resident_bytes=usage[2],
        control_resident_bytes=usage[3],
    )
