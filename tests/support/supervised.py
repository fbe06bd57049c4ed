"""A media process under the real supervisor, and nobody in control.

Whoever connects to the socket is control. The end of standard input ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from siprec_src.app.media_process import listen
from siprec_src.app.supervisor import ChildSpec, Supervisor
from siprec_src.telemetry import log as logs

_NOBODY = "import signal; signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM]); signal.pause()"


async def _supervise(path: Path, io: str, pins: str) -> int:
    with listen(path) as listener:
        status, _ = os.pipe()
        media = (
            "-m",
            "siprec_src",
            "media",
            "--parent",
            str(os.getpid()),
            "--threads",
            "2",
            *("--io", io, "--pins", pins),
        )
        supervisor = Supervisor(
            media=ChildSpec(
                name="media",
                command=(
                    sys.executable,
                    *media,
                    "--listen-fd",
                    str(listener.fileno()),
                    "--log-format",
                    "json",
                ),
                descriptors=(listener.fileno(),),
            ),
            control=ChildSpec(name="control", command=(sys.executable, "-c", _NOBODY), descriptors=()),
            status=status,
            hang_limit_s=0.0,
            reload=lambda: False,
            log=logs.get_logger("supervisor"),
        )
        asyncio.get_running_loop().add_reader(0, _end)
        return await supervisor.run()


def _end() -> None:
    asyncio.get_running_loop().remove_reader(0)  # once: what is told again and again is killed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    logs.configure(format_="json", level="info")
    asyncio.run(_supervise(Path(sys.argv[1]), *sys.argv[2:]))
