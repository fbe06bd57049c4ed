"""SIP over TLS: who is reached is who was named, or not one octet of SIP is sent to it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from siprec_src.net.tls import TlsContexts, TlsLayer, TlsSettings
from siprec_src.net.transport import SipTransport
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.vocabulary import Received, Transmit, TransmitFailed
from tests.support.certificates import Authority, Files
from tests.support.conversation import Conversation, talking
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.recorder import recorder
from tests.support.script import sdp

PATIENCE_S = 10.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


class Peer:
    """A SIP element of the test's own over TLS: takes connections, keeps what comes by each."""

    def __init__(self, files: Files, *, client_ca: Path | None = None, greeting: bytes = b"") -> None:
        """``greeting``: what it says first."""
        self._greeting = greeting
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        self.names: list[str | None] = []  #: what SNI said
        self.certificates: list[bytes | None] = []  #: of those who connected
        self.received = b""
        self.connection: ssl.SSLSocket | None = None
        self.ended = 0  #: connections that are over
        self._context = context
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A plain close would not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(PATIENCE_S)

    def cut(self) -> None:
        """Break the connection."""
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            with raw, contextlib.suppress(OSError):
                self._talk(raw)
            self.ended += 1

    def _talk(self, raw: socket.socket) -> None:
        with self._context.wrap_socket(raw, server_side=True) as connection:
            self.connection = connection
            self.certificates.append(connection.getpeercert(binary_form=True))
            connection.sendall(self._greeting)
            while data := connection.recv(65536):
                self.received += data

    def wait_for(self, text: bytes) -> str:
        until(lambda: text in self.received, PATIENCE_S, f"{text!r} at the peer")
        return self.received.decode()


def tls_section(files: Files, ca: Path, *extra: str) -> str:
    lines = (f'certificate = "{files.certificate}"', f'key = "{files.key}"', f'trusted_ca = "{ca}"', *extra)
    return "\n".join(("[tls]", *lines, ""))


def sip_section(tls_port: int) -> str:
    return f'[sip]\ntransports = ["udp", "tcp", "tls"]\ntls_listen = "{LOOPBACK}:{tls_port}"\n'


def client_context(ca: Path, files: Files | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if files is not None:
        context.load_cert_chain(files.certificate, files.key)
    return context


@contextlib.contextmanager
def connected(port: int, context: ssl.SSLContext, name: str = "src.example") -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((LOOPBACK, port), timeout=PATIENCE_S) as raw,
        context.wrap_socket(raw, server_hostname=name) as stream,
    ):
        yield stream


def request(method: str, uri: str, *, via: str = "TLS", body: str = "") -> bytes:
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{via} 127.0.0.1:5999;branch=z9hG4bK1",
        "From: <sip:1000@pbx.example>;tag=1",
        f"To: <{uri}>",
        "Call-ID: one",
        f"CSeq: 1 {method}",
        "Contact: <sip:1000@127.0.0.1:5999;transport=tls>",
        "Max-Forwards: 70",
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join((*head, "", "")) + body).encode()


def answer_to(received: str, status: str) -> bytes:
    """A final response with what must be copied of the last request."""
    kept = ("via:", "from:", "call-id:", "cseq:")
    lines = [line for line in received.split("\r\n") if line.lower().startswith(kept)]
    to = next(line for line in received.split("\r\n") if line.lower().startswith("to:"))
    return "\r\n".join((f"SIP/2.0 {status}", *lines, f"{to};tag=9", "Content-Length: 0", "", "")).encode()


