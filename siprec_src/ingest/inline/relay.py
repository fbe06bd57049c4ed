"""Requests that one leg received and the other sent on, until their last word is said (RFC 3261 8, 13)."""

from __future__ import annotations

import dataclasses

from siprec_src.communication import Side
from siprec_src.ingest.inline.media import Exchange
from siprec_src.ingest.inline.transfers import Asked
from siprec_src.sip.message import Request

CARRIES_SESSION = frozenset({"INVITE", "UPDATE", "PRACK"})  #: methods of offer/answer (RFC 6337 2)


@dataclasses.dataclass(slots=True, kw_only=True)
class Relayed:
    """One request on its way."""

    origin: Side  #: the party that sent it
    dialog: str  #: "" for the INVITE that began the call
    token: int  #: of the request as it arrived
    sent: int  #: of the request as it was sent on
    request: Request
    asked: Asked | None = None  #: what a REFER leads to
    exchange: Exchange | None = None  #: of the offer that it carries
    late: dict[str, Exchange] = dataclasses.field(default_factory=dict)  #: offers in its responses, by dialog
    answered: bool = False  #: an INVITE with its 2xx, which waits for the ACK

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def changes_session(self) -> bool:
        """Whether another offer must not cross it (RFC 3261 14.1, RFC 3311 5.2)."""
        if self.answered or not self.dialog:
            return False
        return self.method == "INVITE" or (self.method == "UPDATE" and self.exchange is not None)

    def settled(self, dialog: str) -> bool:
        """Whether the offer of this INVITE, or of its responses, has its answer in this dialog."""
        exchange = self.exchange or self.late.get(dialog)
        return exchange is not None and dialog in exchange.settled

    def unanswered_offer(self, dialog: str, offerer: Side) -> Exchange | None:
        """The offer that a response of this INVITE carried and that waits for its answer."""
        exchange = self.late.get(dialog)
        open_ = exchange is not None and exchange.offerer is offerer and dialog not in exchange.settled
        return exchange if open_ else None


class Relays:
    """All requests under way in one call."""

    def __init__(self) -> None:
        self._by_sent: dict[int, Relayed] = {}
        self._by_token: dict[int, Relayed] = {}
        self._settled: set[int] = set()

    def add(self, relayed: Relayed) -> Relayed:
        self._by_sent[relayed.sent] = relayed
        self._by_token[relayed.token] = relayed
        return relayed

    def drop(self, relayed: Relayed) -> None:
        self._by_sent.pop(relayed.sent, None)
        self._by_token.pop(relayed.token, None)
        self._settled.discard(relayed.token)

    def settle(self, token: int) -> None:
        """The sender of this request has its final response already, whatever its peer may say."""
        self._settled.add(token)

    def settled(self, token: int) -> bool:
        """Whether nothing more may be said to the sender: CANCEL, or the end of the call, has answered."""
        return token in self._settled

    def forget(self, token: int) -> None:
        """A request that was settled before it was sent on is over."""
        self._settled.discard(token)

    def sent(self, token: int) -> Relayed | None:
        """The request that we sent on as ``token``."""
        return self._by_sent.get(token)

    def arrived(self, token: int) -> Relayed | None:
        """The request that arrived as ``token``."""
        return self._by_token.get(token)

    def unanswered_offer(self, dialog: str, offerer: Side) -> Exchange | None:
        """An offer of ``offerer`` in a response, still without its answer (RFC 3262 5)."""
        found = (relayed.unanswered_offer(dialog, offerer) for relayed in self._by_sent.values())
        return next((exchange for exchange in found if exchange is not None), None)

    def collides(self, side: Side) -> bool:
        """Whether a change by the other party is under way when ``side`` wants one (RFC 3261 14.2)."""
        return any(r.changes_session and r.origin is not side for r in self._by_sent.values())

    @property
    def exchanging(self) -> bool:
        """Whether a request that may carry a description is under way."""
        return any(relayed.method in CARRIES_SESSION for relayed in self._by_sent.values())

    def unanswered(self) -> list[Relayed]:
        """Requests whose senders still wait for a final response."""
        return [r for r in self._by_sent.values() if not r.answered and r.token not in self._settled]

    def outside(self, dialog: str) -> list[Relayed]:
        """Requests of other dialogs than this one; that which made them all is none of theirs."""
        return [r for r in self._by_sent.values() if r.dialog not in ("", dialog)]

    def unacknowledged(self) -> list[Relayed]:
        """INVITEs with a 2xx whose ACK has not come yet."""
        return [r for r in self._by_sent.values() if r.answered]
