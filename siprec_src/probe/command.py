"""``siprec-src probe``: what it is given, and what it prints."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

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
    try:
        report = _probed(config, target_of(uri, config), machine=machine, timeout_s=timeout_s)
    except (BindError, NoRoom) as error:
        click.echo(f"siprec-src probe: {error}", err=True)
        return exits.UNAVAILABLE
    if machine:
        click.echo(json.dumps(report, indent=2))
    return int(report["exit_code"])


def probe_all(config: Config, targets: Iterable[SrsTarget], *, machine: bool, timeout_s: float) -> int:
    """Ask each of these SRSs of the configuration, one after the other; the worst exit code.

    With ``machine`` the results are a list of JSON objects on standard output.
    """
    reports = []
    try:
        for target in targets:
            reports.append(_probed(config, target, machine=machine, timeout_s=timeout_s))  # noqa: PERF401 told one by one
    except (BindError, NoRoom) as error:
        click.echo(f"siprec-src: {error}", err=True)
        return exits.UNAVAILABLE
    if machine:
        click.echo(json.dumps(reports, indent=2))
    return max(int(report["exit_code"]) for report in reports)


def _probed(config: Config, target: SrsTarget, *, machine: bool, timeout_s: float) -> dict[str, Any]:
    uri = target.config.uri
    began = time.monotonic()
    report = Report(lambda step: _tell(step, machine=machine))
    click.echo(f"probing {redact_text(uri)}", err=machine)
    asyncio.run(run(config, target, report, timeout_s))
    duration_s = time.monotonic() - began
    if not machine:
        click.echo(f"{report.summary()}\n({duration_s:.1f} s)")
    return as_json(report, srs=uri, duration_s=duration_s)


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
