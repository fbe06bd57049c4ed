"""How much of a peer's input is taken: every limit of the SIP parsers, with its unit and its reason."""

from __future__ import annotations

import dataclasses

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable


@immutable
class SipLimits:
    """Limits on received messages. The defaults fit a SIPREC INVITE with a hundred participants."""

    datagram_bytes: int = 65535  #: what UDP can carry (RFC 3261 18.1.1)
    head_bytes: int = 65536  #: start line and header fields; bounds what a stream holds back unparsed
    line_bytes: int = 16384  #: one header field, unfolded; bounds the cost of one typed value
    header_fields: int = 256  #: lines of a head; bounds the cost of an index
    vias: int = 70  #: hops; a request with the usual Max-Forwards gathers no more (RFC 3261 8.1.1.6)
    body_bytes: int = 1048576  #: SDP and metadata of a large conference stay far below
    parts: int = 32  #: leaves of a multipart body, over all nesting levels
    nesting: int = 4  #: multipart within multipart (RFC 5621 4.2 asks for nesting, none nests deeper)
    part_head_bytes: int = 8192  #: header fields of one body part

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise ConfigurationError(f"sip limit {field.name}: expected 1 or more")


DEFAULT_LIMITS = SipLimits()
