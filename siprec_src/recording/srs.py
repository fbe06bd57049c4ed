"""What is configured of one Session Recording Server, and its URI as configuration writes it.

The URI may carry two parameters of ours, ``secure`` and ``edge``, after ``;`` or ``&``; they choose SRTP
and the place that our SIP and media leave by, and are taken out before the URI is used (RFC 7866 12.2).
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from siprec_src.errors import ConfigurationError, RemoteProtocolError
from siprec_src.recording.extensions import ExtensionConfig, check_texts
from siprec_src.recording.own_fields import check_headers, parameter_fields
from siprec_src.recording.protection import RISKS, MediaSecurity, resolved, suites_for
from siprec_src.sdp.crypto import SUITES
from siprec_src.sdp.dtls import SUITES as DTLS_SUITES
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.flow import Edge, Transport
from siprec_src.sip.session_timer import MIN_INTERVAL_S
from siprec_src.sip.target import numeric
from siprec_src.sip.uri import Uri, parse_uri
from siprec_src.values import immutable


class Track(enum.Enum):
    """Which of a call's two tracks is recorded, as the Siprec resource names them."""

    INBOUND = "inbound"  #: what the caller says
    OUTBOUND = "outbound"  #: what the callee says
    BOTH = "both"


class MetadataType(enum.Enum):
    """The media type under which metadata travels (RFC 9806 2)."""

    CURRENT = "application/rs-metadata+xml"
    OLD = "application/rs-metadata"  #: of RFC 7866 before RFC 9806, for SRSs that know no other


class Updates(enum.Enum):
    """The request that carries metadata while the media stays as it is (RFC 7866 9.1)."""

    AUTO = "auto"  #: UPDATE when the SRS's Allow lists it, else re-INVITE
    INVITE = "invite"  #: always re-INVITE


class OnEnd(enum.Enum):
    """How the final metadata travels when the call has ended (RFC 8068 3.2.4, RFC 7866 9.1)."""

    UPDATE = "update"  #: in an UPDATE (else re-INVITE), then BYE
    BYE_BODY = "bye-body"  #: in the BYE
    NONE = "none"  #: BYE alone


class OnSrsBye(enum.Enum):
    """What is done for a call that goes on when its SRS has sent BYE."""

    STOP = "stop"  #: the rest of the call is not recorded
    RESTART = "restart"  #: a new recording session is tried, after a pause


class Order(enum.Enum):
    """Whose track comes first, in the SDP, in the metadata and in `SrsConfig.labels`."""

    CALLER_FIRST = "caller-first"
    AGENT_FIRST = "agent-first"  #: the callee's, or the caller's if the call came by a trunk of ``agents``


class OnHold(enum.Enum):
    """What becomes of the recording while a party holds the other (RFC 7866 7.1.1.1)."""

    RECORD = "record"  #: it goes on, with whatever is sent; the metadata says who holds
    PAUSE = "pause"  #: no track is sent, and the SDP says so


class Hidden(enum.Enum):
    """A part of the metadata that an SRS may be kept from knowing (RFC 7866 9.1, RFC 7865 10)."""

    NAMES = "names"  #: display names
    ADDRESSES = "addresses"  #: of the participants, who become anonymous
    SIP_SESSION_IDS = "sip-session-ids"
    REASONS = "reasons"  #: why the call ended


class LateTrack(enum.Enum):
    """What is done while a call has not yet all the tracks that the SRS gets."""

    ADD = "add"  #: the session begins with those that are there; a later one is offered in a re-INVITE
    WAIT = "wait"  #: it begins when both are there


_READ: Final = {"key": None}  # no key of the file: what the files and variables it names hold


