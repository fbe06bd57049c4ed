"""Callbacks over real HTTP and HTTPS, as a customer's server gets them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from siprec_src.api.callbacks.callback import Delivered, Failed, Result
from siprec_src.api.callbacks.delivery import HttpDelivery
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.outside import Outside
from siprec_src.store.letter import Letter
from tests.support.certificates import Authority
from tests.support.customer import Reply, customer
from tests.support.daemon import LOOPBACK, patient
from tests.support.ports import free_port

TOKEN = "0123456789abcdef0123456789abcdef"
LOCAL = ("127.0.0.0/8", "::1/128")
FIELDS = (("SiprecEvent", "siprec-started"), ("SiprecName", "Größe & a=b+c"), ("CallerName", ""))
NOW = 1_795_300_000.0


def letter(url: str, method: str = "POST") -> Letter:
    return Letter(
        id="CB1",
        number=1,
        account_sid="AC1",
        resource="SR1",
        call_sid="CA1",
        url=url,
        method="GET" if method == "GET" else "POST",
        fields=FIELDS,
        since=NOW,
        due=NOW,
    )


@contextlib.asynccontextmanager
async def delivery(
    *, allow: tuple[str, ...] = LOCAL, own_port: int | None = None, **changed: Any
) -> AsyncIterator[HttpDelivery]:
    settings = dataclasses.replace(
        CallbackSettings(allow_private=allow, timeout_s=patient(2), connect_timeout_s=patient(2)), **changed
    )
    outside = Outside(settings.networks, own_port=own_port, trusted_ca=settings.trusted_ca)
    try:
        yield HttpDelivery(outside, settings, {"AC1": TOKEN}.get)
    finally:
        await outside.close()


async def outcome(url: str, **settings: Any) -> Result:
    async with delivery(**settings) as carrier:
        return await carrier.deliver(letter(url), NOW)


@pytest.mark.feature("F045", "F049")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_customer_gets_what_is_told_signed_and_identified(method: str) -> None:
    with customer() as them:
        async with delivery() as carrier:
            result = await carrier.deliver(letter(f"{them.url}?own=1&blank=", method), NOW)
        (told,) = them.told
    assert result == Delivered(status=200)
    assert told.method == method
    assert told.is_signed_with(TOKEN)
    assert not told.is_signed_with("another token")
    own = {"own": "1", "blank": ""} if method == "GET" else {}
    assert told.fields == {**own, "SiprecEvent": "siprec-started", "SiprecName": "Größe & a=b+c"}
    assert told.headers["i-twilio-idempotency-token"] == "CB1"
    assert told.headers["user-agent"].startswith("siprec-src/")


async def test_https_is_verified_by_the_authorities_that_are_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("them", f"IP:{LOOPBACK}")
    with customer(tls=files) as them:
        strange = await outcome(them.url)
        trusted = await outcome(them.url, trusted_ca=authority.file)
        (told,) = them.told
    assert isinstance(strange, Failed)
    assert "certificate" in strange.reason
    assert trusted == Delivered(status=200)
    assert told.is_signed_with(TOKEN)


async def test_an_ipv6_literal_is_reached_and_its_signature_holds() -> None:
    with contextlib.suppress(OSError), customer(host="::1") as them:
        assert await outcome(them.url) == Delivered(status=200)
        assert them.told[0].is_signed_with(TOKEN)


@pytest.mark.parametrize(
    ("reply", "again", "wait_s"),
    [
        (Reply(503, (("Retry-After", "7"),)), True, 7.0),
        (Reply(503, (("Retry-After", "Sat, 21 Nov 2026 22:13:40 GMT"),)), True, 0.0),
        (Reply(500, (("Retry-After", "soon"),)), True, None),
        (Reply(503, (("Retry-After", "Sun, 06 Nov 99999999999 08:49:37 GMT"),)), True, None),
        (Reply(408), True, None),
        (Reply(425), True, None),
        (Reply(429), True, None),
        (Reply(404, (("Retry-After", "7"),)), False, None),
        (Reply(410), False, None),
    ],
)
async def test_what_may_pass_is_tried_again_and_what_will_not_is_not(
    reply: Reply, again: bool, wait_s: float | None
) -> None:
    with customer() as them:
        them.replies.append(reply)
        assert await outcome(them.url) == Failed(
            reason=f"HTTP status {reply.status}", again=again, wait_s=wait_s
        )


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "..", "a..example"])
async def test_a_host_that_can_be_no_name_is_not_tried_again(host: str) -> None:
    result = await outcome(f"http://{host}/")
    assert isinstance(result, Failed)
    assert not result.again


async def test_no_redirection_is_followed() -> None:
    with customer() as them:
        them.replies.append(Reply(307, (("Location", f"{them.url}/elsewhere"),)))
        result = await outcome(them.url)
        assert len(them.told) == 1
    assert isinstance(result, Failed)
    assert not result.again


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{LOOPBACK}:{free_port()}")
    with customer() as them:
        assert await outcome(them.url) == Delivered(status=200)


async def test_of_a_long_answer_no_more_is_read_than_the_limit() -> None:
    with customer() as them:
        them.replies.append(Reply(200, body=b"x" * 3_000_000))
        assert await outcome(them.url, max_response_bytes=100) == Delivered(status=200)


async def test_what_is_no_http_is_told_without_the_url_that_gave_it() -> None:
    async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ready\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(gibberish, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await outcome(f"http://{LOOPBACK}:{port}/hook?token=hunter2")
    assert result == Failed(reason="its answer is not HTTP", again=True)


async def test_silence_and_a_closed_port_are_told_and_tried_again() -> None:
    with customer() as them:
        them.replies.append(Reply(silent=True))
        silent = await outcome(them.url, timeout_s=0.2)
    closed = await outcome(f"http://{LOOPBACK}:{free_port()}/")
    nameless = await outcome("http://nobody.invalid/")
    for result, text in ((silent, "no answer within 0.2 s"), (closed, "Connection refused"), (nameless, "")):
        assert isinstance(result, Failed)
        assert result.again
        assert text in result.reason


async def test_an_account_that_is_gone_ends_its_callbacks() -> None:
    async with delivery() as carrier:
        gone = dataclasses.replace(letter("http://127.0.0.1/"), account_sid="AC2")
        result = await carrier.deliver(gone, NOW)
    assert result == Failed(reason="there is no account AC2 any more", again=False)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "[::1]",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "LOCALHOST", "127.0.0.1."],
)  # fmt: skip
async def test_no_spelling_of_this_host_is_asked_unless_that_is_allowed(host: str) -> None:
    with customer() as them:
        result = await outcome(f"http://{host}:{them.port}/told", allow=())
        assert them.told == []
    assert isinstance(result, Failed)
    assert not result.again, result.reason


async def test_a_name_that_leads_inside_is_refused_by_where_it_leads_at_each_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: what the name said before, to whoever asked, does not matter."""
    answers = ["93.184.216.34", LOOPBACK]

    def lookup(host: str, port: int, *_: object) -> list[Any]:
        assert host == "rebind.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    reached: list[Any] = []
    loop = asyncio.get_running_loop()

    async def connect(_sock: socket.socket, address: Any) -> None:
        reached.append(address)
        raise OSError(111, "refused")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(loop, "sock_connect", connect)
    async with delivery(allow=()) as carrier:
        first = await carrier.deliver(letter("http://rebind.example/"), NOW)
        second = await carrier.deliver(letter("http://rebind.example/"), NOW)
    assert reached == [("93.184.216.34", 80)]
    assert isinstance(first, Failed)
    assert first.again
    assert isinstance(second, Failed)
    assert not second.again
    assert "loopback" in second.reason


async def test_the_daemons_own_api_is_never_asked_though_its_network_is_allowed() -> None:
    with customer() as them:
        result = await outcome(them.url, own_port=them.port)
        assert them.told == []
    assert result == Failed(reason="this is the daemon's own API", again=False)
    assert ipaddress.ip_address(LOOPBACK) in ipaddress.ip_network(LOCAL[0])
