"""Whether an SDP offer is open in a dialog, and whose (RFC 3264 4, RFC 3311 5.2, RFC 3262 5, RFC 6337 2).

Offers are not read here. Session descriptions that count alternate: what stands where none is open is an
offer, the next one from the other side is its answer. One in an unreliable provisional response is a
preview and does not count (RFC 3261 13.2.1).
"""

from __future__ import annotations

import enum

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.message import Message, Response


class Open(enum.Enum):
    """Whose offer waits for its answer."""

    NONE = "none"
    OURS = "ours"
    THEIRS = "theirs"


class OfferState:
    """The exchange of one dialog."""

    __slots__ = ("_invite_settled", "open")

    def __init__(self) -> None:
        self.open = Open.NONE
        self._invite_settled = False

    def invite_starts(self) -> None:
        """A new INVITE: its responses may carry an offer or an answer again."""
        self._invite_settled = False

    def we_send(self, message: Message) -> None:
        """A request, or a final response to one, with or without SDP leaves us."""
        if has_sdp(message):
            self.open = Open.NONE if self.open is Open.THEIRS else Open.OURS

    def they_send(self, message: Message) -> None:
        """The same from the peer."""
        if has_sdp(message):
            self.open = Open.NONE if self.open is Open.OURS else Open.THEIRS

    def we_answer_invite(self, response: Response) -> None:
        """Our reliable 1xx or 2xx to an INVITE. A copy of SDP that has settled the matter is no offer.

        A 2xx that leaves their offer without an answer breaks a rule; it is not waited for any more.
        """
        if self._invite_settled:
            return
        self.we_send(response)
        self._settle(response, Open.THEIRS)

    def they_answer_invite(self, response: Response) -> None:
        """The peer's reliable 1xx or 2xx to our INVITE."""
        if self._invite_settled:
            return
        self.they_send(response)
        self._settle(response, Open.OURS)

    def close(self) -> None:
        """The request that carried the offer has failed, or its exchange is over without an answer."""
        self.open = Open.NONE

    def _settle(self, response: Response, waiting: Open) -> None:
        if response.status >= 200 and self.open is waiting:
            self.open = Open.NONE
        self._invite_settled = has_sdp(response) and self.open is Open.NONE


def has_sdp(message: Message) -> bool:
    """Whether the body is, or contains, a session description; an unreadable Content-Type has none."""
    if not message.body:
        return False
    try:
        kind = message.content_type
    except RemoteProtocolError:
        return False
    if kind is None:
        return False
    essence = kind.essence
    return essence == "application/sdp" or (
        essence.startswith("multipart/") and b"application/sdp" in message.body.lower()
    )
