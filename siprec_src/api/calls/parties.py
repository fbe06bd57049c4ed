"""Who takes part in a call, in the platform's words: a number where it is one, else a SIP URI.

``ForwardedFrom`` is who has forwarded the call last: the first Diversion (RFC 5806 6), else in History-Info
the target before the one that the call has come to (RFC 7044 5).
"""

from __future__ import annotations

import re
from typing import Final

from siprec_src.communication import CommunicationSession, Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.headers import NameAddress, parse_name_address, parse_name_addresses
from siprec_src.sip.message import Headers
from siprec_src.sip.uri import Uri, parse_any_uri, unescape
from siprec_src.values import immutable


@immutable
class Parties:
    """The standard parameters of a call that name somebody; "" where nobody is known."""

    caller: str
    called: str
    forwarded_from: str
    caller_name: str


def parties_of(session: CommunicationSession) -> Parties:
    """As they are in this publication; the called one is who was dialled, whoever has answered."""
    names = {side: next((p.names[0] for p in session.participants if p.side is side), None) for side in Side}
    caller, callee = names[Side.CALLER], names[Side.CALLEE]
    headers = Headers(session.headers)
    dialled = _address(headers.get("to"))
    return Parties(
        caller=_text(caller.aor) if caller is not None else "",
        called=number_or_uri(dialled.uri) if dialled else _text(callee.aor) if callee is not None else "",
        forwarded_from=_forwarded_from(headers),
        caller_name=caller.display if caller is not None else "",
    )


def number_or_uri(uri: Uri) -> str:
    """The user part when it is a telephone number, without what only separates (RFC 3966 5.1.1)."""
    number = _SEPARATORS.sub("", unescape(uri.user))
    if _NUMBER.fullmatch(number):
        return number
    bare = Uri(uri.scheme, uri.user, host=uri.host, port=uri.port)
    return str(bare)


def is_number(party: str) -> bool:
    """Whether it is a telephone number."""
    return _NUMBER.fullmatch(party) is not None


def formatted(party: str) -> str:
    """A North American number as people there write it, anything else as it is."""
    found = _NANP.fullmatch(party)
    return f"({found[1]}) {found[2]}-{found[3]}" if found else party


_SEPARATORS: Final = re.compile(r"[-.()]")
_NUMBER: Final = re.compile(r"\+?[0-9]{3,15}")
_NANP: Final = re.compile(r"\+1([2-9][0-9]{2})([2-9][0-9]{2})([0-9]{4})")


def _text(aor: str) -> str:
    try:
        return number_or_uri(parse_any_uri(aor))
    except RemoteProtocolError:
        return aor


def _address(value: str | None) -> NameAddress | None:
    try:
        return None if value is None else parse_name_address(value)
    except RemoteProtocolError:
        return None


def _forwarded_from(headers: Headers) -> str:
    diverted, history = _addresses(headers, "diversion"), _addresses(headers, "history-info")
    if diverted:
        return number_or_uri(diverted[0].uri)
    return number_or_uri(history[-2].uri) if len(history) > 1 else ""


def _addresses(headers: Headers, field: str) -> list[NameAddress]:
    try:
        return [address for value in headers.all(field) for address in parse_name_addresses(value)]
    except RemoteProtocolError:
        return []
