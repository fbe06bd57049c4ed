"""Session timers: how the two ends of a dialog find out that the other has vanished (RFC 4028).

`SessionTimer` is one end of one dialog. Its owner puts `request_fields` into every INVITE, re-INVITE and
UPDATE and tells it what was answered; asks it about every such request of the peer; and looks at `due`
when `deadline` has come. Every re-INVITE and UPDATE refreshes the session, whatever else it is for
(RFC 4028 7.4). An interval below 90 s is not agreed to, and one that a peer sets all the same counts as
90 s (RFC 4028 5), so nobody can make us send at short intervals.
"""

from __future__ import annotations

import enum
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.message import Message, Request, Response
from siprec_src.sip.parameters import parse_number, parse_trailing
from siprec_src.values import immutable

OPTION_TAG: Final = "timer"
MIN_INTERVAL_S: Final = 90  #: RFC 4028 5
EARLY_S: Final = 32  #: who does not refresh hangs up so long before the session expires (RFC 4028 10)
RETRY_S: Final = 5.0  #: between a refresh that failed and the next one at the least
MAX_TRIES: Final = 3  #: as often a longer interval is taken of a 422 before it is a refusal like others

Fields = tuple[tuple[str, str], ...]


class Refresher(enum.Enum):
    """Who refreshes, as seen from the request that says it (RFC 4028 4)."""

    UAC = "uac"
    UAS = "uas"


class Due(enum.Enum):
    """What the passing of time asks for."""

    REFRESH = "refresh"  #: a re-INVITE or UPDATE of ours
    EXPIRED = "expired"  #: BYE: no refresh came, or none succeeded


@immutable(kw_only=False)
class SessionExpires:
    """The value of Session-Expires (RFC 4028 4)."""

    interval_s: int
    refresher: Refresher | None = None

    def __str__(self) -> str:
        named = "" if self.refresher is None else f";refresher={self.refresher.value}"
        return f"{self.interval_s}{named}"


def session_expires(message: Message) -> SessionExpires | None:
    """The Session-Expires of a message; None without one.

    Raises:
        RemoteProtocolError: it cannot be read.
    """
    value = message.headers.get("session-expires")
    if value is None:
        return None
    head, semicolon, _ = value.partition(";")
    interval_s = _seconds("Session-Expires", head, "RFC 4028 4")
    said = parse_trailing(value, len(head), "Session-Expires") if semicolon else ()
    refresher = next((text for name, text in said if name.lower() == "refresher"), None)
    if refresher is None:
        return SessionExpires(interval_s)
    if refresher.lower() not in ("uac", "uas"):
        raise RemoteProtocolError(f"refresher: {refresher[:60]!r}", section="RFC 4028 4")
    return SessionExpires(interval_s, Refresher(refresher.lower()))


def min_se(message: Message) -> int:
    """The shortest interval that the sender takes, seconds; never less than 90 (RFC 4028 5).

    Raises:
        RemoteProtocolError: its Min-SE cannot be read.
    """
    value = message.headers.get("min-se")
    if value is None:
        return MIN_INTERVAL_S
    return max(_seconds("Min-SE", value.partition(";")[0], "RFC 4028 5"), MIN_INTERVAL_S)


def expires_s(message: Message) -> int | None:
    """The interval that a 2xx sets, at least 90 s; None when it sets none that can be read."""
    try:
        said = session_expires(message)
    except RemoteProtocolError:
        return None
    return None if said is None else max(said.interval_s, MIN_INTERVAL_S)


