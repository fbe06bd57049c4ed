"""How the media engine moves packets: the best way that the host permits, now and later on."""

from __future__ import annotations

import errno
import queue
import socket
import threading
from collections.abc import Callable
from typing import Final

from siprec_src.app.passed_by import passed_by
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

    def __init__(self, wanted: MediaIo) -> None:
        self.engine = wanted  #: what the engine must be made for
        self.changing = wanted is MediaIo.AUTO  #: whether `now` may say another thing later
        self._lacks = ""
        if wanted is MediaIo.AUTO:
            self._lacks = _packet_lacks()
            self.engine = MediaIo.SOCKETS if self._lacks else MediaIo.PACKET
            self.changing = not self._lacks

    def now(self) -> Way:
        """The best one as the host is now; asks it."""
        if not self.changing:
            return Way(io=self.engine, better_lacks=self._lacks)
        passed = passed_by()
        if passed:
            return Way(io=MediaIo.SOCKETS, better_lacks=f"{self.engine.value}: {passed}")
        return Way(io=self.engine)


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
            return "CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW, Linux 5.10, and a directory that it may write to"
        case MediaIo.BPF, errno.ENOSYS:
            return "a build with clang and libbpf"
        case MediaIo.BPF, errno.ENODEV | errno.ENOENT:
            return f"a bpffs, in which {pins} is"
    return ""


def _packet_lacks() -> str:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        return f"packet: {error.strerror}: it needs CAP_NET_RAW"
    return ""
