"""What an application is asked: a form with the standard parameters, or the JSON of an incoming call."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any, Final

from siprec_src.api.accounts import Account
from siprec_src.api.application import signature, text_to_sign
from siprec_src.api.calls.book import KnownCall
from siprec_src.api.calls.parameters import standard_parameters
from siprec_src.api.calls.parties import is_number
from siprec_src.api.outside import OutsideRequest
from siprec_src.api.signed import basic, on_the_wire, signed_request
from siprec_src.ingest.inline.voice import Method

RINGING: Final = "ringing"
JSON: Final = "application/json"


def twiml_request(
    call: KnownCall, account: Account, method: Method, url: str, *failed: tuple[str, str]
) -> OutsideRequest:
    """Ask in the way of TwiML; ``failed`` tells the second URL what has become of the first."""
    fields = (*standard_parameters(call, RINGING), *failed)
    return signed_request(account.auth_token, method, url, fields)


def svaml_request(call: KnownCall, account: Account, url: str, at: dt.datetime) -> OutsideRequest:
    """Ask in the way of SVAML, signed by the account's application, if it has one."""
    body = json.dumps(_incoming(call, account, at), ensure_ascii=False).encode("utf-8", "replace")
    bare, credentials = on_the_wire(url)
    timestamp = at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = {"Content-Type": JSON, "Accept": JSON, "x-timestamp": timestamp}
    if credentials:
        headers["Authorization"] = basic(credentials)
    elif account.application is not None:
        path = "/" + bare.partition("://")[2].partition("/")[2].partition("?")[0]
        text = text_to_sign("POST", body, JSON, timestamp, path)
        signed = signature(account.application.secret, text)
        headers["Authorization"] = f"Application {account.application.key}:{signed}"
    return OutsideRequest(method="POST", url=bare, headers=headers, body=body)


def _incoming(call: KnownCall, account: Account, at: dt.datetime) -> dict[str, Any]:
    parties = call.parties
    event: dict[str, Any] = {
        "event": "ice",
        "callid": str(uuid.UUID(bytes=call.session.session_id)),
        "timestamp": at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": 1,
        "cli": parties.caller,
        "to": {"type": "did" if is_number(parties.called) else "sip", "endpoint": parties.called},
        "domain": "pstn" if is_number(parties.called) else "mxp",
        "originationType": "PSTN" if is_number(parties.caller) else "MXP",
    }
    if parties.forwarded_from:
        event["rdnis"] = parties.forwarded_from
    if account.application is not None:
        event["applicationKey"] = account.application.key
    return event
