"""The test's side of a phone of PJSIP: tells it what to do, waits for what it tells."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
import wave
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tests.support.certificates import Files
from tests.support.daemon import REPOSITORY, free_port, patient

RATE_HZ = 8000


def tone(path: Path, hertz: float, seconds: float = 5.0) -> Path:
    """A WAV file of one tone, which says who is heard."""
    samples = 0.3 * np.sin(2 * math.pi * hertz * np.arange(int(RATE_HZ * seconds)) / RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def loudness(samples: NDArray[Any], hertz: float) -> float:
    """How much of all that is heard is this tone: 0 to 1."""
    signal = samples.astype(float) / 32768
    spectrum = np.abs(np.fft.rfft(signal)) ** 2
    frequencies = np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    near = np.abs(frequencies - hertz) < 20
    audible = frequencies > 50
    return float(spectrum[near].sum() / max(spectrum[audible].sum(), 1e-12))


class Phone:
    """One `tests.interop.pjsip` with its users."""

    def __init__(
        self,
        directory: Path,
        at: tuple[str, int],
        users: Mapping[str, Path],
        *,
        transport: str = "udp",
        srtp: bool = False,
        tls: Files | None = None,
        ca: Path | None = None,
    ) -> None:
        self.at, self._directory = at, directory
        flags = ["--srtp"] if srtp else []
        if tls is not None:
            flags += ["--ca", str(ca), "--cert", str(tls.certificate), "--key", str(tls.key)]
        self._errors = directory / f"pjsip-{at[1]}.log"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.interop.pjsip", at[0], str(at[1]), str(free_port())),
                    *(transport, *flags),
                    *(f"{name}={says}" for name, says in users.items()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=REPOSITORY,
                text=True,
                bufsize=1,
            )
        self._events: list[dict[str, Any]] = []
        self._seen = 0
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        self.wait("ready", timeout_s=20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.do("quit")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def do(self, what: str, **fields: str) -> None:
        """Give one command of `pjsip`."""
        assert self._process.stdin is not None
        print(json.dumps({"do": what, **fields}), file=self._process.stdin, flush=True)

    def wait(self, event: str, *, timeout_s: float = 15.0, **fields: Any) -> dict[str, Any]:
        """The first event of this name and these fields after the one that was waited for last."""

        def found() -> bool:
            for number in range(self._seen, len(self._events)):
                told = self._events[number]
                if told["event"] == event and all(told.get(key) == value for key, value in fields.items()):
                    self._seen = number + 1
                    return True
            return False

        with self._news:
            if not self._news.wait_for(found, patient(timeout_s)):
                told = "\n".join(map(str, self._events[self._seen :]))
                raise TimeoutError(f"no {event} {fields}; since then:\n{told}\n{self._errors.read_text()}")
            return self._events[self._seen - 1]

    def heard(self, call: str) -> NDArray[np.int16]:
        """What the other side said in a call, as heard here; complete once the phone has ended."""
        with wave.open(str(self._directory / f"{call}.heard.wav"), "rb") as file:
            return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                if line.startswith("{"):
                    self._events.append(json.loads(line))
                self._news.notify_all()
