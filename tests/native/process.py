"""An engine in a process of its own: commanded as one in this process is, and it can be frozen."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from siprec_src.app.lifeline import die_with
from siprec_src.app.media_process import MediaServer, listen
from siprec_src.media.engine import Engine
from siprec_src.media.handshake import SendDtls
from siprec_src.media.model import MediaIo
from siprec_src.media.plane import Answer, Command, Event, MediaUp
from siprec_src.media.wire import MAX_MESSAGE_BYTES, decode, encode
from tests.support.log import Log

_ROOT = Path(__file__).resolve().parents[2]
_COMMAND = (sys.executable, "-m", "tests.native.process")


class MediaProcess:
    """A media server with one engine thread, in the network namespace of whoever makes it."""

    def __init__(self, io: MediaIo, *, silence_ms: int = 5000) -> None:
        self._stack = contextlib.ExitStack()
        directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="siprec-"))
        path = Path(directory, "media.sock")
        with listen(path) as listener:
            self._process = subprocess.Popen(
                (*_COMMAND, str(os.getpid()), str(listener.fileno()), io.value, str(silence_ms)),
                pass_fds=(listener.fileno(),),
                cwd=_ROOT,
            )
            self._socket = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            self._socket.connect(str(path))
        self._socket.setblocking(False)

    def submit(self, command: Command | SendDtls) -> None:
        assert not isinstance(command, SendDtls), "that is not for others to command"
        self._socket.send(encode(command))

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> list[Answer | Event]:
        told: list[Answer | Event] = []
        with contextlib.suppress(BlockingIOError):
            while data := self._socket.recv(MAX_MESSAGE_BYTES):
                message = decode(data)
                if isinstance(message, Answer | Event) and not isinstance(message, MediaUp):
                    told.append(message)
        return told

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """None of its threads runs meanwhile."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """In order: an engine that is killed may leave a relay in the kernel."""
        self._process.terminate()
        self._process.wait()
        self._stack.close()


def main(parent: str, descriptor: str, io: str, silence_ms: str) -> None:
    die_with(int(parent))
    engine = Engine(threads=1, port_rest_ms=0, io=MediaIo(io), silence_ms=int(silence_ms))
    server = MediaServer(engine, socket.socket(fileno=int(descriptor)), Log())
    signal.signal(signal.SIGTERM, lambda _signum, _frame: server.stop())
    server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
