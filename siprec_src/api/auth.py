"""Who asks: HTTP Basic for accounts (RFC 7617), a Bearer token for the operator (RFC 6750).

Comparing takes the same time whoever is named. Hashes of API keys are reckoned in a thread, and what has
fitted once is known as long as the process lives. Without a token whoever is on this machine operates it;
what a web page makes a browser send from here does not, nor a name that somebody's DNS has led here, nor
what a proxy passes on.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import math
import secrets
from collections import OrderedDict
from typing import Final, NoReturn

from starlette.requests import Request

from siprec_src.api import hashes
from siprec_src.api.accounts import Account, Accounts, Operator, Principal
from siprec_src.api.errors import ApiError, below_tree, not_found
from siprec_src.api.failures import Failures
from siprec_src.net.sockets import is_loopback
from siprec_src.values import SecretText

MAX_CREDENTIALS_BYTES: Final = 1024
MAX_WAITING: Final = 16  #: secrets to be hashed at a time; above it a client is asked to come again
MAX_FITTING: Final = 1024  #: secrets that are known to fit
BUSY_S: Final = 1

_BASIC: Final = 'Basic realm="Twilio API", charset="UTF-8"'
_BEARER: Final = 'Bearer realm="siprec-src"'
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_BEYOND: Final = "beyond loopback only with a token: [http] token_file or token_env"
_NOT_HERE: Final = "not for browsers or proxies, nor by another name than localhost or its address"


class Auth:
    """Says of a request who has sent it.

    Args:
        local: the server listens on loopback alone.
    """

    def __init__(self, accounts: Accounts, token: SecretText | None, *, local: bool) -> None:
        self.accounts = accounts
        self._token = token
        self._local = local
        self._failures = Failures()
        self._process_key = secrets.token_bytes(32)
        self._fitting: OrderedDict[bytes, None] = OrderedDict()
        self._hashing = asyncio.Lock()
        self._waiting = 0

    def renew(self, accounts: Accounts, token: SecretText | None) -> bool:
        """From now on these; who was known before is asked anew. Whether they are others than before."""
        changed = (accounts, token) != (self.accounts, self._token)
        self.accounts = accounts
        self._token = token
        self._fitting.clear()
        return changed

    async def admit(self, request: Request) -> None:
        """A dependency of routes: ``request.state.principal`` is who asks.

        Raises:
            ApiError: 401, 403, 404 (another account's path) or 429.
        """
        principal = await self._principal(request)
        if isinstance(principal, Account):
            named = request.path_params.get("account_sid", principal.sid)
            if named != principal.sid:
                raise not_found(request.url.path)
        request.state.principal = principal

    async def _principal(self, request: Request) -> Principal:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        for_accounts = below_tree(request.url.path)
        if not shown.strip():
            if not for_accounts and self._is_operators_machine(request):
                return Operator()
            self._ask_who(request, shown=False)
        address = request.client.host if request.client is not None else ""
        self._check_tries(address)
        found: Principal | None = None
        if scheme.lower() == "basic":
            found = await self._account(*_pair(shown.strip()), address)
            _check_origin(request)
        elif scheme.lower() == "bearer" and not for_accounts and self._token is not None:
            good = hmac.compare_digest(self._token.encode(), shown.strip().encode("latin-1"))
            found = Operator() if good else None
        if found is None:
            self._failures.failed(address, _now())
            self._ask_who(request, shown=True)
        return found

    async def _account(self, user: str, secret: str, address: str) -> Account | None:
        if user.startswith("SK"):
            return await self._account_of_key(user, secret, address)
        account = self.accounts.find(user)
        expected = account.auth_token if account is not None else ""
        good = hmac.compare_digest(_octets(expected), _octets(secret))
        return account if good and secret else None

    async def _account_of_key(self, sid: str, secret: str, address: str) -> Account | None:
        found = self.accounts.of_key(sid)
        expected = found[1].secret_hash if found is not None else hashes.NOBODY
        known = hmac.digest(self._process_key, _octets(f"{sid}:{expected}:{secret}"), "sha256")
        if known in self._fitting or await self._fits(secret, expected, known, address):
            return found[0] if found is not None else None
        return None

    async def _fits(self, secret: str, expected: str, known: bytes, address: str) -> bool:
        """Whether the secret has this hash; one is reckoned at a time."""
        if self._waiting >= MAX_WAITING:
            raise _too_many("Too many clients show a key at a time", BUSY_S)
        self._waiting += 1
        try:
            async with self._hashing:
                self._check_tries(address)
                if known not in self._fitting:
                    if not await asyncio.to_thread(hashes.fits, secret, expected):
                        return False
                    self._fitting[known] = None
                    if len(self._fitting) > MAX_FITTING:
                        self._fitting.popitem(last=False)
                return True
        finally:
            self._waiting -= 1

    def _check_tries(self, address: str) -> None:
        wait_s = self._failures.wait_s(address, _now())
        if wait_s > 0:
            raise _too_many("Too many failed tries", math.ceil(wait_s))

    def _ask_who(self, request: Request, *, shown: bool) -> NoReturn:
        nobody = self._token is None and not self.accounts.known
        if below_tree(request.url.path):
            how = "" if self.accounts.known else ": there is no account, make one by siprec-src account new"
            raise ApiError(401, None, f"Authenticate{how}", headers={"WWW-Authenticate": _BASIC})
        if nobody and not shown:
            raise ApiError(403, None, _NOT_HERE if self._local else _BEYOND)
        what = "expected Authorization: Bearer and the token of [http], or Basic and an account"
        raise ApiError(401, None, what, headers={"WWW-Authenticate": f"{_BEARER}, {_BASIC}"})

    def _is_operators_machine(self, request: Request) -> bool:
        if self._token is not None or not self._local:
            return False
        host = request.headers.get("host", "")
        named = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if not (named == "localhost" or is_loopback(named.strip("[]"))):
            return False
        return not any(name in request.headers for name in ("origin", *_FORWARDED))


def principal_of(request: Request) -> Principal:
    """Who asks, where `Auth.admit` has been."""
    principal: Principal = request.state.principal
    return principal


async def admit_operator(request: Request) -> None:
    """A dependency of routes that say or do more than an account may; `Auth.admit` has been there.

    Raises:
        ApiError: 403.
    """
    if not isinstance(principal_of(request), Operator):
        raise ApiError(403, None, "for the operator alone")


def account_of(request: Request) -> Account:
    """The account that asks, below ``/2010-04-01``."""
    principal = principal_of(request)
    if isinstance(principal, Operator):
        raise not_found(request.url.path)
    return principal


def _check_origin(request: Request) -> None:
    """A browser that remembers a password sends it with whatever another site makes it send."""
    origin = request.headers.get("origin")
    if origin is None or request.method in _SAFE:
        return
    if origin.partition("://")[2] != request.headers.get("host"):
        raise ApiError(403, 20403, "not for pages of another site")


def _pair(shown: str) -> tuple[str, str]:
    """User and password of RFC 7617; both empty when there are none."""
    if len(shown) > MAX_CREDENTIALS_BYTES:
        return "", ""
    try:
        user, _, secret = base64.b64decode(shown, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return "", ""
    return user, secret


def _too_many(what: str, wait_s: int) -> ApiError:
    return ApiError(429, None, what, headers={"Retry-After": str(wait_s)})


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _now() -> float:
    return asyncio.get_running_loop().time()
