"""A customer's server: takes callbacks over real HTTP or HTTPS, and judges each by Twilio's own library."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twilio.request_validator import RequestValidator

from tests.support.certificates import Files
from tests.support.daemon import LOOPBACK, patient, until
from tests.support.ports import free_port


@dataclasses.dataclass(frozen=True)
class Told:
    """One request, as it came."""

    method: str
    url: str  #: as a receiver puts it together: scheme, Host, request line
    headers: dict[str, str]  #: names in lower case
    fields: dict[str, str]  #: of the body in a POST, of the query in a GET

    def is_signed_with(self, token: str) -> bool:
        """Whether a customer who knows the account's token believes it."""
        form = self.fields if self.method == "POST" else {}
        return bool(
            RequestValidator(token).validate(self.url, form, self.headers.get("x-twilio-signature", ""))
        )


@dataclasses.dataclass(frozen=True)
class Reply:
    """How a request is answered."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    silent: bool = False  #: not at all, until the customer closes


@dataclasses.dataclass
class Customer:
    """`told` is all that came; `replies` are used up one by one, then it is 200."""

    port: int
    scheme: str = "http"
    host: str = LOOPBACK
    told: list[Told] = dataclasses.field(default_factory=list)
    replies: deque[Reply] = dataclasses.field(default_factory=deque)
    closed: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/told"

    def events(self) -> list[str]:
        """The ``SiprecEvent`` of each."""
        return [told.fields.get("SiprecEvent", "") for told in list(self.told)]

    def wait(self, count: int, timeout_s: float = 5.0) -> list[Told]:
        """The first ``count`` requests, once they are there."""
        until(lambda: len(self.told) >= count, timeout_s, f"{count} requests; there are {self.told}")
        return self.told[:count]


@contextlib.contextmanager
def customer(*, host: str = LOOPBACK, port: int = 0, tls: Files | None = None) -> Iterator[Customer]:
    """One that listens as long as the block lasts."""
    state = Customer(port or free_port(), "https" if tls else "http", host)
    server = _Server((host, state.port), state)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.context = context
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        state.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], state: Customer) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.state = state
        self.context: ssl.SSLContext | None = None
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(patient(5))
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secured:
            secured.do_handshake()
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not trust us, is no fault."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        state = self.server.state
        text = body.decode("utf-8") if self.command == "POST" else urlsplit(self.path).query
        told = Told(
            method=self.command,
            url=f"{state.scheme}://{self.headers['Host']}{self.path}",
            headers={name.lower(): value for name, value in self.headers.items()},
            fields=dict(parse_qsl(text, keep_blank_values=True)),
        )
        reply = state.replies.popleft() if state.replies else Reply()
        state.told.append(told)
        if reply.silent:
            state.closed.wait(patient(10))
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error."""