@immutable
class SrsConfig:
    """One SRS. Checked when made; the URI when it is read against the edges by `parse_target`."""

    uri: str  #: e.g. ``sip:srs.example;secure=true&edge=ashburn;transport=tcp``
    profile: str = "rfc7866"  #: where the keys that are not set here have their values from
    copy: str = ""  #: SRSs of one name stand in for each other; each name has a copy of every call
    track: Track = Track.BOTH  #: which tracks it gets
    late_track: LateTrack = LateTrack.ADD  #: what is done while only one of two tracks is there
    answer_timeout_s: float = 8.0  #: without a final answer by then the next SRS is tried, seconds
    session_expires_s: int = 1800  #: session interval asked for (RFC 4028), at least 90; 0: none is asked for
    metadata_type: MetadataType = MetadataType.CURRENT  #: media type of the metadata
    metadata_required: bool = True  #: ``handling=required``; False: an SRS may ignore the metadata
    updates: Updates = Updates.AUTO  #: which request carries metadata during the call
    sdp_only_if_refused: bool = False  #: record without metadata where it takes none (415)
    partial_updates: bool = False  #: after the first document only what has changed (RFC 7865 5)
    on_end: OnEnd = OnEnd.UPDATE  #: how the final metadata travels
    on_hold: OnHold = OnHold.RECORD  #: what happens while a recorded track is not both sent and received
    on_srs_bye: OnSrsBye = OnSrsBye.STOP  #: what follows a BYE of the SRS
    order: Order = Order.CALLER_FIRST  #: whose track comes first
    agents: tuple[str, ...] = ()  #: trunks from which agents call; in other calls the callee is the agent
    labels: tuple[str, str] = ("1", "2")  #: ``a=label`` of the first party's track and of the other's
    hide: tuple[Hidden, ...] = ()  #: what of the call the metadata does not tell
    extensions: tuple[str | ExtensionConfig, ...] = ()
    #: extension data: {at, namespace, prefix, element, text or fields}, or the name of a known set
    codecs: tuple[str, ...] = ()  #: encodings that may be offered, e.g. ``PCMU``; empty: the call's
    fallback_codecs: tuple[str, ...] = ()  #: in place of ``codecs`` after a 488 or 606; empty: no second try
    events: bool = False  #: offer telephone-event and send DTMF to the SRS (RFC 4733)
    media_security: MediaSecurity = (
        MediaSecurity.AUTO
    )  #: how the media is protected, or the call not recorded
    srtp_suites: tuple[str, ...] = (  #: offered for SRTP, preferred first (RFC 4568 6.2, RFC 5764 4.1.2)
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
        "AES_256_CM_HMAC_SHA1_80",
        "AEAD_AES_256_GCM",
    )
    clear_copy_of_encrypted: bool = False  #: record calls that are better protected than it, all the same
    rtcp_mux: bool = False  #: offer RTCP on the port of RTP (RFC 5761)
    feedback: bool = False  #: offer RTP/AVPF and RTP/SAVPF (RFC 7866 8.1.2)
    redirect_hosts: tuple[
        str, ...
    ] = ()  #: hosts, with all below, that may be redirected to like that of ``uri``
    source_attributes: bool = False  #: say SSRC and CNAME of each track in the SDP (RFC 5576)
    final_statuses: tuple[int, ...] = ()  #: answers that mean "do not record": no other SRS is tried
    username: str = ""  #: answers the SRS's Digest challenges (RFC 8760); empty: nobody does
    password_file: str = ""  #: where its password stands: an absolute path, or a credential of systemd
    password_env: str = ""  #: or the environment variable that holds it
    allow_md5: bool = False  #: also answer challenges that ask for MD5
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: what ``{value:NAME}`` stands for in headers and extensions, e.g. {project = "my-project"}
    headers: Mapping[str, str | Mapping[str, str]] = dataclasses.field(default_factory=dict)
    #: fields we send: {"X-Id" = "{call_id}"}, or a secret, {"X-Token" = {file = "/etc/token"}}, or env
    parameters_as_headers: bool = False  #: send custom parameters of a copy as fields ``X-NAME`` too
    tls_certificate: Path | None = None  #: instead of ``certificate`` of ``[tls]``, towards its host
    tls_key: Path | None = None  #: its private key; by default in ``tls_certificate``
    tls_trusted_ca: Path | None = None  #: instead of ``trusted_ca`` of ``[tls]``, for its host
    tls_wildcards: bool | None = None  #: instead of ``wildcards`` of ``[tls]``, for its host
    credentials: Credentials | None = dataclasses.field(default=None, metadata=_READ)
    #: of ``username``, with the password that was read
    secret_headers: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False, metadata=_READ)
    #: of ``headers``, with the values that were read
    parameters: tuple[tuple[str, str], ...] = dataclasses.field(default=(), metadata=_READ)
    #: names and values that whoever asked for a copy has given it, in their order

    def __post_init__(self) -> None:
        _require(not self.copy or bool(_TOKEN.fullmatch(self.copy)), "copy", "expected a token")
        _require(0 < self.answer_timeout_s <= 64, "answer_timeout_s", "expected 0 < x <= 64")
        _require(
            self.session_expires_s == 0 or MIN_INTERVAL_S <= self.session_expires_s <= 86400,
            "session_expires_s",
            "expected 0, or 90 to 86400",
        )
        _require(
            all(_TOKEN.fullmatch(label) for label in self.labels) and self.labels[0] != self.labels[1],
            "labels",
            "expected two different tokens of at most 64 characters",
        )
        unknown = [suite for suite in self.srtp_suites if suite not in SUITES]
        _require(not unknown, "srtp_suites", f"unknown {', '.join(unknown)}")
        _require(bool(self.srtp_suites), "srtp_suites", "expected at least one")
        _require(
            len(set(self.srtp_suites)) == len(self.srtp_suites), "srtp_suites", "expected no suite twice"
        )
        _require(
            self.media_security is not MediaSecurity.DTLS
            or not DTLS_SUITES.keys().isdisjoint(self.srtp_suites),
            "srtp_suites",
            f"DTLS can agree on {', '.join(DTLS_SUITES)}",
        )
        _require(
            all(400 <= status <= 699 for status in self.final_statuses),
            "final_statuses",
            "expected 400 to 699",
        )
        check_headers(self.headers)
        check_texts(self.text_headers, self.extensions, self.values)
        parameter_fields(self.parameters_sent, (*self.headers, *(name for name, _ in self.secret_headers)))

    @property
    def text_headers(self) -> tuple[tuple[str, str], ...]:
        """The fields of ``headers`` whose values are templates."""
        return tuple((name, text) for name, text in self.headers.items() if isinstance(text, str) and text)

    @property
    def parameters_sent(self) -> tuple[tuple[str, str], ...]:
        """The custom parameters that are header fields too."""
        return self.parameters if self.parameters_as_headers else ()


