# Part of engine.pyx: what the engine says becomes an answer or an event of `media.plane`.

import errno

from cpython.bytes cimport PyBytes_FromStringAndSize

from siprec_src.media.handshake import DtlsReceived
from siprec_src.media.keeping import PortSockets, SocketsOpened
from siprec_src.media.model import Endpoint, PortCounters, ReaderCounters
from siprec_src.media.plane import (
    Announced,
    Counters,
    Done,
    DtmfReceived,
    FirstPacket,
    OpenPort,
    PortsClosed,
    PortsOpen,
    ReaderAttached,
    ReaderCollision,
    ReaderDetached,
    ReaderReport,
    ReaderSilence,
    ReaderUnreachable,
    Refused,
    SilenceChanged,
)

_DIGITS = "0123456789*#ABCD"
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)


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
