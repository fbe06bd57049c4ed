"""The stages of a recording session's life, and what its SRS is still told at the end of it."""

from __future__ import annotations

import enum
from typing import Final

PATIENCE_S: Final = 2.0  #: the end waits this long for readers to end, and for the final metadata's answer

SOON_S: Final = 2.0  #: a BYE that follows a document within this time may be for its sake (RFC 7866 9.2)


class State(enum.Enum):
    """Where a recording session is in its life."""

    OPENING = "opening"  #: ports are asked for
    INVITING = "inviting"
    CANCELLING = "cancelling"
    ACTIVE = "active"
    STOPPING = "stopping"  #: the forks are ending
    CLOSING = "closing"  #: the final metadata is out
    LEAVING = "leaving"  #: nothing is left but answers
    OVER = "over"


class Farewell(enum.Enum):
    """What the SRS is still told at the end."""

    FINAL = "final"  #: metadata with the call's end, then BYE
    BYE = "bye"
    NONE = "none"  #: the dialog is gone
