"""MediaPlane: the commands that control sends to the media process, and what comes back.

Every command carries a ``tag`` chosen by control; exactly one answer with that tag comes back, in any
order. Events come unasked. Ids are integers of the engine; a stale one is answered with `Refused`, it
never touches anything else. The same dataclasses travel over the Unix socket (`media.wire`) and into
the fake plane of tests.
"""

from __future__ import annotations

from typing import Protocol

from siprec_src.media.model import (
    DtlsPeer,
    Endpoint,
    MediaIo,
    PayloadKind,
    PortCounters,
    PortId,
    ReaderCounters,
    ReaderId,
    Sound,
    SourcePolicy,
    SrtpKey,
    Tone,
)
from siprec_src.values import immutable

# commands


@immutable
class OpenPorts:
    """Bind ``count`` RTP/RTCP pairs (even RTP port, RTCP on the next, RFC 3550 11) on ``host``.

    Answered with `PortsOpen`, or `Refused` with reason ``ports-exhausted``; then none was bound. All
    pairs of one command are served by one engine thread, so that they can be bridged; ``near`` names
    a port whose thread must be used.
    """

    tag: int
    host: str  #: numeric address to bind
    low: int  #: RTP port range, inclusive
    high: int
    count: int
    near: PortId | None = None
    dtls: bool = False  #: towards SRSs that speak DTLS-SRTP; `PortsOpen` has our certificate's fingerprint


@immutable
class ConnectPort:
    """Say who is at the other end of a port. Replaces what was said before. Answered with `Done`.

    ``remote`` None: nothing is sent to that party (hold with 0.0.0.0, answer not known yet).
    ``send_key`` protects what is sent to the party, ``receive_key`` opens what comes from it; giving
    the same key again keeps its roll-over counter (RFC 4568 7.1.4).
    """

    tag: int
    port: PortId
    kind: PayloadKind = PayloadKind.RTP
    remote: Endpoint | None = None
    remote_rtcp: Endpoint | None = None  #: None: RTP port + 1; ignored with ``rtcp_mux``
    rtcp_mux: bool = False
    source: SourcePolicy = SourcePolicy.STRICT
    event_payload_types: tuple[int, ...] = ()  #: telephone-event (RFC 4733) as this party sends it
    clock_rate: int = 8000  #: of the party's audio, Hz; for jitter and RTCP
    receive_key: SrtpKey | None = None
    send_key: SrtpKey | None = None


@immutable
class BridgePorts:
    """Relay everything received at ``a`` out of ``b`` and the reverse. Answered with `Done`."""

    tag: int
    a: PortId
    b: PortId


@immutable
class PlayTone:
    """Let the party of a port hear a sound over its peer, at once and then in intervals.

    It is mixed into the packets that are relayed to the party, where these are G.711. The stream of the
    peer is recorded without it unless it is ``recorded``. The same sound again keeps its intervals.
    Answered with `Done`, or `Refused` with ``bad-argument`` when there is no such sound.
    """

    tag: int
    port: PortId
    tone: Tone | None  #: None: no more
    payload_types: tuple[tuple[int, str], ...] = ()  #: with ``PCMU`` or ``PCMA``, at most four


@immutable
class Announce:
    """Speak to the party of a port once, as a stream of its own, G.711 in packets of 20 ms.

    Answered with `Done`, or `Refused` with ``bad-argument`` when there is no such sound; `Announced`
    follows at the end, unless the port is closed before.
    """

    tag: int
    port: PortId
    sound: Sound
    payload_type: int
    encoding: str  #: ``PCMU`` or ``PCMA``
    ssrc: int
    first_sequence: int
    first_timestamp: int


@immutable
class AttachReader:
    """Copy the track received at ``stream`` to an SRS, from the SRC's own port ``via``.

    The reader starts paused unless ``live``. Packets leave with ``ssrc``; sequence numbers start at
    ``first_sequence`` and keep the gaps of the source; timestamps start at ``first_timestamp`` and
    advance as the source's, by the wall clock over a pause or a change of source (RFC 7866 8.2.3,
    RFC 3550 5.1). Answered with `ReaderAttached`; with ``dtls`` when the handshake has ended, or `Refused`
    with reason ``dtls-failed`` or ``dtls-lost``. Nothing is sent before that, and what comes meanwhile is
    ``before_attach``.
    """

    tag: int
    stream: PortId
    via: PortId
    remote: Endpoint
    remote_rtcp: Endpoint | None = None  #: None: RTP port + 1; ignored with ``rtcp_mux``
    rtcp_mux: bool = False
    no_rtcp: bool = False  #: the SRS takes none (RFC 3556 2)
    ssrc: int
    cname: str
    first_sequence: int
    first_timestamp: int
    clock_rate: int = 8000
    payload_types: tuple[tuple[int, int], ...]  #: (as the party sends, as the SRS answered)
    events: bool = False  #: also copy RFC 4733 events whose payload type is mapped
    send_key: SrtpKey | None = None
    receive_key: SrtpKey | None = None  #: opens the SRS's SRTCP
    dtls: DtlsPeer | None = None  #: both keys come from a handshake with it, on a port opened for that
    live: bool = False


@immutable
class UpdateReader:
    """Change where and how a reader sends; SSRC, sequence and time go on. Answered with `Done`."""

    tag: int
    reader: ReaderId
    remote: Endpoint
    remote_rtcp: Endpoint | None = None
    rtcp_mux: bool = False
    no_rtcp: bool = False  #: the SRS takes none (RFC 3556 2)
    payload_types: tuple[tuple[int, int], ...]
    events: bool = False
    send_key: SrtpKey | None = None
    receive_key: SrtpKey | None = None
    keep_keys: bool = False  #: both keys stay as they are


