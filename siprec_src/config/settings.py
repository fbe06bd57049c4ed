"""What can be configured: one frozen dataclass a section, units in names, the doc beside the field.

`[http]`, `[callbacks]`, `[[account]]`, `[tls]`, `[recording]`, `[indication]` and `[[srs]]` are beside the
code that uses them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.settings import AccountSettings, HttpSettings
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.settings import IndicationSettings
from siprec_src.net.tls import TlsSettings
from siprec_src.recording.own_fields import may_be_set
from siprec_src.recording.profile import DEFAULT_PROFILE
from siprec_src.recording.rule import Rule
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig
from siprec_src.telemetry.log import LogFormat, LogLevel
from siprec_src.values import immutable


def keyed(key: str) -> dict[str, str]:
    """Field metadata: the key in the file, where it is no Python name."""
    return {"key": key}


@immutable
class DaemonSettings:
    """The process itself."""

    log_format: LogFormat | None = None  #: ``json`` or ``console``; by default console on a terminal
    log_level: LogLevel = "info"  #: ``debug``, ``info``, ``warning`` or ``error``
    max_calls: int = 4000  #: calls at a time; above it a new one gets 503 with Retry-After
    max_load: float = (
        0.9  #: share of its time that control, or all media threads, may be busy; above it new calls get 503
    )
    hang_limit_s: float = 5.0  #: a control process that hangs for longer is started again; 0: never
    runtime_directory: Path | None = None  #: by default /run/siprec-src, else $XDG_RUNTIME_DIR
    state_directory: Path | None = (
        None  #: for what outlives the process; by default /var/lib/siprec-src, else in $XDG_STATE_HOME
    )

    def __post_init__(self) -> None:
        _require(self.max_calls > 0, "max_calls", "expected more than 0")
        _require(0.1 <= self.max_load <= 1, "max_load", "expected 0.1 to 1")
        sensible = self.hang_limit_s == 0 or 1 <= self.hang_limit_s <= 3600
        _require(sensible, "hang_limit_s", "expected 0, or 1 to 3600")


@immutable
class SipSettings:
    """SIP, and where it is spoken when there is no ``[[edge]]``."""

    listen: str = "0.0.0.0:5060"  #: address and port of the edge ``default``, made when no edge is given
    advertised: str = ""  #: host of that edge in Via, Contact and SDP; by default the bound address
    transports: tuple[str, ...] = ("udp", "tcp")  #: of that edge; tls too, with what ``[tls]`` says
    tls_listen: str = ""  #: address and port of that edge for TLS; by default that of ``listen`` with 5061
    route: str = ""  #: next hop of every call that no trunk claims, a SIP URI
    media_source: Literal["strict", "learn"] = "strict"  #: whose packets those calls take, as in a trunk
    answer_timeout_s: float | None = None  #: a call that rings longer is given up with 408; by default never
    t1_s: float = 0.5  #: round trip estimate, RFC 3261 17.1.1.1
    t2_s: float = 4.0  #: longest retransmission interval
    t4_s: float = 5.0  #: how long a message may live in the network
    max_connections: int = (
        1024  #: TCP connections, and as many of TLS, at a time: so many accepted, so many opened
    )
    connect_timeout_s: float = 4.0  #: then a TCP peer is unreachable
    idle_timeout_s: float = 600.0  #: a connection that is silent for so long is closed
    keepalive_s: float = 30.0  #: between pings to an SRS that wants them (RFC 6223); 0: not offered
    dns_timeout_s: float = 3.0  #: then a name has no address
    dns_servers: tuple[str, ...] = ()  #: address or address:port of each; by default the system's
    hold_down_s: float = 30.0  #: for so long an address that failed is tried last; 0: never

    def __post_init__(self) -> None:
        for name in ("t1_s", "t2_s", "t4_s", "connect_timeout_s", "dns_timeout_s", "max_connections"):
            _require(getattr(self, name) > 0, name, "expected more than 0")
        _require(
            self.answer_timeout_s is None or self.answer_timeout_s > 0, "answer_timeout_s", "expected > 0"
        )
        _require(self.t1_s <= self.t2_s, "t1_s", "expected not more than t2_s")
        _require(30 <= self.idle_timeout_s <= 86400, "idle_timeout_s", "expected 30 to 86400")
        pings = self.keepalive_s == 0 or 10 <= self.keepalive_s <= 600
        _require(pings, "keepalive_s", "expected 0, or 10 to 600")
        _require(0 <= self.hold_down_s <= 3600, "hold_down_s", "expected 0 to 3600")
        _transports(self.transports)


@immutable
class MediaSettings:
    """The media engine, and the ports of the edge that is made when there is no ``[[edge]]``."""

    io: Literal["auto", "sockets", "packet", "bpf"] = (
        "auto"  #: the best that passes by nothing; packet, bpf: cheaper, past a firewall, privileged
    )
    pins: Path = Path(
        "/sys/fs/bpf/siprec-src"
    )  #: directory in a bpffs, where the relay of bpf is kept over the death of a process
    threads: int = 0  #: engine threads; 0: one for each of ``cpus``, else for each core of this process
    cpus: tuple[int, ...] = ()  #: numbers of those that they run on, each on one; by default on any
    priority: Literal["normal", "raised", "realtime"] = (
        "raised"  #: of those threads: nice -11 where allowed; realtime: SCHED_FIFO, before all else
    )
    rtp_low: int = 10000  #: first RTP port of that edge
    rtp_high: int = 20000  #: last one, RTCP included
    media_timeout_s: float = (
        300.0  #: a call without session timer ends when both were silent so long; 0: never
    )

    def __post_init__(self) -> None:
        sensible = self.media_timeout_s == 0 or 60 <= self.media_timeout_s <= 86400
        _require(sensible, "media_timeout_s", "expected 0, or 60 to 86400")
        _require(0 <= self.threads <= 64, "threads", "expected 0 to 64")
        numbers = all(0 <= cpu < 1024 for cpu in self.cpus) and len(set(self.cpus)) == len(self.cpus)
        _require(numbers and len(self.cpus) <= 64, "cpus", "expected at most 64 different numbers of CPUs")
        _ports(self.rtp_low, self.rtp_high)


@immutable
class TelemetrySettings:
    """What is kept to be looked at afterwards."""

    explain_calls: int = (
        500  #: for `siprec-src explain`: so many calls, and as many that had a fault; 0: none
    )

    def __post_init__(self) -> None:
        _require(0 <= self.explain_calls <= 100_000, "explain_calls", "expected 0 to 100000")


@immutable
class EdgeSettings:
    """One place where our SIP and media leave; the first one is used where none is named."""

    name: str  #: by which trunks and SRS URIs (``;edge=…``) name it
    listen: str  #: address and port of its SIP sockets
    advertised: str = ""  #: host, or host and port, in Via and Contact; by default the bound one
    transports: tuple[str, ...] = ("udp", "tcp")  #: SIP transports it speaks: udp, tcp, tls
    tls_listen: str = ""  #: address and port of its TLS socket; by default that of ``listen`` with 5061
    rtp_bind: str = ""  #: address of its media sockets; by default that of ``listen``
    rtp_advertised: str = ""  #: address in SDP; by default the advertised host, when it is numeric
    rtp_low: int = 10000  #: first RTP port
    rtp_high: int = 20000  #: last one, RTCP included
    signalling_networks: tuple[str, ...] = ()  #: for ``siprec-src edges``: what an SRS admits SIP from
    media_networks: tuple[str, ...] = ()  #: and media from; what is advertised must be in them

    def __post_init__(self) -> None:
        _require(bool(self.name), "name", "expected a name")
        _ports(self.rtp_low, self.rtp_high)
        _transports(self.transports)


@immutable
class TrunkSettings:
    """One neighbour whose calls are taken: a PBX, a carrier."""

    name: str  #: by which other trunks name it
    sources: tuple[str, ...] = dataclasses.field(metadata=keyed("from"))  #: networks it sends from
    to: str  #: where its calls go: the name of another trunk, or a SIP URI
    uri: str = ""  #: how it is reached, a SIP URI; without one no call goes to it
    edge: str = ""  #: by which calls to it leave; by default the first edge
    account: str = ""  #: SID or name of the account whose its calls are; by default the first one
    direction: Literal["inbound", "outbound"] = "inbound"  #: of its calls; a PBX's: ``outbound``
    voice_url: str = ""  #: asked what to do with each call that it sends; by default nobody is
    voice_fallback_url: str = ""  #: asked when the first gives no instructions
    voice_method: Literal["GET", "POST"] = "POST"  #: by which both are asked
    voice_format: Literal["twiml", "svaml"] = "twiml"  #: in which both answer
    voice_timeout_s: float = 2.0  #: for the whole answer of each, 0.1 to 10
    voice_default: Literal["route", "refuse"] = (
        "route"  #: what becomes of a call when neither gives instructions: it goes on, or gets 503
    )
    after_instructions: Literal["hang-up", "route"] = (
        "hang-up"  #: what becomes of a call when no verb has sent it on; ``route``: it goes on
    )
    media_source: Literal["strict", "learn"] = "strict"  #: ``learn``: take its media from behind a NAT
    username: str = ""  #: answers its Digest challenges (RFC 8760); empty: they pass to the other side
    password_file: str = ""  #: where its password stands: an absolute path, or a credential of systemd
    password_env: str = ""  #: or the environment variable that holds it
    allow_md5: bool = False  #: also answer challenges that ask for MD5
    tls_certificate: Path | None = None  #: instead of ``certificate`` of ``[tls]``, towards its host
    tls_key: Path | None = None  #: its private key; by default in ``tls_certificate``
    tls_trusted_ca: Path | None = None  #: instead of ``trusted_ca`` of ``[tls]``, for its host
    tls_wildcards: bool | None = None  #: instead of ``wildcards`` of ``[tls]``, for its host

    def __post_init__(self) -> None:
        _require(bool(self.name), "name", "expected a name")
        _require(bool(self.sources), "from", "expected at least one network")


@immutable
class ConnectorSettings:
    """One SRS that is recorded at on request, by the name of the connector; by itself it records nothing."""

    name: str  #: by which requests and rules name it; ``Default`` serves those that name none
    uri: str  #: of its SRS, as in an ``[[srs]]``
    sid: str = ""  #: ``XE`` and 32 hexadecimal digits; by default made from the name
    use_in: tuple[Literal["voice"], ...] = ("voice",)  #: what may ask for it; without voice no call may
    failover: tuple[str, ...] = ()  #: URIs of SRSs that are asked in this order when its own does not record
    profile: str = DEFAULT_PROFILE  #: as in an ``[[srs]]``
    credentials_header: str = (
        ""  #: name of a header field that shows its SRSs a secret, e.g. ``X-Auth-Token``
    )
    credentials_file: str = ""  #: where that stands: an absolute path, or a credential of systemd
    credentials_env: str = ""  #: or the environment variable that holds it
    srs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: any other key of an ``[[srs]]`` but copy, for all its SRSs: a table ``[connector.srs]``

    def __post_init__(self) -> None:
        plain = self.name.isprintable() and self.name.strip() == self.name and len(self.name) <= 64
        _require(bool(self.name) and plain, "name", "expected 1 to 64 characters, none of them a control")
        _require(
            not self.sid or bool(_SID.fullmatch(self.sid)), "sid", "expected XE and 32 hexadecimal digits"
        )
        secret = bool(self.credentials_file or self.credentials_env)
        header = self.credentials_header
        _require(
            not header or may_be_set(header), "credentials_header", "is no name of a field that may be set"
        )
        _require(secret or not header, "credentials_header", "needs credentials_file or credentials_env")
        _require(bool(header) or not secret, "credentials_header", "expected one beside the credentials")


SECTIONS: Final = {
    "daemon": DaemonSettings,
    "http": HttpSettings,
    "callbacks": CallbackSettings,
    "sip": SipSettings,
    "tls": TlsSettings,
    "media": MediaSettings,
    "telemetry": TelemetrySettings,
    "recording": RecordingSettings,
    "indication": IndicationSettings,
}
"""Tables that are there once."""

ARRAYS: Final = {
    "edge": EdgeSettings,
    "trunk": TrunkSettings,
    "srs": SrsConfig,
    "connector": ConnectorSettings,
    "account": AccountSettings,
    "rule": Rule,
}
"""Tables that may be there several times."""


_SID: Final = re.compile("XE[0-9a-fA-F]{32}")


def keys_of(cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a section by their keys; without those that no key sets."""
    fields = dataclasses.fields(cls)
    return {key_of(field): field for field in fields if field.metadata.get("key", "") is not None}


def key_of(field: dataclasses.Field[object]) -> str:
    """The key of a field in the file."""
    return str(field.metadata.get("key", field.name))


def _require(holds: bool, key: str, what: str) -> None:
    if not holds:
        msg = f"{key}: {what}"
        raise ConfigurationError(msg)


def _ports(low: int, high: int) -> None:
    _require(1024 <= low <= 65534, "rtp_low", "expected 1024 to 65534")
    _require(low < high <= 65535, "rtp_high", f"expected more than rtp_low ({low}) and at most 65535")


def _transports(names: tuple[str, ...]) -> None:
    _require(bool(names), "transports", "expected at least one")
    for name in names:
        _require(
            name.lower() in ("udp", "tcp", "tls"),
            "transports",
            f"unknown transport {name!r}; expected udp, tcp, tls",
        )
