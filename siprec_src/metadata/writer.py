"""Metadata to octets: schema order, UTF-8 without BOM, nothing that XML 1.0 forbids (RFC 7865 5.1, 9)."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from siprec_src.metadata.model import (
    ANONYMOUS,
    NAMESPACE,
    Extension,
    Group,
    NameId,
    Participant,
    ParticipantSession,
    ParticipantStream,
    Recording,
    Session,
    SessionRecording,
    SnapshotRequest,
    Stream,
)

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML 1.0 2.2
_UNDECODED: Final = re.compile("[\ud800-\udfff]")
_SPACES: Final = str.maketrans("\t\r\n", "   ")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
_URI: Final = "!$&'()*+,-./:;=?@_~%"  # RFC 3986 2.2, 2.3 without #[], which a URI without // cannot hold
_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def write_recording(recording: Recording) -> bytes:
    """The document as octets, valid by the schema whatever the names hold."""
    parts = [_DECLARATION, f'<recording xmlns="{NAMESPACE}">\n']
    parts.append(f"<datamode>{recording.mode.value}</datamode>\n")
    parts.extend(_group(item) for item in recording.groups)
    parts.extend(_session(item) for item in recording.sessions)
    parts.extend(_participant(item) for item in recording.participants)
    parts.extend(_stream(item) for item in recording.streams)
    parts.extend(_session_recording(item) for item in recording.session_recordings)
    parts.extend(_participant_session(item) for item in recording.participant_sessions)
    parts.extend(_participant_stream(item) for item in recording.participant_streams)
    parts.append(_extensions(recording.extensions))
    parts.append("</recording>\n")
    return "".join(parts).encode("utf-8")


def write_snapshot_request(request: SnapshotRequest) -> bytes:
    """A ``requestsnapshot`` document (RFC 7865 7)."""
    reason = ""
    if request.reason:
        reason = f"<requestreason{_language(request.language)}>{_text(request.reason)}</requestreason>\n"
    body = f'<requestsnapshot xmlns="{NAMESPACE}">\n{reason}</requestsnapshot>\n'
    return (_DECLARATION + body).encode("utf-8")


def _group(group: Group) -> str:
    inner = _association(group.associated, group.disassociated) + _extensions(group.extensions)
    return f'<group group_id="{_id(group.group_id)}">{inner}</group>\n'


def _session(session: Session) -> str:
    return "".join(_session_parts(session))


def _session_parts(session: Session) -> Iterator[str]:
    yield f'<session session_id="{_id(session.session_id)}">'
    for sip_session_id in session.sip_session_ids:
        yield f"<sipSessionID>{_text(''.join(sip_session_id.split()))}</sipSessionID>"
    for reason in session.reasons:
        protocol = f' protocol="{_text(reason.protocol)}"' if reason.protocol != "SIP" else ""
        cause = max(-32768, min(32767, reason.cause))  # xs:short
        yield f'<reason cause="{cause}"{protocol}>{_text(reason.text)}</reason>'
    if session.group_id is not None:
        yield f"<group-ref>{_id(session.group_id)}</group-ref>"
    yield _time("start-time", session.started)
    yield _time("stop-time", session.stopped)
    yield _extensions(session.extensions)
    yield "</session>\n"


def _participant(participant: Participant) -> str:
    names = participant.names or (NameId(aor=ANONYMOUS),)
    inner = "".join(_name_id(name) for name in names) + _extensions(participant.extensions)
    return f'<participant participant_id="{_id(participant.participant_id)}">{inner}</participant>\n'


def _name_id(name: NameId) -> str:
    aor = _text(_uri(name.aor))
    if not (text := _text(name.name)):
        return f'<nameID aor="{aor}"/>'
    return f'<nameID aor="{aor}"><name{_language(name.language)}>{text}</name></nameID>'


def _stream(stream: Stream) -> str:
    session = "" if stream.session_id is None else f' session_id="{_id(stream.session_id)}"'
    label = "" if stream.label is None else f"<label>{_text(stream.label)}</label>"
    return f'<stream stream_id="{_id(stream.stream_id)}"{session}>{label}</stream>\n'


def _session_recording(item: SessionRecording) -> str:
    times = _association(item.associated, item.disassociated)
    return f'<sessionrecordingassoc session_id="{_id(item.session_id)}">{times}</sessionrecordingassoc>\n'


def _participant_session(item: ParticipantSession) -> str:
    ids = f'participant_id="{_id(item.participant_id)}" session_id="{_id(item.session_id)}"'
    inner = _association(item.associated, item.disassociated) + "".join(
        f'<param pname="{_text(name)}" pval="{_text(value)}"/>' for name, value in item.parameters
    )
    return f"<participantsessionassoc {ids}>{inner}</participantsessionassoc>\n"


def _participant_stream(item: ParticipantStream) -> str:
    inner = "".join(f"<send>{_id(stream)}</send>" for stream in item.sends)
    inner += "".join(f"<recv>{_id(stream)}</recv>" for stream in item.receives)
    inner += _association(item.associated, item.disassociated)
    opening = f'<participantstreamassoc participant_id="{_id(item.participant_id)}">'
    return f"{opening}{inner}</participantstreamassoc>\n"


def _extensions(extensions: tuple[Extension, ...]) -> str:
    return "".join(_extension(item) for item in extensions)


def _extension(item: Extension) -> str:
    prefix = f"{item.prefix}:" if item.prefix else ""
    declared = f'xmlns{":" if item.prefix else ""}{item.prefix}="{_text(item.namespace)}"'
    inner = _text(item.text) + "".join(
        f"<{prefix}{name}>{_text(value)}</{prefix}{name}>" for name, value in item.fields
    )
    inner += "".join(
        f'<{prefix}parameter name="{_text(name)}">{_text(value)}</{prefix}parameter>'
        for name, value in item.parameters
    )
    return f"<{prefix}{item.name} {declared}>{inner}</{prefix}{item.name}>\n"


def _association(associated: dt.datetime | None, disassociated: dt.datetime | None) -> str:
    return _time("associate-time", associated) + _time("disassociate-time", disassociated)


def _time(element: str, value: dt.datetime | None) -> str:
    """RFC 3339 in UTC with milliseconds and capitals (RFC 7865 6.9)."""
    if value is None:
        return ""
    text = value.astimezone(dt.UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"<{element}>{text}Z</{element}>"


def _id(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _language(language: str) -> str:
    return f' xml:lang="{_text(language)}"' if language else ""


def _text(value: str) -> str:
    """Character data: forbidden characters gone, undecodable ones replaced, markup escaped."""
    legal = _UNDECODED.sub("\ufffd", _ILLEGAL.sub("", value))
    return legal.translate(_SPACES).translate(_ESCAPES)


def _uri(aor: str) -> str:
    """An address of record as xs:anyURI takes it: what no URI may hold is percent-encoded (RFC 3986 2.1)."""
    if not _SCHEME.match(aor):
        return ANONYMOUS
    legal = _PERCENT.sub("%25", _UNDECODED.sub("\ufffd", _ILLEGAL.sub("", aor)).translate(_SPACES))
    return quote(legal, safe=_URI)
