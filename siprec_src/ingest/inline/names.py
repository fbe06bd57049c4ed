"""Who a message says its sender is (RFC 3261 8.1.1, RFC 3325, RFC 3323, RFC 4916, RFC 7989)."""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.communication import Name
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.groups import ANONYMOUS
from siprec_src.sip.headers import NameAddress, parse_name_address, parse_name_addresses, parse_session_id
from siprec_src.sip.message import Message

_ASSERTED: Final = (  #: fields of the sender's identity, and how many of each are read
    ("p-asserted-identity", 4),  # may hold two (RFC 3325 9.1)
    ("remote-party-id", 1),  # what PBXs said before, and still do; ``party`` is not alike in all of them
)


def asserted_names(message: Message) -> tuple[Name, ...]:
    """What the sender's own domain says of its identity (RFC 3325 9.1); empty when it says nothing."""
    for field, most in _ASSERTED:
        values = message.headers.all(field)
        try:
            found = [address for value in values for address in parse_name_addresses(value)]
        except RemoteProtocolError:
            continue
        if found:
            return tuple(_name(address) for address in found[:most])
    return ()


def said_names(message: Message, field: str) -> tuple[Name, ...]:
    """The identity in From or To."""
    value = message.headers.get(field)
    try:
        return (ANONYMOUS,) if value is None else (_name(parse_name_address(value)),)
    except RemoteProtocolError:
        return (ANONYMOUS,)


def changes_from(message: Message) -> bool:
    """Whether the sender's From tells who speaks, each time anew (RFC 4916 4.1)."""
    try:
        return "from-change" in message.tags("supported")
    except RemoteProtocolError:
        return False


def session_uuid(message: Message) -> str | None:
    """The sender's UUID of RFC 7989; None where it says none, or says it wrongly."""
    value = message.headers.get("session-id")
    try:
        return None if value is None else parse_session_id(value).local
    except RemoteProtocolError:
        return None


def is_focus(message: Message) -> bool | None:
    """Whether the sender is a conference's focus (RFC 4579 5.1); None: its message has no Contact."""
    try:
        contacts = message.contacts
    except RemoteProtocolError:
        return None
    return any(contact.parameter("isfocus") is not None for contact in contacts) if contacts else None


def _name(address: NameAddress) -> Name:
    uri = dataclasses.replace(address.uri, password=None, headers="", parameters=())
    if uri.scheme not in ("sip", "sips", "tel") or uri.host.lower().endswith("anonymous.invalid"):
        return dataclasses.replace(ANONYMOUS, display=address.display or ANONYMOUS.display)
    return Name(aor=str(uri), display=address.display)
