"""Signed requests, as the library of the receiver judges them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.request_validator import RequestValidator

from siprec_src.api.outside import check_url
from siprec_src.api.signed import IDEMPOTENCY, SIGNATURE, signed_request

TOKEN = "0123456789abcdef0123456789abcdef"
FIELDS = (
    ("CallSid", "CA00000000000000000000000000000001"),
    ("SiprecName", "Größe & a=b+c 日本 %20'"),
    ("SiprecEvent", "siprec-started"),
    ("From", "+493012345"),
    ("CallerName", ""),
)
URLS = (
    "http://app.example/told",
    "https://app.example/told",
    "http://app.example:80/told",
    "https://app.example:443/told",
    "http://app.example:8080/told",
    "https://app.example:8443/told",
    "https://app.example",
    "https://App.Example/Told/",
    "https://app.example/told?a=1&b=&c&a=2",
    "https://app.example/told?",
    "https://app.example?x=y",
    "https://app.example/a%20b/%C3%A4?q=%26+x",
    "https://app.example/größe?straße=ä",
    "http://[2001:db8::1]/told",
    "http://[2001:db8::1]:8080/told?x=1",
    "https://bücher.example/told",
    "https://user:p%40ss@app.example:8443/told?x=1#part",
)


def seen(url: str, headers_host: str) -> str:
    """The URL as a receiver puts it together again: scheme, its Host field, and the request line."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{headers_host}{path}"


@pytest.mark.feature("F045", "F049")
@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_receivers_library_accepts_the_signature_and_finds_every_value(url: str, method: str) -> None:
    check_url(url)
    request = signed_request(TOKEN, method, url, FIELDS)
    url_seen = seen(request.url, urlsplit(request.url).netloc)
    form = dict(parse_qsl((request.body or b"").decode(), strict_parsing=False))
    validator = RequestValidator(TOKEN)
    assert validator.validate(url_seen, form, request.headers[SIGNATURE])
    assert not validator.validate(url_seen + "x", form, request.headers[SIGNATURE])
    told = dict(parse_qsl(urlsplit(request.url).query)) if method == "GET" else form
    assert {name: told[name] for name, value in FIELDS if value} == {n: v for n, v in FIELDS if v}
    assert "CallerName" not in told


@pytest.mark.feature("F049")
def test_a_get_keeps_the_query_of_the_url_as_it_is() -> None:
    request = signed_request(TOKEN, "GET", "http://h.example/p?a=1&b=&a=%2F#f", (("Event", "x y"),))
    assert (request.url, request.body) == ("http://h.example/p?a=1&b=&a=%2F&Event=x+y", None)


def test_credentials_of_the_url_travel_as_basic_authentication_and_are_shown_nowhere() -> None:
    request = signed_request(TOKEN, "POST", "https://me:s%3Acret@h.example/p", FIELDS)
    assert request.headers["Authorization"] == "Basic bWU6czpjcmV0"
    assert request.url == "https://h.example/p"
    assert "cret" not in repr(request)
    assert TOKEN not in repr(request)


def test_each_try_of_a_callback_shows_the_same_identifier() -> None:
    one, two = (signed_request(TOKEN, "POST", URLS[0], FIELDS, identifier="CB1") for _ in range(2))
    assert one.headers[IDEMPOTENCY] == two.headers[IDEMPOTENCY] == "CB1"


@pytest.mark.parametrize(
    "url",
    ["", "told", "/told", "ftp://h/p", "file:///etc/passwd", "http://", "http:///p", "http://h:0/p",
     "http://h:99999/", "http://h/a b", "http://h/a\r\nX: y", "http://[::1/", "gopher://h/",
     "http://h/" + "x" * 4000, "http://h/\udc80"],
)  # fmt: skip
def test_what_is_no_absolute_url_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_url(url)