@pytest.mark.rfc("7866", "12", "12.1", "12.2")
@pytest.mark.rfc("5630", "3.1.3")
@pytest.mark.req("TRN-09", "TRN-12", "TRN-14", "KEY-25")
def test_a_secure_recording_goes_over_tls_with_both_sides_certified(
    tmp_path: Path, authority: Authority
) -> None:
    ours, theirs = authority.issue("src", "DNS:src.example"), authority.issue("srs", "URI:sip:localhost")
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with recorder(tmp_path, tls=theirs, client_ca=authority.file) as srs:
        config = sip_section(free_port()) + tls_section(ours, authority.file)
        with (
            running(
                tmp_path,
                srs=[srs.tls_uri(";secure=true")],
                route=f"sip:{LOOPBACK}:{bob_at[1]}",
                listen=port,
                config=config,
            ) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at) as call,
        ):
            call.assert_heard()
            call.hang_up()
            recording = srs.recording()
            assert recording.track("1") == call.alice_says
            assert recording.track("2") == call.bob_says
            suites = {recording.books(label)["suite"] for label in ("1", "2")}
            assert suites == {"AES_CM_128_HMAC_SHA1_80"}
            until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
            assert daemon.events("recording.end")[0]["result"] == "recorded"
            assert not daemon.events("tls.refused")
            assert not daemon.events("machine.failed")


@pytest.mark.rfc("5922", "7.1", "7.3", "7.8")
@pytest.mark.req("TRN-10", "TRN-12", "TRN-16", "TRN-13")
def test_an_srs_with_a_bad_certificate_gets_no_octet_of_sip_and_the_next_one_records(
    tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "stranger", "Another CA")
    bad = {
        "unable to get local issuer": stranger.issue("a", "DNS:localhost"),
        "it is not of localhost but of other.example": authority.issue("b", "DNS:other.example"),
        "certificate has expired": authority.issue("c", "DNS:localhost", days=-1),
    }
    ours, theirs = authority.issue("src", "DNS:src.example"), authority.issue("srs", "DNS:localhost")
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(files)) for files in bad.values()]
        srs = stack.enter_context(recorder(tmp_path, tls=theirs))
        uris = [f"sips:srs@localhost:{peer.port}" for peer in peers]
        uris.append(srs.tls_uri(";secure=true").replace("sip:", "sips:"))
        daemon = stack.enter_context(
            running(
                tmp_path,
                srs=uris,
                route=f"sip:{LOOPBACK}:{bob_at[1]}",
                listen=port,
                config=sip_section(free_port()) + tls_section(ours, authority.file),
            )
        )
        with talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at) as call:
            call.assert_heard()
            call.hang_up()
            assert srs.recording().track("1") == call.alice_says
        until(lambda: all(peer.ended for peer in peers), PATIENCE_S, "every bad connection has ended")
        assert [peer.received for peer in peers] == [b""] * len(peers)
        assert all(set(peer.names) == {"localhost"} for peer in peers)
        causes = [line["cause"] for line in daemon.events("tls.refused")]
        assert len(causes) == len(bad)
        for cause, words in zip(causes, bad, strict=True):
            assert words in cause
        failed = daemon.events("recording.attempt-failed")
        assert [line["reason"] for line in failed] == ["srs-unreachable"] * len(bad)


