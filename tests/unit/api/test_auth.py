"""Who may: accounts, API keys and the operator; failed tries; and what a browser is not to be used for."""

from __future__ import annotations

import asyncio
import base64
import dataclasses

import pytest

from siprec_src.api import hashes
from siprec_src.api.accounts import Account, Accounts, ApiKey
from siprec_src.api.failures import MAX_ADDRESSES, MAX_FAILURES, WINDOW_S, Failures
from siprec_src.api.hashes import hash_of
from tests.support.asgi import LOCAL, ask
from tests.unit.api.door import ALICE, BOB, BOBS_CALL, BOTH, Door

KEY = "SK" + "1" * 32
TREE = "/2010-04-01/Accounts"


def basic(user: str, secret: str) -> dict[str, str]:
    shown = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return {**LOCAL, "authorization": f"Basic {shown}"}


def keyed() -> Accounts:
    """Alice with an API key."""
    key = ApiKey(sid=KEY, secret_hash=hash_of("shown once"))
    return Accounts(known=(dataclasses.replace(ALICE, keys=(key,)), BOB))


@pytest.mark.parametrize(("account", "number"), [(ALICE, 7), (BOB, 8)])
def test_an_account_sees_its_own_calls_alone(account: Account, number: int) -> None:
    door = Door(accounts=BOTH)
    door.play.publish(BOBS_CALL)
    own = basic(account.sid, account.auth_token)
    (call,) = door.ask("GET", "/v1/calls", own).json["calls"]
    assert (call["call"], call["account"]) == (number, account.sid)
    for path in (f"/v1/calls/{number}", f"/v1/calls/{call['sid']}"):
        assert door.ask("GET", path, own).status == 200
    other = 15 - number
    assert door.ask("GET", f"/v1/calls/{other}", own).status == 404
    assert door.ask("POST", f"/v1/calls/{other}/stop", own).status == 404
    assert door.told == []


@pytest.mark.parametrize("path", ["/v1/explained", "/v1/explained/7", "/v1/explained/7/full", "/v1/srs"])
def test_what_tells_of_srss_is_for_the_operator(path: str) -> None:
    assert Door(accounts=BOTH).ask("GET", path, basic(ALICE.sid, "alice's")).status == 403


@pytest.mark.parametrize(
    ("user", "secret"),
    [
        (ALICE.sid, "bob's"),
        (ALICE.sid, ""),
        ("AC" + "f" * 32, "alice's"),
        ("AC" + "f" * 32, ""),
        ("", ""),
        (KEY, "shown once "),
        ("SK" + "2" * 32, "shown once"),
        (ALICE.sid + "\udc80", "x"),
    ],
)
def test_wrong_credentials_are_refused(user: str, secret: str) -> None:
    shown = base64.b64encode(f"{user}:{secret}".encode("utf-8", "surrogateescape")).decode()
    answer = Door(accounts=keyed()).ask("GET", "/v1/calls", {"authorization": f"Basic {shown}"})
    assert (answer.status, answer.json["error"][:8]) == (401, "expected")


@pytest.mark.parametrize("shown", ["Basic", "Basic !", "Basic " + "A" * 5000, "Negotiate x", "Bearer x"])
def test_credentials_that_are_none_are_refused(shown: str) -> None:
    answer = Door(accounts=BOTH).ask("GET", f"{TREE}/{ALICE.sid}", {"authorization": shown})
    assert (answer.status, answer.json["code"]) == (401, 20003)
    assert answer.headers["www-authenticate"].startswith('Basic realm="Twilio API"')


def test_an_api_key_is_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(accounts=keyed())
    assert door.ask("GET", "/v1/calls", basic(KEY, "shown once")).json["calls"][0]["account"] == ALICE.sid

    def again(secret: str, text: str) -> bool:
        raise AssertionError("a secret that has fitted is not hashed again")

    monkeypatch.setattr(hashes, "fits", again)
    assert door.ask("GET", "/v1/calls", basic(KEY, "shown once")).status == 200


