"""Recorded calls without media through a daemon, as many as asked: SIPp as callers, callees and SRS."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from tests.bench.setup_delay import Delays, measure
from tests.support.daemon import LOOPBACK, Daemon, free_port, running
from tests.support.processes import cpu_s, resident_bytes
from tests.support.sipp import Result, Sipp

HOLD_MS = 1000
PROBE = "127.0.0.3"  #: from where the delay is measured: calls from there go to a callee of their own
PROBES_A_SECOND = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of calls that were offered for some time."""

    rate: int
    seconds: float  #: from the first call to the end of the last one
    callers: Result  #: a refused call counts as one that went well
    refused: int  #: with 503 at the door
    recorded: int
    steady: float  #: recorded calls a second while calls were offered, without the first seconds
    cpu_ms: float  #: of the control process, for each recorded call
    resident_bytes: int  #: of the control process at the end
    delays: Delays | None  #: of INVITEs of somebody else meanwhile

    @property
    def clean(self) -> bool:
        """Nobody was refused, nothing failed, everything was recorded."""
        return not (self.refused or self.callers.failed) and self.recorded == self.callers.successful


class Crowd:
    """A daemon with SIPp around it; a context."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._callee_at, srs_at = (LOOPBACK, free_port()), (LOOPBACK, free_port())
        self._probed = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._probed.bind((LOOPBACK, 0))
        self._sipp("srs", "-t", "t1", at=srs_at, media_port=6000)
        self._sipp("callee", at=self._callee_at, media_port=6100)
        self._listen = free_port()
        config = (
            f'[[srs]]\nuri = "sip:srs@{LOOPBACK}:{srs_at[1]};transport=tcp"\n'
            "[media]\nrtp_low = 30000\nrtp_high = 65534\n"
            f'[[trunk]]\nname = "pbx"\nfrom = ["{LOOPBACK}"]\nto = "sip:{LOOPBACK}:{self._callee_at[1]}"\n'
            f'[[trunk]]\nname = "probe"\nfrom = ["{PROBE}"]\n'
            f'to = "sip:{LOOPBACK}:{self._probed.getsockname()[1]}"\n'
        )
        self.daemon: Daemon = self._stack.enter_context(
            running(self._directory, config=config, listen=self._listen)
        )
        self._control = self.daemon.pid_of("control")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def recorded(self) -> int:
        """Recordings that have ended well."""
        return int(self.daemon.metric("recordings_total", outcome="recorded", reason="call-ended"))

    @property
    def refused(self) -> int:
        return int(self.daemon.metric("calls_refused_total", reason="overload"))

    @property
    def resident_bytes(self) -> int:
        return resident_bytes(self._control)

    def offer(self, rate: int, seconds: float, *, probe: bool = False) -> Step:
        """Offer ``rate`` calls a second for so long, and wait for their ends."""
        recorded, refused, spent_s = self.recorded, self.refused, cpu_s(self._control)
        begun = time.monotonic()
        callers = self._callers(rate, int(rate * seconds))
        delays: list[Delays] = []
        prober = threading.Thread(target=lambda: delays.append(self._probe(seconds)))
        if probe:
            prober.start()
        settled_s = seconds / 4
        time.sleep(settled_s)
        before, at = self.recorded, time.monotonic()
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        steady = (self.recorded - before) / (time.monotonic() - at)
        callers.wait(60)
        if probe:
            prober.join()
        self._wait_for_recordings()
        done = self.recorded - recorded
        callers.stop()
        return Step(
            rate=rate,
            seconds=time.monotonic() - begun,
            callers=callers.result(),
            refused=self.refused - refused,
            recorded=done,
            steady=steady,
            cpu_ms=1000 * (cpu_s(self._control) - spent_s) / max(1, done),
            resident_bytes=self.resident_bytes,
            delays=delays[0] if delays else None,
        )

    def _wait_for_recordings(self) -> None:
        deadline = time.monotonic() + 10
        while self.daemon.metric("recordings_active") and time.monotonic() < deadline:
            time.sleep(0.1)

    def _callers(self, rate: int, calls: int) -> Sipp:
        limits = ("-r", str(rate), "-m", str(calls), "-l", str(100 * rate), "-d", str(HOLD_MS))
        return self._sipp(
            "crowd", f"{LOOPBACK}:{self._listen}", *limits, at=(LOOPBACK, free_port()), media_port=6200
        )

    def _sipp(self, scenario: str, *arguments: str, at: tuple[str, int], media_port: int) -> Sipp:
        party = Sipp(scenario, self._directory, *arguments, address=at, media_port=media_port)
        self._stack.callback(party.stop)
        return party

    def _probe(self, seconds: float) -> Delays:
        return measure(
            (LOOPBACK, self._listen),
            self._probed,
            calls=int(seconds * PROBES_A_SECOND * 0.9),
            rate=PROBES_A_SECOND,
            source=PROBE,
        )
