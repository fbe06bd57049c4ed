"""Digest challenges and responses as values: published vectors, and what hostile servers send (RFC 7616)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siprec_src.errors import ConfigurationError, RemoteProtocolError
from siprec_src.sip import digest
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.digest import Algorithm, Challenge, Proof
from siprec_src.values import SecretText
from tests.support.reference import reference_path


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reference_path("vectors", "digest.json").read_text())["vectors"]
    return found


def read(text: str, *, allow_md5: bool = False) -> list[Challenge | None]:
    return [digest.read_challenge(scheme, allow_md5=allow_md5) for scheme in digest.parse_schemes(text)]


@pytest.mark.rfc("7616", "3.4.1", "3.4.2", "3.9.1")
@pytest.mark.rfc("8760", "2.1", "2.3")
@pytest.mark.req("AUT-03", "AUT-04")
def test_every_published_and_computed_response_is_made() -> None:
    for vector in vectors():
        algorithm, session, _ = vector["alg"].partition("-sess")
        challenge = Challenge(
            realm=vector["realm"],
            nonce=vector["nonce"],
            algorithm=Algorithm(algorithm),
            session=bool(session),
            qop=vector.get("qop", ""),
        )
        proof = Proof(
            username=vector["user"],
            password=vector["pw"],
            method=vector["method"],
            uri=vector["uri"],
            body=vector.get("body", "").encode(),
            count=int(vector.get("nc", "1"), 16),
            client_nonce=vector.get("cnonce", ""),
        )
        response = digest.respond(challenge, proof)
        assert response == vector["response"], vector["source"]
        assert len(response) == (32 if algorithm == "MD5" else 64)


@pytest.mark.rfc("3261", "22.4", "25.1")
@pytest.mark.req("AUT-04")
def test_credentials_are_written_as_sip_wants_them() -> None:
    (challenge,) = read('Digest realm="r", nonce="n", opaque="o", algorithm=SHA-256, qop="auth-int,auth"')
    assert challenge is not None
    proof = Proof(
        username="u",
        password="p",
        method="INVITE",
        uri="sip:x@y",
        count=17,
        client_nonce="c",
    )
    written = digest.write_credentials(challenge, proof)
    assert written == (
        'Digest username="u", realm="r", nonce="n", uri="sip:x@y", '
        f'response="{digest.respond(challenge, proof)}", algorithm=SHA-256, opaque="o", '
        'qop=auth, nc=00000011, cnonce="c"'
    )
    assert digest.parse_schemes(written)[0].parameters["nc"] == "00000011"


@pytest.mark.rfc("8760", "2.4", "2.6")
@pytest.mark.req("AUT-02", "AUT-05")
def test_several_challenges_in_one_field_are_told_apart() -> None:
    text = (
        'Basic realm="a", Digest realm="b, Digest", nonce="1", algorithm=SHA-1,, '
        'Digest realm="c", nonce="2", algorithm=sha-512-256 , qop="auth" '
    )
    found = read(text)
    assert found[:2] == [None, None]
    assert found[2] is not None
    assert (found[2].realm, found[2].algorithm, found[2].qop) == ("c", Algorithm.SHA_512_256, "auth")


@pytest.mark.rfc("7616", "3.3")
def test_what_would_break_the_quotes_of_our_credentials_is_no_challenge() -> None:
    """A backslash outside quotes is in no token; written back within them it would escape their end."""
    with pytest.raises(RemoteProtocolError):
        digest.parse_schemes('Digest realm="r", nonce=n\\')


@pytest.mark.rfc("8760", "2.3")
@pytest.mark.req("AUT-03")
@pytest.mark.parametrize("algorithm", ["", ", algorithm=MD5", ", algorithm=md5"])
def test_md5_is_answered_only_where_it_is_allowed(algorithm: str) -> None:
    text = f'Digest realm="r", nonce="n"{algorithm}'
    assert read(text) == [None]
    assert read(text, allow_md5=True) != [None]


@pytest.mark.rfc("7616", "3.3")
@pytest.mark.parametrize(
    "parameters",
    [
        'nonce="n", algorithm=SHA-256',
        'realm="r", algorithm=SHA-256',
        'realm="r", nonce="", algorithm=SHA-256',
        'realm="r", nonce="n", qop="auth-conf", algorithm=SHA-256',
        'realm="r", nonce="n", algorithm=SHA-256-sess',
    ],
)
def test_a_challenge_that_cannot_be_answered_is_none(parameters: str) -> None:
    assert read(f"Digest {parameters}") == [None]


@pytest.mark.rfc("7616", "3.3")
@pytest.mark.parametrize(
    "text",
    [
        'Digest realm="r',
        'Digest realm="r", realm="s"',
        "Digest =x",
        "@",
        f'Digest realm="{"r" * (digest.MAX_VALUE_CHARACTERS + 1)}"',
        'Digest realm="\x01"',
        "Digest " + ", ".join(f"p{n}=1" for n in range(digest.MAX_PARAMETERS + 1)),
        ", ".join("Digest a=1" for _ in range(digest.MAX_CHALLENGES + 1)),
    ],
)
def test_what_breaks_the_rules_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        digest.parse_schemes(text)


@given(st.text(alphabet=st.sampled_from('Digest realmnoc="\\,; \t=:/\x00é\udc80'), max_size=120))
def test_nothing_else_than_a_protocol_error_escapes(text: str) -> None:
    try:
        schemes = digest.parse_schemes(text)
    except RemoteProtocolError:
        return
    for scheme in schemes:
        digest.read_challenge(scheme, allow_md5=True)


@given(st.text(min_size=1, max_size=60).filter(lambda text: '"' not in text and "\\" not in text))
def test_any_realm_and_nonce_are_hashed_and_sent_as_they_came(text: str) -> None:
    try:
        found = read(f'Digest realm="{text}", nonce="{text}", algorithm=SHA-256, opaque="{text}"')
    except RemoteProtocolError:
        return
    assert found[0] is not None
    proof = Proof(username="u", password="p", method="BYE", uri="sip:x")
    sent = digest.parse_schemes(digest.write_credentials(found[0], proof))[0].parameters
    assert sent["realm"] == sent["nonce"] == sent["opaque"] == text


@pytest.mark.parametrize("username", ["", "a:b", 'a"b', "a\\b", "a\r\nb", "x" * 257])
def test_a_user_name_that_no_hash_can_hold_is_refused(username: str) -> None:
    with pytest.raises(ConfigurationError, match="username: expected"):
        Credentials(username=username, password="p")


def test_a_password_is_never_shown() -> None:
    secret = "canary"
    shown = repr(Credentials(username="u", password=secret))
    assert secret not in shown
    with pytest.raises(ConfigurationError) as caught:
        Credentials(username="u", password=f"{secret}\n")
    assert secret not in str(caught.value)
    assert secret not in repr((("X-Auth-Token", SecretText(secret)),))
