"""What the transports count; read when somebody asks for metrics, never pushed."""

from __future__ import annotations

import dataclasses
from collections import Counter


@dataclasses.dataclass(slots=True)
class TransportCounters:
    """The books of all SIP sockets of a process, messages unless the name says otherwise."""

    received: int = 0
    sent: int = 0
    malformed: int = 0
    send_failed: int = 0
    dropped: Counter[str] = dataclasses.field(
        default_factory=Counter
    )  #: by reason, e.g. ``write-buffer-full``
