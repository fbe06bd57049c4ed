"""Whether the parties of a call are still there, when neither says goodbye (RFC 4028 8).

The parties' session timer passes end to end and is theirs to keep. What is done here is to notice that
nobody keeps it: no refresh has come though the session expired `GRACE_S` ago, by when a party that lives
has hung up. A call whose parties have no session timer is given up when neither RTP nor SIP has come from
either for the time that is configured. Of one that is on hold, or has media that is not looked into,
silence says nothing; a party that never sent any counts for nothing either.
"""

from __future__ import annotations

import enum
from typing import Final

from siprec_src.communication import Direction, Side
from siprec_src.ingest.inline.agreed import AgreedLine, sent_direction
from siprec_src.ingest.inline.crossing import Treatment
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.media import SIDES, CallMedia
from siprec_src.media.model import PortId
from siprec_src.sip.message import Response
from siprec_src.sip.session_timer import (
    EARLY_S,
    MIN_INTERVAL_S,
    OPTION_TAG,
    Fields,
    Refresher,
    SessionExpires,
    expires_s,
    session_expires,
)
from siprec_src.values import immutable

GRACE_S: Final = 32.0  #: a BYE of either party has had that time to arrive (RFC 4028 10)

MARGIN_S: Final = 5.0  #: between a refresh and the moment at which it would be too late

Place = tuple[int, Side]


class Cause(enum.Enum):
    """Why a call is given up; the value is for people."""

    EXPIRED = "session expired"
    SILENT = "no media"


@immutable(kw_only=False)
class Timer:
    """The parties' session timer."""

    interval_s: int
    refresher: Side
    since: float  #: the last refresh


class Vigil:
    """What one call knows of its parties' presence."""

    def __init__(self, media: CallMedia, media_timeout_s: float) -> None:
        """``media_timeout_s``: how long both may be silent; 0: for ever."""
        self._media = media
        self._media_timeout_s = media_timeout_s
        self._timer: Timer | None = None
        self._spoken_at = 0.0
        self._silent_since: dict[Place, float | None] = {}  #: who was heard once; None: is heard now

    def refreshed(self, response: Response, asker: Side, now: float) -> None:
        """A 2xx to the INVITE or UPDATE of ``asker`` crosses: their interval begins anew, or ends (8.3)."""
        interval_s = expires_s(response)
        self._timer = None if interval_s is None else Timer(interval_s, _refresher(response, asker), now)

    def request_fields(self, side: Side, now: float) -> Fields | None:
        """What a request of our own to ``side`` says, so that the parties' timer stays as it is (7.4).

        None: not now. The request refreshes the session of that party alone. When it is the one who
        refreshes, it does so later than the other party expects; then it is told a shorter interval.
        """
        if (timer := self._timer) is None:
            return ()
        interval_s, refresher = timer.interval_s, Refresher.UAC
        if timer.refresher is side:
            patience_s = timer.interval_s - min(EARLY_S, timer.interval_s / 3) - MARGIN_S
            interval_s = min(interval_s, int(2 * (timer.since + patience_s - now)))
            refresher = Refresher.UAS
        if interval_s < MIN_INTERVAL_S:
            return None
        return (("Supported", OPTION_TAG), ("Session-Expires", str(SessionExpires(interval_s, refresher))))

    def spoken(self, now: float) -> None:
        """A party has sent something in SIP."""
        self._spoken_at = now

    def heard(self, port: PortId) -> None:
        """RTP has come at this port."""
        if (place := self._place(port)) is not None:
            self._silent_since[place] = None

    def silent(self, port: PortId, now: float) -> None:
        """No more RTP comes at this port."""
        if (place := self._place(port)) is not None:
            self._silent_since[place] = now

    def deaf(self, now: float) -> None:
        """The media process has changed: who was heard before has to be heard again, from now on."""
        self._silent_since = dict.fromkeys(self._silent_since, now)

    @property
    def deadline(self) -> float | None:
        """When the call is to be given up, as things are."""
        timer = self._timer
        return self._silent_until if timer is None else timer.since + timer.interval_s + GRACE_S

    @property
    def cause(self) -> Cause:
        """What `deadline` is the deadline of."""
        return Cause.SILENT if self._timer is None else Cause.EXPIRED

    @property
    def _silent_until(self) -> float | None:
        lines = self._media.agreed
        if not self._media_timeout_s or not any(self._media.ports()) or not _tells(lines):
            return None
        places = [(line.index, side) for line in lines for side in SIDES]
        since = [self._silent_since[place] for place in places if place in self._silent_since]
        if not since or None in since:
            return None
        return max(self._spoken_at, *(at for at in since if at is not None)) + self._media_timeout_s

    def _place(self, port: PortId) -> Place | None:
        slots = enumerate(self._media.slots)
        return next(((n, side) for n, slot in slots for side, own in slot.ports.items() if own == port), None)


def _refresher(response: Response, asker: Side) -> Side:
    """Who refreshes; who asked, when the answer does not say it (RFC 4028 7.2)."""
    said = session_expires(response)
    return other(asker) if said is not None and said.refresher is Refresher.UAS else asker


def _tells(lines: tuple[AgreedLine, ...]) -> bool:
    """Whether silence on these m-lines means something: both parties should be talking, over RTP."""
    return any(sent_direction(line, Side.CALLER) is Direction.SENDRECV for line in lines) and all(
        line.treatment is Treatment.RTP for line in lines
    )
