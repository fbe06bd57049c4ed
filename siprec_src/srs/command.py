"""``siprec-src srs``: the bundled SRS as a process."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import sys
from pathlib import Path

from siprec_src.app import exits
from siprec_src.errors import ConfigurationError, SiprecError
from siprec_src.net.sockets import BindError
from siprec_src.net.tls import TlsContexts, TlsSettings
from siprec_src.srs.server import serve
from siprec_src.srs.settings import SrsSettings, parse_behaviour


def run(
    *, directory: Path, listen: str, behave: str, tls_port: int = 0, tls: TlsSettings | None = None
) -> int:
    """Serve until SIGINT or SIGTERM; the exit code."""
    try:
        host, port = _address(listen)
        settings = SrsSettings(
            directory=directory, host=host, port=port, tls_port=tls_port, behaviour=parse_behaviour(behave)
        )
        contexts = None if tls is None else TlsContexts.load(tls)
        directory.mkdir(parents=True, exist_ok=True)
    except (SiprecError, OSError) as error:
        return _fail(error, exits.CONFIG)
    try:
        asyncio.run(_serve(settings, contexts))
    except BindError as error:
        return _fail(error, exits.UNAVAILABLE)
    return exits.OK


async def _serve(settings: SrsSettings, tls: TlsContexts | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop, tls)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        msg = f"--listen: {listen!r} is no ADDRESS:PORT"
        raise ConfigurationError(msg)
    return host, number


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"siprec-src srs: {error}\n")
    return code
