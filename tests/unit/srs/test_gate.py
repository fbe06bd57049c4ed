"""Digest from the server's side, as the bundled SRS asks for it (RFC 3261 22, RFC 7616 3.3)."""

from __future__ import annotations

import pytest

from siprec_src.errors import ConfigurationError
from siprec_src.sip import digest
from siprec_src.sip.auth import Authenticator
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.digest import Algorithm
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.srs.gate import MAX_NONCES, Gate
from siprec_src.srs.settings import Behaviour, parse_behaviour
from tests.support.identity import CountingIdentity

INVITE = Request(method="INVITE", uri="sip:srs@192.0.2.9", headers=Headers([("CSeq", "1 INVITE")]), body=b"x")


def client(password: str = "secret", *, allow_md5: bool = False) -> Authenticator:  # noqa: S107 - made up
    credentials = Credentials(username="recorder", password=password, allow_md5=allow_md5)
    return Authenticator(credentials, CountingIdentity())


def gate(**options: object) -> Gate:
    return Gate(Behaviour(digest="recorder:secret", **options), CountingIdentity())  # type: ignore[arg-type]


def learns(authenticator: Authenticator, asked: tuple[tuple[str, str], ...]) -> bool:
    return authenticator.learn(INVITE, Response(status=401, reason="", headers=Headers(asked)), set())


@pytest.mark.rfc("7616", "3.3", "3.4")
@pytest.mark.parametrize("algorithm", Algorithm)
def test_who_has_the_password_passes_again_and_again(algorithm: Algorithm) -> None:
    asks, knows = gate(digest_algorithm=algorithm), client(allow_md5=True)
    assert learns(knows, asks.challenge(INVITE))
    assert asks.challenge(knows.authorized(INVITE)) == ()
    assert asks.challenge(knows.authorized(INVITE)) == ()


def test_a_wrong_password_is_asked_for_anew() -> None:
    asks, guesses = gate(), client("guess")
    learns(guesses, asks.challenge(INVITE))
    ((name, value),) = asks.challenge(guesses.authorized(INVITE))
    assert name == "WWW-Authenticate"
    assert "stale" not in value


@pytest.mark.rfc("7616", "3.3", "3.4")
def test_a_count_that_does_not_grow_and_a_nonce_forgotten_are_stale() -> None:
    asks, knows = gate(), client()
    learns(knows, asks.challenge(INVITE))
    sent = knows.authorized(INVITE)
    assert asks.challenge(sent) == ()
    assert "stale=true" in asks.challenge(sent)[0][1]
    for _ in range(MAX_NONCES):
        asks.challenge(INVITE)
    assert "stale=true" in asks.challenge(knows.authorized(INVITE))[0][1]


@pytest.mark.parametrize(
    "value", ["", "@", 'Basic realm="x"', 'Digest username="recorder"', "Digest nc=zzzzzzzz, qop=auth"]
)
def test_credentials_that_make_no_sense_are_asked_for_anew(value: str) -> None:
    asked = gate().challenge(Request(method="BYE", uri="sip:x", headers=Headers([("Authorization", value)])))
    assert digest.parse_schemes(asked[0][1])[0].name == "digest"


def test_what_it_asks_for_is_told_by_words_and_never_shown() -> None:
    behaviour = parse_behaviour("digest=recorder:secret,digest-algorithm=MD5,digest-stale")
    assert (behaviour.digest, behaviour.digest_algorithm) == ("recorder:secret", Algorithm.MD5)
    assert "secret" not in repr(behaviour)
    with pytest.raises(ConfigurationError) as caught:
        parse_behaviour("digest=secret")
    assert "secret" not in str(caught.value)
