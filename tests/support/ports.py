"""Ports that no two tests have at the same time, also of test runs side by side on one machine.

The system gives 32768 to 60999 to clients, the bundled SRS takes its media ports from 20000 to 29999 and the
daemon its own from 10000 to 19999: what is left is dealt out here. Each process of tests has a share,
which it holds by a lock as long as it lives, and goes round in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

SHARES = 6
BLOCK = 4  #: ports that belong together: RTP and RTCP, and SIPp's port for video
BLOCKS = (*range(30_000, 32_768, BLOCK), *range(61_000, 65_500, BLOCK))
MEDIA_LOW, MEDIA_PORTS = 10_000, 1_660


def free_port() -> int:
    """An even port that is free, for UDP and TCP, with the three behind it; given to nobody else for long."""
    for _ in range(len(BLOCKS)):
        port = next(_round())
        if all(_is_free(port + n) for n in range(BLOCK)):
            return port
    raise RuntimeError("no free port")


def media_ports() -> tuple[int, int]:
    """The first and the last port that a daemon of this process may take for media."""
    low = MEDIA_LOW + _share() * MEDIA_PORTS
    return low, low + MEDIA_PORTS - 1


@functools.cache
def _round() -> Iterator[int]:
    return itertools.cycle(BLOCKS[_share() :: SHARES])


@functools.cache
def _share() -> int:
    """The first share that nobody holds; held until this process ends."""
    path = Path(tempfile.gettempdir()) / f"siprec-src-ports-{os.getuid()}"
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for share in range(SHARES):
        with contextlib.suppress(OSError):
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, share)
            return share
    return os.getpid() % SHARES


def _is_free(port: int) -> bool:
    """Whether nobody has it at any address."""
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", port))
        return True
    return False
