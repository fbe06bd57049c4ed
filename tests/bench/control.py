"""The control process: CPU for each recorded call without media, and the delay it adds to an INVITE."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import tempfile
from pathlib import Path

from tests.bench.setup_delay import Delays, measure
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.processes import cpu_s, kernel_s
from tests.support.sipp import Sipp


@dataclasses.dataclass(frozen=True, slots=True)
class ControlCost:
    """One run."""

    calls: int
    rate: int
    failed: int
    recorded: int
    cpu_ms_per_call: float  #: of the control process, from INVITE to BYE, recording and log lines included
    kernel_ms_per_call: float  #: the part of it that the kernel took


def cost_of_calls(*, calls: int, rate: int) -> ControlCost:
    """Recorded calls of 1 s at ``rate`` a second; start-up is not counted."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        workdir = Path(name)
        srs_port, callee_port, listen = free_port(), free_port(), free_port()
        srs = Sipp("srs", workdir, "-t", "t1", address=(LOOPBACK, srs_port), media_port=36000)
        stack.callback(srs.stop)
        callees = Sipp("callee", workdir, address=(LOOPBACK, callee_port), media_port=34000)
        stack.callback(callees.stop)
        daemon = stack.enter_context(
            running(
                workdir,
                srs=[f"sip:srs@{LOOPBACK}:{srs_port};transport=tcp"],
                route=f"sip:{LOOPBACK}:{callee_port}",
                listen=listen,
                # SIPp would count an OPTIONS as a failed call; and here every call is wanted, however late.
                config="[recording]\noptions_interval_s = 0\n[daemon]\nmax_load = 1\n"
                "[media]\nrtp_low = 40000\nrtp_high = 65534\n",
            )
        )
        control = daemon.pid_of("control")
        before_s, before_kernel_s = cpu_s(control), kernel_s(control)
        callers = Sipp(
            "caller",
            workdir,
            *(f"{LOOPBACK}:{listen}", "-r", str(rate), "-m", str(calls), "-d", "1000"),
            address=(LOOPBACK, free_port()),
            media_port=30000,
        )
        stack.callback(callers.stop)
        callers.wait(calls / rate + 30)
        until(lambda: len(daemon.events("recording.end")) >= calls, 10, "the end of every recording")
        spent_s = cpu_s(control) - before_s
        kernel_spent_s = kernel_s(control) - before_kernel_s
        recorded = sum(line["result"] == "recorded" for line in daemon.events("recording.end"))
        return ControlCost(
            calls=calls,
            rate=rate,
            failed=callers.result().failed,
            recorded=recorded,
            cpu_ms_per_call=1000 * spent_s / calls,
            kernel_ms_per_call=1000 * kernel_spent_s / calls,
        )


def added_delay(*, calls: int, rate: float) -> Delays:
    """The delay of INVITEs through a daemon that does nothing else."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as callee:
        callee.bind((LOOPBACK, 0))
        listen = free_port()
        route = f"sip:{LOOPBACK}:{callee.getsockname()[1]}"
        with running(Path(name), srs=[f"sip:srs@{LOOPBACK}:9"], route=route, listen=listen):
            return measure((LOOPBACK, listen), callee, calls=calls, rate=rate)
