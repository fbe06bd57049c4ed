"""What a media process leaves behind is kept by the supervisor: its memory and duplicates of its sockets.

Each media process has a channel to the supervisor. It sends a duplicate of the sockets of every port it
opens, before anybody is told of the port, and a word when it has closed one. A process waits until it is
told to begin, with the sockets of the one before: so one can be ready before it is needed.
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from siprec_src.media.keeping import PortSockets
from siprec_src.media.model import PortId

KEEP: Final = b"K"  #: to the supervisor: the ports named, with two descriptors each; from it: likewise
FORGET: Final = b"F"  #: they are closed
READ: Final = b"R"  #: say when all before this was read; numbered
DONE: Final = b"D"  #: it was; with the same number
BEGIN: Final = b"B"  #: to the process: these were all, serve
PORTS_A_MESSAGE: Final = 120  #: the kernel passes at most 253 descriptors at once
SETTLE_S: Final = 1.0  #: for a supervisor that is held up
HAND_OVER_S: Final = 5.0  #: only when there are more sockets than a channel holds
NO_ROOM: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS})
_ID_BYTES: Final = 8
_MESSAGE_BYTES: Final = 1 + PORTS_A_MESSAGE * _ID_BYTES
_DESCRIPTORS: Final = 2 * PORTS_A_MESSAGE


def _encode(kind: bytes, ports: Iterable[PortId] = ()) -> bytes:
    return kind + b"".join(struct.pack("=Q", port) for port in ports)


def _ports(message: bytes) -> tuple[PortId, ...]:
    return tuple(PortId(port) for (port,) in struct.iter_unpack("=Q", message[1:]))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _pass(channel: socket.socket, sockets: Sequence[PortSockets]) -> None:
    fds = array.array("i", [fd for one in sockets for fd in (one.rtp, one.rtcp)])
    message = _encode(KEEP, (one.port for one in sockets))
    channel.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])


def _receive(channel: socket.socket) -> tuple[bytes, list[PortSockets]]:
    """One message and the sockets that came with it; those that found no room are left out."""
    message, fds, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, _DESCRIPTORS)
    if message[:1] != KEEP:
        return message, []
    ports = _ports(message)
    pairs = list(zip(fds[::2], fds[1::2], strict=False))
    for fd in fds[2 * min(len(pairs), len(ports)) :]:
        os.close(fd)
    return message, [
        PortSockets(port=port, rtp=a, rtcp=b) for port, (a, b) in zip(ports, pairs, strict=False)
    ]


class Leaving:
    """The end of the media process. It never waits for the supervisor but in `begin` and `settle`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._unsent: deque[tuple[bytes, tuple[PortSockets, ...]]] = deque()
        self._settled = 0  # how often it was asked for

    def begin(self) -> tuple[PortSockets, ...] | None:
        """Wait to be told to serve; the sockets to serve with, None when nobody will say so any more."""
        kept: list[PortSockets] = []
        self._channel.setblocking(True)
        while True:
            message, sockets = _receive(self._channel)
            kept += sockets
            if message == BEGIN:
                self._channel.setblocking(False)
                return tuple(kept)
            if not message:
                return None

    @property
    def behind(self) -> bool:
        """Whether there is something that the supervisor had no room for."""
        return bool(self._unsent)

    def opened(self, sockets: Sequence[PortSockets]) -> None:
        for first in range(0, len(sockets), PORTS_A_MESSAGE):
            self._unsent.append((KEEP, tuple(sockets[first : first + PORTS_A_MESSAGE])))
        self.flush()

    def closed(self, ports: Sequence[PortId]) -> None:
        gone = frozenset(ports)
        self._unsent = deque(
            (kind, tuple(one for one in sockets if one.port not in gone)) for kind, sockets in self._unsent
        )
        for first in range(0, len(ports), PORTS_A_MESSAGE):
            part = ports[first : first + PORTS_A_MESSAGE]
            self._unsent.append((FORGET, tuple(PortSockets(port=port, rtp=-1, rtcp=-1) for port in part)))
        self.flush()

    def flush(self) -> None:
        """Send what there is room for."""
        while self._unsent:
            kind, sockets = self._unsent[0]
            try:
                if kind == KEEP and sockets:
                    _pass(self._channel, sockets)
                elif sockets:
                    self._channel.send(_encode(kind, (one.port for one in sockets)))
            except TimeoutError:
                return
            except OSError as error:
                if error.errno in NO_ROOM:
                    return
                if error.errno == errno.EBADF and self._leave_out_closed():
                    continue
                # Without a supervisor this process ends.
            self._unsent.popleft()

    def _leave_out_closed(self) -> bool:
        """Take out of the next message what was closed meanwhile; whether there is any."""
        kind, sockets = self._unsent[0]
        there = tuple(one for one in sockets if _is_open(one.rtp) and _is_open(one.rtcp))
        self._unsent[0] = kind, there
        return len(there) < len(sockets)

    def settle(self) -> None:
        """Wait until the supervisor has closed what is closed here, so that its ports can be bound again."""
        self._settled += 1
        number = struct.pack("=Q", self._settled)
        until = time.monotonic() + SETTLE_S
        with contextlib.suppress(OSError):
            self._channel.settimeout(SETTLE_S)
            self.flush()
            self._channel.send(READ + number)
            # What comes first may be for one that has not waited for it.
            while self._channel.recv(_MESSAGE_BYTES) not in (DONE + number, b""):
                self._channel.settimeout(max(0.0, until - time.monotonic()))
        self._channel.setblocking(False)


class Keeper:
    """The end of the supervisor: whatever process serves, what it would leave is here."""

    def __init__(self) -> None:
        self.memory = os.memfd_create("siprec-src-media")
        self._kept: dict[PortId, PortSockets] = {}

    @property
    def ports(self) -> int:
        return len(self._kept)

    def hear(self, channel: socket.socket) -> bool:
        """Read what the process has said; False when it has ended."""
        while True:
            try:
                message, sockets = _receive(channel)
            except BlockingIOError:
                return True
            except ConnectionResetError:  # it had not read all of ours; what it has said is still there
                continue
            except OSError:
                return False
            if not message:
                return False
            if message[:1] == READ:
                with contextlib.suppress(OSError):
                    channel.send(DONE + message[1:])
            elif message[:1] == FORGET:
                self._forget(_ports(message))
            for one in sockets:
                self._forget((one.port,))
                self._kept[one.port] = one

    def hand_over(self, channel: socket.socket) -> None:
        """Tell a process to serve, with what the one before has left. One that still starts is waited for.

        Raises:
            OSError: it has ended already, or does not read.
        """
        kept = tuple(self._kept.values())
        channel.settimeout(HAND_OVER_S)
        for first in range(0, len(kept), PORTS_A_MESSAGE):
            _pass(channel, kept[first : first + PORTS_A_MESSAGE])
        channel.send(BEGIN)
        channel.setblocking(False)

    def drop(self) -> None:
        """Close everything; nothing is left to anybody."""
        self._forget(tuple(self._kept))
        os.ftruncate(self.memory, 0)

    def close(self) -> None:
        self.drop()
        os.close(self.memory)

    def _forget(self, ports: Iterable[PortId]) -> None:
        for port in ports:
            kept = self._kept.pop(port, None)
            if kept is not None:
                os.close(kept.rtp)
                os.close(kept.rtcp)
