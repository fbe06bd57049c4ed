"""Nouns of the media plane: ids, addresses, keys and the books that are kept of every packet."""

from __future__ import annotations

import dataclasses
import enum
from typing import NewType

from siprec_src.values import immutable

PortId = NewType("PortId", int)
"""One RTP/RTCP socket pair of the engine (slot and generation in one integer, never 0)."""

ReaderId = NewType("ReaderId", int)
"""One reader of a recorded stream (slot and generation in one integer, never 0)."""


@immutable(kw_only=False)
class Endpoint:
    """A numeric IP address and a UDP port."""

    host: str
    port: int


@immutable(kw_only=False, repr=False)
class SrtpKey:
    """One direction's master key and salt (RFC 4568 6.1, RFC 5764 4.2). Its repr never shows the key."""

    suite: str  #: crypto-suite of RFC 4568 6.2, 6188 4, 7714 14, e.g. ``AES_CM_128_HMAC_SHA1_80``
    material: bytes  #: master key followed by master salt
    rtcp_material: bytes = b""  #: the same for RTCP where it had a handshake of its own (RFC 5764 3)
    joined: bool = dataclasses.field(default=False, compare=False)  #: its sender began before this process

    def __repr__(self) -> str:
        return f"SrtpKey({self.suite})"


@immutable
class DtlsPeer:
    """Who the other end of a DTLS-SRTP association must be, as its SDP says (RFC 5763 5, RFC 8122 5)."""

    association: str  #: while this is the same on a port, so are the keys (RFC 8842 3.1)
    active: bool  #: it sends the ClientHello
    fingerprints: tuple[str, ...]  #: of its certificate, ``sha-256 AB:CD:…``; any of them will do
    suites: tuple[str, ...]  #: what may be agreed on, preferred first


class SourcePolicy(enum.Enum):
    """Whose packets a port accepts."""

    STRICT = "strict"  #: only the signalled address and port
    LEARN = "learn"  #: the first valid RTP source of the signalled session, then only that (NAT)


class MediaIo(enum.Enum):
    """How the engine moves packets; all ways behave alike."""

    AUTO = "auto"  #: the best that the host permits
    SOCKETS = "sockets"  #: UDP sockets, everywhere there
    PACKET = "packet"  #: sent by packet(7), past the host's firewall; the rest goes by sockets
    BPF = "bpf"  #: plain flows are relayed by a program in the kernel; the rest goes as with packet


class ThreadPriority(enum.Enum):
    """How urgently the engine's threads run; what is not permitted becomes the next one before it."""

    NORMAL = "normal"  #: as everything else
    RAISED = "raised"  #: a nice value of -11
    REALTIME = "realtime"  #: SCHED_FIFO: before everything else


class PayloadKind(enum.Enum):
    """What the engine does with a port's datagrams."""

    RTP = "rtp"  #: RTP and RTCP, accounted and recordable
    RAW = "raw"  #: any datagram, relayed as it is (T.38 UDPTL, DTLS, unknown profiles)


@immutable
class Sound:
    """What a party is let hear: a file, or a tone."""

    file: str = ""  #: WAV, 8000 Hz, one channel, 16 bits; the rest says nothing then
    frequency_hz: int = 1400
    length_ms: int = 200
    level_dbfs: float = -20.0  #: below a full-scale sine


@immutable(kw_only=False)
class Tone:
    """A sound that comes again and again."""

    sound: Sound
    interval_ms: int  #: from beginning to beginning
    recorded: bool  #: by the readers of the stream that it is mixed into


@immutable
class PortCounters:
    """The books of one port since it was opened; packets unless the name says otherwise."""

    received: int = 0  #: valid RTP accepted from the party
    received_octets: int = 0
    relayed: int = 0  #: RTP sent on to the bridged port's party
    appended: int = 0  #: RTP put into the stream's log for readers
    lost: int = 0  #: never received, by sequence number (RFC 3550 A.3)
    duplicate: int = 0
    reordered: int = 0
    jitter_us: int = 0  #: interarrival jitter (RFC 3550 A.8), microseconds
    rtcp_received: int = 0
    rtcp_relayed: int = 0
    raw_relayed: int = 0  #: datagrams of a RAW port, and non-RTP ones passed on
    dropped_foreign: int = 0  #: from an address that was not signalled
    dropped_malformed: int = 0  #: neither RTP, RTCP nor anything passed on
    dropped_auth: int = 0  #: SRTP authentication failed
    dropped_replay: int = 0  #: SRTP replay
    dropped_unbridged: int = 0  #: nobody to relay to (no bridge, or the other party's address is unknown)
    dropped_full: int = 0  #: the kernel had no room to relay it (EAGAIN, ENOBUFS)
    dropped_send: int = 0  #: the relay's send failed otherwise (unreachable; SRTP refused the packet)
    dropped_restart: int = 0  #: taken, but the media process ended before they were sent for all we know
    lost_restart: int = 0  #: of ``lost``, those between the last packet of such a process and the next
    tones: int = 0  #: begun in what the party was sent
    dtmf_unreported: int = 0  #: RFC 4733 events beyond 50 a second, for which no `DtmfReceived` was sent


@immutable
class ReaderCounters:
    """The books of one reader. ``offered`` is the sum of ``delivered`` and every other ``…`` below.

    ``before_attach`` and ``offered`` together are what the stream's port has received while it lasts.
    """

    before_attach: int = 0  #: valid RTP that the stream's port had received before; in no other number here
    offered: int = 0  #: packets of the stream while the reader was attached
    delivered: int = 0  #: sent to the SRS
    delivered_octets: int = 0  #: RTP payload octets
    skipped_paused: int = 0  #: the recording was paused or not yet live
    skipped_event: int = 0  #: RFC 4733 events that the SRS does not get
    skipped_comfort_noise: int = 0  #: RFC 3389 comfort noise (payload type 13) that the SRS did not accept
    skipped_format: int = 0  #: payload type that the SRS did not accept
    dropped_stale: int = 0  #: duplicate, or older than the point where the copying (re)started
    dropped_overrun: int = 0  #: the reader fell behind the bounded log
    dropped_full: int = 0  #: the kernel had no room to send it (EAGAIN, ENOBUFS)
    dropped_send: int = 0  #: it could not be protected, or sent for another reason (unreachable)
    dropped_restart: int = 0  #: the media process ended before they were sent for all we know
    rtcp_sent: int = 0
    rtcp_received: int = 0
    reported_lost: int = 0  #: cumulative loss that the SRS's receiver reports name
    reported_jitter_us: int = 0
