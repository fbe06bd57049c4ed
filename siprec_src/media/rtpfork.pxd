# Declarations of native/include/rtpfork, as far as engine.pyx uses them.
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "rtpfork/errors.h":
    int RTPFORK_OK
    int RTPFORK_EARGUMENT
    int RTPFORK_EGONE
    int RTPFORK_EEXHAUSTED
    int RTPFORK_ENOMEM
    int RTPFORK_ESYSTEM
    const char *rtpfork_strerror(int error)


cdef extern from "rtpfork/address.h":
    int RTPFORK_HOST_BYTES

    struct rtpfork_address:
        pass

    int rtpfork_address_parse(rtpfork_address *address, const char *host, uint16_t port)
    int rtpfork_address_host(const rtpfork_address *address, char *host)
    uint16_t rtpfork_address_port(const rtpfork_address *address)


cdef extern from "rtpfork/srtp.h":
    int RTPFORK_SRTP_MATERIAL_BYTES

    struct rtpfork_srtp_suite:
        uint8_t key_bytes
        uint8_t salt_bytes

    const rtpfork_srtp_suite *rtpfork_srtp_suite_named "rtpfork_srtp_suite"(const char *name)


cdef extern from "rtpfork/reader.h":
    int RTPFORK_PAYLOAD_TYPES
    int RTPFORK_UNMAPPED

    struct rtpfork_reader_counters:
        uint64_t before_attach, offered, delivered, delivered_octets
        uint64_t skipped_paused, skipped_event, skipped_comfort_noise, skipped_format
        uint64_t dropped_stale, dropped_overrun, dropped_full, dropped_send, dropped_restart
        uint64_t rtcp_sent, rtcp_received, reported_lost, reported_jitter_us


cdef extern from "rtpfork/sound.h":
    enum rtpfork_law:
        RTPFORK_ULAW
        RTPFORK_ALAW

    struct rtpfork_sound:
        pass


cdef extern from "rtpfork/core.h":
    int RTPFORK_MAX_TONE_TYPES
    int RTPFORK_MAX_EVENT_TYPES
    int RTPFORK_MAX_CNAME_BYTES
    int RTPFORK_MAX_DATAGRAM_BYTES

    struct rtpfork_sdes:
        const rtpfork_srtp_suite *suite
        uint8_t *material
        bint joined, rtcp_apart
        uint8_t *rtcp_material

    struct rtpfork_party:
        bint raw, learn, rtcp_mux
        rtpfork_address remote, remote_rtcp
        uint8_t *event_types
        size_t event_type_count
        uint32_t clock_rate
        rtpfork_sdes receive_key, send_key

    struct tone_type:
        uint8_t payload_type
        rtpfork_law law

    struct rtpfork_tone:
        const rtpfork_sound *sound
        uint64_t interval_ns
        bint recorded
        size_t type_count
        tone_type *types

    struct rtpfork_announcement:
        const rtpfork_sound *sound
        rtpfork_law law
        uint8_t payload_type
        uint16_t first_sequence
        uint32_t first_timestamp, ssrc

    struct rtpfork_target:
        bint rtcp_mux, no_rtcp, events, keep_keys
        rtpfork_address remote, remote_rtcp
        uint8_t *map
        rtpfork_sdes receive_key, send_key

    struct rtpfork_identity:
        uint32_t ssrc, clock_rate, first_timestamp
        uint16_t first_sequence
        char *cname

    struct rtpfork_port_counters:
        uint64_t received, received_octets, relayed, appended
        uint64_t lost, duplicate, reordered, jitter_us
        uint64_t rtcp_received, rtcp_relayed, raw_relayed
        uint64_t dropped_foreign, dropped_malformed, dropped_auth, dropped_replay
        uint64_t dropped_unbridged, dropped_full, dropped_send, dropped_restart, lost_restart
        uint64_t dtmf_unreported, tones

    enum rtpfork_notice_kind:
        RTPFORK_NOTICE_FIRST_PACKET
        RTPFORK_NOTICE_DTMF
        RTPFORK_NOTICE_SILENCE
        RTPFORK_NOTICE_REPORT
        RTPFORK_NOTICE_UNREACHABLE
        RTPFORK_NOTICE_ANNOUNCED
        RTPFORK_NOTICE_RTCP_SILENCE
        RTPFORK_NOTICE_COLLISION

    struct notice_first:
        uint8_t payload_type
        uint32_t ssrc
        rtpfork_address source

    struct notice_dtmf:
        uint8_t code
        uint32_t duration_ms

    struct notice_report:
        uint8_t fraction_lost
        bint round_trip_known
        int32_t cumulative_lost
        uint64_t jitter_us, round_trip_us

    struct rtpfork_handed:
        uint64_t port
        bint rtcp
        rtpfork_address source "from"
        size_t bytes
        uint8_t *data

    struct rtpfork_notice:
        rtpfork_notice_kind kind
        uint64_t id
        notice_first first
        notice_dtmf dtmf
        bint silent
        notice_report report


cdef extern from "rtpfork/host.h" nogil:
    int rtpfork_cgroup_programs(int directory)
    int rtpfork_relay_probe(const char *pins)


