"""``siprec-src account``: accounts of the HTTP API and their keys, as tables for the configuration file."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def account() -> None:
    """Make accounts of the HTTP API, and keys for them."""


@account.command(name="new")
@click.argument("name")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default="/etc/siprec-src",
    show_default=True,
    help="For its token.",
)
def new_account(name: str, directory: Path) -> None:
    """Write the token of a new account to DIR/NAME.token, which its owner alone can read.

    The account's table for the configuration file is printed.
    """
    from siprec_src.config.new_account import account_table, write_token

    if not name.isidentifier():
        raise click.UsageError("NAME: expected letters, digits and _")
    file = (directory / f"{name}.token").absolute()
    try:
        write_token(file)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    click.echo(account_table(name, file), nl=False)


@account.command()
def key() -> None:
    """Make an API key: its secret goes to standard error; its table for below [[account]] is printed."""
    from siprec_src.config.new_account import key_table

    secret, table = key_table()
    click.echo(f"secret, shown this once: {secret}", err=True)
    click.echo(table, nl=False)
