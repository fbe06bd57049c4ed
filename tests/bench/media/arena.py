"""Where a run takes place: network namespaces of its own, one core for the load and one for the engine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import Self

LOAD_CORE, ENGINE_CORE = 1, 0


class Arena:
    """Two namespaces joined by a veth pair, or one with only its loopback; a context.

    The kernel's work for packets that come to a side is done by the core of that side.
    """

    def __init__(self, *, veth: bool) -> None:
        self._stack = contextlib.ExitStack()
        self._veth = veth
        name = f"siprec{os.getpid()}"
        self._engine = f"{name}e"
        self._load = f"{name}l" if veth else self._engine
        self.engine_host = "10.98.0.1" if veth else "127.0.0.1"
        self.load_host = "10.98.0.2" if veth else "127.0.0.2"

    def __enter__(self) -> Self:
        for space in dict.fromkeys((self._engine, self._load)):
            _ip("netns", "add", space)
            self._stack.callback(_ip, "netns", "del", space)
            _ip("-n", space, "link", "set", "lo", "up")
        if self._veth:
            _ip("-n", self._engine, "link", "add", "media", "type", "veth", "peer", "name", "crowd",
                "netns", self._load)  # fmt: skip
            self._up(self._engine, "media", self.engine_host, ENGINE_CORE)
            self._up(self._load, "crowd", self.load_host, LOAD_CORE)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def at_engine(self, *command: str) -> list[str]:
        """``command`` as it is run on the engine's side."""
        return _inside(self._engine, ENGINE_CORE, command)

    def at_load(self, *command: str) -> list[str]:
        return _inside(self._load, LOAD_CORE, command)

    def _up(self, space: str, device: str, host: str, core: int) -> None:
        _ip("-n", space, "address", "add", f"{host}/24", "dev", device)
        _ip("-n", space, "link", "set", device, "up")
        steering = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
        _run("ip", "netns", "exec", space, "sh", "-c", f"echo {1 << core:x} > {steering}")


def busy_s(core: int) -> float:
    """CPU time that a core has spent on anything, the kernel's work for packets included.

    Told by the time that it was idle, which the kernel measures. The rest it samples by its ticks, and a load
    with a beat of its own falls in step with them.
    """
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    fields = next(line.split() for line in lines if line.startswith(f"cpu{core} "))
    idle, waiting, stolen = (int(fields[at]) for at in (4, 5, 8))
    return time.monotonic() - (idle + waiting + stolen) / os.sysconf("SC_CLK_TCK")


def _inside(space: str, core: int, command: tuple[str, ...]) -> list[str]:
    return ["ip", "netns", "exec", space, "taskset", "-c", str(core), *command]


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
