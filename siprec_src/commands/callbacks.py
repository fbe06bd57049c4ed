"""``siprec-src callbacks``: status callbacks that a running daemon could not deliver."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click

from siprec_src.app import exits

_AT = click.option("--http", "at", default="127.0.0.1:8080", show_default=True, metavar="ADDRESS:PORT")
_TOKEN = click.option(
    "--token-file", type=click.Path(path_type=Path), help="The token of [http], where it has one."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="What the daemon answers, as it comes.")


@click.group()
def callbacks() -> None:
    """Status callbacks of a daemon that runs, which customers' servers have not taken yet, or never took."""


@callbacks.command("list")
@click.option("--dead", is_flag=True, help="Only those that are tried no more.")
@_AT
@_TOKEN
@_JSON
def list_(at: str, token_file: Path | None, *, dead: bool, as_json: bool) -> NoReturn:
    """Show those that are not delivered, the dead ones first."""
    answer = _ask(at, "GET", "callbacks?dead=true" if dead else "callbacks", token_file)
    if as_json:
        _end(json.dumps(answer, indent=2, ensure_ascii=False))
    lines = [_line(callback) for callback in answer["callbacks"]]
    if answer["more"]:
        lines.append(f"and {answer['more']} more")
    _end("\n".join(lines) or "none")


@callbacks.command()
@click.argument("callback", required=False)
@click.option("--all", "every", is_flag=True, help="All dead ones.")
@_AT
@_TOKEN
def retry(callback: str | None, at: str, token_file: Path | None, *, every: bool) -> NoReturn:
    """Try the dead CALLBACK again, from the beginning."""
    if (callback is None) != every:
        raise click.UsageError("expected either CALLBACK or --all")
    if callback is not None:
        _end(_line(_ask(at, "POST", f"callbacks/{quote(callback, safe='')}/retry", token_file)))
    _end(f"{_ask(at, 'POST', 'callbacks/retry', token_file)['retried']} are tried again")


@callbacks.command()
@click.argument("callback")
@_AT
@_TOKEN
def drop(callback: str, at: str, token_file: Path | None) -> NoReturn:
    """Forget CALLBACK, which is dead or waits for its next try."""
    _end(_line(_ask(at, "DELETE", f"callbacks/{quote(callback, safe='')}", token_file)))


def _ask(at: str, method: str, path: str, token_file: Path | None) -> dict[str, Any]:
    from siprec_src.daemon.remote import Unanswered, ask

    try:
        return ask(at, method, path, token_file)
    except Unanswered as error:
        click.echo(str(error), err=True)
        sys.exit(exits.FAILED)


def _line(callback: dict[str, Any]) -> str:
    what = f"{callback['id']}  {callback['since']}  {callback['resource']} {callback['event']}"
    state = "dead" if callback["dead"] else f"next try {callback['next_try']}"
    why = f": {callback['error']}" if callback["error"] else ""
    return f"{what}  {callback['url']}  {state}, {callback['tries']} tries{why}"


def _end(text: str) -> NoReturn:
    click.echo(text)
    sys.exit(exits.OK)
