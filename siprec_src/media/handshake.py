"""DTLS datagrams between the engine and whoever performs the handshakes in its process (RFC 5764 5.1).

They never reach the control process, so they are no words of `media.plane`.
"""

from __future__ import annotations

import dataclasses

from siprec_src.media.model import Endpoint, PortId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendDtls:
    """A command to the engine: send this from a port opened with ``dtls``. Answered with `Done`."""

    tag: int
    port: PortId
    rtcp: bool  #: from the RTCP socket
    to: Endpoint
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DtlsReceived:
    """An event of the engine: this came to a port opened with ``dtls``, from anybody."""

    port: PortId
    rtcp: bool
    source: Endpoint
    data: bytes
