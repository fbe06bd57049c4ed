"""What a user agent says of itself, what it understands, and how much it holds (RFC 3261 8.2, 11, 20)."""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable

KNOWN_OPTION_TAGS: Final = frozenset({
    "100rel", "answermode", "early-session", "eventlist", "from-change", "geolocation-http",
    "geolocation-sip", "gin", "gruu", "histinfo", "ice", "join", "multiple-refer", "norefersub", "nosub",
    "outbound", "path", "policy", "precondition", "pref", "privacy", "recipient-list-invite",
    "recipient-list-message", "recipient-list-subscribe", "record-aware", "replaces", "resource-priority",
    "sdp-anat", "sec-agree", "siprec", "tdialog", "timer", "trickle-ice", "uui",
})  # fmt: skip
"""Registered option tags whose meaning is kept when a call is relayed end to end.

``siprec`` is among them so that the owner of new calls sees such an INVITE and answers it by its policy
(RFC 7866 6.2): both marks of a recording session together are needed to be one.
"""


@immutable
class AgentSettings:
    """The user agent's face to its peers."""

    allow: tuple[str, ...] = (
        "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY",
        "MESSAGE", "SUBSCRIBE", "PUBLISH",
    )  # fmt: skip
    #: methods taken, all but INVITE and OPTIONS only inside a dialog; others get 405
    accept: tuple[str, ...] = ("application/sdp", "multipart/mixed")  #: told in answers to OPTIONS
    supported: tuple[str, ...] = ("100rel", "replaces", "timer")  #: told in answers to OPTIONS
    understood_requires: frozenset[str] = KNOWN_OPTION_TAGS  #: others get 420 (RFC 3261 8.2.2.3)
    drain_retry_after_s: int = 5  #: in the 503 to a new call while draining, or over a limit
    datagram_limit_bytes: int = 1300  #: a longer request goes by TCP where the edge has it (RFC 3261 18.1.1)
    hold_down_s: float = 30.0  #: for so long an address that failed is tried last (RFC 3263 4.3); 0: never
    keepalive_s: float = 30.0  #: between two pings where the peer leaves it to us; 0: none are offered
    stream_refused_s: float = 600.0  #: for so long a peer that refused TCP gets long requests by UDP at once


@immutable
class AgentLimits:
    """How much one user agent holds at a time; over a limit the newcomer gets 503, the rest go on."""

    max_transactions: int = 40000  #: client and server together; a tenth is kept for running calls
    max_usages: int = 8000  #: calls and recording sessions, each side counted
    max_dialogs_per_usage: int = 16  #: forks of one INVITE (RFC 3261 12.1)
    max_requests_per_dialog: int = 32  #: received and not yet answered by the owner
    max_held_down: int = 1024  #: addresses remembered to have failed; the oldest is forgotten first
    max_refusals: int = 1024  #: peers remembered to have refused TCP; the oldest is forgotten first
    max_addresses_per_request: int = 6  #: tried one after another (RFC 3263 4.3)
    unanswered_s: float = 900.0  #: an INVITE without final response for so long is cancelled, or refused

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) <= 0:
                raise ConfigurationError(f"limit {field.name}: expected more than 0")
