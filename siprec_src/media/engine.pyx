# cython: language_level=3
"""The media engine in this process: commands of `media.plane` in, its answers and events out.

The packet threads are native and never take the interpreter's lock. Numbers are described in
``engine.pyi``, the engine itself in ``native/include/rtpfork/engine.h``.
"""

import os

from cpython.bytes cimport PyBytes_AS_STRING
from libc.errno cimport errno as system_errno
from libc.stdint cimport int16_t, uint16_t
from libc.stdlib cimport calloc, free

from siprec_src.media cimport rtpfork as c
from siprec_src.media.keeping import Resumed
from siprec_src.media.model import MediaIo, ThreadPriority
from siprec_src.media.plane import Announce, PlayTone, Refused
from siprec_src.values import immutable

include "engine_commands.pxi"
include "engine_messages.pxi"

cdef enum:
    _CPUS = 1024

_MAX_TAG = 2**64 - 1
_IO = {
    MediaIo.SOCKETS: c.RTPFORK_IO_SOCKETS,
    MediaIo.PACKET: c.RTPFORK_IO_PACKET,
    MediaIo.BPF: c.RTPFORK_IO_BPF,
}
_PRIORITIES = {
    ThreadPriority.NORMAL: c.RTPFORK_PRIORITY_NORMAL,
    ThreadPriority.RAISED: c.RTPFORK_PRIORITY_RAISED,
    ThreadPriority.REALTIME: c.RTPFORK_PRIORITY_REALTIME,
}


@immutable
class ThreadStats:
    cpu_ns: int
    load: float
    packets_received: int
    packets_sent: int
    notices_lost: int


def cgroup_programs(directory):
    cdef int count = c.rtpfork_cgroup_programs(directory)
    if count < 0:
        raise OSError(system_errno, os.strerror(system_errno))
    return count


def try_relay(pins):
    path = os.fsencode(pins)
    if c.rtpfork_relay_probe(path) != 0:
        raise OSError(system_errno, os.strerror(system_errno))


cdef class _Sound:
    """Samples that ports play; the engine's."""

    cdef const c.rtpfork_sound *native


