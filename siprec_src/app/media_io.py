"""How the media engine moves packets: the best way that the host permits, now and later on."""

from __future__ import annotations

import errno
import queue
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from siprec_src.app.passed_by import passed_by, passed_by_relay
from siprec_src.media.model import MediaIo
from siprec_src.values import immutable

LOOK_S: Final = 10.0  #: how often the host is asked again


@immutable
class Way:
    """What is used, and why nothing better."""

    io: MediaIo
    better_lacks: str = ""  #: the next better one; empty: there is none


class Ways:
    """Those that ``media.io`` leaves open. One that is named is the only one, whatever it passes by."""

    def __init__(self, wanted: MediaIo, pins: str) -> None:
        """Tries what the process may do, in milliseconds. ``pins``: where a relay would be kept."""
        self.engine = wanted  #: what the engine must be made for
        self._lacks = ""
        if wanted is MediaIo.AUTO:
            self.engine, self._lacks = _best(pins)
        self.changing = wanted is MediaIo.AUTO and self.engine is not MediaIo.SOCKETS
        """Whether `now` may say another thing later."""

    def now(self) -> Way:
        """The best one as the host is now; asks it."""
        if self.changing and (passed := passed_by()):
            return Way(io=MediaIo.SOCKETS, better_lacks=f"packet: {passed}")
        if self.changing and self.engine is MediaIo.BPF and (passed := passed_by_relay()):
            return Way(io=MediaIo.PACKET, better_lacks=f"bpf: {passed}")
        return Way(io=self.engine, better_lacks=self._lacks)


class Watch:
    """Asks every `LOOK_S`, in a thread of its own, which way is the best, and tells when that changes."""

    def __init__(self, ways: Ways, known: Way, tell: Callable[[Way], None]) -> None:
        self._ways = ways
        self._known = known
        self._tell = tell
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        if ways.changing:
            threading.Thread(target=self._run, name="media-io", daemon=True).start()

    def look(self) -> None:
        """Ask now; may be called by a signal handler."""
        self._wanted.put(True)

    def stop(self) -> None:
        self._wanted.put(False)

    def _run(self) -> None:
        while self._waited():
            way = self._ways.now()
            if way != self._known:
                self._known = way
                self._tell(way)

    def _waited(self) -> bool:
        """Until it is time to ask; False: no more."""
        try:
            return self._wanted.get(timeout=LOOK_S)
        except queue.Empty:
            return True


def lacking(io: MediaIo, error: Exception, pins: str) -> str:
    """What an engine that could not be made for ``io`` wants of the host; empty: that is not known."""
    number = error.errno if isinstance(error, OSError) else None
    match io, number:
        case MediaIo.PACKET, errno.EPERM:
            return "CAP_NET_RAW"
        case MediaIo.BPF, errno.EPERM | errno.EACCES:
            return _capabilities_missing() or f"that it may write to {pins}, and load BPF programs"
        case MediaIo.BPF, errno.EINVAL:
            return "Linux 5.10"
        case MediaIo.BPF, errno.ENOSYS:
            return "a build with clang and libbpf"
        case MediaIo.BPF, errno.ENODEV | errno.ENOENT:
            return f"a bpffs, in which {pins} is"
    return ""


def _best(pins: str) -> tuple[MediaIo, str]:
    """The best way that this process may go, and what the next better one lacks."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        return MediaIo.SOCKETS, _refused(MediaIo.PACKET, error, pins)
    from siprec_src.media.engine import try_relay

    try:
        try_relay(pins)
    except OSError as error:
        return MediaIo.PACKET, _refused(MediaIo.BPF, error, pins)
    return MediaIo.BPF, ""


def _refused(io: MediaIo, error: OSError, pins: str) -> str:
    lacks = lacking(io, error, pins)
    return f"{io.value}: {error.strerror}" + (f": it needs {lacks}" if lacks else "")


def _capabilities_missing() -> str:
    """Of those that a relay in the kernel takes (capabilities(7)); the last one stands for CAP_BPF too."""
    status = Path("/proc/thread-self/status").read_text()
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    names = {"CAP_NET_ADMIN": (12,), "CAP_NET_RAW": (13,), "CAP_BPF": (39, 21)}
    return ", ".join(name for name, numbers in names.items() if not any(held >> n & 1 for n in numbers))
