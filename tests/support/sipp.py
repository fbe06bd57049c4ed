"""SIPp as caller, callee and Session Recording Server: one process a scenario, counters from its own file."""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).with_name("sipp")


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What one SIPp counted."""

    successful: int
    failed: int
    retransmissions: int
    rejected: Mapping[str, int]  #: cause → calls, as SIPp names it, zero causes left out


class Sipp:
    """One SIPp process. ``scenario`` is a file in tests/support/sipp, or a stock one as ``-sn uas``."""

    def __init__(
        self,
        scenario: str,
        workdir: Path,
        *arguments: str,
        address: tuple[str, int],
        media_port: int,
        speech: Path | None = None,
        name: str = "",
    ) -> None:
        binary = shutil.which("sipp")
        if binary is None:
            pytest.skip("SIPp is not installed: apt-get install sip-tester")
        self.name = name or scenario.replace("-sn ", "")
        self._stat = workdir / f"{self.name}.csv"
        self._output = (workdir / f"{self.name}.out").open("wb")
        self.errors = workdir / f"{self.name}.errors"
        self._process = subprocess.Popen(
            [
                binary,
                *_scenario_arguments(scenario, workdir, speech),
                *arguments,
                *("-i", address[0], "-p", str(address[1])),
                *("-mi", address[0], "-mp", str(media_port)),
                *("-trace_stat", "-stf", str(self._stat), "-fd", "1"),
                *("-trace_err", "-error_file", str(self.errors)),
                "-nostdin",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=workdir,
        )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> int:
        """SIPp's exit code: 0 when every call was successful."""
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """As a crash would: no goodbye."""
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to finish (SIGUSR1 waits for open calls), and insist after the time-out."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._output.close()

    def result(self) -> Result:
        """The newest counters; call it when the process has ended for the final ones."""
        with self._stat.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = rows[-1]
        causes = {
            match[1]: int(value)
            for key, value in last.items()
            if key and (match := re.fullmatch(r"Failed(\w+)\(C\)", key)) and value.isdigit() and int(value)
        }
        return Result(
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            rejected=causes,
        )

    def response_times_ms(self) -> Sequence[float]:
        """Mean response time of each second of the run (SIPp's rtd 1), milliseconds."""
        with self._stat.open(newline="") as file:
            values = [row["ResponseTime1(P)"] for row in csv.DictReader(file, delimiter=";")]
        return [_milliseconds(value) for value in values if value]


def _scenario_arguments(scenario: str, workdir: Path, speech: Path | None) -> list[str]:
    if scenario.startswith("-sn "):
        return scenario.split()
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    if speech is not None:
        text = text.replace("@SPEECH@", str(speech))
    path = workdir / f"{scenario}.xml"
    path.write_text(text)
    return ["-sf", str(path)]


def _milliseconds(clock: str) -> float:
    """SIPp writes ``HH:MM:SS:microseconds``."""
    hours, minutes, seconds, micro = (int(part) for part in clock.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + micro / 1000