@immutable
class SetReaderLive:
    """Start or stop the copying. When `Done` comes back no packet of the old state can leave."""

    tag: int
    reader: ReaderId
    live: bool


@immutable
class DetachReader:
    """End a reader with an RTCP BYE (RFC 3550 6.6). Answered with `ReaderDetached`, also when it is ended."""

    tag: int
    reader: ReaderId


@immutable
class ClosePorts:
    """Close ports; bridges and readers on them end too. Answered with `PortsClosed`, also for closed ones."""

    tag: int
    ports: tuple[PortId, ...]
    again: bool = False  #: their numbers do not rest, for they are opened again at once


@immutable
class ResumePorts:
    """Go on with ports and readers of before the connection was lost, if all of them are still there.

    Answered with `Done`, or `Refused` with reason ``gone``: something is missing, and what was there is
    closed so that the same port numbers can be opened again.
    """

    tag: int
    ports: tuple[PortId, ...]
    readers: tuple[ReaderId, ...]


@immutable
class ReadCounters:
    """Ask for the books of these ports and readers, now. Answered with `Counters`."""

    tag: int
    ports: tuple[PortId, ...] = ()
    readers: tuple[ReaderId, ...] = ()


Command = (
    OpenPorts
    | ConnectPort
    | BridgePorts
    | PlayTone
    | Announce
    | AttachReader
    | UpdateReader
    | SetReaderLive
    | DetachReader
    | ClosePorts
    | ResumePorts
    | ReadCounters
)

# answers


@immutable
class OpenPort:
    port: PortId
    rtp_port: int  #: RTCP is on the next one


@immutable
class PortsOpen:
    tag: int
    ports: tuple[OpenPort, ...]
    fingerprint: str = ""  #: ``sha-256 AB:CD:…`` of the certificate for their handshakes (RFC 8122 5)


@immutable
class ReaderAttached:
    tag: int
    reader: ReaderId


@immutable
class ReaderDetached:
    tag: int
    reader: ReaderId
    counters: ReaderCounters


@immutable
class PortsClosed:
    tag: int
    counters: tuple[tuple[PortId, PortCounters], ...]


@immutable
class Counters:
    tag: int
    ports: tuple[tuple[PortId, PortCounters], ...]
    readers: tuple[tuple[ReaderId, ReaderCounters], ...]


@immutable
class Done:
    tag: int


@immutable
class Refused:
    """The command changed nothing. Reasons: ``ports-exhausted``, ``gone``, ``no-room``,
    ``bad-argument``, ``dtls-failed`` (the handshake did not succeed, ``detail`` says why), ``dtls-lost`` (it
    was to be with a media process that has died), ``media-down`` (the media process is not there).
    """

    tag: int
    reason: str
    detail: str = ""


Answer = PortsOpen | ReaderAttached | ReaderDetached | PortsClosed | Counters | Done | Refused

# events


@immutable
class FirstPacket:
    """The first valid RTP packet of a port arrived."""

    port: PortId
    payload_type: int
    ssrc: int
    source: Endpoint


@immutable
class DtmfReceived:
    """One RFC 4733 event ended (reported once, however often its end packet came)."""

    port: PortId
    digit: str  #: one of ``0-9*#A-D``, or ``16`` (flash) and above as decimal text
    duration_ms: int


@immutable
class SilenceChanged:
    """A port that had media got no RTP for the engine's silence time, or gets it again."""

    port: PortId
    silent: bool


@immutable
class Announced:
    """An announcement has come to its end."""

    port: PortId


@immutable
class ReaderReport:
    """An RTCP receiver report of the SRS on one reader (RFC 3550 6.4.2)."""

    reader: ReaderId
    fraction_lost: float  #: 0..1 since the report before
    cumulative_lost: int
    jitter_us: int
    round_trip_us: int | None


@immutable
class ReaderUnreachable:
    """The SRS's media port answered ICMP unreachable (ECONNREFUSED on the reader's socket)."""

    reader: ReaderId


@immutable
class ReaderSilence:
    """The SRS, which had sent RTCP, sends none for five intervals, or does again."""

    reader: ReaderId
    silent: bool


@immutable
class ReaderCollision:
    """The SRS sends RTCP under the reader's own SSRC (RFC 3550 8.2); told once for where it sends to."""

    reader: ReaderId


@immutable
class EventsLost:
    """So many events found no room on their way from the engine; told seldom, each counted once."""

    count: int


@immutable
class MediaDown:
    """The media process is gone; every id is void. `MediaUp` follows when a new one serves."""


@immutable
class MediaUp:
    """A media process serves."""

    resumed: bool = False  #: ports of before may still be open on it: `ResumePorts` tells


Event = (
    FirstPacket
    | DtmfReceived
    | SilenceChanged
    | Announced
    | ReaderReport
    | ReaderUnreachable
    | ReaderSilence
    | ReaderCollision
    | EventsLost
    | MediaDown
    | MediaUp
)


@immutable
class MediaState:
    """How the media process does, told when it serves and whenever that changes. Of no call's concern."""

    io: MediaIo
    loads: tuple[float, ...]  #: of each engine thread, the share of its time that it is busy, in hundredths


ReaderEvent = ReaderReport | ReaderUnreachable | ReaderSilence | ReaderCollision
"""What the network says of one reader."""


class MediaPlane(Protocol):
    """Door to the engine, wherever it runs."""

    def submit(self, command: Command) -> None:
        """Queue one command; never blocks. Its answer arrives as an event of the driver's loop."""