@immutable
class SrsTarget:
    """Where the INVITE of a recording session goes, and how."""

    uri: Uri  #: the Request-URI; without our parameters
    edge: str  #: name of the edge it leaves by
    security: MediaSecurity  #: of its media, or nothing is recorded (RFC 7866 12.2); never ``AUTO``
    transport: Transport | None  #: that the URI asks for; None: as RFC 3263 chooses
    warning: str = ""  #: what the operator should be told of this target, once
    config: SrsConfig  #: in effect
    written: SrsConfig  #: as the operator has it; other than `config` when the SRS wanted it otherwise
    metadata: bool = True  #: False: it takes none
    redirected_from: SrsTarget | None = None  #: the one of the configuration whose SRS has sent us here
    is_twin: bool = False  #: another SRS of the configuration has the same user and host

    @property
    def secure(self) -> bool:
        """Whether its media is SRTP."""
        return self.security is not MediaSecurity.NONE

    def suites_for(self, bits: int) -> tuple[str, ...]:
        """What may protect a track whose key in the call has ``bits``, preferred first."""
        weaker = self.config.clear_copy_of_encrypted
        return suites_for(self.config.srtp_suites, self.security, bits, weaker=weaker)

    @property
    def place(self) -> str:
        """Its user and host: the URI without parameters and without any password."""
        return str(dataclasses.replace(self.uri, password=None, parameters=()))

    @property
    def name(self) -> str:
        """In logs and metrics: the place, with the parameters where these alone tell it from another."""
        if not self.is_twin:
            return self.place
        _, parameters = _split(self.config.uri)
        return ";".join([self.place, *(f"{k}={v}" if v else k for k, v in parameters.items())])

    @property
    def on_end(self) -> OnEnd:
        """How its final metadata travels, if it takes any."""
        return self.config.on_end if self.metadata else OnEnd.NONE


def parse_target(config: SrsConfig, edges: Mapping[str, Edge]) -> SrsTarget:
    """Read the URI of an SRS; the first of ``edges`` is the default one.

    Raises:
        ConfigurationError: naming the parameter that is unknown, repeated or has an unusable value.
    """
    head, parameters = _split(config.uri)
    said = _flag(config.uri, parameters.pop("secure")) if "secure" in parameters else None
    try:
        security = resolved(config.media_security, said)
    except ConfigurationError as error:
        raise _bad(config.uri, str(error)) from error
    edge = edges.get(parameters.pop("edge", next(iter(edges))) or "")
    if edge is None:
        raise _bad(config.uri, f"unknown edge; expected one of {', '.join(edges)}")
    for name in parameters:
        if name not in _STANDARD:
            raise _bad(config.uri, f"unknown parameter {name!r}")
    uri = _uri(config.uri, head, parameters)
    transport, warning = _transport(config.uri, uri, edge, _named_transport(parameters), security)
    return SrsTarget(
        uri=on_the_wire(uri, transport),
        edge=edge.name,
        security=security,
        transport=transport,
        warning=warning,
        config=config,
        written=config,
    )


