"""The command line. Modules are imported by the command that needs them, so that ``--help`` is quick."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from siprec_src import __version__
from siprec_src.app import exits
from siprec_src.commands.accounts import account
from siprec_src.commands.callbacks import callbacks
from siprec_src.commands.connectors import connector
from siprec_src.commands.edges import edges

if TYPE_CHECKING:
    from siprec_src.config import Config

FORMATS = click.Choice(["json", "console"])
LEVELS = click.Choice(["debug", "info", "warning", "error"])


class _Commands(click.Group):
    """A wrong command line exits with a code of its own: click's 2 is an answer of `probe`."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _usage_code():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _usage_code():
            return super().invoke(ctx)


@contextlib.contextmanager
def _usage_code() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.exit_code = exits.USAGE  # type: ignore[misc] # click reads it from the instance
        raise


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="siprec-src")
def main() -> None:
    """SIPREC Session Recording Client (RFC 7866): relays a PBX's calls and forks them to an SRS."""


main.add_command(account)
main.add_command(callbacks)
main.add_command(connector)
main.add_command(edges)


def _settings_options(command: Any) -> Any:
    options = (
        click.option("--config", type=click.Path(path_type=Path), help="Configuration file (TOML)."),
        click.option("--srs", multiple=True, metavar="URI", help="Where to record; repeat for more."),
        click.option("--listen", metavar="ADDRESS:PORT", help="Where SIP is spoken."),
        click.option("--route", metavar="URI", help="Next hop of calls that no trunk claims."),
        click.option("--http", metavar="ADDRESS:PORT", help="Metrics and health; empty for none."),
        click.option("--log-format", type=FORMATS, help="Default: console on a terminal, else json."),
        click.option("--log-level", type=LEVELS, help="Default: info."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@_settings_options
@click.option("--check", is_flag=True, help="Only check the configuration.")
def start(*, check: bool, **flags: Any) -> NoReturn:
    """Run the daemon. SIGTERM drains, a second one ends every call now; SIGHUP reads the file again."""
    config = _load(flags)
    if check:
        _say_checked(config)
    from siprec_src.daemon import service
    from siprec_src.telemetry import log

    log.configure(format_=config.daemon.log_format, level=config.daemon.log_level)
    sys.exit(service.start(config, lambda: _read(flags)))


@main.command()
@_settings_options
@click.option("--call", "of_call", is_flag=True, help="Say which rule decides on a call.")
@click.option("--json", "as_json", is_flag=True, help="With --call: one JSON object on stdout.")
@click.argument("facts", nargs=-1, metavar="[from=… to=… trunk=… direction=… at=… session=… header.NAME=…]")
def check(*, of_call: bool, as_json: bool, facts: tuple[str, ...], **flags: Any) -> NoReturn:
    """Check the configuration: every error with file, line and key; exit code 78 when there is one.

    Of a good one every SRS is shown with all its keys, and what each value comes from; with --call instead
    which [[rule]] would decide on such a call, why each other one would not, and what is recorded where.
    """
    if not of_call and (facts or as_json):
        raise click.UsageError("--json and what a call is are of --call")
    config = _load(flags)
    if of_call:
        _say_tried(config, facts, as_json=as_json)
    from siprec_src.config.shown import effective

    _say_checked(config, effective(config))


@main.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True, help="For recordings.")
@click.option("--listen", default="127.0.0.1:5090", show_default=True, metavar="ADDRESS:PORT")
@click.option("--tls-port", type=int, default=5061, show_default=True, help="For SIP over TLS.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM file; with it TLS is spoken too.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM file; default: in --tls-cert.")
@click.option("--tls-client-ca", type=click.Path(path_type=Path), help="Ask clients for a certificate of it.")
@click.option("--behave", default="answer", show_default=True, help="Misbehave on purpose, for tests.")
@click.option("--log-format", type=FORMATS, help="Default: console on a terminal, else json.")
def srs(directory: Path, listen: str, behave: str, log_format: Any, tls_port: int, **files: Any) -> NoReturn:
    """Run the bundled Session Recording Server, for tries and tests."""
    from siprec_src.net.tls import TlsSettings
    from siprec_src.srs.command import run
    from siprec_src.telemetry import log

    log.configure(format_=log_format)
    tls = None
    if files["tls_cert"] is None and any(files.values()):
        raise click.UsageError("--tls-key and --tls-client-ca need --tls-cert")
    if files["tls_cert"] is not None:
        ca = files["tls_client_ca"]
        tls = TlsSettings(
            certificate=files["tls_cert"],
            key=files["tls_key"],
            trusted_ca=ca,
            require_client_certificate=ca is not None,
        )
    sys.exit(run(directory=directory, listen=listen, behave=behave, tls_port=tls_port, tls=tls))


@main.command()
@click.option(
    "--srs", "uri", required=True, metavar="URI", help="The SRS to ask, as --srs of start takes it."
)
@click.option(
    "--config", type=click.Path(path_type=Path), help="Its [[srs]] entry, edges and [tls] are used."
)
@click.option("--json", "machine", is_flag=True, help="One JSON object on stdout; progress on stderr.")
@click.option(
    "--timeout-s", type=click.FloatRange(5, 600), default=60.0, show_default=True, metavar="SECONDS"
)
def probe(*, uri: str, config: Path | None, machine: bool, timeout_s: float) -> NoReturn:
    """Ask a real SRS everything, as the daemon would record with it, and say what to do.

    It places a call of its own at the SRS with seconds of test speech on both tracks, pauses it, resumes
    it and ends it. The exit code is 0: good, 1: usable, with warnings, 2: not usable, 64: wrong command line,
    78: wrong configuration.
    """
    import os

    from siprec_src.config import InvalidConfiguration
    from siprec_src.config.sources import config_file
    from siprec_src.errors import ConfigurationError
    from siprec_src.probe.command import probe as run
    from siprec_src.telemetry import log

    log.configure(level="error")
    try:
        file = config_file(config, os.environ)
        sys.exit(run(uri, file, os.environ, machine=machine, timeout_s=timeout_s))
    except InvalidConfiguration as error:
        for problem in error.problems:
            click.echo(problem, err=True)
    except ConfigurationError as error:
        click.echo(f"siprec-src probe: {error}", err=True)
    sys.exit(exits.CONFIG)


@main.command()
@click.argument("verb", type=click.Choice(["list", "pause", "resume", "stop", "start"]))
@click.argument("call", required=False)
@click.option("--http", "at", default="127.0.0.1:8080", show_default=True, metavar="ADDRESS:PORT")
@click.option("--token-file", type=click.Path(path_type=Path), help="The token of [http], where it has one.")
@click.option("--json", "as_json", is_flag=True, help="What the daemon answers, as it comes.")
def call(verb: str, call: str | None, at: str, token_file: Path | None, *, as_json: bool) -> NoReturn:
    """See the calls of a daemon that runs; pause, resume, stop or start the recording of one.

    CALL is the `call` or the `session` of the log. After "pause" and "stop" nothing more reaches an SRS.
    """
    import json
    from urllib.parse import quote

    from siprec_src.daemon.remote import Unanswered, as_lines, ask

    if (call is None) != (verb == "list"):
        raise click.UsageError("CALL is needed, but for list")
    try:
        if call is None:
            answer = ask(at, "GET", "calls", token_file)
        else:
            answer = ask(at, "POST", f"calls/{quote(call, safe='')}/{verb}", token_file)
    except Unanswered as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    shown = [json.dumps(answer)] if as_json else as_lines(answer["calls"] if call is None else [answer])
    click.echo("\n".join(shown))
    sys.exit(0)


@main.command()
@click.argument("call", required=False)
@click.option("--http", "at", default="127.0.0.1:8080", show_default=True, metavar="ADDRESS:PORT")
@click.option("--token-file", type=click.Path(path_type=Path), help="The token of [http], where it has one.")
@click.option("--json", "as_json", is_flag=True, help="What the daemon answers, as it comes.")
@click.option("--full", is_flag=True, help="With every message whole.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write a page for a browser.")
def explain(
    call: str | None, at: str, token_file: Path | None, page: Path | None, *, as_json: bool, full: bool
) -> NoReturn:
    """Say why a CALL was or was not recorded, with its SIP messages as a ladder.

    CALL is the `call` or `session` of the log, or the Call-ID of any leg. Without it the calls that the
    running daemon keeps are listed. Keys and credentials are blanked.
    """
    import json
    from urllib.parse import quote

    from siprec_src.daemon.remote import Unanswered, ask
    from siprec_src.telemetry import drawing

    texts = "/full" if full or page is not None else ""
    path = "explained" if call is None else f"explained/{quote(call, safe='')}{texts}"
    if call is None and (full or page is not None):
        raise click.UsageError("--full and --html are of one CALL")
    try:
        answer = ask(at, "GET", path, token_file)
    except Unanswered as error:
        click.echo(str(error), err=True)
        sys.exit(exits.FAILED)
    if call is not None and page is not None:
        try:
            page.write_text(drawing.as_html(answer), encoding="utf-8")
        except OSError as error:
            raise click.FileError(str(page), error.strerror) from error
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    elif call is None:
        click.echo(drawing.listed(answer["calls"]))
    else:
        click.echo(drawing.as_text(answer, full=full))
    sys.exit(exits.OK)


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


@main.command(hidden=True)
@click.option("--listen-fd", type=int, required=True)
@click.option("--threads", type=int, default=0)
@click.option("--io", default="auto")
@click.option("--pins", default="")
@click.option("--cpu", "cpus", type=int, multiple=True)
@click.option("--priority", default="normal")
@click.option("--memory-fd", type=int, required=True)
@click.option("--channel-fd", type=int, required=True)
@click.option("--parent", type=int, required=True)
@click.option("--log-format", type=FORMATS)
@click.option("--log-level", type=LEVELS, default="info")
def media(
    *,
    listen_fd: int,
    threads: int,
    io: str,
    pins: str,
    cpus: tuple[int, ...],
    priority: str,
    memory_fd: int,
    channel_fd: int,
    parent: int,
    log_format: Any,
    log_level: Any,
) -> NoReturn:
    """The media process; started by the supervisor."""
    from siprec_src.app.lifeline import die_with
    from siprec_src.app.orders import tell_tracebacks

    tell_tracebacks()
    die_with(parent)
    from siprec_src.app import media_process
    from siprec_src.media.model import MediaIo, ThreadPriority
    from siprec_src.telemetry import log

    log.configure(format_=log_format, level=log_level)
    wanted = media_process.Wanted(
        threads=threads, io=MediaIo(io), pins=pins, cpus=cpus, priority=ThreadPriority(priority)
    )
    sys.exit(media_process.run(listen_fd, wanted, memory_fd, channel_fd))


@main.command(hidden=True)
@click.option("--settings-fd", type=int, required=True)
@click.option("--media-socket", type=click.Path(path_type=Path), required=True)
@click.option("--status-fd", type=int, required=True)
@click.option("--parent", type=int, required=True)
def control(settings_fd: int, media_socket: Path, status_fd: int, parent: int) -> NoReturn:
    """The control process; started by the supervisor."""
    from siprec_src.app.lifeline import die_with
    from siprec_src.app.orders import tell_tracebacks

    tell_tracebacks()
    die_with(parent)
    from siprec_src.daemon.control import control as run

    sys.exit(run(settings_fd, media_socket, status_fd))


def _read(flags: dict[str, Any]) -> Config:
    import os

    from siprec_src.config import load
    from siprec_src.config.sources import config_file

    named = {"--" + name.replace("_", "-"): value for name, value in flags.items() if name != "config"}
    named["--srs"] = named["--srs"] or None
    return load(config_file(flags["config"], os.environ), os.environ, named)


def _load(flags: dict[str, Any]) -> Config:
    from siprec_src.config import InvalidConfiguration

    try:
        return _read(flags)
    except InvalidConfiguration as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(exits.CONFIG)


def _say_tried(config: Config, facts: tuple[str, ...], *, as_json: bool) -> NoReturn:
    import datetime as dt
    import json

    from siprec_src.config import trial
    from siprec_src.errors import ConfigurationError

    try:
        call = trial.described(facts, config, dt.datetime.now(dt.UTC))
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    answer = trial.tried(call, config)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else trial.as_text(answer))
    sys.exit(exits.OK)


def _say_checked(config: Config, *more: str) -> NoReturn:
    for note in config.notes:
        click.echo(f"note: {note}", err=True)
    click.echo("configuration is good")
    for text in more:
        click.echo(f"\n{text}", nl=False)
    sys.exit(0)
