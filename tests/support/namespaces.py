"""Two network namespaces joined by a veth pair, and a way to make sockets in either. They need root."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()
_LIBC = ctypes.CDLL(None, use_errno=True)


class Wire:
    """``near`` and ``far`` with an Ethernet between them; a context."""

    near_host, far_host = "10.97.0.1", "10.97.0.2"
    near_host6, far_host6 = "fd97::1", "fd97::2"
    near_device, far_device = "near0", "far0"

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("network namespaces need root")
        self._stack = contextlib.ExitStack()
        number = next(_numbers)
        self._near, self._far = (f"siprec{os.getpid()}{side}{number}" for side in ("near", "far"))

    def __enter__(self) -> Self:
        for space in (self._near, self._far):
            _run("ip", "netns", "add", space)
            self._stack.callback(_run, "ip", "netns", "del", space)
        _run("ip", "-n", self._near, "link", "add", self.near_device, "type", "veth",
             "peer", "name", self.far_device, "netns", self._far)  # fmt: skip
        for far, host, host6 in (
            (False, self.near_host, self.near_host6),
            (True, self.far_host, self.far_host6),
        ):
            device = self.far_device if far else self.near_device
            self.ip("link", "set", "lo", "up", far=far)
            self.ip("address", "add", f"{host}/24", "dev", device, far=far)
            self.ip("address", "add", f"{host6}/64", "dev", device, "nodad", far=far)
            self.ip("link", "set", device, "up", far=far)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ip(self, *arguments: str, far: bool = False) -> str:
        """What ``ip`` says on one side."""
        return _run("ip", "-n", self._far if far else self._near, *arguments)

    def run(self, *command: str) -> str:
        """What a command says on the near side."""
        return _run("ip", "netns", "exec", self._near, *command)

    def inside(self, *, far: bool = False) -> contextlib.AbstractContextManager[None]:
        """This thread is on one side meanwhile, and what it opens or starts stays there."""
        return within(self._far if far else self._near)


@contextlib.contextmanager
def within(space: str) -> Iterator[None]:
    """This thread is in a network namespace meanwhile, and what it opens or starts stays there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(Path("/run/netns", space), os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(home)
        os.close(there)
        os.close(home)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
