# Part of engine.pyx: a command of `media.plane` becomes one of the engine.

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcpy, memset

from siprec_src.media.handshake import SendDtls
from siprec_src.media.model import PayloadKind, SourcePolicy
from siprec_src.media.plane import (
    Announce,
    AttachReader,
    BridgePorts,
    ClosePorts,
    ConnectPort,
    DetachReader,
    OpenPorts,
    PlayTone,
    ReadCounters,
    SetReaderLive,
    UpdateReader,
)

_LAWS = {"PCMU": c.RTPFORK_ULAW, "PCMA": c.RTPFORK_ALAW}


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
