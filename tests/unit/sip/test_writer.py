"""Messages to octets: Content-Length is counted, order is kept, nobody's value adds a line."""

from __future__ import annotations

import pytest

from siprec_src.errors import LocalError
from siprec_src.sip.message import Headers, Message, Request, Response
from siprec_src.sip.reason import PHRASES, reason_phrase
from siprec_src.sip.writer import write_message


def request(
    *fields: tuple[str, str], body: bytes = b"", method: str = "INVITE", uri: str = "sip:b@c"
) -> Request:
    return Request(headers=Headers(fields), body=body, method=method, uri=uri)


@pytest.mark.rfc("3261", "7")
def test_fields_are_written_in_order_and_as_they_came() -> None:
    data = write_message(request(("v", "SIP/2.0/UDP a"), ("X-Odd", ""), ("Via", "SIP/2.0/UDP b")))
    assert data == (
        b"INVITE sip:b@c SIP/2.0\r\n"
        b"v: SIP/2.0/UDP a\r\nX-Odd: \r\nVia: SIP/2.0/UDP b\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.rfc("3261", "20.14")
@pytest.mark.req("BOD-09")
def test_content_length_is_last_and_counts_octets_whatever_was_there_before() -> None:
    body = "Zoë".encode()
    data = write_message(request(("l", "99"), ("Content-Length", "1"), ("Subject", "x"), body=body))
    assert data.endswith(b"Subject: x\r\nContent-Length: 4\r\n\r\nZo\xc3\xab")
    assert data.lower().count(b"\nl:") == 0


def test_a_status_line_is_written() -> None:
    response = Response(headers=Headers(), status=486, reason="Занято")
    assert write_message(response).startswith("SIP/2.0 486 Занято\r\nContent-Length: 0\r\n".encode())


def test_octets_that_are_no_utf8_leave_as_they_came() -> None:
    assert b"X: \xff\x80\r\n" in write_message(request(("X", "\udcff\udc80")))


@pytest.mark.rfc("3261", "25.1")
@pytest.mark.parametrize(
    "message",
    [
        request(("X", "a\r\nRoute: <sip:evil>")),
        request(("X", "a\nb")),
        request(("X", "a\rb")),
        request(("X", "a\0b")),
        request(("X\r\nY", "a")),
        request(("X:", "a")),
        request(("", "a")),
        request(("X", "\ud800")),
        request(method="IN VITE"),
        request(method=""),
        request(uri="sip:b@c SIP/2.0\r\nX: y"),
        request(uri="sip:b@c\nX: y"),
        request(uri="sip:b\0@c"),
        request(uri=""),
        Response(headers=Headers(), status=200, reason="OK\r\nX: y"),
        Response(headers=Headers(), status=99, reason=""),
        Response(headers=Headers(), status=700, reason=""),
        Message(headers=Headers()),
    ],
)
def test_what_would_break_the_framing_is_refused_before_it_is_sent(message: Message) -> None:
    with pytest.raises(LocalError):
        write_message(message)


def test_an_error_does_not_show_the_value() -> None:
    with pytest.raises(LocalError) as caught:
        write_message(request(("Authorization", 'Digest response="c0ffee"\n')))
    assert "c0ffee" not in str(caught.value)


@pytest.mark.rfc("4475", "3.1.1.2")
def test_an_escaped_nul_that_was_received_may_be_sent_back() -> None:
    assert b'To: "\\\0" <sip:a@b>\r\n' in write_message(request(("To", '"\\\0" <sip:a@b>')))


@pytest.mark.rfc("3261", "21")
def test_every_status_has_a_phrase() -> None:
    assert (reason_phrase(200), reason_phrase(481)) == ("OK", "Call/Transaction Does Not Exist")
    assert [reason_phrase(s) for s in (199 - 8, 299, 399, 499, 599, 699)] == [
        "Progress", "OK", "Redirected", "Request Failure", "Server Failure", "Global Failure",
    ]  # fmt: skip
    assert all(100 <= status <= 699 for status in PHRASES)
