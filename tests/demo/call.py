"""The call of the demonstration: SIPp as caller and callee, speaking, through the daemon, to our SRS."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support import speech
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.sipp import Sipp

SECONDS = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where the recording is, and what the daemon and the SRS said of it."""

    recording: Path  #: stereo WAV
    metadata: Path  #: the first, complete document
    summary: dict[str, Any]  #: the SRS's own
    setup_s: float  #: from our INVITE to the SRS to its tracks flowing
    call: dict[str, Any]  #: the daemon's `call.end`
    session: dict[str, Any]  #: the daemon's `recording.end`


def place(directory: Path, tell: Callable[[str], None]) -> Outcome:
    """Record one call of `SECONDS` into ``directory``."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        workdir = Path(name)
        srs_port, callee_port = free_port(), free_port()
        tell("starting the Session Recording Server and the daemon")
        srs = stack.enter_context(_recorder(directory, workdir, srs_port))
        daemon = stack.enter_context(
            running(
                workdir,
                srs=[f"sip:recorder@{LOOPBACK}:{srs_port}"],
                route=f"sip:{LOOPBACK}:{callee_port}",
                listen=(listen := free_port()),
            )
        )
        tell(f"calling through the daemon for {SECONDS:.0f} s, speech on both sides")
        _talk(stack, workdir, listen, callee_port)
        until(lambda: bool(daemon.events("recording.end")), 10, "the daemon's recording.end")
        until(lambda: any(directory.glob("*.json")), 10, "the recording on disk")
        tell("the call has ended")
        outcome = _outcome(directory, daemon)
        srs.stop()
        return outcome


@contextlib.contextmanager
def _recorder(directory: Path, workdir: Path, port: int) -> Iterator[Daemon]:
    logs = workdir / "srs"
    logs.mkdir()
    srs = Daemon(
        *("srs", "--dir", str(directory), "--listen", f"{LOOPBACK}:{port}", "--log-format", "json"),
        directory=logs,
    )
    try:
        until(lambda: bool(srs.events("srs.ready")), 15, "the SRS")
        yield srs
    finally:
        srs.stop()


def _talk(stack: contextlib.ExitStack, workdir: Path, daemon_port: int, callee_port: int) -> None:
    for party, words in (("caller", speech.caller(SECONDS)), ("callee", speech.callee(SECONDS))):
        (workdir / f"{party}.ulaw").write_bytes(words)
    callee = Sipp(
        "callee",
        workdir,
        *("-m", "1"),
        address=(LOOPBACK, callee_port),
        media_port=free_port() & ~1,
        speech=workdir / "callee.ulaw",
    )
    stack.callback(callee.stop)
    caller = Sipp(
        "caller",
        workdir,
        *(f"{LOOPBACK}:{daemon_port}", "-m", "1", "-d", str(int(SECONDS * 1000) + 500)),
        address=(LOOPBACK, free_port()),
        media_port=free_port() & ~1,
        speech=workdir / "caller.ulaw",
    )
    stack.callback(caller.stop)
    if caller.wait(SECONDS + 20) != 0:
        raise RuntimeError(f"the call failed:\n{caller.errors.read_text() if caller.errors.exists() else ''}")


def _outcome(directory: Path, daemon: Daemon) -> Outcome:
    (summary,) = directory.glob("*.json")
    stem = summary.with_suffix("")
    return Outcome(
        recording=stem.with_suffix(".wav"),
        metadata=Path(f"{stem}.metadata-1.xml"),
        summary=json.loads(summary.read_text()),
        setup_s=daemon.events("recording.begin")[0]["setup_s"],
        call=daemon.events("call.end")[0],
        session=daemon.events("recording.end")[0],
    )
