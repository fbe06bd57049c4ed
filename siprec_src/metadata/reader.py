"""Metadata as it really arrives: lenient in ids, times, order and case (RFC 7865 5.1, 7, 9).

Recording clients of the field use hexadecimal ids, times without zone, old namespaces, ``id`` for
``session_id`` and other orders. Whatever can be understood is; `validate` says what the schema says.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterator
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata import model as m
from siprec_src.metadata.tree import metadata_tree
from siprec_src.xml_tree import Element

_XML_LANG: Final = "http://www.w3.org/XML/1998/namespace lang"
_ROOTS: Final = ("recording", "recording_metadata")


def read_metadata(data: bytes) -> m.Recording | m.SnapshotRequest:
    """Read a ``recording`` or a ``requestsnapshot`` document.

    Raises:
        RemoteProtocolError: 400; not XML, beyond a limit, or another kind of document.
    """
    root = metadata_tree(data)
    if root.name == "requestsnapshot":
        reason = next(_children(root, "requestreason"), None)
        if reason is None:
            return m.SnapshotRequest()
        return m.SnapshotRequest(reason=reason.text.strip(), language=reason.attributes.get(_XML_LANG, ""))
    if root.name not in _ROOTS:
        raise RemoteProtocolError(
            f"metadata: root element {root.name[:40]!r}", status=400, section="RFC 7865 5.1.2"
        )
    return _recording(root)


def _recording(root: Element) -> m.Recording:
    return m.Recording(
        mode=_mode(root),
        groups=tuple(_group(item) for item in _children(root, "group")),
        sessions=tuple(_session(item) for item in _children(root, "session")),
        participants=tuple(_participant(item) for item in _children(root, "participant")),
        streams=tuple(_stream(item) for item in _children(root, "stream")),
        session_recordings=tuple(
            m.SessionRecording(
                session_id=_attribute_id(item, "session_id", "session"),
                associated=_time(item, "associate-time"),
                disassociated=_time(item, "disassociate-time"),
            )
            for item in _children(root, "sessionrecordingassoc")
        ),
        participant_sessions=tuple(
            _participant_session(item) for item in _children(root, "participantsessionassoc")
        ),
        participant_streams=tuple(
            _participant_stream(item) for item in _children(root, "participantstreamassoc")
        ),
    )


def _mode(root: Element) -> m.DataMode:
    """Absent means complete (RFC 7865 5.1.2); the prose's ``dataMode`` occurs too."""
    element = next((child for child in root.children if child.name.lower() == "datamode"), None)
    partial = element is not None and element.text.strip().lower() == m.DataMode.PARTIAL.value
    return m.DataMode.PARTIAL if partial else m.DataMode.COMPLETE


def _group(item: Element) -> m.Group:
    return m.Group(
        group_id=_attribute_id(item, "group_id", "id"),
        associated=_time(item, "associate-time"),
        disassociated=_time(item, "disassociate-time"),
    )


def _session(item: Element) -> m.Session:
    group = next(_children(item, "group-ref"), None)
    return m.Session(
        session_id=_attribute_id(item, "session_id", "id"),
        sip_session_ids=tuple("".join(child.text.split()) for child in _children(item, "sipSessionID")),
        reasons=tuple(_reason(child) for child in _children(item, "reason")),
        group_id=None if group is None else _id(group.text),
        started=_time(item, "start-time") or _time(item, "associate-time"),
        stopped=_time(item, "stop-time"),
    )


def _reason(item: Element) -> m.Reason:
    cause = item.attributes.get("cause", "").strip()
    known = cause.isascii() and cause.isdigit() and len(cause) <= 5
    return m.Reason(
        cause=int(cause) if known else 0,
        text=item.text.strip(),
        protocol=item.attributes.get("protocol", "SIP"),
    )


def _participant(item: Element) -> m.Participant:
    return m.Participant(
        participant_id=_attribute_id(item, "participant_id", "id"),
        names=tuple(_name_id(child) for child in _children(item, "nameID")),
    )


def _name_id(item: Element) -> m.NameId:
    name = next(_children(item, "name"), None)
    return m.NameId(
        aor=item.attributes.get("aor", "").strip(),
        name="" if name is None else name.text.strip(),
        language="" if name is None else name.attributes.get(_XML_LANG, ""),
    )


def _stream(item: Element) -> m.Stream:
    label = next(_children(item, "label"), None)
    session = item.attributes.get("session_id", item.attributes.get("session"))
    return m.Stream(
        stream_id=_attribute_id(item, "stream_id", "id"),
        session_id=None if session is None else _id(session),
        label=None if label is None else label.text.strip(),
    )


def _participant_session(item: Element) -> m.ParticipantSession:
    return m.ParticipantSession(
        participant_id=_attribute_id(item, "participant_id", "participant"),
        session_id=_attribute_id(item, "session_id", "session"),
        associated=_time(item, "associate-time"),
        disassociated=_time(item, "disassociate-time"),
        parameters=tuple(
            (child.attributes.get("pname", ""), child.attributes.get("pval", ""))
            for child in _children(item, "param")
        ),
    )


def _participant_stream(item: Element) -> m.ParticipantStream:
    return m.ParticipantStream(
        participant_id=_attribute_id(item, "participant_id", "participant"),
        sends=tuple(_id(child.text) for child in _children(item, "send")),
        receives=tuple(_id(child.text) for child in _children(item, "recv")),
        associated=_time(item, "associate-time"),
        disassociated=_time(item, "disassociate-time"),
    )


def _children(item: Element, name: str) -> Iterator[Element]:
    """Children of the item's own namespace; extensions of other namespaces are passed over."""
    return (child for child in item.children if child.name == name and child.namespace == item.namespace)


def _attribute_id(item: Element, *names: str) -> bytes:
    return _id(next((item.attributes[name] for name in names if name in item.attributes), ""))


def _id(text: str) -> bytes:
    """Octets of a base64 id; the text itself where it is something else."""
    bare = "".join(text.split())
    try:
        return base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return bare.encode("utf-8")


def _time(item: Element, name: str) -> dt.datetime | None:
    """A time in UTC; without zone it is taken for UTC, without sense it is no time."""
    element = next(_children(item, name), None)
    if element is None:
        return None
    try:
        value = dt.datetime.fromisoformat(element.text.strip())
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
