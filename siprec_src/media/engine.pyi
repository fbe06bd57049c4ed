"""The media engine in this process: commands of `media.plane` in, its answers and events out."""

from collections.abc import Callable, Sequence

from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.keeping import PortSockets, Resumed, SocketsOpened
from siprec_src.media.model import MediaIo, Sound, ThreadPriority
from siprec_src.media.plane import Answer, Command, Event
from siprec_src.values import immutable

@immutable
class ThreadStats:
    """What one packet thread has done since it started."""

    cpu_ns: int  #: CPU time, user and kernel
    load: float  #: share of its time of late in which it did not wait for packets, 0..1
    packets_received: int
    packets_sent: int
    notices_lost: int  #: events that were not drained in time, beyond 4096 at once

def cgroup_programs(directory: int) -> int:
    """How many BPF programs look at what sockets in a control group send and get.

    ``directory`` is a descriptor of the group's.

    Raises:
        OSError: the kernel does not say.
    """

def try_relay(pins: str) -> None:
    """Find out whether an engine for ``BPF`` could be made; takes some milliseconds.

    Raises:
        OSError: it could not, as of `Engine`.
    """

class Engine:
    """Packet threads and their sockets. One thread at a time may call it; no call ever blocks."""

    def __init__(
        self,
        *,
        threads: int = 0,
        max_ports_per_thread: int = 32768,
        max_readers_per_thread: int = 32768,
        log_packets: int = 8,
        silence_ms: int = 5000,
        port_rest_ms: int = 5000,
        receive_buffer_bytes: int = 1048576,
        render: Callable[[Sound], bytes] | None = None,
        io: MediaIo = MediaIo.SOCKETS,
        cpus: Sequence[int] = (),
        priority: ThreadPriority = ThreadPriority.NORMAL,
        memory: int = -1,
        kept: tuple[PortSockets, ...] = (),
        pins: str = "",
    ) -> None:
        """Start the packet threads.

        Args:
            threads: 0: one for each of ``cpus``, else for each core that may be used; at most 64.
            max_ports_per_thread: pairs of sockets; beyond it ports are refused with ``no-room``.
            max_readers_per_thread: likewise.
            log_packets: of each recorded stream, a power of two from 8; 256 bytes each.
            silence_ms: without RTP for so long, a port that had media is silent.
            port_rest_ms: how long a closed pair of ports is not used again.
            render: 16-bit samples at 8000 Hz of a sound, asked once for each; raises OSError or ValueError
                for one that there is not.
            receive_buffer_bytes: of a socket; the kernel silently gives less if it must.
            io: how packets are moved; not ``AUTO``.
            pins: directory in a bpffs where the relay of ``BPF`` is found after a crash, and ended by one
                that wants none; empty: nowhere.
            cpus: numbers of those that the threads run on, each on one of them; none: on any.
            priority: what is not permitted becomes the next one before it, see `priority`.
            memory: descriptor of a file without a name, for what must outlive the process; -1: nothing does.
            kept: the sockets of what was left there; they are the engine's from now on.

        Raises:
            ValueError: an option is out of range.
            MemoryError: there is no memory for the tables.
            OSError: a thread cannot be started, a CPU is not there, ``io`` is not permitted, or libcrypto
                lacks a suite or fails its self-test.
        """

    def submit(self, command: Command | SendDtls) -> None:
        """Hand one command over. Exactly one answer with its tag comes from `drain`.

        Raises:
            ValueError: the engine is closed, or the tag is outside 0..2**64-1.
        """

    def fileno(self) -> int:
        """Descriptor that is readable while `drain` may have something (level-triggered)."""

    def drain(self) -> list[Answer | Event | DtlsReceived | SocketsOpened]:
        """Take the answers and events that are there, answers first; a call may give none.

        With a ``memory``, `SocketsOpened` comes before each `PortsOpen`.
        """

    def resumed(self) -> Resumed:
        """What of a process before goes on, as it was when this engine began."""

    def use(self, most: MediaIo) -> None:
        """Move packets as ``most`` would where ``io`` is a better way, before any command given later."""

    def priority(self) -> ThreadPriority:
        """How urgently the threads do run."""

    def stats(self) -> tuple[ThreadStats, ...]:
        """What each thread has done so far, in the order of the threads."""

    def close(self) -> None:
        """Stop the threads, close all sockets, wipe all keys. Again: nothing."""
