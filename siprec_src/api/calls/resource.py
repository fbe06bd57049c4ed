"""A call as the API shows it: every key of the platform's, null where nothing is known (F177)."""

from __future__ import annotations

from typing import Final

from typing_extensions import TypedDict

from siprec_src.api.calls.book import KnownCall
from siprec_src.api.calls.parameters import API_VERSION, DIRECTION
from siprec_src.api.calls.parties import formatted
from siprec_src.api.dates import rfc2822
from siprec_src.api.errors import TREE
from siprec_src.api.pages import Page
from siprec_src.machine import WallClock

_SUBRESOURCES: Final = (
    "notifications", "recordings", "payments", "events", "siprec", "streams", "transcriptions",
    "user_defined_message_subscriptions", "user_defined_messages",
)  # fmt: skip


CallResource = TypedDict(
    "CallResource",
    {
        "sid": str,
        "account_sid": str,
        "annotation": None,
        "answered_by": None,
        "api_version": str,
        "caller_name": str | None,
        "date_created": str,
        "date_updated": str,
        "direction": str,
        "duration": str | None,
        "end_time": str | None,
        "forwarded_from": str | None,
        "from": str,
        "from_formatted": str,
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": None,
        "queue_time": str,
        "start_time": str,
        "status": str,
        "stir_verstat": None,
        "subresource_uris": dict[str, str],
        "to": str,
        "to_formatted": str,
        "trunk_sid": None,
        "uri": str,
    },
)


class CallPage(Page):
    """A page of calls."""

    calls: list[CallResource]


def shown(call: KnownCall, wall: WallClock) -> CallResource:
    """The call as it is now."""
    session, parties = call.session, call.parties
    below = f"{TREE}/Accounts/{call.account_sid}/Calls/{call.sid}"
    ended = None if session.ended is None else rfc2822(wall.at(session.ended))
    started = rfc2822(wall.at(session.started))
    return {
        "sid": call.sid,
        "account_sid": call.account_sid,
        "annotation": None,
        "answered_by": None,
        "api_version": API_VERSION,
        "caller_name": parties.caller_name or None,
        "date_created": started,
        "date_updated": ended or started,
        "direction": DIRECTION,
        "duration": None if session.ended is None else str(int(session.ended - session.started)),
        "end_time": ended,
        "forwarded_from": parties.forwarded_from or None,
        "from": parties.caller,
        "from_formatted": formatted(parties.caller),
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": None,
        "queue_time": "0",
        "start_time": started,
        "status": call.status,
        "stir_verstat": None,
        "subresource_uris": {name: f"{below}/{_path(name)}.json" for name in _SUBRESOURCES},
        "to": parties.called,
        "to_formatted": formatted(parties.called),
        "trunk_sid": None,
        "uri": f"{below}.json",
    }


def _path(name: str) -> str:
    """``user_defined_messages`` stands below ``UserDefinedMessages``."""
    return "".join(word.capitalize() for word in name.split("_"))
