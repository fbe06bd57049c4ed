"""Who asks by Manage Call: an application's key with a signature, or with its secret as password.

    Authorization: Application key:base64(HMAC-SHA256(base64decode(secret), what is signed))

Signed is the method, base64(MD5(body)), the Content-Type, ``x-timestamp:`` with that header field, and the
path, a line each. A signature is good for some minutes around its time.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import math
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.errors import ApiError
from siprec_src.api.failures import Failures
from siprec_src.machine import WallClock

MAX_AGE_S: Final = 300.0  #: between the time of a signature and ours, in either direction


class ApplicationAuth:
    """Says of a Manage Call request whose application has sent it."""

    def __init__(self, accounts: Callable[[], Accounts], wall: WallClock, now: Callable[[], float]) -> None:
        self._accounts = accounts
        self._wall = wall
        self._now = now  #: seconds of the machines' clock
        self._failures = Failures()

    def admit(self, request: Request, body: bytes) -> Account:
        """The account. Raises ApiError: 401, or 429 after too many failed tries."""
        now = self._now()
        address = request.client.host if request.client is not None else ""
        if (wait_s := self._failures.wait_s(address, now)) > 0:
            raise ApiError(
                429, None, "Too many failed tries", headers={"Retry-After": str(math.ceil(wait_s))}
            )
        account = _application_of(request, body, self._accounts(), self._wall.at(now))
        if account is None:
            self._failures.failed(address, now)
            what = "expected Authorization: Application and a signature made just now, or Basic key:secret"
            raise ApiError(401, None, what, headers={"WWW-Authenticate": "Application"})
        return account


def _application_of(request: Request, body: bytes, accounts: Accounts, now: dt.datetime) -> Account | None:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    key, proof = _pair(shown.strip(), plain=scheme.lower() == "application")
    pairs = ((account, account.application) for account in accounts.known if account.application is not None)
    account, application = next((pair for pair in pairs if pair[1].key == key), (None, None))
    secret = application.secret if application is not None else ""
    match scheme.lower():
        case "application" if _is_fresh(request.headers.get("x-timestamp", ""), now):
            raw: bytes = request.scope["raw_path"]
            kind, timestamp = request.headers.get("content-type", ""), request.headers["x-timestamp"]
            path = raw.decode("ascii", "replace")
            expected = signature(secret, text_to_sign(request.method, body, kind, timestamp, path))
        case "basic":
            expected = secret
        case _:
            return None
    good = hmac.compare_digest(expected.encode(), proof.encode("utf-8", "surrogatepass"))
    return account if good and proof else None


def text_to_sign(method: str, body: bytes, content_type: str, timestamp: str, path: str) -> str:
    """What the signature of a request is made of."""
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() if body else ""
    return "\n".join((method, digest, content_type, f"x-timestamp:{timestamp}", path))


def signature(secret: str, text: str) -> str:
    """The signature of a text by a secret in base64."""
    made = hmac.digest(base64.b64decode(secret), text.encode(), "sha256")
    return base64.b64encode(made).decode()


def _pair(shown: str, *, plain: bool) -> tuple[str, str]:
    """Key and proof; with Basic they may stand there as they are, as that platform's libraries have it."""
    if not plain and ":" not in shown:
        try:
            shown = base64.b64decode(shown, validate=True).decode("utf-8")
        except ValueError:
            return "", ""
    key, _, proof = shown.partition(":")
    return key, proof


def _is_fresh(timestamp: str, now: dt.datetime) -> bool:
    try:
        moment = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return abs((now - moment).total_seconds()) <= MAX_AGE_S
