# cython: language_level=3
"""The media engine in this process: commands of `media.plane` in, its answers and events out.

The packet threads are native and never take the interpreter's lock. Numbers are described in
``engine.pyi``, the engine itself in ``native/include/rtpfork/engine.h``.
"""

import errno
import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport errno as system_errno
from libc.stdint cimport int16_t, uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from siprec_src.media cimport rtpfork as c
from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.keeping import PortSockets, Resumed, SocketsOpened
from siprec_src.media.model import (
    Endpoint,
    MediaIo,
    PayloadKind,
    PortCounters,
    ReaderCounters,
    SourcePolicy,
    ThreadPriority,
)
from siprec_src.media.plane import (
    Announce,
    Announced,
    AttachReader,
    BridgePorts,
    ClosePorts,
    ConnectPort,
    Counters,
    DetachReader,
    Done,
    DtmfReceived,
    FirstPacket,
    OpenPort,
    OpenPorts,
    PlayTone,
    PortsClosed,
    PortsOpen,
    ReadCounters,
    ReaderAttached,
    ReaderCollision,
    ReaderDetached,
    ReaderReport,
    ReaderSilence,
    ReaderUnreachable,
    Refused,
    SetReaderLive,
    SilenceChanged,
    UpdateReader,
)
from siprec_src.values import immutable

cdef enum:
    _CPUS = 1024

_DIGITS = "0123456789*#ABCD"
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
_LAWS = {"PCMU": c.RTPFORK_ULAW, "PCMA": c.RTPFORK_ALAW}
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)


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


# commands


cdef c.rtpfork_command *_translate(object command, dict sounds) except NULL:
    """A native command, of which the tag is missing; owned by the caller."""
    cdef c.rtpfork_command *native = _make(command)
    try:
        if native.kind == c.RTPFORK_TONE:
            _put_tone(native, command, sounds)
        elif native.kind == c.RTPFORK_ANNOUNCE:
            _put_announcement(native, command, sounds)
        else:
            _fill(native, command)
    except BaseException:
        c.rtpfork_command_free(native)
        raise
    return native


cdef c.rtpfork_command *_make(object command) except NULL:
    cdef c.rtpfork_command_kind kind
    cdef size_t ports = 0
    cdef size_t readers = 0
    if isinstance(command, OpenPorts):
        if not 0 < command.count <= 1024:
            raise ValueError("count is outside 1..1024")
        kind, ports = c.RTPFORK_OPEN, command.count
    elif isinstance(command, ConnectPort):
        kind = c.RTPFORK_CONNECT
    elif isinstance(command, BridgePorts):
        kind = c.RTPFORK_BRIDGE
    elif isinstance(command, PlayTone):
        kind = c.RTPFORK_TONE
    elif isinstance(command, Announce):
        kind = c.RTPFORK_ANNOUNCE
    elif isinstance(command, AttachReader):
        kind = c.RTPFORK_ATTACH
    elif isinstance(command, UpdateReader):
        kind = c.RTPFORK_UPDATE
    elif isinstance(command, SetReaderLive):
        kind = c.RTPFORK_SET_LIVE
    elif isinstance(command, DetachReader):
        kind = c.RTPFORK_DETACH
    elif isinstance(command, ClosePorts):
        kind, ports = c.RTPFORK_CLOSE, len(set(command.ports))
    elif isinstance(command, ReadCounters):
        kind, ports, readers = c.RTPFORK_COUNTERS, len(command.ports), len(command.readers)
    elif isinstance(command, SendDtls):
        kind = c.RTPFORK_SEND_DTLS
    else:
        raise ValueError(f"no command of the media plane: {type(command).__name__}")
    cdef c.rtpfork_command *native = c.rtpfork_command_new(kind, ports, readers)
    if native == NULL:
        raise MemoryError
    return native


