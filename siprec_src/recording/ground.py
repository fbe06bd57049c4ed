"""What recording stands on: where ids and times come from, and the places that SIP and media leave by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.machine import Finished, Forward, LogLine, Observe, WallClock
from siprec_src.media import plane
from siprec_src.sip import headers as h
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Edge
from siprec_src.sip.message import Response

Effect = sip.Command | plane.Command | LogLine | Observe | Forward | Finished
Effects = list[Effect]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every machine of recording is given."""

    identity: Identity
    wall: WallClock
    edges: Mapping[str, Edge]  #: by name, the default one first


def retry_after_s(response: Response) -> float | None:
    """How long the peer asks us to wait; None when it does not say, or says it badly (RFC 3261 20.33)."""
    value = response.headers.get("retry-after")
    try:
        return None if value is None else float(h.parse_retry_after(value).after_s)
    except RemoteProtocolError:
        return None
