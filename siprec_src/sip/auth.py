"""Our answers to challenges within one usage (RFC 3261 22.2, 22.3, RFC 8760 2.4).

Of the challenges of one realm the topmost that we can answer is answered, never Basic. What a realm has
asked for is remembered as long as the usage lives: later requests bring their credentials along, with a
nonce count that grows. The client nonce stays the same for the life of a nonce, so that the session key
of the ``-sess`` algorithms does too (RFC 7616 3.4.2).
"""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.sip import digest
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.digest import Challenge, Proof
from siprec_src.sip.message import Headers, Request, Response

MAX_REALMS: Final = 4  #: answered at a time; a request passes few proxies that ask
MAX_ROUNDS: Final = 4  #: one request is sent again because of challenges at most so often
CLIENT_NONCE_OCTETS: Final = 16

Place = tuple[str, str]
"""The header field that answers, and the realm."""

_ANSWERS: Final = {  # status: field with the challenges, field with the answer (RFC 3261 22.2, 22.3)
    401: ("www-authenticate", "Authorization"),
    407: ("proxy-authenticate", "Proxy-Authorization"),
}


@dataclasses.dataclass(slots=True)
class _Known:
    """A nonce in use."""

    challenge: Challenge
    client_nonce: str
    count: int = 0


class Authenticator:
    """The credentials of one usage, and the nonces that its peer has given."""

    __slots__ = ("_credentials", "_identity", "_known")

    def __init__(self, credentials: Credentials, identity: Identity) -> None:
        self._credentials = credentials
        self._identity = identity
        self._known: dict[Place, _Known] = {}

    def authorized(self, request: Request) -> Request:
        """``request`` with credentials for every realm that has asked; any for these realms give way."""
        headers = request.headers
        for place, known in self._known.items():
            known.count += 1
            proof = Proof(
                username=self._credentials.username,
                password=self._credentials.password,
                method=request.method,
                uri=request.uri,
                body=request.body,
                count=known.count,
                client_nonce=known.client_nonce,
            )
            value = digest.write_credentials(known.challenge, proof)
            headers = _without(headers, place).appended((place[0], value))
        return dataclasses.replace(request, headers=headers)

    def learn(self, request: Request, response: Response, answered: set[Place]) -> bool:
        """Take the challenges of a 401 or 407; whether the request may be sent once more (22.1).

        Args:
            request: what was refused.
            response: the refusal.
            answered: realms whose challenge this request has answered before; what is answered now is
                added. Being refused again is final there, unless the nonce was only stale.
        """
        challenges = self._challenges(response)
        for place, challenge in challenges.items():
            repeated = any(f' nonce="{challenge.nonce}"' in value for value in request.headers.all(place[0]))
            if (place in answered or repeated) and not challenge.stale:
                return False
        for place, challenge in challenges.items():
            self._known.pop(place, None)
            self._known[place] = self._fresh(challenge)
        while len(self._known) > MAX_REALMS:
            del self._known[next(iter(self._known))]
        answered.update(challenges)
        return bool(challenges)

    def succeeded(self, response: Response) -> None:
        """Take the next nonce that a server names in Authentication-Info (RFC 7616 3.5)."""
        value = response.headers.get("authentication-info")
        servers = [place for place in self._known if place[0] == "Authorization"]
        if value is None or len(servers) != 1:
            return
        try:
            nonce = digest.parse_info(value).get("nextnonce")
        except RemoteProtocolError:
            return
        challenge = self._known[servers[0]].challenge
        if nonce and not challenge.session:
            self._known[servers[0]] = self._fresh(dataclasses.replace(challenge, nonce=nonce))

    def _challenges(self, response: Response) -> dict[Place, Challenge]:
        """Of each realm the topmost challenge that can be answered (RFC 8760 2.4)."""
        asks, answers = _ANSWERS[response.status]
        found: dict[Place, Challenge] = {}
        for value in response.headers.all(asks)[: digest.MAX_CHALLENGES]:
            try:
                schemes = digest.parse_schemes(value)
            except RemoteProtocolError:
                continue
            for scheme in schemes:
                challenge = digest.read_challenge(scheme, allow_md5=self._credentials.allow_md5)
                if challenge is not None and len(found) < MAX_REALMS:
                    found.setdefault((answers, challenge.realm), challenge)
        return found

    def _fresh(self, challenge: Challenge) -> _Known:
        return _Known(challenge, self._identity.secret(CLIENT_NONCE_OCTETS).hex())


def asks(response: Response) -> bool:
    """Whether a response asks for credentials."""
    return response.status in _ANSWERS


def _without(headers: Headers, place: Place) -> Headers:
    """``headers`` without credentials for one realm."""
    values = headers.all(place[0])
    kept = [value for value, realm in zip(values, digest.realms(values), strict=True) if realm != place[1]]
    return headers if len(kept) == len(values) else headers.replaced(place[0], *kept)
