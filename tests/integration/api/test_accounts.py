"""Accounts of a daemon that runs, when their tokens change."""

from __future__ import annotations

import base64
import socket

from tests.support.api import STRANGER, STRANGERS_TOKEN, Api
from tests.support.daemon import LOOPBACK


def test_whoever_listens_is_asked_anew_when_a_token_has_changed(service: Api) -> None:
    shown = base64.b64encode(f"{STRANGER}:{STRANGERS_TOKEN}".encode()).decode()
    file = service.daemon.log_file.with_name(STRANGER)
    with (
        socket.create_connection((LOOPBACK, service.daemon.http or 0), timeout=10) as stream,
        stream.makefile("rb") as answer,
    ):
        stream.sendall(
            f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {shown}\r\n\r\n".encode()
        )
        assert any(b": listening" in line for line in answer)
        try:
            file.write_text("the stranger has another one")
            service.reload()
            assert any(line == b"0\r\n" for line in answer)  # the last chunk; without it the time is over
        finally:
            file.write_text(STRANGERS_TOKEN)
            service.reload()