@pytest.mark.rfc("3261", "18.2.2", "26.3.2.1")
@pytest.mark.rfc("7866", "12.1")
@pytest.mark.req("TRN-03", "TRN-09")
def test_a_call_between_two_trunks_over_tls(tmp_path: Path, authority: Authority) -> None:
    ours, carrier = authority.issue("src", "DNS:src.example"), authority.issue("carrier", "DNS:localhost")
    tls_port = free_port()
    config = sip_section(tls_port) + tls_section(ours, authority.file, "require_client_certificate = true")
    with (
        Peer(carrier, client_ca=authority.file) as callee,
        running(
            tmp_path,
            srs=[f"sip:{LOOPBACK}:{free_port()};transport=tcp"],
            route=f"sip:localhost:{callee.port};transport=tls",
            listen=free_port(),
            config=config,
        ),
        connected(tls_port, client_context(authority.file, authority.issue("pbx", "DNS:pbx"))) as caller,
    ):
        caller.sendall(
            request("INVITE", f"sip:2000@{LOOPBACK}:{tls_port};transport=tls", body=sdp(40000, host=LOOPBACK))
        )
        invite = callee.wait_for(b"m=audio")
        head = invite.split("\r\n\r\n")[0].split("\r\n")
        (via,) = [line for line in head if line.startswith("Via:")]
        assert via.startswith(f"Via: SIP/2.0/TLS {LOOPBACK}:{tls_port};branch=")
        (contact,) = [line for line in head if line.startswith("Contact:")]
        assert f"{LOOPBACK}:{tls_port};transport=tls" in contact
        assert callee.names == ["localhost"]
        assert callee.certificates[0]
        assert callee.connection is not None
        callee.connection.sendall(answer_to(invite.split("\r\n\r\n")[0], "486 Busy Here"))
        answered = b""
        while b"486 Busy Here" not in answered:
            answered += caller.recv(65536)
        assert answered.startswith(b"SIP/2.0 100")
        assert b"ACK" in callee.wait_for(b"ACK ").encode()


@pytest.mark.rfc("7866", "12.1")
@pytest.mark.req("TRN-09")
def test_who_has_no_certificate_or_a_strangers_is_not_let_in_where_one_is_required(
    tmp_path: Path, authority: Authority
) -> None:
    ours = authority.issue("src", "DNS:src.example")
    tls_port = free_port()
    config = sip_section(tls_port) + tls_section(ours, authority.file, "require_client_certificate = true")
    with daemon_alone(tmp_path, config) as daemon:
        stranger = Authority(tmp_path / "stranger", "Another CA").issue("pbx", "DNS:pbx")
        for files in (None, stranger):
            with pytest.raises(OSError), connected(tls_port, client_context(authority.file, files)) as stream:  # noqa: PT011, PT012 which one is up to the system
                stream.sendall(request("OPTIONS", "sip:src.example"))
                assert stream.recv(100) == b""
                raise ConnectionResetError
        until(
            lambda: daemon.metric("sip_dropped_total", reason="tls-handshake-failed") == 2,
            PATIENCE_S,
            "counted",
        )
        assert daemon.metric("sip_messages_total", fate="received") == 0


@pytest.mark.rfc("7866", "12.1")
@pytest.mark.req("TRN-09")
def test_each_srs_may_have_certificates_of_its_own_also_after_sighup(
    tmp_path: Path, authority: Authority
) -> None:
    """One whose client certificate is wrong is passed by, and takes calls when it has got the right one."""
    other = Authority(tmp_path / "other", "Another CA")
    ours, for_other = authority.issue("src", "DNS:src.example"), other.issue("src", "DNS:src.example")
    first_cert, second_cert = authority.issue("first", "DNS:localhost"), other.issue("2", "IP:127.0.0.1")
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with (
        recorder(tmp_path / "first", tls=first_cert, client_ca=other.file) as first,
        recorder(tmp_path / "second", tls=second_cert, client_ca=other.file) as second,
    ):
        own = f'tls_certificate = "{for_other.certificate}"\ntls_key = "{for_other.key}"\n'
        entry = f'[[srs]]\nuri = "{first.tls_uri()};secure=true"\n'
        config = (
            sip_section(free_port())
            + tls_section(ours, authority.file)
            + f'[[srs]]\nuri = "sip:srs@{LOOPBACK}:{second.tls_port};secure=true"\n'
            + f'{own}tls_trusted_ca = "{other.file}"\n'
        )
        with running(
            tmp_path,
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
            config=config.replace("[[srs]]", entry + "[[srs]]", 1),
        ) as daemon:
            with talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=0.2) as call:
                call.assert_heard()
                call.hang_up()
                assert second.recording().track("1") == call.alice_says
            (failed,) = daemon.events("recording.attempt-failed")
            assert failed["srs"] == first.tls_uri().partition(";")[0]
            assert daemon.events("tls.refused")[0]["domain"] == "localhost"
            (tmp_path / "siprec-src.toml").write_text(config.replace("[[srs]]", entry + own + "[[srs]]", 1))
            daemon.signal(signal.SIGHUP)
            until(lambda: bool(daemon.events("tls.reloaded")), PATIENCE_S, "the new settings are read")
            again = tmp_path / "again"
            again.mkdir()
            with Conversation(again, via=(LOOPBACK, port), bob_at=bob_at, seconds=0.2) as call:
                until(lambda: len(daemon.events("recording.begin")) == 2, PATIENCE_S, "it is recorded too")
                call.talk()
                call.assert_heard()
                call.hang_up()
                assert first.recording().track("1") == call.alice_says


