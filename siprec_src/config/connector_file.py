"""``connectors.toml``: the connectors that commands add to a configuration and take away again.

Whatever else stands in the file, comments too, stays as it is. Who may read the configuration may read it:
it holds no secret. One that was typed in is kept in a file of its own beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from siprec_src.config.example import assignment
from siprec_src.config.lines import key_lines
from siprec_src.config.sources import CONNECTOR, connectors_file
from siprec_src.errors import ConfigurationError


class ConnectorFile:
    """The file beside one configuration. Its methods raise OSError when it cannot be read or written."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration
        self.path = connectors_file(configuration)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from changing it meanwhile."""
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    def read(self) -> str:
        """The text that is there; "" when there is no file."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def write(self, text: str) -> None:
        """Put ``text`` in place of what is there, all at once."""
        like = (self.path if self.path.exists() else self.configuration).stat()
        _put(self.path, text, like, stat.S_IMODE(like.st_mode))

    def secret_file(self, sid: str) -> Path:
        """Where the secret of a connector is kept that was typed in."""
        return self.path.with_name(f"connector-{sid}.secret").absolute()

    def keep_secret(self, sid: str, secret: str) -> Path:
        """Write it for the owner of the configuration, and for its group where others may not read that."""
        like = self.configuration.stat()
        group = 0 if like.st_mode & stat.S_IROTH else like.st_mode & stat.S_IRGRP
        file = self.secret_file(sid)
        _put(file, f"{secret}\n", like, stat.S_IRUSR | stat.S_IWUSR | group)
        return file


def with_entry(text: str, entry: Mapping[str, Any]) -> str:
    """The text with one more connector at its end."""
    lines = [f"[[{CONNECTOR}]]", *(assignment(key, value) for key, value in entry.items())]
    return "\n".join([*([text.rstrip("\n"), ""] if text else []), *lines, ""])


def without_entry(text: str, name: str) -> tuple[str, Mapping[str, Any]]:
    """The text without the connector of this name, and what was said of that.

    Raises:
        ConfigurationError: the text has none of this name, or it is no table of its own.
    """
    try:
        entries = tomllib.loads(text).get(CONNECTOR, [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(error)) from error
    found = [number for number, entry in enumerate(entries) if entry.get("name") == name]
    if not found:
        raise ConfigurationError(f"no connector {name!r} stands there")
    lines = key_lines(text)
    first, behind = (lines.get((CONNECTOR, number)) for number in (found[0], found[0] + 1))
    if first is None:
        raise ConfigurationError(f"connector {name!r} is no [[{CONNECTOR}]] of its own; take it out by hand")
    kept = text.splitlines(keepends=True)
    del kept[first - 1 : None if behind is None else behind - 1]
    return "".join(kept), entries[found[0]]


def _put(file: Path, text: str, like: os.stat_result, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, mode)
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
