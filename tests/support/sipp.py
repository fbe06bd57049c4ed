"""SIPp as caller, callee and Session Recording Server: one process a scenario, counters from its own file."""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
import subprocess
import time
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
    """One SIPp process. ``scenario`` is a file in tests/support/sipp, or a stock one as ``-sn uas``.

    ``speech``: raw PCMU that SIPp itself plays once; ``audio_port``: where another program has the
    media; ``formats``: what the SRS answers.
    """

    def __init__(
        self,
        scenario: str,
        workdir: Path,
        *arguments: str,
        address: tuple[str, int],
        media_port: int,
        speech: Path | None = None,
        audio_port: int | None = None,
        formats: str = "0",
        name: str = "",
    ) -> None:
        binary = shutil.which("sipp")
        if binary is None:
            pytest.skip("SIPp is not installed: apt-get install sip-tester")
        self.name = name or scenario.replace("-sn ", "")
        self._stat = workdir / f"{self.name}.csv"
        self._output = (workdir / f"{self.name}.out").open("wb")
        self._log = workdir / f"{self.name}.log"
        self.errors = workdir / f"{self.name}.errors"
        self._process = subprocess.Popen(
            [
                binary,
                *_scenario_arguments(scenario, workdir, speech, audio_port, formats),
                *arguments,
                *("-i", address[0], "-p", str(address[1])),
                *("-mi", address[0], "-mp", str(media_port)),
                *("-trace_stat", "-stf", str(self._stat), "-fd", "1"),
                *("-trace_err", "-error_file", str(self.errors)),
                *("-trace_logs", "-log_file", str(self._log)),
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

    def audio_port(self, timeout_s: float) -> int:
        """The audio port that the peer's newest SDP named; waits for it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            ports = re.findall(r"audio (\d+)", self._log.read_text()) if self._log.exists() else []
            if ports:
                return int(ports[-1])
            time.sleep(0.01)
        raise TimeoutError(f"{self.name}: no SDP in {timeout_s} s")

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


def _scenario_arguments(
    scenario: str, workdir: Path, speech: Path | None, audio_port: int | None, formats: str
) -> list[str]:
    if scenario.startswith("-sn "):
        pcap = workdir / "pcap"  # where the stock scenarios look for their media
        if not pcap.exists():
            pcap.symlink_to("/usr/share/sip-tester")
        return scenario.split()
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    play = f'<nop><action><exec rtp_stream="{speech},1,0"/></action></nop>' if speech else ""
    text = (
        text.replace("@FORMATS@", formats)
        .replace("@PLAY@", play)
        .replace("@AUDIO_PORT@", str(audio_port or "[media_port]"))
    )
    path = workdir / f"{scenario}.xml"
    path.write_text(text)
    return ["-sf", str(path)]


def _milliseconds(clock: str) -> float:
    """SIPp writes ``HH:MM:SS:microseconds``."""
    hours, minutes, seconds, micro = (int(part) for part in clock.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + micro / 1000