cdef extern from "rtpfork/engine.h":
    struct rtpfork_engine:
        pass

    enum rtpfork_io_kind:
        RTPFORK_IO_SOCKETS
        RTPFORK_IO_PACKET
        RTPFORK_IO_BPF

    enum rtpfork_priority:
        RTPFORK_PRIORITY_NORMAL
        RTPFORK_PRIORITY_RAISED
        RTPFORK_PRIORITY_REALTIME

    struct rtpfork_kept:
        uint64_t port
        int *fds

    enum rtpfork_start:
        RTPFORK_START_EMPTY
        RTPFORK_START_RESUMED
        RTPFORK_START_REFUSED

    struct rtpfork_resumed:
        uint64_t id
        bint reader
        uint64_t *ends

    struct rtpfork_engine_options:
        rtpfork_io_kind io
        rtpfork_priority priority
        const uint16_t *cpus
        size_t cpu_count
        const char *pins
        uint32_t threads, max_ports_per_thread, max_readers_per_thread
        uint32_t log_packets, silence_ms, port_rest_ms
        int receive_buffer_bytes
        int memory_fd
        const rtpfork_kept *kept
        size_t kept_count

    void rtpfork_engine_defaults(rtpfork_engine_options *options)

    enum rtpfork_command_kind:
        RTPFORK_OPEN
        RTPFORK_CONNECT
        RTPFORK_BRIDGE
        RTPFORK_ATTACH
        RTPFORK_UPDATE
        RTPFORK_SET_LIVE
        RTPFORK_DETACH
        RTPFORK_CLOSE
        RTPFORK_COUNTERS
        RTPFORK_SEND_DTLS
        RTPFORK_TONE
        RTPFORK_ANNOUNCE

    struct rtpfork_port_item:
        uint64_t id
        uint16_t rtp_port
        int *sockets
        rtpfork_port_counters counters

    struct rtpfork_reader_item:
        uint64_t id
        rtpfork_reader_counters counters

    struct command_open:
        char *host
        uint16_t low, high
        uint64_t near
        bint dtls

    struct command_connect:
        uint64_t port
        rtpfork_party party

    struct command_bridge:
        uint64_t a, b

    struct command_tone:
        uint64_t port
        rtpfork_tone tone

    struct command_announce:
        uint64_t port
        rtpfork_announcement what

    struct command_attach:
        uint64_t stream, via
        bint live
        uint64_t reader
        rtpfork_identity identity
        rtpfork_target target

    struct command_update:
        uint64_t reader
        rtpfork_target target

    struct command_set_live:
        uint64_t reader
        bint live

    struct command_detach:
        uint64_t reader
        rtpfork_reader_counters counters

    struct command_send:
        uint64_t port
        bint rtcp
        rtpfork_address to

    struct rtpfork_command:
        rtpfork_command_kind kind
        uint64_t tag
        int result
        int system_error
        command_open open
        command_connect connect
        command_bridge bridge
        command_tone tone
        command_announce announce
        command_attach attach
        command_update update
        command_set_live set_live
        command_detach detach
        command_send send
        size_t port_count
        rtpfork_port_item *ports
        size_t reader_count
        rtpfork_reader_item *readers
        bint again

    rtpfork_command *rtpfork_command_new(rtpfork_command_kind kind, size_t ports, size_t readers)
    bint rtpfork_command_carry(rtpfork_command *command, const uint8_t *data, size_t bytes)
    void rtpfork_command_free(rtpfork_command *command)

    struct rtpfork_message:
        rtpfork_command *answer
        bint is_handed
        rtpfork_notice notice
        rtpfork_handed handed

    struct rtpfork_thread_stats:
        double load
        uint64_t cpu_ns, packets_received, packets_sent, notices_lost

    int rtpfork_engine_new(const rtpfork_engine_options *options, rtpfork_engine **out) nogil
    void rtpfork_engine_free(rtpfork_engine *engine) nogil
    rtpfork_start rtpfork_engine_start(const rtpfork_engine *engine)
    const rtpfork_resumed *rtpfork_engine_resumed(const rtpfork_engine *engine, size_t *count)
    const rtpfork_sound *rtpfork_engine_sound(rtpfork_engine *engine, const int16_t *samples,
                                              size_t count)
    void rtpfork_engine_submit(rtpfork_engine *engine, rtpfork_command *command) nogil
    void rtpfork_engine_use(rtpfork_engine *engine, rtpfork_io_kind most)
    int rtpfork_engine_fd(const rtpfork_engine *engine)
    void rtpfork_engine_wake(rtpfork_engine *engine)
    void rtpfork_engine_begin(rtpfork_engine *engine)
    bint rtpfork_engine_next(rtpfork_engine *engine, rtpfork_message *message)
    uint32_t rtpfork_engine_threads(const rtpfork_engine *engine)
    rtpfork_priority rtpfork_engine_priority(const rtpfork_engine *engine)
    int rtpfork_engine_stats(rtpfork_engine *engine, uint32_t thread, rtpfork_thread_stats *stats)