cdef int _fill(c.rtpfork_command *native, object command) except -1:
    if native.kind == c.RTPFORK_OPEN:
        _put_text(native.open.host, c.RTPFORK_HOST_BYTES, command.host, "host")
        native.open.low = command.low
        native.open.high = command.high
        native.open.near = 0 if command.near is None else command.near
        native.open.dtls = command.dtls
    elif native.kind == c.RTPFORK_CONNECT:
        native.connect.port = command.port
        _put_party(&native.connect.party, command)
    elif native.kind == c.RTPFORK_BRIDGE:
        native.bridge.a = command.a
        native.bridge.b = command.b
    elif native.kind == c.RTPFORK_ATTACH:
        native.attach.stream = command.stream
        native.attach.via = command.via
        native.attach.live = command.live
        if command.dtls is not None:
            raise ValueError("a reader that waits for a handshake is not the engine's")
        _put_identity(&native.attach.identity, command)
        _put_target(&native.attach.target, command)
    elif native.kind == c.RTPFORK_UPDATE:
        native.update.reader = command.reader
        _put_target(&native.update.target, command)
        native.update.target.keep_keys = command.keep_keys
    elif native.kind == c.RTPFORK_SET_LIVE:
        native.set_live.reader = command.reader
        native.set_live.live = command.live
    elif native.kind == c.RTPFORK_DETACH:
        native.detach.reader = command.reader
    elif native.kind == c.RTPFORK_CLOSE:
        _put_ports(native, dict.fromkeys(command.ports))
        native.again = command.again
    elif native.kind == c.RTPFORK_COUNTERS:
        _put_ports(native, command.ports)
        for index, reader in enumerate(command.readers):
            native.readers[index].id = reader
    elif native.kind == c.RTPFORK_SEND_DTLS:
        native.send.port = command.port
        native.send.rtcp = command.rtcp
        _put_address(&native.send.to, command.to)
        _put_datagram(native, command.data)
    return 0


cdef int _put_datagram(c.rtpfork_command *native, bytes data) except -1:
    if not 0 < len(data) <= c.RTPFORK_MAX_DATAGRAM_BYTES:
        raise ValueError("a datagram of that length is not sent")
    if not c.rtpfork_command_carry(native, <const c.uint8_t *>PyBytes_AS_STRING(data), len(data)):
        raise MemoryError
    return 0


cdef int _put_tone(c.rtpfork_command *native, object command, dict sounds) except -1:
    cdef c.rtpfork_tone *tone = &native.tone.tone
    if len(command.payload_types) > c.RTPFORK_MAX_TONE_TYPES:
        raise ValueError("too many payload types")
    native.tone.port = command.port
    if command.tone is not None:
        tone.sound = (<_Sound>sounds[command.tone.sound]).native
        tone.interval_ns = <c.uint64_t>command.tone.interval_ms * 1_000_000
        tone.recorded = command.tone.recorded
    for index, (payload_type, encoding) in enumerate(command.payload_types):
        tone.types[index].payload_type = payload_type
        tone.types[index].law = _law(encoding)
    tone.type_count = len(command.payload_types)
    return 0


cdef int _put_announcement(c.rtpfork_command *native, object command, dict sounds) except -1:
    cdef c.rtpfork_announcement *what = &native.announce.what
    if not 0 <= command.payload_type <= 127:
        raise ValueError("payload type is outside 0..127")
    native.announce.port = command.port
    what.sound = (<_Sound>sounds[command.sound]).native
    what.law = _law(command.encoding)
    what.payload_type = command.payload_type
    what.ssrc = command.ssrc
    what.first_sequence = command.first_sequence
    what.first_timestamp = command.first_timestamp
    return 0


cdef c.rtpfork_law _law(str encoding) except *:
    if encoding not in _LAWS:
        raise ValueError(f"no sound in {encoding}")
    return _LAWS[encoding]


cdef int _put_ports(c.rtpfork_command *native, object ports) except -1:
    for index, port in enumerate(ports):
        native.ports[index].id = port
    return 0


cdef int _put_text(char *to, size_t room, str text, str name) except -1:
    cdef bytes octets = text.encode("ascii")
    if b"\0" in octets or <size_t>len(octets) >= room:
        raise ValueError(f"{name} is too long")
    memcpy(to, PyBytes_AS_STRING(octets), len(octets))
    to[len(octets)] = 0
    return 0


cdef int _put_address(c.rtpfork_address *to, object endpoint) except -1:
    if endpoint is None:
        memset(to, 0, sizeof(c.rtpfork_address))
        return 0
    if not 0 < endpoint.port < 65536:
        raise ValueError(f"port is outside 1..65535: {endpoint.port}")
    cdef bytes host = endpoint.host.encode("ascii")
    if b"\0" in host or c.rtpfork_address_parse(to, host, endpoint.port) != 0:
        raise ValueError(f"no numeric address: {endpoint.host!r}")
    return 0


cdef int _put_key(c.rtpfork_sdes *to, object key) except -1:
    to.suite = NULL
    if key is None:
        return 0
    cdef const c.rtpfork_srtp_suite *suite = c.rtpfork_srtp_suite_named(key.suite.encode("ascii"))
    if suite == NULL:
        raise ValueError(f"no such crypto-suite: {key.suite}")
    cdef bytes material = key.material
    if len(material) != suite.key_bytes + suite.salt_bytes:
        raise ValueError(f"key material of {key.suite} is {len(material)} bytes long")
    cdef bytes rtcp = key.rtcp_material
    if rtcp and len(rtcp) != len(material):
        raise ValueError(f"RTCP key material of {key.suite} is {len(rtcp)} bytes long")
    memcpy(to.material, PyBytes_AS_STRING(material), len(material))
    memcpy(to.rtcp_material, PyBytes_AS_STRING(rtcp), len(rtcp))
    to.rtcp_apart = len(rtcp) != 0
    to.joined = key.joined
    to.suite = suite
    return 0