class SessionTimer:
    """One end's view of a session's interval, and of who refreshes it."""

    def __init__(self, wanted_s: int) -> None:
        """``wanted_s``: the interval that our INVITE asks for; 0: it asks for none."""
        self._wanted_s = wanted_s
        self._least_s = 0  #: the largest Min-SE that a 422 told
        self._tries = 0
        self._required = False
        self._agreed_s: int | None = None
        self._ours = False  #: we refresh
        self._refresh_at: float | None = None
        self._expires_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `due` has something to say next."""
        return min((at for at in (self._refresh_at, self._expires_at) if at is not None), default=None)

    @property
    def running(self) -> bool:
        return self._agreed_s is not None

    def request_fields(self) -> Fields:
        """What our INVITE, re-INVITE or UPDATE says (RFC 4028 7.1, 7.4); ``Supported`` apart.

        The first one leaves it to the peer who refreshes; the later ones leave that as it is.
        """
        required: Fields = (("Require", OPTION_TAG),) if self._required else ()
        if not self._asked_s:
            return required
        refresher = None
        if self.running:
            refresher = Refresher.UAC if self._ours else Refresher.UAS
        least: Fields = (("Min-SE", str(self._least_s)),) if self._least_s else ()
        return (*required, ("Session-Expires", str(SessionExpires(self._asked_s, refresher))), *least)

    def try_again(self, response: Response) -> bool:
        """Whether the refused request may succeed if it is sent once more, as it is asked for now.

        After 422 with a longer interval (RFC 4028 7.3), after 421 with ``Require: timer`` (RFC 3261 21.4.16).
        """
        try:
            return self._longer(response) if response.status == 422 else self._demanded(response)
        except RemoteProtocolError:
            return False

    def agreed(self, response: Response, now: float) -> None:
        """Our INVITE, re-INVITE or UPDATE has this 2xx, and its word holds (RFC 4028 7.2)."""
        self._tries = 0
        interval_s = expires_s(response)
        if interval_s is None:
            self.stop()
            return
        said = session_expires(response)
        self._run(interval_s, now, ours=said is None or said.refresher is not Refresher.UAS)

    def failed(self, now: float) -> None:
        """A refresh of ours was refused: the next one comes when half of what is left has passed."""
        if not self._ours or self._expires_at is None:
            return
        at = now + max((self._expires_at - now) / 2, RETRY_S)
        self._refresh_at = at if at < self._expires_at else None

    def refusal(self, request: Request) -> Fields | None:
        """The fields of the 422 that a re-INVITE or UPDATE gets; None when it may pass (RFC 4028 9).

        Raises:
            RemoteProtocolError: 400, its interval cannot be read.
        """
        said, supports = session_expires(request), _supports(request)
        min_se(request)
        if said is None or said.interval_s >= MIN_INTERVAL_S or not supports:
            return None
        return (("Min-SE", str(MIN_INTERVAL_S)),)

    def grant(self, request: Request, now: float) -> Fields:
        """The fields of our 2xx to a re-INVITE or UPDATE of the peer; the interval begins (RFC 4028 9).

        It is the one that the request names, else the one that runs. Who refreshed goes on to, unless
        the request says otherwise, or its sender knows no timers.

        Raises:
            RemoteProtocolError: as `refusal` does.
        """
        said = session_expires(request)
        if said is None and self._agreed_s is None:
            return ()
        ours = self._ours
        if said is not None and said.refresher is not None:
            ours = said.refresher is Refresher.UAS
        ours = ours or not _supports(request)
        interval_s = said.interval_s if said is not None else max(self._agreed_s or 0, min_se(request))
        self._run(max(interval_s, MIN_INTERVAL_S), now, ours=ours)
        granted = SessionExpires(interval_s, Refresher.UAS if ours else Refresher.UAC)
        required: Fields = () if ours else (("Require", OPTION_TAG),)
        return (*required, ("Session-Expires", str(granted)))

    def due(self, now: float) -> Due | None:
        """What is to be done now; each is told once."""
        if self._expires_at is not None and now >= self._expires_at:
            self.stop()
            return Due.EXPIRED
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            return Due.REFRESH
        return None

    def stop(self) -> None:
        """The session expires no more."""
        self._agreed_s = self._refresh_at = self._expires_at = None
        self._ours = False

    @property
    def _asked_s(self) -> int:
        asked_s = self._agreed_s or self._wanted_s
        return max(asked_s, self._least_s) if asked_s else 0

    def _run(self, interval_s: int, now: float, *, ours: bool) -> None:
        self._agreed_s, self._ours = interval_s, ours
        self._refresh_at = now + interval_s / 2 if ours else None
        self._expires_at = now + (interval_s if ours else interval_s - min(EARLY_S, interval_s / 3))

    def _longer(self, response: Response) -> bool:
        least_s = min_se(response)
        if not 0 < self._asked_s < least_s or self._tries == MAX_TRIES:
            return False
        self._tries += 1
        self._least_s = least_s
        return True

    def _demanded(self, response: Response) -> bool:
        wanted = {tag.lower() for tag in response.tags("require")}
        if response.status != 421 or self._required or wanted != {OPTION_TAG}:
            return False
        self._required = True
        return True


def _supports(request: Request) -> bool:
    tags = (*request.tags("supported"), *request.tags("require"))
    return any(tag.lower() == OPTION_TAG for tag in tags)


def _seconds(name: str, text: str, section: str) -> int:
    return parse_number(name, text, 2**32 - 1, section)
