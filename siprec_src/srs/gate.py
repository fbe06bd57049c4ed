"""Who may record here: Digest from the server's side, for tries and tests (RFC 3261 22, RFC 7616 3.3).

Every request but ACK and CANCEL is challenged. A nonce may be used again as long as its count grows.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.sip import digest
from siprec_src.sip.digest import Challenge, Proof, Scheme
from siprec_src.sip.message import Request
from siprec_src.srs.settings import Behaviour

MAX_NONCES: Final = 1000  #: remembered; the oldest is forgotten first, and is stale from then on
REALM: Final = "siprec-src"


class Gate:
    """Asks for the one user name and password that are configured."""

    def __init__(self, behaviour: Behaviour, identity: Identity) -> None:
        self._username, _, self._password = behaviour.digest.partition(":")
        self._algorithm = behaviour.digest_algorithm
        self._always_stale = behaviour.digest_stale
        self._identity = identity
        self._counts: OrderedDict[str, int] = OrderedDict()

    def challenge(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Header fields of the 401 to ``request``; none when it may pass."""
        value = request.headers.get("authorization")
        if value is None:
            return self._ask(stale=False)
        try:
            schemes = digest.parse_schemes(value)
        except RemoteProtocolError:
            return self._ask(stale=False)
        if not schemes or not self._is_right(request, schemes[0]):
            return self._ask(stale=False)
        return () if self._is_fresh(schemes[0]) else self._ask(stale=True)

    def _is_right(self, request: Request, scheme: Scheme) -> bool:
        """Whether the response was made with the password, for this request."""
        given = scheme.parameters
        asked = self._challenge(given.get("nonce", ""), given.get("qop", ""))
        proof = Proof(
            username=self._username,
            password=self._password,
            method=request.method,
            uri=request.uri,
            body=request.body,
            count=_count(scheme),
            client_nonce=given.get("cnonce", ""),
        )
        named = (given.get("username"), given.get("realm"), given.get("uri"), given.get("algorithm"))
        expected = digest.respond(asked, proof).encode()
        return (
            scheme.name == "digest"
            and given.get("qop") in ("auth", "auth-int")
            and named == (self._username, REALM, request.uri, self._algorithm.value)
            and hmac.compare_digest(given.get("response", "").encode("utf-8", "replace"), expected)
        )

    def _is_fresh(self, scheme: Scheme) -> bool:
        """Whether the nonce is known and its count is above the last one (RFC 7616 3.4)."""
        nonce, count = scheme.parameters["nonce"], _count(scheme)
        if self._always_stale or count <= self._counts.get(nonce, count):
            return False
        self._counts[nonce] = count
        return True

    def _ask(self, *, stale: bool) -> tuple[tuple[str, str], ...]:
        nonce = self._identity.secret(16).hex()
        self._counts[nonce] = 0
        if len(self._counts) > MAX_NONCES:
            self._counts.popitem(last=False)
        value = (
            f'Digest realm="{REALM}", nonce="{nonce}", algorithm={self._algorithm.value}, qop="auth,auth-int"'
        )
        return (("WWW-Authenticate", value + (", stale=true" if stale else "")),)

    def _challenge(self, nonce: str, quality: str) -> Challenge:
        return Challenge(realm=REALM, nonce=nonce, algorithm=self._algorithm, qop=quality)


def _count(scheme: Scheme) -> int:
    text = scheme.parameters.get("nc", "")
    return int(text, 16) if len(text) == 8 and all(sign in "0123456789abcdef" for sign in text) else 0