def test_a_certificate_that_is_replaced_is_used_after_sighup(tmp_path: Path, authority: Authority) -> None:
    ours = authority.issue("src", "DNS:src.example")
    tls_port = free_port()
    context = client_context(authority.file)
    with (
        daemon_alone(tmp_path, sip_section(tls_port) + tls_section(ours, authority.file)) as daemon,
        connected(tls_port, context) as before,
    ):
        first = before.getpeercert(binary_form=True)
        authority.issue("src", "DNS:src.example")
        daemon.signal(signal.SIGHUP)
        until(lambda: bool(daemon.events("tls.reloaded")), PATIENCE_S, "the new certificate is read")
        with connected(tls_port, context) as after:
            assert after.getpeercert(binary_form=True) != first
        before.sendall(request("OPTIONS", f"sip:{LOOPBACK}:{tls_port};transport=tls"))
        assert before.recv(65536).startswith(b"SIP/2.0 ")
        ours.certificate.write_text("torn")
        daemon.signal(signal.SIGHUP)
        until(lambda: bool(daemon.events("config.invalid")), PATIENCE_S, "the torn file is told")
        with connected(tls_port, context):
            assert not daemon.events("control.failed")


@contextlib.contextmanager
def daemon_alone(directory: Path, config: str) -> Iterator[Daemon]:
    with running(
        directory,
        srs=[f"sip:{LOOPBACK}:{free_port()};transport=tcp"],
        route=f"sip:{LOOPBACK}:{free_port()}",
        listen=free_port(),
        config=config,
    ) as daemon:
        yield daemon


@dataclasses.dataclass
class Client:
    """A transport of ours that only calls."""

    transport: SipTransport
    received: list[Received]
    failed: list[str]

    def send(self, port: int, domain: str, key: str) -> None:
        flow = Flow(Transport.TLS, Address(LOOPBACK, port), "default", domain=domain)
        data = request("OPTIONS", f"sip:{key}@localhost")
        self.transport.send(Transmit(flow=flow, data=data, key=key))


@contextlib.asynccontextmanager
async def client(ca: Path, peers: Mapping[str, TlsSettings] | None = None) -> AsyncIterator[Client]:
    received: list[Received] = []
    failed: list[str] = []
    bind = Address(LOOPBACK, 0)
    edge = Edge(
        name="default",
        sip_bind=bind,
        sip_advertised=bind,
        transports=(Transport.TLS,),
        rtp_bind=LOOPBACK,
        rtp_advertised=LOOPBACK,
        tls_bind=bind,
    )
    transport = SipTransport(
        {"default": edge},
        on_received=received.append,
        on_malformed=lambda _malformed, _flow: None,
        on_failed=lambda fact: failed.append(fact.key) if isinstance(fact, TransmitFailed) else None,
        tls=TlsLayer(TlsContexts.load(TlsSettings(trusted_ca=ca), peers)),
    )
    transport.bind()
    await transport.start()
    try:
        yield Client(transport, received, failed)
    finally:
        await transport.close()