def told_apart(targets: Iterable[SrsTarget]) -> tuple[SrsTarget, ...]:
    """All SRSs of the configuration, by names that differ."""
    targets = tuple(targets)
    places = Counter(place for place, _ in {(target.place, target.config.uri) for target in targets})
    return tuple(dataclasses.replace(target, is_twin=places[target.place] > 1) for target in targets)


def on_the_wire(uri: Uri, transport: Transport | None) -> Uri:
    """The Request-URI; it says TLS by its scheme or else by its parameter (RFC 5630 3.1.3)."""
    if uri.scheme == "sips":
        return uri.without_parameters("transport")
    if transport is Transport.TLS and uri.transport is None:
        return dataclasses.replace(uri, parameters=(*uri.parameters, ("transport", "tls")))
    return uri


_STANDARD: Final = ("transport", "user", "ttl", "maddr", "lr")  # of a Request-URI, RFC 3261 19.1.1
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")  # RFC 4574 4
_TRANSPORTS: Final = {"udp": Transport.UDP, "tcp": Transport.TCP, "tls": Transport.TLS}


def _split(text: str) -> tuple[str, dict[str, str | None]]:
    """The URI up to its host and port, and its parameters; ``&`` parts them as ``;`` does."""
    if "?" in text:
        raise _bad(text, "header fields behind '?' are not taken")
    user, at, rest = text.rpartition("@")
    host, *items = re.split("[;&]", rest)
    parameters: dict[str, str | None] = {}
    for item in items:
        name, equals, value = item.partition("=")
        name = name.strip().lower()
        if not name:
            raise _bad(text, "empty parameter")
        if name in parameters:
            raise _bad(text, f"parameter {name!r} is given twice")
        parameters[name] = value.strip() if equals else None
    return user + at + host.strip(), parameters


def _flag(text: str, value: str | None) -> bool:
    if value not in ("true", "false"):
        raise _bad(text, f"secure={value or ''}: expected true or false")
    return value == "true"


def _uri(text: str, head: str, parameters: Mapping[str, str | None]) -> Uri:
    wire = "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items())
    try:
        uri = parse_uri(head + wire)
    except RemoteProtocolError as error:
        raise _bad(text, str(error)) from error
    if uri.scheme not in ("sip", "sips"):
        raise _bad(text, "expected a sip: URI")
    return uri


def _named_transport(parameters: Mapping[str, str | None]) -> str | None:
    """The transport parameter; "" when it stands there without a value, None when it does not."""
    return (parameters["transport"] or "") if "transport" in parameters else None


def _transport(
    text: str, uri: Uri, edge: Edge, named: str | None, security: MediaSecurity
) -> tuple[Transport | None, str]:
    """The transport that the URI asks for. Keys need a confidential way to the SRS (RFC 4568 8.3), and
    fingerprints one on which nobody can change them (RFC 8122 7), so that SRTP alone means TLS.
    """
    secure = security is not MediaSecurity.NONE
    risk = RISKS.get(security, "")
    if named is not None and named.lower() not in _TRANSPORTS:
        raise _bad(text, f"unknown transport {named!r}")
    transport = _TRANSPORTS[named.lower()] if named is not None else None
    if uri.scheme == "sips":
        if transport is Transport.UDP:
            raise _bad(text, "sips: goes over TLS, not over UDP")
        transport = Transport.TLS
    if secure and transport is Transport.UDP:
        raise _bad(text, f"{risk}; over UDP it is not offered")
    if secure and transport is None:
        if Transport.TLS not in edge.transports:
            raise _bad(
                text,
                f'secure media goes over TLS: put "tls" into the transports of edge {edge.name!r} '
                f"(with transport=tcp {risk})",
            )
        transport = Transport.TLS
    if transport is not None and transport not in edge.transports:
        raise _bad(text, f"edge {edge.name!r} has no {transport.value}: add it to its transports")
    if secure and transport is Transport.TCP:
        return transport, f"SRTP agreed on over TCP: {risk}"
    if transport is Transport.TLS or _stays_here(uri.host):
        return transport, ""
    return transport, "without TLS the metadata may cross the network in clear (RFC 7866 12.3)"


def _stays_here(host: str) -> bool:
    """Whether what is sent there does not leave the machine."""
    address = numeric(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _bad(text: str, what: str) -> ConfigurationError:
    shown = re.sub(r":[^:@]*@", ":***@", text)
    return ConfigurationError(f"SRS {shown!r}: {what}")


def _require(holds: bool, key: str, what: str) -> None:
    if not holds:
        raise ConfigurationError(f"{key}: {what}")
