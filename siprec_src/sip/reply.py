"""Responses: what they copy from the request and where they go (RFC 3261 8.2.6 and 18.2.2, RFC 3581 4).

``maddr`` in a Via is not followed: it serves multicast, which we do not, and would let a stranger aim
our answers at somebody else.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.flow import Address, Flow
from siprec_src.sip.headers import Via, parse_vias
from siprec_src.sip.message import Headers, Request, Response, header_key
from siprec_src.sip.reason import reason_phrase
from siprec_src.sip.target import numeric


def reply_flow(request: Request, flow: Flow) -> Flow:
    """Where the responses to ``request``, received by ``flow``, go.

    Always to the address it came from: the port of the source when it asks for that (RFC 3581), else
    the one of its Via. On streams the connection itself, and that port when it is gone.
    """
    via = request.via
    port = via.port or flow.transport.default_port
    if via.wants_rport and not flow.transport.reliable:
        port = flow.remote.port
    return dataclasses.replace(flow, remote=Address(flow.remote.host, port))


def make_response(
    request: Request,
    flow: Flow,
    status: int,
    *,
    reason: str = "",
    tag: str = "",
    fields: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    dialog: bool = False,
) -> Response:
    """A response to a received request (8.2.6.2).

    ``tag`` is put into To where the request has none. ``fields`` are the owner's; what the request
    dictates is left out of them. ``dialog``: it makes a dialog, so Record-Route is copied (12.1.1).
    """
    head = _vias(request, flow)
    if dialog:
        head += [("Record-Route", value) for value in request.headers.all("record-route")]
    head += [("From", value) for value in request.headers.all("from")[:1]]
    to = request.headers.get("to")
    if to is not None:
        head.append(("To", _tagged(request, to, tag)))
    head += [("Call-ID", value) for value in request.headers.all("call-id")[:1]]
    head += [("CSeq", value) for value in request.headers.all("cseq")[:1]]
    if status == 100:
        head += [("Timestamp", value) for value in request.headers.all("timestamp")[:1]]
    head += [field for field in fields if header_key(field[0]) not in _DICTATED]
    return Response(status=status, reason=reason or reason_phrase(status), headers=Headers(head), body=body)


def stateless_tag(request: Request) -> str:
    """A To tag that is the same for each repetition of ``request``, without memory (8.2.7)."""
    said = "\n".join(
        f"{name}:{value}" for name, value in request.headers.only("via", "from", "call-id", "cseq")
    )
    return hashlib.blake2s(said.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _tagged(request: Request, to: str, tag: str) -> str:
    """``to`` with our tag where it has none; what cannot be read is given back as it came."""
    try:
        return f"{to};tag={tag}" if tag and request.to.tag is None else to
    except RemoteProtocolError:
        return to


def _vias(request: Request, flow: Flow) -> list[tuple[str, str]]:
    lines = request.headers.all("via")
    via = request.via
    source = flow.remote
    if flow.transport.reliable and request.method == "INVITE" and via.parameter("keep") == "":
        # Pings are welcome, as often as the peer likes (RFC 6223 4.3.1): they are answered on every stream.
        via = via.with_parameter("keep", "0")
    elif not via.wants_rport and (via.host == source.host or numeric(via.host) == numeric(source.host)):
        return [("Via", line) for line in lines]
    seen = via.with_parameter("received", source.host)
    if via.wants_rport:
        seen = seen.with_parameter("rport", str(source.port))
    rest: tuple[Via, ...] = parse_vias(lines[0])[1:]
    top = ", ".join(str(v) for v in (seen, *rest))
    return [("Via", top), *(("Via", line) for line in lines[1:])]


_DICTATED: Final = frozenset({"via", "from", "to", "call-id", "cseq", "record-route", "content-length"})