async def soon(holds: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(until, holds, PATIENCE_S, what)


@pytest.mark.rfc("5922", "7.3")
@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-04", "TRN-05", "TRN-10")
async def test_an_address_alone_is_reached_as_whom_it_has_proved_to_be_and_another_name_is_not(
    authority: Authority,
) -> None:
    with Peer(authority.issue("srs", "DNS:localhost")) as peer:
        async with client(authority.file) as ours:
            ours.send(peer.port, "localhost", "first")
            await asyncio.to_thread(peer.wait_for, b"sip:first@")
            ours.send(peer.port, LOOPBACK, "second")
            await asyncio.to_thread(peer.wait_for, b"sip:second@")
            assert peer.names == ["localhost"]
            peer.cut()
            await soon(lambda: ours.failed == ["first", "second"], "who waited on that connection is told")
            ours.send(peer.port, LOOPBACK, "third")
            await asyncio.to_thread(peer.wait_for, b"sip:third@")
            assert peer.names == ["localhost", "localhost"]
            ours.send(peer.port, "other.example", "fourth")
            await soon(lambda: ours.failed[2:] == ["fourth"], "the other name is refused")
            assert b"fourth" not in peer.received


@pytest.mark.rfc("5922", "7.3")
@pytest.mark.req("TRN-10")
async def test_nothing_is_taken_from_a_peer_that_is_not_who_was_called(authority: Authority) -> None:
    greeting = request("OPTIONS", "sip:127.0.0.1")
    good, bad = authority.issue("srs", "DNS:localhost"), authority.issue("bad", "DNS:other.example")
    async with client(authority.file) as ours:
        with Peer(bad, greeting=greeting) as peer:
            ours.send(peer.port, "localhost", "bad")
            await soon(lambda: ours.failed == ["bad"] and peer.ended == 1, "the connection is refused")
            assert not ours.received
            assert peer.received == b""
        with Peer(good, greeting=greeting) as peer:
            ours.send(peer.port, "localhost", "good")
            await soon(lambda: len(ours.received) == 1, "the right one is heard")
            assert ours.received[0].flow.transport is Transport.TLS


@pytest.mark.rfc("5922", "7.2")
@pytest.mark.req("TRN-10")
async def test_a_wildcard_is_taken_from_the_host_that_it_is_allowed_for_and_no_other(
    authority: Authority,
) -> None:
    cloud = TlsSettings(trusted_ca=authority.file, wildcards=True)
    with Peer(authority.issue("cloud", "DNS:*.cloud.example")) as peer:
        async with client(authority.file, {"srs.cloud.example": cloud}) as ours:
            ours.send(peer.port, "other.cloud.example", "other")
            await soon(lambda: ours.failed == ["other"], "the wildcard is refused")
            ours.send(peer.port, "srs.cloud.example", "named")
            await asyncio.to_thread(peer.wait_for, b"sip:named@")
            assert b"sip:other@" not in peer.received


@pytest.mark.req("TRN-10")
async def test_a_peer_that_does_not_speak_tls_is_given_up(authority: Authority) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        async with client(authority.file) as ours:
            ours.send(listener.getsockname()[1], "localhost", "one")
            ours.send(listener.getsockname()[1], "localhost", "two")
            await soon(lambda: ours.failed == ["one", "two"], "the handshake is given up")


@pytest.mark.rfc("7866", "12.1")
@pytest.mark.req("TRN-09")
async def test_a_peer_that_wants_a_certificate_of_ours_and_gets_none_is_told_in_the_log(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(TlsLayer, "tell_refused", lambda *given: told.append(str(given[-1])))
    with Peer(authority.issue("srs", "DNS:localhost"), client_ca=authority.file) as peer:
        async with client(authority.file) as ours:
            ours.send(peer.port, "localhost", "one")
            await soon(lambda: ours.failed == ["one"], "the transaction has failed")
            # The alert, unless the peer's reset overtook it.
            assert len(told) == 1
            assert "certificate required" in told[0].lower() or "reset" in told[0].lower()
            assert peer.received == b""
