"""PBX and carrier of PJSIP phones, the daemon between them, and the bundled SRS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.phone import Phone, tone
from tests.support.certificates import Authority
from tests.support.daemon import LOOPBACK, Daemon, free_port, running
from tests.support.recorder import Recorder, recorder

PBX, CARRIER = "127.0.0.2", "127.0.0.3"
HERTZ = {"alice": 440, "bob": 900, "carol": 1400}  #: who is heard


class Site:
    """Alice's phone is the PBX, that of Bob and Carol the carrier."""

    def __init__(self, pbx: Phone, carrier: Phone, daemon: Daemon, srs: Recorder, via: str) -> None:
        self.pbx, self.carrier, self.daemon, self.srs = pbx, carrier, daemon, srs
        self._via = via

    def uri(self, user: str) -> str:
        """Somebody of the other side, as either side dials them."""
        return f"sip:{user}@{self._via}"

    def call(self, name: str = "one", to: str = "bob") -> None:
        """Alice calls; both have media when this returns."""
        self.pbx.do("call", user="alice", call=name, uri=self.uri(to))
        self.carrier.wait("media", call=f"{to}-1", active=True)
        self.pbx.wait("media", call=name, active=True)


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[Site]]:
    """Makes one: ``transport`` between phones and daemon, ``srtp`` for the media of both legs."""
    pytest.importorskip("pjsua2", reason="PJSIP is not here: make interop installs it")

    @contextlib.contextmanager
    def make(transport: str = "udp", *, srtp: bool = False) -> Iterator[Site]:
        authority = Authority(tmp_path / "ca")
        tls = authority.issue("all", f"IP:{LOOPBACK}", f"IP:{PBX}", f"IP:{CARRIER}")
        ports = {PBX: free_port(), CARRIER: free_port()}
        udp_at, tls_at = free_port(), free_port()

        def trunk(name: str, address: str, to: str) -> str:
            uri = f"sip:{address}:{ports[address]};transport={transport}"
            return f'[[trunk]]\nname = "{name}"\nfrom = ["{address}/32"]\nto = "{to}"\nuri = "{uri}"\n'

        config = (
            f'[tls]\ncertificate = "{tls.certificate}"\nkey = "{tls.key}"\n'
            f'trusted_ca = "{authority.file}"\n'
            f'[[edge]]\nname = "all"\nlisten = "{LOOPBACK}:{udp_at}"\ntls_listen = "{LOOPBACK}:{tls_at}"\n'
            'transports = ["udp", "tcp", "tls"]\n'
        )
        config += trunk("pbx", PBX, "carrier") + trunk("carrier", CARRIER, "pbx")
        via = f"{LOOPBACK}:{tls_at if transport == 'tls' else udp_at}"
        if transport != "udp":
            via += f";transport={transport}"

        def phone(address: str, *users: str) -> Phone:
            says = {user: tone(tmp_path / f"{user}.wav", HERTZ[user]) for user in users}
            at = (address, ports[address])
            return Phone(tmp_path, at, says, transport=transport, srtp=srtp, tls=tls, ca=authority.file)

        with (
            recorder(tmp_path / "srs") as srs,
            running(
                tmp_path, srs=[srs.uri(";transport=tcp;secure=true" if srtp else "")], config=config
            ) as daemon,
            phone(PBX, "alice") as pbx,
            phone(CARRIER, "bob", "carol") as carrier,
        ):
            yield Site(pbx, carrier, daemon, srs, via)

    return make
