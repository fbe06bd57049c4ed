"""Requests that are signed as Twilio signs its own, so that a receiver's library knows whom they are from.

``X-Twilio-Signature`` is the HMAC-SHA1, by the account's token, of the URL and, in a POST, of each field's
name and value behind it, by name. The URL is the one that the receiver sees: as it goes on the wire, without
credentials, which travel as Basic authentication (RFC 7617), and without fragment.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from siprec_src.api.outside import OutsideRequest

SIGNATURE: Final = "X-Twilio-Signature"
IDEMPOTENCY: Final = "I-Twilio-Idempotency-Token"
FORM: Final = "application/x-www-form-urlencoded; charset=UTF-8"

_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F))  # a URL's own ASCII stays as it is

Fields = Sequence[tuple[str, str]]


def signed_request(
    token: str, method: str, url: str, fields: Fields, *, identifier: str = ""
) -> OutsideRequest:
    """The request that tells ``fields`` to ``url``, whose form `outside.check_url` has looked at.

    ``token`` is that of the account; ``identifier`` is the same for each try of one request.
    """
    bare, credentials = on_the_wire(url)
    told = [(name, value) for name, value in fields if value]
    headers = {"Accept": "*/*"}
    if identifier:
        headers[IDEMPOTENCY] = identifier
    if credentials:
        headers["Authorization"] = basic(credentials)
    form = urlencode(told, errors="replace")
    if method == "GET":
        if form:
            bare += ("&" if "?" in bare else "?") + form
        headers[SIGNATURE] = signature(token, bare, ())
        return OutsideRequest(method=method, url=bare, headers=headers)
    headers["Content-Type"] = FORM
    headers[SIGNATURE] = signature(token, bare, told)
    return OutsideRequest(method=method, url=bare, headers=headers, body=form.encode("ascii"))


def signature(token: str, url: str, fields: Fields) -> str:
    """The value of `SIGNATURE`: each different value of a name once, names and values in order."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.digest(token.encode(), text.encode("utf-8", "replace"), "sha1")
    return base64.b64encode(digest).decode("ascii")


def basic(credentials: str) -> str:
    """The Authorization of a user name and password with a colon between them (RFC 7617)."""
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def on_the_wire(url: str) -> tuple[str, str]:
    """The URL in ASCII without credentials and fragment, and the credentials."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if not host.isascii():
        from yarl import URL

        host = URL(f"//{host}").raw_authority
    bare = (parts.scheme, host, quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE), "")
    return urlunsplit(bare), unquote(userinfo)
