"""The bundled SRS as a process, and what it has recorded."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.certificates import Files
from tests.support.daemon import LOOPBACK, REPOSITORY, free_port, logged, patient, until
from tests.support.schema import History


class Recorder:
    """One `siprec-src srs`."""

    def __init__(
        self,
        directory: Path,
        *,
        behave: str = "answer",
        tls: Files | None = None,
        client_ca: Path | None = None,
        host: str = LOOPBACK,
    ) -> None:
        """``tls``: it speaks TLS too, and asks for a certificate that ``client_ca`` has signed."""
        self.directory = directory
        self._host = f"[{host}]" if ":" in host else host
        self.tls_port = free_port()
        flags: list[str] = []
        if tls is not None:
            flags += ["--tls-port", str(self.tls_port)]
            flags += ["--tls-cert", str(tls.certificate), "--tls-key", str(tls.key)]
        if client_ca is not None:
            flags += ["--tls-client-ca", str(client_ca)]
        self.port = free_port()
        directory.mkdir(exist_ok=True)
        self._log = directory / "srs.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "siprec_src", "srs", "--dir", str(directory / "out")),
                    *("--listen", f"{self._host}:{self.port}", "--behave", behave, "--log-format", "json"),
                    *flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
            )

    def uri(self, parameters: str = "") -> str:
        """Where it is, as ``--srs`` takes it."""
        return f"sip:srs@{self._host}:{self.port}{parameters}"

    def tls_uri(self, parameters: str = "") -> str:
        """Where it is over TLS."""
        return f"sip:srs@localhost:{self.tls_port}{parameters}"

    @property
    def name(self) -> str:
        """How the daemon's log names it."""
        return f"sip:srs@{self._host}:{self.port}"

    def wait_listening(self, timeout_s: float = 20.0) -> None:
        until(lambda: "srs.ready" in self._log.read_text(), timeout_s, "the SRS listens")

    def recordings(self, count: int = 1, timeout_s: float = 10.0) -> list[Recording]:
        """All finished recordings, oldest first; waits until there are ``count``."""
        out = self.directory / "out"
        until(lambda: len(list(out.glob("*.json"))) >= count, timeout_s, f"{count} recordings in {out}")
        files = sorted(out.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [Recording(path) for path in files]

    def recording(self) -> Recording:
        """The only one."""
        (recording,) = self.recordings()
        return recording

    def live_metadata(self) -> list[bytes]:
        """Every metadata document that has come so far, of all sessions, oldest first."""
        return [path.read_bytes() for path in self._documents()]

    def assert_documents(self) -> None:
        """Fail unless every document of every session so far is good after those before it."""
        histories: defaultdict[str, History] = defaultdict(History)
        for path in self._documents():
            histories[path.name.partition(".")[0]].take(path.read_bytes())

    def _documents(self) -> list[Path]:
        files = (self.directory / "out").glob("*.metadata-*.xml")
        return sorted(files, key=lambda path: int(path.stem.rpartition("-")[2]))

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every line of its log whose event is ``name``, in order."""
        return logged(self._log.read_bytes(), name)

    def kill(self) -> None:
        """As a crash would: no goodbye."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(patient(10))
            except subprocess.TimeoutExpired:
                self.kill()


class Recording:
    """The files of one recording session."""

    def __init__(self, summary: Path) -> None:
        self._base = summary.with_suffix("")
        self.summary: Mapping[str, Any] = json.loads(summary.read_text())

    def track(self, label: str, suffix: str = "ulaw") -> bytes:
        """The G.711 octets of the track with this ``a=label``, as they came; ``suffix`` names their law."""
        path = self._base.with_name(f"{self._base.name}.{label}.{suffix}")
        return path.read_bytes() if path.exists() else b""

    @property
    def labels(self) -> list[str]:
        return [track["label"] for track in self.summary["tracks"]]

    def books(self, label: str) -> Mapping[str, Any]:
        """What the SRS counted of one track."""
        (track,) = [track for track in self.summary["tracks"] if track["label"] == label]
        books: Mapping[str, Any] = track
        return books

    def metadata(self) -> list[bytes]:
        """Every metadata document, in order of arrival."""
        count = self.summary["metadata_documents"]
        paths = (self._base.with_name(f"{self._base.name}.metadata-{n + 1}.xml") for n in range(count))
        return [path.read_bytes() for path in paths]

    def channels(self) -> NDArray[np.int16]:
        """The stereo WAV file: one row a channel, left first."""
        data = self._base.with_name(f"{self._base.name}.wav").read_bytes()
        start = data.index(b"data") + 8
        return np.frombuffer(data[start:], dtype="<i2").reshape(-1, 2).T


@contextlib.contextmanager
def recorder(
    directory: Path,
    *,
    behave: str = "answer",
    tls: Files | None = None,
    client_ca: Path | None = None,
    host: str = LOOPBACK,
) -> Iterator[Recorder]:
    """A listening SRS; stopped when the block is left, and all metadata that came is looked at."""
    started = Recorder(directory, behave=behave, tls=tls, client_ca=client_ca, host=host)
    try:
        started.wait_listening()
        yield started
        started.assert_documents()
    finally:
        started.stop()
