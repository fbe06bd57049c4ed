"""Text with placeholders that the call fills in: header fields and extension data for one SRS.

A closed list of names and nothing else: no expression, no loop, no file. What the call says is hostile:
control characters never come through, and a value cannot leave the angle brackets or the quotes that the
template puts around it (RFC 3261 7.3.1, 25.1).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from siprec_src.communication import CommunicationSession, Name, Participant, Side, id_text
from siprec_src.errors import ConfigurationError, RemoteProtocolError
from siprec_src.sip.headers import NameAddress, parse_name_address
from siprec_src.sip.message import Headers, header_key
from siprec_src.sip.parameters import is_token
from siprec_src.sip.uri import Uri, parse_uri, unescape
from siprec_src.values import immutable

MAX_TEMPLATE: Final = 1024  #: characters
MAX_VALUE: Final = 512  #: characters that one placeholder gives; the rest is cut off


@immutable(kw_only=False)
class Place:
    """A placeholder."""

    name: str
    argument: str = ""  #: of ``header:`` and ``value:``


@immutable(kw_only=False)
class Template:
    """Literal text and placeholders, in order."""

    parts: tuple[str | Place, ...]


@immutable
class Facts:
    """Where placeholders are filled from."""

    call: CommunicationSession
    values: Mapping[str, str]  #: the operator's own, of ``{value:NAME}``
    party: Participant | None = None  #: whom ``{party.…}`` means


@lru_cache(maxsize=512)
def parse_template(text: str, *, of_party: bool = False) -> Template:
    """Read a template; ``of_party``: it is filled once for each participant.

    Raises:
        ConfigurationError: a placeholder that is none, or a control character.
    """
    if len(text) > MAX_TEMPLATE:
        raise ConfigurationError(f"a template is longer than {MAX_TEMPLATE} characters")
    if _CONTROL.search(text):
        raise ConfigurationError(f"{text!r} holds a control character")
    literals_and_names = re.split(r"\{([^{}]*)\}", text)
    if any(sign in literal for literal in literals_and_names[::2] for sign in "{}"):
        raise ConfigurationError(f"{text!r}: a brace without its other one")
    parts: list[str | Place] = []
    for index, part in enumerate(literals_and_names):
        if index % 2:
            parts.append(_place(part, of_party=of_party))
        elif part:
            parts.append(part)
    return Template(tuple(parts))


def constants_of(template: Template) -> frozenset[str]:
    """The names of the operator's own values that a template asks for."""
    return frozenset(p.argument for p in template.parts if isinstance(p, Place) and p.name == "value")


def fill(template: Template, facts: Facts) -> str:
    """The text; "" when one of its placeholders has nothing to say."""
    return _filled(template, facts, lambda _before, _place, value: value)


def fill_field(template: Template, facts: Facts) -> str:
    """The text as the value of a header field: what is put into ``<>`` or quotes stays in there."""
    return _filled(template, facts, _fenced)


_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNDECODED: Final = re.compile("[\ud800-\udfff]")
_SECRET: Final = frozenset({"authorization", "proxy-authorization"})
_UNFIT: Final = re.compile("[^A-Za-z0-9_-]")  # of Google's conversation ids
_MAX_CONVERSATION_ID: Final = 64
_URI: Final = "!$&'()*+,/:;=?@[]~%"  # RFC 3986 2.2, without the fragment's sign
_HEXADECIMAL: Final = re.compile("[0-9A-Fa-f]+")


def _place(text: str, *, of_party: bool) -> Place:
    name, colon, argument = text.partition(":")
    if colon and name == "header" and is_token(argument):
        if header_key(argument) in _SECRET:
            raise ConfigurationError(f"{{{text}}}: credentials go nowhere else")
        return Place(name, argument)
    if colon and name == "value" and argument:
        return Place(name, argument)
    if text in _OF_CALL or (of_party and text in _OF_PARTY):
        return Place(text)
    names = [*_OF_CALL, *(_OF_PARTY if of_party else ()), "header:NAME", "value:NAME"]
    raise ConfigurationError(f"unknown placeholder {{{text[:64]}}}; expected one of {', '.join(names)}")


