"""Digest challenges and the credentials that answer them, as values (RFC 7616, RFC 8760, RFC 3261 22.4).

Quoted values are kept as they stood between the quotes: that text is what is hashed and what is sent back.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.parameters import QUOTED, TOKEN
from siprec_src.values import immutable

MAX_CHALLENGES: Final = 16  #: read of one response; the rest is ignored
MAX_PARAMETERS: Final = 32  #: of one challenge
MAX_VALUE_CHARACTERS: Final = 1024  #: of one parameter; it comes back in every request of ours
SECTION: Final = "RFC 7616 3.3"


class Algorithm(enum.Enum):
    """The hash, as ``algorithm`` names it without ``-sess`` (RFC 8760 2.1)."""

    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"
    MD5 = "MD5"  #: for old servers only, where it is allowed


@immutable
class Scheme:
    """One challenge, or credentials: its scheme in lower case and its parameters, names in lower case."""

    name: str
    parameters: Mapping[str, str] = dataclasses.field(repr=False)


@immutable
class Challenge:
    """A Digest challenge that can be answered."""

    realm: str
    nonce: str
    algorithm: Algorithm
    session: bool = False  #: the ``-sess`` form
    named: str = ""  #: ``algorithm`` as it was written; "" when it was absent
    qop: str = ""  #: the quality chosen; "" when none was offered
    opaque: str | None = None
    stale: bool = False  #: the password was right, the nonce was too old


@immutable
class Proof:
    """What the hash is made of, beside the challenge."""

    username: str
    password: str = dataclasses.field(repr=False)
    method: str
    uri: str
    body: bytes = dataclasses.field(default=b"", repr=False)
    count: int = 1  #: of requests with this nonce, this one included
    client_nonce: str = ""


def parse_schemes(text: str) -> list[Scheme]:
    """What one WWW-Authenticate, Authorization or kindred field says; challenges may share a field.

    Raises:
        RemoteProtocolError: it is no list of schemes with parameters, or too long a one.
    """
    found: list[Scheme] = []
    at, size = _BLANK.match(text).end(), len(text)  # type: ignore[union-attr] # matches the empty text too
    while at < size:
        if len(found) == MAX_CHALLENGES:
            raise _bad(f"more than {MAX_CHALLENGES} challenges")
        start = _SCHEME.match(text, at)
        if start is None:
            raise _bad(f"bad challenge at {text[at : at + 20]!r}")
        parameters: dict[str, str] = {}
        at = start.end()
        while m := _PARAMETER.match(text, at):
            _put(parameters, m[1].lower(), m[2])
            at = m.end()
        found.append(Scheme(name=start[1].lower(), parameters=parameters))
    return found


def parse_info(text: str) -> Mapping[str, str]:
    """The parameters of an Authentication-Info (RFC 7616 3.5). Raises RemoteProtocolError."""
    return parse_schemes(f"Info {text}")[0].parameters if text.strip() else {}


def read_challenge(scheme: Scheme, *, allow_md5: bool) -> Challenge | None:
    """A challenge that can be answered; None for Basic, an unknown algorithm or quality, or no nonce."""
    given = scheme.parameters
    named = given.get("algorithm", "")
    base, dash, _ = (named.upper() or "MD5").partition("-SESS")
    algorithm = _ALGORITHMS.get(base)
    if scheme.name != "digest" or algorithm is None or (algorithm is Algorithm.MD5 and not allow_md5):
        return None
    quality = _quality(given.get("qop"))
    if quality is None or not given.get("nonce") or "realm" not in given or (dash and not quality):
        return None
    return Challenge(
        realm=given["realm"],
        nonce=given["nonce"],
        algorithm=algorithm,
        session=bool(dash),
        named=named,
        qop=quality,
        opaque=given.get("opaque"),
        stale=given.get("stale", "").lower() == "true",
    )


def respond(challenge: Challenge, proof: Proof) -> str:
    """The ``response`` of RFC 7616 3.4.1, in lower case hex."""

    def digest(text: str | bytes) -> str:
        return _hash(challenge.algorithm, text if isinstance(text, bytes) else _octets(text))

    secret = digest(f"{proof.username}:{challenge.realm}:{proof.password}")
    if challenge.session:
        secret = digest(f"{secret}:{challenge.nonce}:{proof.client_nonce}")
    asked = f"{proof.method}:{proof.uri}"
    if challenge.qop == "auth-int":
        asked += f":{digest(proof.body)}"
    middle = challenge.nonce
    if challenge.qop:
        middle += f":{proof.count:08x}:{proof.client_nonce}:{challenge.qop}"
    return digest(f"{secret}:{middle}:{digest(asked)}")


def write_credentials(challenge: Challenge, proof: Proof) -> str:
    """The value of an Authorization or Proxy-Authorization (RFC 3261 22.4, 25.1)."""
    fields = [
        f'username="{proof.username}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{proof.uri}"',
        f'response="{respond(challenge, proof)}"',
    ]
    if challenge.named:
        fields.append(f"algorithm={challenge.named}")
    if challenge.opaque is not None:
        fields.append(f'opaque="{challenge.opaque}"')
    if challenge.qop:
        fields += [f"qop={challenge.qop}", f"nc={proof.count:08x}", f'cnonce="{proof.client_nonce}"']
    return "Digest " + ", ".join(fields)


def realms(values: Iterable[str]) -> list[str | None]:
    """The realm of each field value; None for one that cannot be read."""
    found: list[str | None] = []
    for value in values:
        try:
            schemes = parse_schemes(value)
        except RemoteProtocolError:
            schemes = []
        found.append(schemes[0].parameters.get("realm") if schemes else None)
    return found


_ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in Algorithm}
_BLANK: Final = re.compile(r"[ \t,]*+")
_SCHEME: Final = re.compile(rf"({TOKEN}++)(?:[ \t]++|\Z)")
_PARAMETER: Final = re.compile(
    rf"({TOKEN}++)[ \t]*+=[ \t]*+({QUOTED}|[^\x00-\x20\x7f,\"\\]++)[ \t]*+(?:,[ \t,]*+|\Z)",
    re.DOTALL,
)


def _put(parameters: dict[str, str], name: str, value: str) -> None:
    """Keep one parameter, without its quotes; twice the same name is an error (RFC 7235 2.1)."""
    if name in parameters or len(parameters) == MAX_PARAMETERS:
        raise _bad(f"parameter {name[:20]!r} is one too many")
    text = value[1:-1] if value[0] == '"' else value
    if len(text) > MAX_VALUE_CHARACTERS or any(sign < " " or sign == "\x7f" for sign in text):
        raise _bad(f"parameter {name[:20]!r} is too long, or holds control characters")
    parameters[name] = text


def _quality(offered: str | None) -> str | None:
    """``auth`` where it is offered, else ``auth-int``; "" without any offer, None when none is known."""
    if offered is None:
        return ""
    known = {word.strip().lower() for word in offered.split(",")}
    return next((quality for quality in ("auth", "auth-int") if quality in known), None)


def _hash(algorithm: Algorithm, octets: bytes) -> str:
    match algorithm:
        case Algorithm.SHA_256:
            return hashlib.sha256(octets).hexdigest()
        case Algorithm.SHA_512_256:
            return hashlib.new("sha512_256", octets).hexdigest()
        case Algorithm.MD5:
            return hashlib.md5(octets, usedforsecurity=False).hexdigest()


def _octets(text: str) -> bytes:
    """Octets of a peer that are no UTF-8 are hashed as they came."""
    return text.encode("utf-8", "surrogateescape")


def _bad(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"authentication: {what}", section=SECTION)