cdef int _put_party(c.rtpfork_party *to, object command) except -1:
    to.raw = command.kind is PayloadKind.RAW
    to.learn = command.source is SourcePolicy.LEARN
    to.rtcp_mux = command.rtcp_mux
    to.clock_rate = command.clock_rate
    _put_address(&to.remote, command.remote)
    _put_address(&to.remote_rtcp, command.remote_rtcp)
    if len(command.event_payload_types) > c.RTPFORK_MAX_EVENT_TYPES:
        raise ValueError("too many event_payload_types")
    for index, payload_type in enumerate(command.event_payload_types):
        to.event_types[index] = _payload_type(payload_type)
    to.event_type_count = len(command.event_payload_types)
    _put_key(&to.receive_key, command.receive_key)
    _put_key(&to.send_key, command.send_key)
    return 0


cdef int _put_identity(c.rtpfork_identity *to, object command) except -1:
    to.ssrc = command.ssrc
    to.clock_rate = command.clock_rate
    to.first_sequence = command.first_sequence
    to.first_timestamp = command.first_timestamp
    _put_text(to.cname, c.RTPFORK_MAX_CNAME_BYTES + 1, command.cname, "cname")
    return 0


cdef int _put_target(c.rtpfork_target *to, object command) except -1:
    to.rtcp_mux = command.rtcp_mux
    to.no_rtcp = command.no_rtcp
    to.events = command.events
    _put_address(&to.remote, command.remote)
    _put_address(&to.remote_rtcp, command.remote_rtcp)
    memset(to.map, c.RTPFORK_UNMAPPED, c.RTPFORK_PAYLOAD_TYPES)
    for source, answered in command.payload_types:
        to.map[_payload_type(source)] = _payload_type(answered)
    _put_key(&to.receive_key, command.receive_key)
    _put_key(&to.send_key, command.send_key)
    return 0


cdef int _payload_type(object value) except -1:
    if not 0 <= value <= 127:
        raise ValueError(f"payload type is outside 0..127: {value}")
    return value


# sockets that are kept for the process that follows


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


cdef object _opened(const c.rtpfork_command *native):
    if native.result != 0:
        return SocketsOpened(sockets=())
    return SocketsOpened(
        sockets=tuple(
            PortSockets(
                port=native.ports[i].id, rtp=native.ports[i].sockets[0], rtcp=native.ports[i].sockets[1]
            )
            for i in range(native.port_count)
        )
    )


# answers


cdef object _answer(const c.rtpfork_command *native):
    tag = native.tag
    if native.result != 0:
        return _refused(native)
    if native.kind == c.RTPFORK_OPEN:
        return PortsOpen(
            tag=tag,
            ports=tuple(
                OpenPort(port=native.ports[i].id, rtp_port=native.ports[i].rtp_port)
                for i in range(native.port_count)
            ),
        )
    if native.kind == c.RTPFORK_ATTACH:
        return ReaderAttached(tag=tag, reader=native.attach.reader)
    if native.kind == c.RTPFORK_DETACH:
        counters = _reader_counters(&native.detach.counters)
        return ReaderDetached(tag=tag, reader=native.detach.reader, counters=counters)
    if native.kind == c.RTPFORK_CLOSE:
        return PortsClosed(tag=tag, counters=_all_port_counters(native))
    if native.kind == c.RTPFORK_COUNTERS:
        return Counters(
            tag=tag,
            ports=_all_port_counters(native),
            readers=tuple(
                [
                    (native.readers[i].id, _reader_counters(&native.readers[i].counters))
                    for i in range(native.reader_count)
                ]
            ),
        )
    return Done(tag=tag)


cdef object _refused(const c.rtpfork_command *native):
    reason = "bad-argument"
    detail = _words(native.result)
    if native.result == c.RTPFORK_EGONE:
        reason = "gone"
    elif native.result == c.RTPFORK_EEXHAUSTED and native.kind == c.RTPFORK_OPEN:
        reason = "ports-exhausted"
    elif native.result in (c.RTPFORK_EEXHAUSTED, c.RTPFORK_ENOMEM):
        reason = "no-room"
    elif native.result == c.RTPFORK_ESYSTEM:
        if native.system_error in _NO_ROOM:
            reason = "no-room"
        detail = os.strerror(native.system_error)
    return Refused(tag=native.tag, reason=reason, detail=detail)


