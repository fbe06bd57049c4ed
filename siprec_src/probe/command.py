"""``siprec-src probe``: what it is given, and what it prints."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from siprec_src.app import exits
from siprec_src.config import Config, load
from siprec_src.config.sources import ENVIRONMENT_PREFIX
from siprec_src.errors import NoRoom
from siprec_src.net.sockets import BindError
from siprec_src.probe.report import Report, Step, as_json
from siprec_src.probe.run import run
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target
from siprec_src.sip.target import numeric
from siprec_src.telemetry.redaction import redact_text

_TRANSPORTS: Final = ENVIRONMENT_PREFIX + "SIP_TRANSPORTS"


def probe(
    uri: str, file: Path | None, environment: Mapping[str, str], *, machine: bool, timeout_s: float
) -> int:
    """Ask the SRS everything; the exit code.

    With ``machine`` the result is one JSON object on standard output, the progress goes to standard error.

    Raises:
        InvalidConfiguration: of the file.
        ConfigurationError: the URI cannot be used.
    """
    config = settings(uri, file, environment)
    target = target_of(uri, config)
    began = time.monotonic()
    report = Report(lambda step: _tell(step, machine=machine))
    click.echo(f"probing {redact_text(uri)}", err=machine)
    try:
        asyncio.run(run(config, target, report, timeout_s))
    except (BindError, NoRoom) as error:
        click.echo(f"siprec-src probe: {error}", err=True)
        return exits.UNAVAILABLE
    duration_s = time.monotonic() - began
    if machine:
        click.echo(json.dumps(as_json(report, srs=uri, duration_s=duration_s), indent=2))
    else:
        click.echo(f"{report.summary()}\n({duration_s:.1f} s)")
    return report.verdict.exit_code


def _tell(step: Step, *, machine: bool) -> None:
    click.echo(step.text(), err=machine)
    (sys.stderr if machine else sys.stdout).flush()


def settings(uri: str, file: Path | None, environment: Mapping[str, str]) -> Config:
    """The daemon's configuration; without a file one that is enough to probe, with every transport."""
    if file is not None:
        return load(file, environment, {})
    flags = {"--srs": (uri,), "--route": "sip:nobody.invalid", "--listen": _listen(uri)}
    return load(None, {_TRANSPORTS: "udp,tcp,tls", **environment}, flags)


def _listen(uri: str) -> str:
    """The address of this machine that leads to a numeric host; else all, and the default route's is told."""
    host = uri.partition(":")[2].rpartition("@")[2].partition(";")[0].partition("&")[0]
    host = host.rpartition(":")[0] if host.count(":") == 1 else host
    address = numeric(host.partition("]")[0])
    if address is None:
        return "0.0.0.0:0"
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((str(address), 9))
        except OSError:
            return "[::]:0" if address.version == 6 else "0.0.0.0:0"
        local = sock.getsockname()[0]
    return f"[{local}]:0" if address.version == 6 else f"{local}:0"


def target_of(uri: str, config: Config) -> SrsTarget:
    """The SRS as the file has it, by its URI or its user and host; else with everything by default."""
    given = parse_target(SrsConfig(uri=uri), config.edges)
    same = [target for target in config.targets if target.config.uri == uri]
    named = [target for target in config.targets if target.place == given.place]
    found = (same or named or [given])[0]
    return parse_target(dataclasses.replace(found.config, uri=uri), config.edges)
