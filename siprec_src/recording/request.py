"""What our requests towards the SRS look like: header fields and bodies (RFC 7866 6.1.1, 9.1).

``Supported`` names session timers alone (RFC 4028 7.1). 100rel is not implemented, so no provisional answer
has to be acknowledged (RFC 3262 4).
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from siprec_src.communication import CommunicationSession
from siprec_src.recording.ground import Ground
from siprec_src.recording.own_fields import parameter_fields
from siprec_src.recording.srs import SrsConfig, SrsTarget
from siprec_src.recording.templates import Facts, fill_field, parse_template
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import join_mixed, make_part
from siprec_src.sip.flow import Edge
from siprec_src.sip.message import Headers
from siprec_src.sip.session_timer import OPTION_TAG
from siprec_src.sip.uri import format_host_port

CONTACT_USER: Final = "siprec-src"
CONTACT_PARAMETERS: Final = ";+sip.src"  #: RFC 7866 11.1.1; a header parameter, bare (RFC 3840 9)
ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
ACCEPT: Final = "application/sdp, application/rs-metadata+xml, application/rs-metadata"

SUPPORTED: Final = ("Supported", OPTION_TAG)

Fields = tuple[tuple[str, str], ...]


def opening(target: SrsTarget, edge: Edge, at: dt.datetime) -> Headers:
    """Header fields of the INVITE that begins a recording session: from the SRC, to the SRS."""
    host = format_host_port(edge.sip_advertised.host, None)
    to = str(target.uri.with_host_port(target.uri.host, None).without_parameters(*_NOT_IN_TO))
    return Headers(
        (("From", f"<sip:{CONTACT_USER}@{host}>"), ("To", f"<{to}>"), ("Date", date(at)), *_COMMON)
    )


def start(
    ground: Ground,
    target: SrsTarget,
    usage_and_token: tuple[int, int],
    offer: SessionDescription,
    document: bytes,
    own: Fields,
    now: float,
) -> sip.StartInvite:
    """The INVITE that begins a recording session; ``own`` is what only this session's requests say."""
    usage, token = usage_and_token
    edge = ground.edges[target.edge]
    if document:
        fields, body = enclose(ground, target.config, offer, document)
    else:
        fields, body = enclose_alone(offer)
    return sip.StartInvite(
        usage=usage,
        token=token,
        edge=edge.name,
        request_uri=str(target.uri),
        headers=opening(target, edge, ground.wall.at(now)).appended(*own, *fields),
        body=body,
        contact_user=CONTACT_USER,
        contact_parameters=CONTACT_PARAMETERS,
        answer_timeout_s=target.config.answer_timeout_s,
        credentials=target.config.credentials,
        keep_alive=True,
    )


def check(ground: Ground, target: SrsTarget, timeout_s: float) -> sip.SendOptions:
    """The OPTIONS that asks an SRS whether it is there; without Require, so that anybody may answer."""
    edge = ground.edges[target.edge]
    host = format_host_port(edge.sip_advertised.host, None)
    return sip.SendOptions(
        usage=ground.identity.number(),
        token=ground.identity.number(),
        edge=edge.name,
        request_uri=str(target.uri),
        headers=Headers((("From", f"<sip:{CONTACT_USER}@{host}>"), ("Accept", ACCEPT))),
        timeout_s=timeout_s,
    )


def respond(
    usage_and_token: tuple[int, int], status: int, headers: Fields, description: SessionDescription | None
) -> sip.Respond:
    """The answer to a request of the SRS, with our SDP where it needs one."""
    usage, token = usage_and_token
    typed: Fields = (("Content-Type", "application/sdp"),) if description is not None else ()
    return sip.Respond(
        usage=usage,
        token=token,
        status=status,
        headers=Headers((*headers, *typed)),
        body=b"" if description is None else write_sdp(description),
        contact_parameters=CONTACT_PARAMETERS,
    )


def own_fields(config: SrsConfig, call: CommunicationSession) -> Fields:
    """The fields that the operator wants in every request of a recording session of ``call``."""
    facts = Facts(call=call, values=config.values)
    filled = ((name, fill_field(parse_template(text), facts)) for name, text in config.text_headers)
    said = ((name, value) for name, value in filled if value)
    return (*said, *parameter_fields(config.parameters_sent, ()), *config.secret_headers)


def within(own: Fields) -> Headers:
    """Header fields of our re-INVITE and UPDATE."""
    return Headers((*_COMMON, *own))


def leaving(at: dt.datetime, own: Fields) -> Headers:
    """Header fields of our BYE."""
    return Headers((("Date", date(at)), SUPPORTED, *own))


def capabilities() -> Fields:
    """What an answer tells of us (RFC 3261 11.2)."""
    return (("Accept", ACCEPT), ("Allow", ALLOW), SUPPORTED)


def enclose(
    ground: Ground, config: SrsConfig, description: SessionDescription | None, document: bytes
) -> tuple[Fields, bytes]:
    """Header fields and body that carry a metadata document, with an SDP or alone (RFC 7866 9.1)."""
    handling = "required" if config.metadata_required else "optional"
    disposition = f"recording-session;handling={handling}"
    media_type = config.metadata_type.value
    if description is None:
        return (("Content-Type", media_type), ("Content-Disposition", disposition)), document
    content_type, body = join_mixed(
        (
            make_part("application/sdp", write_sdp(description), "session;handling=required"),
            make_part(media_type, document, disposition),
        ),
        ground.identity.boundary(),
    )
    return (("MIME-Version", "1.0"), ("Content-Type", content_type)), body


def enclose_alone(description: SessionDescription) -> tuple[Fields, bytes]:
    """Header fields and body that carry an SDP and nothing else."""
    return (("Content-Type", "application/sdp"),), write_sdp(description)


def date(at: dt.datetime) -> str:
    """A Date value, English and GMT whatever the locale (RFC 3261 20.17)."""
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year} {at.hour:02}:{at.minute:02}:{at.second:02} GMT"


_COMMON: Final = (("Require", "siprec"), SUPPORTED, ("Accept", ACCEPT), ("Allow", ALLOW))
_NOT_IN_TO: Final = ("transport", "maddr", "ttl", "lr")  # RFC 3261 19.1.1, table 1
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
