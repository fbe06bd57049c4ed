"""Where an SRS sends us by a 3xx, and which of it is followed (RFC 3261 8.1.3.4).

The INVITE carries a conversation, so nobody is asked whom configuration does not name: the host of the
SRS's own URI, those of ``redirect_hosts``, and hosts below them. What was to go over TLS, to a ``sips:``
URI, or as SRTP does so at the next place as well. A 305 and a 380 are refusals: a proxy or another
service that the network names is no place for a conversation either.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.recording.srs import SrsTarget, on_the_wire
from siprec_src.sip.flow import Edge, Transport
from siprec_src.sip.message import Response
from siprec_src.sip.uri import Uri

MAX_CONTACTS: Final = 10  #: of one response; more are not looked at


def contacts(response: Response) -> tuple[Uri, ...]:
    """The URIs that a 3xx sends us to, preferred first; none where they cannot be read."""
    if not 300 <= response.status <= 399 or response.status in (305, 380):
        return ()
    try:
        found = response.contacts[:MAX_CONTACTS]
    except RemoteProtocolError:
        return ()
    ranked = sorted(found, key=lambda contact: _preference(contact.parameter("q")), reverse=True)
    return tuple(contact.uri for contact in ranked)


def follow(
    target: SrsTarget, found: Sequence[Uri], edge: Edge
) -> tuple[list[SrsTarget], list[tuple[str, str]]]:
    """``target`` at each place that its SRS has named, as well protected as before.

    Returns:
        those that may be asked, and the others by name with the reason.
    """
    good, refused = [], []
    for uri in found:
        try:
            good.append(_redirected(target, uri, edge))
        except RemoteProtocolError as error:
            refused.append((f"{uri.scheme}:{uri.host}"[:128], str(error)))
    return good, refused


def _redirected(target: SrsTarget, contact: Uri, edge: Edge) -> SrsTarget:
    first = target.redirected_from or target
    if contact.scheme not in ("sip", "sips") or not _allowed(contact.host, first):
        raise _refused("the host is not in redirect_hosts")
    if contact.parameter("maddr") is not None:
        raise _refused("maddr leads to another host")
    if first.uri.secure and not contact.secure:
        raise _refused("sips: leads to sips: only")
    uri = dataclasses.replace(contact, password=None, headers="").without_parameters("method", "ttl", "lr")
    transport = _transport(uri, first)
    if transport is not None and transport not in edge.transports:
        raise _refused(f"edge {edge.name!r} has no {transport.value}")
    return dataclasses.replace(
        target,
        uri=on_the_wire(uri, transport),
        transport=transport,
        redirected_from=first,
        warning="",
        is_twin=False,
    )


_Q: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_NAMED: Final = {transport.value.lower(): transport for transport in Transport}


def _preference(q: str | None) -> float:
    """RFC 3261 20.10; without one it is as good as any."""
    if q is None:
        return 1.0
    return float(q) if _Q.fullmatch(q) else 0.0


def _allowed(host: str, first: SrsTarget) -> bool:
    name = host.lower()
    homes = (first.uri.host, *first.config.redirect_hosts)
    return any(name == home.lower() or name.endswith("." + home.lower()) for home in homes)


def _transport(uri: Uri, first: SrsTarget) -> Transport | None:
    """The transport of the next place: what it names, else what the SRS's own URI asks for."""
    if uri.secure:
        return Transport.TLS
    transport = first.transport if uri.transport is None else _NAMED.get(uri.transport)
    if uri.transport is not None and transport is None:
        raise _refused("its transport is unknown")
    if first.transport is Transport.TLS and transport is not Transport.TLS:
        raise _refused("TLS leads to TLS only")
    if first.secure and transport is Transport.UDP is not first.transport:
        raise _refused("SRTP keys do not go over UDP")
    return transport


def _refused(why: str) -> RemoteProtocolError:
    return RemoteProtocolError(why, section="RFC 3261 8.1.3.4")
