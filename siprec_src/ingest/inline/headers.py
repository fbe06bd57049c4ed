"""Which header fields cross the B2BUA, and which are of one leg only (RFC 3261 16.6, RFC 7092 3.2).

Ours on each leg: Via, Contact, Route, Record-Route, Call-ID, CSeq, the tags, RSeq, RAck, Max-Forwards and
Content-Length. Everything else, known or not, passes octet by octet: identities, Diversion, History-Info,
User-to-User, Session-ID, credentials and challenges, X- headers, Supported, Require, Session-Expires.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from siprec_src.sip.headers import parse_name_address
from siprec_src.sip.message import Headers, Request, Response, header_key
from siprec_src.sip.uri import Uri

_OF_ONE_LEG: Final = frozenset(
    {
        "via",
        "contact",
        "route",
        "record-route",
        "call-id",
        "cseq",
        "content-length",
        "rseq",
        "rack",
    }
)
_OF_THE_DIALOG: Final = frozenset({"from", "to"})
_OF_THE_BODY: Final = (
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-language",
    "mime-version",
)
_IDENTITIES: Final = ("p-asserted-identity", "p-preferred-identity", "remote-party-id")
_NOWHERE: Final = "anonymous.invalid"  # RFC 3323 4.1.1.3
_KEEPS_CONTACT: Final = frozenset({485})  #: besides every 3xx: Contact holds alternatives (RFC 3261 21.4.23)


def for_new_dialog(request: Request) -> Headers:
    """Header fields of an INVITE that starts the other leg; From and To without tags."""
    fields = []
    for name, value in _crossing(request.headers, _OF_ONE_LEG):
        key = header_key(name)
        fields.append((name, without_tag(value) if key in _OF_THE_DIALOG else value))
    return Headers(_one_hop_less(request, fields))


def by_another(headers: Headers, caller_id: str) -> Headers:
    """Those of an INVITE that shows ``caller_id`` instead of the caller, if it is not empty.

    Nothing else may say then who that is (RFC 3325 9.1).
    """
    if not caller_id:
        return headers
    caller = parse_name_address(headers.get("from") or "")
    place = caller.uri if caller.uri.host else Uri("sip", host=_NOWHERE)
    shown = dataclasses.replace(place, user=caller_id, password=None)
    return headers.without(*_IDENTITIES).replaced("From", f"<{shown}>")


def for_dialog(request: Request) -> Headers:
    """Header fields of a request inside the other leg's dialog."""
    fields = _crossing(request.headers, _OF_ONE_LEG | _OF_THE_DIALOG)
    return Headers(_one_hop_less(request, list(fields)))


def for_response(response: Response) -> Headers:
    """Header fields of a response on the other leg; Contact passes only where it names alternatives."""
    of_leg = _OF_ONE_LEG | _OF_THE_DIALOG
    if 300 <= response.status < 400 or response.status in _KEEPS_CONTACT:
        of_leg -= {"contact"}
    return Headers(_crossing(response.headers, of_leg))


def without_body(headers: Headers) -> Headers:
    """The same header fields of a message whose body is left out."""
    return headers.without(*_OF_THE_BODY)


def without_tag(value: str) -> str:
    """A From or To value without its tag parameter, every other octet as it was."""
    at = _end_of_address(value)
    kept = [part for part in _split(value[at:]) if part.partition("=")[0].strip("; \t").lower() != "tag"]
    return (value[:at] + "".join(kept)).rstrip(" \t")


def _crossing(headers: Headers, left_out: frozenset[str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if header_key(name) not in left_out)


def _one_hop_less(request: Request, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    left = request.max_forwards
    if left is None:
        return fields
    less = str(max(left - 1, 0))
    return [(name, less if header_key(name) == "max-forwards" else value) for name, value in fields]


def _end_of_address(value: str) -> int:
    """Where the header parameters begin: behind ``>``, or at the first semicolon (RFC 3261 20.10)."""
    quoted = escaped = False
    opened = False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char == "<":
            opened = True
        elif char == ">":
            return at + 1
        elif char == ";" and not opened:
            return at
    return len(value)


def _split(parameters: str) -> list[str]:
    """Parameters with the semicolon before each; those inside quotes do not divide."""
    parts = [""]
    quoted = escaped = False
    for char in parameters:
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char == ";":
            parts.append("")
        parts[-1] += char
    return parts
