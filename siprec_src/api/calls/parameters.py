"""The standard parameters that every request of ours about a call carries (F041)."""

from __future__ import annotations

from typing import Final

from siprec_src.api.calls.book import KnownCall

API_VERSION: Final = "2010-04-01"
DIRECTION: Final = "inbound"  #: every call was placed to us


def standard_parameters(call: KnownCall, status: str = "") -> tuple[tuple[str, str], ...]:
    """Names and values, with another ``status`` than the call shows now, if one is given.

    What is not known is left out, since an empty value breaks signatures.
    """
    said = (
        ("AccountSid", call.account_sid),
        ("CallSid", call.sid),
        ("From", call.parties.caller),
        ("To", call.parties.called),
        ("CallStatus", status or call.status),
        ("ApiVersion", API_VERSION),
        ("Direction", DIRECTION),
        ("ForwardedFrom", call.parties.forwarded_from),
        ("CallerName", call.parties.caller_name),
    )
    return tuple((name, value) for name, value in said if value)