cdef class Engine:
    cdef c.rtpfork_engine *_engine
    cdef list _refused
    cdef dict _sounds
    cdef object _render
    cdef bint _remembers

    def __cinit__(
        self,
        *,
        int threads=0,
        int max_ports_per_thread=32768,
        int max_readers_per_thread=32768,
        int log_packets=8,
        int silence_ms=5000,
        int port_rest_ms=5000,
        int receive_buffer_bytes=1 << 20,
        object render=None,
        object io=MediaIo.SOCKETS,
        object cpus=(),
        object priority=ThreadPriority.NORMAL,
        int memory=-1,
        tuple kept=(),
        str pins="",
    ):
        cdef uint16_t[_CPUS] numbers
        cdef c.rtpfork_engine_options options
        cdef int result, system_error
        cdef c.rtpfork_kept *natives
        if min(threads, max_ports_per_thread, max_readers_per_thread, log_packets, silence_ms,
               port_rest_ms, receive_buffer_bytes) < 0:
            raise ValueError("engine: an option is negative")
        c.rtpfork_engine_defaults(&options)
        if io not in _IO:
            raise ValueError("engine: io must be one that is there")
        options.io = _IO[io]
        if len(cpus) > _CPUS:
            raise ValueError("engine: too many cpus")
        for index, cpu in enumerate(cpus):
            numbers[index] = cpu
        options.cpus = numbers
        options.cpu_count = len(cpus)
        options.priority = _PRIORITIES[priority]
        pins_path = os.fsencode(pins)
        options.pins = <const char *>pins_path if pins else NULL
        options.threads = <c.uint32_t>threads
        options.max_ports_per_thread = <c.uint32_t>max_ports_per_thread
        options.max_readers_per_thread = <c.uint32_t>max_readers_per_thread
        options.log_packets = <c.uint32_t>log_packets
        options.silence_ms = <c.uint32_t>silence_ms
        options.port_rest_ms = <c.uint32_t>port_rest_ms
        options.receive_buffer_bytes = receive_buffer_bytes
        options.memory_fd = memory
        self._remembers = memory >= 0
        options.kept = natives = _kept(kept)
        options.kept_count = len(kept)
        self._engine = NULL
        self._refused = []
        self._sounds = {}
        self._render = render
        with nogil:
            result = c.rtpfork_engine_new(&options, &self._engine)
            system_error = system_errno
        free(natives)
        if result == c.RTPFORK_EARGUMENT:
            raise ValueError("engine: " + _words(result))
        if result == c.RTPFORK_ENOMEM:
            raise MemoryError("engine: " + _words(result))
        if result == c.RTPFORK_ESYSTEM:
            raise OSError(system_error, f"engine: {os.strerror(system_error)}")
        if result != 0:
            raise OSError("engine: " + _words(result))

    def __dealloc__(self):
        c.rtpfork_engine_free(self._engine)

    def close(self):
        cdef c.rtpfork_engine *engine = self._engine
        self._engine = NULL
        with nogil:
            c.rtpfork_engine_free(engine)

    def fileno(self):
        self._check_open()
        return c.rtpfork_engine_fd(self._engine)

    def submit(self, command):
        self._check_open()
        cdef c.rtpfork_command *native = NULL
        if not 0 <= command.tag <= _MAX_TAG:
            raise ValueError("engine: tag is outside 0..2**64-1")
        try:
            if isinstance(command, PlayTone) and command.tone is not None:
                self._know(command.tone.sound)
            elif isinstance(command, Announce):
                self._know(command.sound)
            native = _translate(command, self._sounds)
        except (ValueError, OverflowError, OSError, UnicodeEncodeError) as error:
            self._refuse(command.tag, "bad-argument", str(error))
            return
        except MemoryError:
            self._refuse(command.tag, "no-room", "out of memory")
            return
        native.tag = command.tag
        with nogil:
            c.rtpfork_engine_submit(self._engine, native)

    def drain(self):
        self._check_open()
        cdef c.rtpfork_message message
        c.rtpfork_engine_begin(self._engine)
        messages = self._refused
        self._refused = []
        while c.rtpfork_engine_next(self._engine, &message):
            if message.answer != NULL:
                try:
                    if self._remembers and message.answer.kind == c.RTPFORK_OPEN:
                        messages.append(_opened(message.answer))
                    messages.append(_answer(message.answer))
                finally:
                    c.rtpfork_command_free(message.answer)
            elif message.is_handed:
                messages.append(_handed(&message.handed))
            else:
                messages.append(_event(&message.notice))
        return messages

    def use(self, most):
        self._check_open()
        c.rtpfork_engine_use(self._engine, _IO[most])

    def priority(self):
        self._check_open()
        got = c.rtpfork_engine_priority(self._engine)
        return next(priority for priority, native in _PRIORITIES.items() if native == got)

    def resumed(self):
        self._check_open()
        cdef size_t count = 0
        cdef const c.rtpfork_resumed *left = c.rtpfork_engine_resumed(self._engine, &count)
        cdef c.rtpfork_start start = c.rtpfork_engine_start(self._engine)
        ports = {}
        readers = {}
        for index in range(count):
            if left[index].reader:
                readers[left[index].id] = (left[index].ends[0], left[index].ends[1])
            else:
                ports[left[index].id] = left[index].ends[0] or None
        return Resumed(
            resumed=start == c.RTPFORK_START_RESUMED,
            refused=start == c.RTPFORK_START_REFUSED,
            ports=ports,
            readers=readers,
        )

    def stats(self):
        self._check_open()
        cdef c.rtpfork_thread_stats stats
        threads = []
        for thread in range(c.rtpfork_engine_threads(self._engine)):
            if c.rtpfork_engine_stats(self._engine, thread, &stats) != 0:
                continue
            threads.append(
                ThreadStats(
                    cpu_ns=stats.cpu_ns,
                    load=stats.load,
                    packets_received=stats.packets_received,
                    packets_sent=stats.packets_sent,
                    notices_lost=stats.notices_lost,
                )
            )
        return tuple(threads)

    cdef _know(self, sound):
        """Make the sound once."""
        if sound in self._sounds:
            return
        if self._render is None:
            raise ValueError("no more sounds")
        cdef bytes samples = self._render(sound)
        cdef _Sound made = _Sound()
        cdef const int16_t *first = <const int16_t *>PyBytes_AS_STRING(samples)
        made.native = c.rtpfork_engine_sound(self._engine, first, len(samples) // sizeof(int16_t))
        if made.native == NULL:
            raise ValueError("no samples, or no room for them")
        self._sounds[sound] = made

    cdef _check_open(self):
        if self._engine == NULL:
            raise ValueError("engine: it is closed")

    cdef _refuse(self, tag, reason, detail):
        self._refused.append(Refused(tag=tag, reason=reason, detail=detail))
        c.rtpfork_engine_wake(self._engine)


cdef c.rtpfork_kept *_kept(tuple kept) except NULL:
    """What the caller frees. The engine owns the sockets."""
    cdef c.rtpfork_kept *natives = <c.rtpfork_kept *>calloc(len(kept) + 1, sizeof(c.rtpfork_kept))
    if natives == NULL:
        raise MemoryError
    for index, sockets in enumerate(kept):
        natives[index].port = sockets.port
        natives[index].fds[0] = sockets.rtp
        natives[index].fds[1] = sockets.rtcp
    return natives
