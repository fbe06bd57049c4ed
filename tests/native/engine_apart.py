"""An engine with one call in a process of its own, which can be stopped and killed. Lines in, lines out."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

from siprec_src.media.engine import Engine
from siprec_src.media.model import Endpoint, MediaIo
from siprec_src.media.plane import AttachReader, BridgePorts, ClosePorts, ConnectPort, ReaderAttached
from tests.native.engine_support import Peer, Plane

ROOT = Path(__file__).resolve().parents[2]
LOW, HIGH = 23000, 23005


class EngineApart:
    """The parent's side; a context."""

    def __init__(
        self,
        host: str,
        pins: Path,
        peers: Sequence[Peer],
        *,
        io: MediaIo = MediaIo.BPF,
        bridged: bool = True,
    ) -> None:
        remotes = [dataclasses.astuple(peer.endpoint) for peer in peers]
        plan = {"io": io.value, "host": host, "pins": str(pins), "remotes": remotes, "bridged": bridged}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.native.engine_apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._write(plan)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def is_ready(self, wait_s: float) -> bool:
        """Whether its call is set up; to be asked until it is."""
        return bool(select.select([self._out], [], [], wait_s)[0]) and json.loads(self._out.readline())

    def stop(self) -> None:
        """All its threads stand still until SIGCONT."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def ask(self, question: str) -> Any:
        self._write(question)
        return json.loads(self._out.readline())

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout
        return self.process.stdout

    def _write(self, line: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()


def main() -> None:
    plan = json.loads(sys.stdin.readline())
    engine = Engine(threads=1, port_rest_ms=0, io=MediaIo(plan["io"]), pins=plan["pins"])
    plane = Plane(engine, LOW, HIGH, host=plan["host"])
    caller, callee, via = plane.open(3)
    remotes = [Endpoint(*remote) for remote in plan["remotes"]]
    for port, remote in zip((caller, callee), remotes, strict=False):
        plane.do(ConnectPort(tag=plane.next_tag(), port=port.port, remote=remote))
    if plan["bridged"]:
        plane.do(BridgePorts(tag=plane.next_tag(), a=caller.port, b=callee.port))
    command = AttachReader(
        tag=plane.next_tag(),
        stream=caller.port,
        via=via.port,
        remote=remotes[2],
        ssrc=7,
        cname="apart",
        first_sequence=1,
        first_timestamp=0,
        payload_types=((0, 0),),
        live=True,
    )
    attached = plane.ask(command)
    assert isinstance(attached, ReaderAttached)
    print("true", flush=True)
    for question in map(json.loads, sys.stdin):
        if question == "books":
            books = plane.port_counters(caller), plane.reader_counters(attached.reader)
            print(json.dumps([dataclasses.asdict(each) for each in books]), flush=True)
        elif question == "close":
            plane.ask(ClosePorts(tag=plane.next_tag(), ports=(caller.port, callee.port, via.port)))
            engine.close()
            print("true", flush=True)
            return


if __name__ == "__main__":
    main()
