"""Where a run takes place: network namespaces of its own, one core for the load and one for the engine."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import Self

from tests.support.namespaces import within

LOAD_CORE, ENGINE_CORE = 1, 0
ENGINE_DEVICE, LOAD_DEVICE = "media", "crowd"
ENGINE_ETHERNET, LOAD_ETHERNET = "02:00:00:00:00:01", "02:00:00:00:00:02"
LIMIT_S = 180  #: no command takes longer
NOBODY = "02:00:00:00:00:03"  #: to which the engine's side sends: the load's IP stack drops it at once

#: So the load's side is not woken for each packet that comes, which the engine's core would pay for.
LOOK_EVERY_NS, LOOKS = 50_000, 100

_SIOCETHTOOL, _ETHTOOL_SGRO, _ETHTOOL_STSO = 0x8946, 0x2C, 0x1F
_REAL_TIME = 50  #: priority of the kernel's receiving, which elsewhere is that of interrupts
#: Before all other work of the machine, if in a session of its own: the scheduler weighs sessions first.
FIRST = 'echo -20 2>/dev/null >/proc/self/autogroup; exec nice -n -20 "$@"'


class Arena:
    """Two namespaces joined by a veth pair, or one with only its loopback; a context.

    Over the pair, what comes to a side is received by a kernel thread on the core of that side: sending costs
    as much as handing a frame to a network card, and the rest is the receiver's. So nobody pays for what the
    other does, and what is paid is told by the scheduler, whatever else the machine does.
    """

    def __init__(self, *, veth: bool) -> None:
        self._stack = contextlib.ExitStack()
        self.veth = veth
        name = f"siprec{os.getpid()}"
        self._engine = f"{name}e"
        self._load = f"{name}l" if veth else self._engine
        self._receiver: int | None = None
        self.engine_host = "10.98.0.1" if veth else "127.0.0.1"
        self.load_host = "10.98.0.2" if veth else "127.0.0.2"

    def __enter__(self) -> Self:
        for space in dict.fromkeys((self._engine, self._load)):
            _ip("netns", "add", space)
            self._stack.callback(_ip, "netns", "del", space)
            _ip("-n", space, "link", "set", "lo", "up")
        if self.veth:
            _ip("-n", self._engine, "link", "add", ENGINE_DEVICE, "address", ENGINE_ETHERNET, "type", "veth",
                "peer", "name", LOAD_DEVICE, "address", LOAD_ETHERNET, "netns", self._load)  # fmt: skip
            self._receiver = _receive_on(self._engine, ENGINE_DEVICE, ENGINE_CORE)
            _receive_on(self._load, LOAD_DEVICE, LOAD_CORE)
            _ip("-n", self._engine, "address", "add", f"{self.engine_host}/24", "dev", ENGINE_DEVICE)
            _ip("-n", self._engine, "neighbour", "replace", self.load_host, "lladdr", NOBODY,
                "dev", ENGINE_DEVICE, "nud", "permanent")  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def at_engine(self, *command: str) -> list[str]:
        """``command`` as it is run on the engine's side."""
        return _inside(self._engine, ENGINE_CORE, command)

    def at_load(self, *command: str) -> list[str]:
        return _inside(self._load, LOAD_CORE, command)

    @property
    def wire(self) -> tuple[str, ...]:
        """How the load reaches the engine, as `rtpload` is told."""
        return ("-d", LOAD_DEVICE, "-p", ENGINE_ETHERNET) if self.veth else ()

    def spent_s(self, process: int) -> float:
        """CPU time of an engine so far, with what the kernel received for it."""
        return sum(_cpu_s(each) for each in (process, self._receiver) if each is not None)


def _receive_on(space: str, device: str, core: int) -> int:
    """Let the kernel receive by a thread on ``core``; its process id."""
    with within(space):
        _coalesce(device)
    before = _threads_of(device)
    _ip("-n", space, "link", "set", device, "up")
    settings = {"threaded": 1}
    if device == LOAD_DEVICE:
        settings |= {"gro_flush_timeout": LOOK_EVERY_NS, "napi_defer_hard_irqs": LOOKS}
    for name, value in settings.items():
        _run("ip", "netns", "exec", space, "sh", "-c", f"echo {value} > /sys/class/net/{device}/{name}")
    # A queue before it, which holds what the other side has no room for yet.
    _run("tc", "-n", space, "qdisc", "add", "dev", device, "root", "pfifo", "limit", "10000")
    (thread,) = _threads_of(device) - before
    os.sched_setaffinity(thread, {core})
    os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(_REAL_TIME))
    return thread


def _coalesce(device: str) -> None:
    """GRO on, TSO off (ethtool -K): by those a veth receives in a turn of its own, as a network card does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command, value in ((_ETHTOOL_SGRO, 1), (_ETHTOOL_STSO, 0)):
            fields = array.array("I", [command, value])
            fcntl.ioctl(
                any_socket, _SIOCETHTOOL, struct.pack("16sP16x", device.encode(), fields.buffer_info()[0])
            )


def _threads_of(device: str) -> set[int]:
    """Kernel threads that receive from interfaces of that name."""
    found = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text(encoding="utf-8").startswith(f"napi/{device}-"):
                found.add(int(comm.parent.name))
    return found


def _cpu_s(process: int) -> float:
    """CPU time of a process and all its threads, as the scheduler measured it."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def _inside(space: str, core: int, command: tuple[str, ...]) -> list[str]:
    limited = ("timeout", "--kill-after", "5", str(LIMIT_S), *command)
    return ["ip", "netns", "exec", space, "taskset", "-c", str(core), "sh", "-c", FIRST, "sh", *limited]


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
