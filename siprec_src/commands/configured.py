"""The configuration that a command is about."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from siprec_src.app import exits
from siprec_src.config import Config, InvalidConfiguration, load
from siprec_src.config.sources import config_file


def file_of(flag: Path | None) -> Path:
    """The file that ``--config`` names, else the one that the daemon would read."""
    file = config_file(flag, os.environ)
    if file is None:
        raise click.UsageError("there is no configuration file: name one with --config")
    return file


def configuration(file: Path | None, connectors: str | None = None) -> Config:
    """What it says; ends the process with every error named when it cannot be used."""
    try:
        return load(file, os.environ, {}, connectors)
    except InvalidConfiguration as error:
        for problem in error.problems:
            click.echo(problem, err=True)
    sys.exit(exits.CONFIG)