def test_a_key_that_is_taken_away_is_refused_at_once() -> None:
    door = Door(accounts=keyed())
    assert door.ask("GET", "/v1/calls", basic(KEY, "shown once")).status == 200
    door.auth.renew(BOTH, None)
    assert door.ask("GET", "/v1/calls", basic(KEY, "shown once")).status == 401


def test_many_that_come_at_once_with_a_key_wait_for_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    door, reckoned = Door(accounts=keyed()), []
    real = hashes.fits

    def fits(secret: str, text: str) -> bool:
        reckoned.append(secret)
        return real(secret, text)

    monkeypatch.setattr(hashes, "fits", fits)

    async def together() -> list[int]:
        requests = (ask(door.app, "GET", "/v1/calls", basic(KEY, "shown once")) for _ in range(8))
        return [answer.status for answer in await asyncio.gather(*requests)]

    assert asyncio.run(together()) == [200] * 8
    assert len(reckoned) == 1


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", f"/{BOB.sid}/Calls.json", f"/{ALICE.sid}/Nothing.json"]
)
def test_nobody_learns_of_the_tree_without_an_account(path: str) -> None:
    answer = Door().ask("GET", TREE + path)
    assert (answer.status, answer.json["code"], answer.json["status"]) == (401, 20003, 401)
    assert "siprec-src account new" in answer.json["message"]
    assert Door(token="secret").ask("GET", TREE + path, {"authorization": "Bearer secret"}).status == 401
    known = Door(accounts=BOTH).ask("GET", TREE + path, basic(ALICE.sid, "alice's"))
    assert (known.status, known.json["code"]) == (404, 20404)


def test_who_guesses_has_to_wait_and_nobody_else() -> None:
    door = Door(accounts=BOTH)
    for _ in range(MAX_FAILURES):
        assert door.ask("GET", TREE, basic(ALICE.sid, "guess"), client="192.0.2.1").status == 401
    good = basic(ALICE.sid, "alice's")
    late = door.ask("GET", TREE, good, client="192.0.2.1")
    assert (late.status, late.json["code"]) == (429, 20429)
    assert 0 < int(late.headers["retry-after"]) <= WINDOW_S
    assert door.ask("GET", "/v1/calls", good, client="192.0.2.2").status == 200


def test_a_client_that_shows_nothing_does_not_fail() -> None:
    door = Door(accounts=BOTH, local=False)
    for _ in range(MAX_FAILURES + 1):
        assert door.ask("GET", "/v1/calls", {}).status == 401


def test_failures_are_forgotten_and_do_not_pile_up() -> None:
    failures = Failures()
    for _ in range(MAX_FAILURES):
        failures.failed("2001:db8::1", 0.0)
    assert failures.wait_s("2001:db8::ffff", 1.0) == WINDOW_S - 1
    assert failures.wait_s("2001:db8:0:1::1", 1.0) == 0.0
    assert failures.wait_s("2001:db8::1", WINDOW_S) == 0.0
    for number in range(MAX_ADDRESSES):
        failures.failed(f"10.0.{number // 256}.{number % 256}", 2.0)
    assert failures.wait_s("2001:db8::1", 3.0) == 0.0


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "via", "origin"])
def test_what_a_proxy_or_a_page_passes_on_is_not_the_operators(name: str) -> None:
    door = Door()
    assert door.ask("POST", "/v1/calls/7/stop", {**LOCAL, name: "x"}).status == 403
    assert door.told == []


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), ("http://127.0.0.1:8080", 200)])
def test_a_page_of_another_site_has_no_use_of_a_remembered_password(origin: str, status: int) -> None:
    fields = {**basic(ALICE.sid, "alice's"), "origin": origin}
    assert Door(accounts=BOTH).ask("POST", "/v1/calls/7/stop", fields).status == status


def test_secrets_are_not_shown() -> None:
    assert "alice's" not in repr(BOTH)
    assert "scrypt" not in repr(keyed())
