"""``siprec-src connector``: the connectors of a configuration, added, listed, removed and tried."""

from __future__ import annotations

import contextlib
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from siprec_src.app import exits

if TYPE_CHECKING:
    from siprec_src.config import Config

CONFIG: Final = click.option(
    "--config", "flag", type=click.Path(path_type=Path), help="Configuration file (TOML)."
)
TAKEN_OVER: Final = "the daemon takes it over when it is told to reload (systemctl reload siprec-src, SIGHUP)"


@click.group()
def connector() -> None:
    """SRSs that are recorded at on request: those of the configuration, and of connectors.toml beside it."""


@connector.command()
@click.argument("name")
@click.option("--srs", "uri", required=True, metavar="URI", help="Its SRS, as in an [[srs]].")
@click.option("--failover", multiple=True, metavar="URI", help="Asked when its SRS does not record; repeat.")
@click.option("--credentials-header", metavar="HEADER", help="Header field that shows its SRSs a secret.")
@click.option("--credentials-file", metavar="FILE", help="Absolute path, or a credential of systemd.")
@click.option("--credentials-env", metavar="VARIABLE", help="Or the environment variable that holds it.")
@click.option("--use-in", type=click.Choice(["voice"]), multiple=True, help="Default: voice.")
@click.option("--profile", metavar="NAME", help="As in an [[srs]].")
@CONFIG
def add(name: str, uri: str, flag: Path | None, **given: Any) -> None:
    """Add the connector NAME. Everything is checked as by `check` before a file is written.

    With --credentials-header alone the secret is asked for, and kept in a file beside the configuration.
    """
    from siprec_src.commands.configured import configuration, file_of
    from siprec_src.config.connector_file import ConnectorFile, with_entry

    file = ConnectorFile(file_of(flag))
    sid = f"XE{uuid.uuid4().hex}"
    entry = {"name": name, "sid": sid, "uri": uri, **{key: value for key, value in given.items() if value}}
    kept: Path | None = None
    with _told_errors(file.path), file.locked():
        if given["credentials_header"] and not (given["credentials_file"] or given["credentials_env"]):
            kept = file.keep_secret(sid, _asked(given["credentials_header"]))
            entry["credentials_file"] = str(kept)
        try:
            text = with_entry(file.read(), entry)
            config = configuration(file.configuration, text)
            file.write(text)
        except BaseException:
            if kept is not None:
                kept.unlink(missing_ok=True)
            raise
    click.echo(f"connector {name!r} is in {file.path}, {sid}; {TAKEN_OVER}")
    if kept is not None:
        click.echo(f"its secret is in {kept}, which the daemon's user must be able to read")
    for target in config.connectors.every[-1].targets:
        if target.warning:
            click.echo(f"note: {target.name}: {target.warning}", err=True)


@connector.command("list")
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
def list_(flag: Path | None, *, as_json: bool) -> None:
    """Show every connector. Secrets are not shown, only where they come from."""
    from siprec_src.commands.configured import configuration, file_of
    from siprec_src.commands.tables import table

    shown = _shown(configuration(file_of(flag)))
    if as_json:
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    rows = []
    for one in shown:
        places = " ".join([one["uri"], *one["failover"]])
        rows.append((one["name"], one["sid"], ",".join(one["use_in"]), places, one["credentials_header"]))
    click.echo(table(("NAME", "SID", "USE IN", "SRS", "CREDENTIALS"), rows))


@connector.command()
@click.argument("name")
@CONFIG
def remove(name: str, flag: Path | None) -> None:
    """Take the connector NAME out of connectors.toml, unless something else still needs it."""
    from siprec_src.commands.configured import configuration, file_of
    from siprec_src.config.connector_file import ConnectorFile, without_entry

    file = ConnectorFile(file_of(flag))
    with _told_errors(file.path), file.locked():
        text, entry = without_entry(file.read(), name)
        configuration(file.configuration, text)
        file.write(text)
        secret = file.secret_file(str(entry.get("sid")))
        if entry.get("credentials_file") == str(secret):
            secret.unlink(missing_ok=True)
    click.echo(f"connector {name!r} is no longer in {file.path}; {TAKEN_OVER}")


@connector.command()
@click.argument("name")
@CONFIG
@click.option("--json", "machine", is_flag=True, help="A list of objects on stdout; progress on stderr.")
@click.option(
    "--timeout-s", type=click.FloatRange(5, 600), default=60.0, show_default=True, metavar="SECONDS"
)
def test(name: str, flag: Path | None, *, machine: bool, timeout_s: float) -> NoReturn:
    """Ask each SRS of the connector NAME everything, as `siprec-src probe` does; the worst exit code.

    It places a call of its own at each of them, with the connector's credentials and settings.
    """
    from siprec_src.commands.configured import configuration, file_of
    from siprec_src.probe.command import probe_all
    from siprec_src.telemetry import log

    log.configure(level="error")
    config = configuration(file_of(flag))
    found = next((known for known in config.connectors.every if known.name == name), None)
    if found is None:
        click.echo(f"there is no connector {name!r}", err=True)
        sys.exit(exits.CONFIG)
    sys.exit(probe_all(config, found.targets, machine=machine, timeout_s=timeout_s))


def _shown(config: Config) -> list[dict[str, Any]]:
    from siprec_src.telemetry.redaction import redact_text

    written = config.values.get("connector", [])
    return [
        {
            "sid": known.sid,
            "name": known.name,
            "use_in": list(known.use_in),
            "uri": redact_text(known.targets[0].config.uri),
            "failover": [redact_text(target.config.uri) for target in known.targets[1:]],
            "profile": known.targets[0].config.profile,
            "credentials_header": entry.get("credentials_header", ""),
            "credentials_file": entry.get("credentials_file", ""),
            "credentials_env": entry.get("credentials_env", ""),
        }
        for known, entry in zip(config.connectors.every, written, strict=True)
    ]


def _asked(header: str) -> str:
    """The secret, typed in unseen, or the first line of what is piped in."""
    if sys.stdin.isatty():
        return str(click.prompt(f"{header}", hide_input=True))
    return sys.stdin.readline().rstrip("\r\n")


@contextlib.contextmanager
def _told_errors(file: Path) -> Iterator[None]:
    from siprec_src.errors import ConfigurationError

    try:
        yield
    except OSError as error:
        click.echo(f"{error.filename or file}: {error.strerror}", err=True)
        sys.exit(exits.FAILED)
    except ConfigurationError as error:
        click.echo(f"{file}: {error}", err=True)
        sys.exit(exits.CONFIG)