cdef str _words(int error):
    return c.rtpfork_strerror(error).decode("ascii")


cdef tuple _all_port_counters(const c.rtpfork_command *native):
    return tuple(
        [
            (native.ports[i].id, _port_counters(&native.ports[i].counters))
            for i in range(native.port_count)
        ]
    )


cdef object _port_counters(const c.rtpfork_port_counters *counters):
    return PortCounters(
        received=counters.received,
        received_octets=counters.received_octets,
        relayed=counters.relayed,
        appended=counters.appended,
        lost=counters.lost,
        duplicate=counters.duplicate,
        reordered=counters.reordered,
        jitter_us=counters.jitter_us,
        rtcp_received=counters.rtcp_received,
        rtcp_relayed=counters.rtcp_relayed,
        raw_relayed=counters.raw_relayed,
        dropped_foreign=counters.dropped_foreign,
        dropped_malformed=counters.dropped_malformed,
        dropped_auth=counters.dropped_auth,
        dropped_replay=counters.dropped_replay,
        dropped_unbridged=counters.dropped_unbridged,
        dropped_full=counters.dropped_full,
        dropped_send=counters.dropped_send,
        dropped_restart=counters.dropped_restart,
        lost_restart=counters.lost_restart,
        tones=counters.tones,
        dtmf_unreported=counters.dtmf_unreported,
    )


cdef object _reader_counters(const c.rtpfork_reader_counters *counters):
    return ReaderCounters(
        before_attach=counters.before_attach,
        offered=counters.offered,
        delivered=counters.delivered,
        delivered_octets=counters.delivered_octets,
        skipped_paused=counters.skipped_paused,
        skipped_event=counters.skipped_event,
        skipped_comfort_noise=counters.skipped_comfort_noise,
        skipped_format=counters.skipped_format,
        dropped_stale=counters.dropped_stale,
        dropped_overrun=counters.dropped_overrun,
        dropped_full=counters.dropped_full,
        dropped_send=counters.dropped_send,
        dropped_restart=counters.dropped_restart,
        rtcp_sent=counters.rtcp_sent,
        rtcp_received=counters.rtcp_received,
        reported_lost=counters.reported_lost,
        reported_jitter_us=counters.reported_jitter_us,
    )


# events


cdef object _endpoint(const c.rtpfork_address *address):
    cdef char host[64]
    c.rtpfork_address_host(address, host)
    return Endpoint(host.decode("ascii"), c.rtpfork_address_port(address))


cdef object _handed(const c.rtpfork_handed *handed):
    return DtlsReceived(
        port=handed.port,
        rtcp=bool(handed.rtcp),
        source=_endpoint(&handed.source),
        data=PyBytes_FromStringAndSize(<const char *>handed.data, handed.bytes),
    )


cdef object _event(const c.rtpfork_notice *notice):
    if notice.kind == c.RTPFORK_NOTICE_FIRST_PACKET:
        return FirstPacket(
            port=notice.id,
            payload_type=notice.first.payload_type,
            ssrc=notice.first.ssrc,
            source=_endpoint(&notice.first.source),
        )
    if notice.kind == c.RTPFORK_NOTICE_DTMF:
        code = notice.dtmf.code
        digit = _DIGITS[code] if code < len(_DIGITS) else str(code)
        return DtmfReceived(port=notice.id, digit=digit, duration_ms=notice.dtmf.duration_ms)
    if notice.kind == c.RTPFORK_NOTICE_SILENCE:
        return SilenceChanged(port=notice.id, silent=bool(notice.silent))
    if notice.kind == c.RTPFORK_NOTICE_REPORT:
        return ReaderReport(
            reader=notice.id,
            fraction_lost=notice.report.fraction_lost / 256.0,
            cumulative_lost=notice.report.cumulative_lost,
            jitter_us=notice.report.jitter_us,
            round_trip_us=(
                notice.report.round_trip_us if notice.report.round_trip_known else None
            ),
        )
    if notice.kind == c.RTPFORK_NOTICE_ANNOUNCED:
        return Announced(port=notice.id)
    if notice.kind == c.RTPFORK_NOTICE_RTCP_SILENCE:
        return ReaderSilence(reader=notice.id, silent=bool(notice.silent))
    if notice.kind == c.RTPFORK_NOTICE_COLLISION:
        return ReaderCollision(reader=notice.id)
    return ReaderUnreachable(reader=notice.id)
