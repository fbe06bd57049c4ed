"""TLS as it is configured: ``[tls]`` for everybody, and what an SRS or a trunk has of its own.

What an entry has of its own holds for the host of its URI, because that is who is proved to be there
(RFC 5922 7.1), whatever a Contact, DNS or a proxy make of the way.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from siprec_src.config.lines import KeyPath
from siprec_src.config.settings import TrunkSettings
from siprec_src.config.sources import Problems
from siprec_src.errors import ConfigurationError
from siprec_src.net.tls import TlsContexts, TlsSettings, expiry_note
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip.flow import Edge, Transport
from siprec_src.sip.target import domain_of
from siprec_src.sip.uri import Uri
from siprec_src.values import immutable

PREFIX: Final = "tls_"
_KEYS: Final = ("certificate", "key", "trusted_ca", "wildcards")

Entry = tuple[KeyPath, SrsConfig | TrunkSettings, Uri]


@immutable
class PeerTls:
    """What holds for the connections that we open to one host."""

    path: KeyPath  #: of the entry that says so
    settings: TlsSettings


def peers_with_tls(
    general: TlsSettings, entries: Iterable[Entry], problems: Problems
) -> Mapping[str, PeerTls]:
    """By host, for the entries that have TLS keys of their own."""
    found: dict[str, PeerTls] = {}
    for path, entry, uri in entries:
        own = _own(entry)
        if not own:
            continue
        # A certificate of its own brings its own key, or has it inside.
        bare = {"key": None} if "certificate" in own else {}
        host = domain_of(Transport.TLS, uri.host)
        try:
            settings = dataclasses.replace(general, **{**bare, **own})
        except ConfigurationError as error:
            problems.blame(path, error, PREFIX)
            continue
        if found.setdefault(host, PeerTls(path=path, settings=settings)).settings != settings:
            problems.add(path, f"another entry has other tls_ keys for {host}; they hold for a host")
    return found


def check_files(
    edges: Iterable[Edge], general: TlsSettings, peers: Mapping[str, PeerTls], problems: Problems
) -> tuple[str, ...]:
    """Whether the files can be used, where an edge speaks TLS; what is worth a note of them."""
    over_tls = [edge.name for edge in edges if Transport.TLS in edge.transports]
    if not over_tls:
        return ()
    try:
        TlsContexts.load(general)
    except ConfigurationError as error:
        problems.blame(("tls",), error)
    for peer in peers.values():
        try:
            TlsContexts.load(peer.settings)
        except ConfigurationError as error:
            problems.blame(peer.path, error, PREFIX)
    notes = [f"edge {name}: {_ONE_WAY}" for name in over_tls if general.certificate is None]
    now = datetime.datetime.now(datetime.UTC)
    known = dict.fromkeys((general, *(peer.settings for peer in peers.values())))
    notes += dict.fromkeys(filter(None, (expiry_note(settings, now) for settings in known)))
    return tuple(notes)


_ONE_WAY: Final = "without tls.certificate TLS is only for connections that we open"


def _own(entry: SrsConfig | TrunkSettings) -> dict[str, Any]:
    given = {key: getattr(entry, PREFIX + key) for key in _KEYS}
    return {key: value for key, value in given.items() if value is not None}