def _filled(template: Template, facts: Facts, fence: Callable[[str, Place, str], str]) -> str:
    text = literal = ""  # only what the template says itself opens and closes brackets and quotes
    for part in template.parts:
        if isinstance(part, str):
            text, literal = text + part, literal + part
            continue
        value = _CONTROL.sub("", _UNDECODED.sub("\ufffd", _value(part, facts))).strip()[:MAX_VALUE]
        if not value:
            return ""
        text += fence(literal, part, value)
    return text


def _value(place: Place, facts: Facts) -> str:
    match place.name:
        case "header":
            return Headers(facts.call.headers).get(place.argument) or ""
        case "value":
            return facts.values.get(place.argument, "")
    if place.name in _OF_CALL:
        return _OF_CALL[place.name](facts.call)
    return _OF_PARTY[place.name](facts.party) if facts.party is not None else ""


def _fenced(before: str, place: Place, value: str) -> str:
    if before.rfind("<") > before.rfind(">"):
        return quote(value, safe=_URI if place.name.endswith(".uri") else "")
    if re.sub(r"\\.", "", before).count('"') % 2:
        return value.replace("\\", "\\\\").replace('"', '\\"')
    return value


def _conversation_id(call: CommunicationSession) -> str:
    """``CID-`` and the Call-ID, made of the characters and of the length that Google takes."""
    call_id = _call_id(call)
    return ("CID-" + _UNFIT.sub("-", call_id))[:_MAX_CONVERSATION_ID] if call_id else ""


def _ucid(call: CommunicationSession) -> str:
    """Avaya's call id in User-to-User, without the octet of the protocol before it (RFC 7433 4.1)."""
    value = (Headers(call.headers).get("user-to-user") or "").partition(";")[0].strip()
    return value.removeprefix("00") if _HEXADECIMAL.fullmatch(value) else ""


def _call_id(call: CommunicationSession) -> str:
    return Headers(call.headers).get("call-id") or ""


def _said(call: CommunicationSession, field: str, side: Side) -> tuple[str, Uri | None]:
    """Display name and URI in From or To, else those of that party."""
    if (value := Headers(call.headers).get(field)) is not None:
        try:
            address: NameAddress = parse_name_address(value)
        except RemoteProtocolError:
            return "", None
        return address.display, dataclasses.replace(address.uri, password=None, headers="", parameters=())
    names = next((p.names for p in call.participants if p.side is side), ())
    return _known(names)


def _known(names: tuple[Name, ...]) -> tuple[str, Uri | None]:
    if not names:
        return "", None
    try:
        return names[0].display, parse_uri(names[0].aor)
    except RemoteProtocolError:
        return names[0].display, None


def _user(uri: Uri | None) -> str:
    """The user of a URI; of ``tel:`` the number."""
    return "" if uri is None else unescape(uri.user)


_OF_CALL: Final[Mapping[str, Callable[[CommunicationSession], str]]] = {
    "call_id": _call_id,
    "conversation_id": _conversation_id,
    "ucid": _ucid,
    "session_id": lambda call: id_text(call.session_id),
    "group_id": lambda call: id_text(call.group_id),
    "sip_session_id": lambda call: next(iter(call.sip_session_ids), ""),
    "trunk": lambda call: call.trunk,
    "from.name": lambda call: _said(call, "from", Side.CALLER)[0],
    "from.uri": lambda call: str(_said(call, "from", Side.CALLER)[1] or ""),
    "from.user": lambda call: _user(_said(call, "from", Side.CALLER)[1]),
    "to.name": lambda call: _said(call, "to", Side.CALLEE)[0],
    "to.uri": lambda call: str(_said(call, "to", Side.CALLEE)[1] or ""),
    "to.user": lambda call: _user(_said(call, "to", Side.CALLEE)[1]),
}
_OF_PARTY: Final[Mapping[str, Callable[[Participant], str]]] = {
    "party.id": lambda party: id_text(party.participant_id),
    "party.name": lambda party: _known(party.names)[0],
    "party.uri": lambda party: next((name.aor for name in party.names), ""),
    "party.user": lambda party: _user(_known(party.names)[1]),
    "party.is_caller": lambda party: "true" if party.side is Side.CALLER else "false",
}
