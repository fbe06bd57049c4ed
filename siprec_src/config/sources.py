"""Where values come from: flag before environment before file; each remembers its origin for errors."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from siprec_src.config.lines import KeyPath, key_lines
from siprec_src.config.settings import SECTIONS, key_of
from siprec_src.errors import ConfigurationError
from siprec_src.telemetry.redaction import redact_text

CONVENTIONAL_FILE: Final = Path("/etc/siprec-src/siprec-src.toml")
CONNECTOR: Final = "connector"  #: ``[[connector]]``
ENVIRONMENT_PREFIX: Final = "SIPREC_SRC_"
SHORT: Final[Mapping[str, KeyPath]] = {
    "LISTEN": ("sip", "listen"),
    "ROUTE": ("sip", "route"),
    "HTTP": ("http", "listen"),
    "LOG_FORMAT": ("daemon", "log_format"),
    "LOG_LEVEL": ("daemon", "log_level"),
}
"""Variables of the most used keys, beside ``SIPREC_SRC_<SECTION>_<KEY>`` for each."""

OTHER_VARIABLES: Final = ("CONFIG", "SRS")  #: the file itself, and SRS URIs parted by white space


@dataclasses.dataclass(slots=True)
class Problems:
    """Everything that is wrong, each with its place."""

    origins: dict[KeyPath, str] = dataclasses.field(default_factory=dict)
    found: list[str] = dataclasses.field(default_factory=list)
    unreadable: bool = False  #: the file could not be read: whatever else seems to be missing may be in it

    def add(self, path: KeyPath, what: str) -> None:
        place = next(
            (self.origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.origins), ""
        )
        name = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
        self.found.append(redact_text(": ".join(part for part in (place, name, what) if part)))

    def blame(self, path: KeyPath, error: ConfigurationError, prefix: str = "") -> None:
        """Add an error whose text begins with its key, which stands under ``path`` with ``prefix``."""
        key, _, what = str(error).partition(": ")
        self.add((*path, prefix + key), what)


def merge(
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any],
    problems: Problems,
    connectors: str | None = None,
) -> dict[str, Any]:
    """All values as one tree of plain dictionaries and lists.

    ``flags`` maps a flag such as ``--listen`` to its value, None when it was not given. ``connectors`` is the
    text that is taken instead of what `connectors_file` holds.
    """
    values = _read_file(file, problems) if file is not None else {}
    if file is not None:
        _include(values, connectors_file(file), connectors, problems)
    for path, value, variable in _from_environment(environment, problems):
        _put(values, path, value)
        problems.origins[path] = variable
    for flag, value in flags.items():
        if value is not None:
            path = FLAGS[flag]
            _put(values, path, [{"uri": uri} for uri in value] if flag == "--srs" else value)
            problems.origins[path] = flag
    return values


FLAGS: Final[Mapping[str, KeyPath]] = {
    "--listen": ("sip", "listen"),
    "--route": ("sip", "route"),
    "--srs": ("srs",),
    "--http": ("http", "listen"),
    "--log-format": ("daemon", "log_format"),
    "--log-level": ("daemon", "log_level"),
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """A ``(did you mean …?)`` when something known is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _read_file(file: Path, problems: Problems) -> dict[str, Any]:
    text = _text(file, problems)
    values = _values(file, text, problems)
    problems.origins.update((path, f"{file}:{line}") for path, line in key_lines(text).items())
    return values


def _include(values: dict[str, Any], file: Path, text: str | None, problems: Problems) -> None:
    """Put the connectors of ``file`` behind those that are there."""
    if text is None:
        text = _text(file, problems, needed=False)
    more, before = _values(file, text, problems), values.get(CONNECTOR, [])
    lines = key_lines(text)
    for key in more:
        if key != CONNECTOR:
            problems.found.append(f"{file}:{lines.get((key,), 1)}: {key}: only [[{CONNECTOR}]] stands here")
    if not isinstance(before, list) or not isinstance(more.get(CONNECTOR, []), list):
        return
    for path, line in lines.items():
        if len(path) > 1 and isinstance(path[1], int):
            problems.origins[path[0], len(before) + path[1], *path[2:]] = f"{file}:{line}"
    if CONNECTOR in more:
        values[CONNECTOR] = [*before, *more[CONNECTOR]]


def _text(file: Path, problems: Problems, *, needed: bool = True) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError) and not needed:
            return ""
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        problems.found.append(f"{file}: cannot be read: {why}")
        problems.unreadable = True
        return ""


def _values(file: Path, text: str, problems: Problems) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at line ")
        line = place.partition(",")[0] if place else str(len(text.splitlines()))
        problems.found.append(f"{file}:{line}: {what}")
        problems.unreadable = True
        return {}


def _from_environment(
    environment: Mapping[str, str], problems: Problems
) -> Iterable[tuple[KeyPath, Any, str]]:
    known = _variables()
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX)
        text = environment[variable]
        if name == "SRS":
            yield ("srs",), [{"uri": uri} for uri in text.split()], variable
        elif name in known:
            path, is_list = known[name]
            yield path, [item.strip() for item in text.split(",")] if is_list else text, variable
        elif name not in OTHER_VARIABLES:
            hint = suggestion(name, (*known, *OTHER_VARIABLES)).replace("'", f"'{ENVIRONMENT_PREFIX}", 1)
            problems.found.append(f"{variable}: unknown environment variable{hint}")


def _variables() -> dict[str, tuple[KeyPath, bool]]:
    found: dict[str, tuple[KeyPath, bool]] = {name: (path, False) for name, path in SHORT.items()}
    for section, cls in SECTIONS.items():
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            is_list = typing.get_origin(hints[field.name]) is tuple
            found[f"{section}_{key_of(field)}".upper()] = ((section, key_of(field)), is_list)
    return found


def _put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    *tables, last = path
    for table in tables:
        inner = values.setdefault(str(table), {})
        if not isinstance(inner, dict):
            return
        values = inner
    values[str(last)] = value


def connectors_file(file: Path) -> Path:
    """Where the connectors are that commands add to the configuration of ``file``."""
    return file.with_name("connectors.toml")


def config_file(flag: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: as the flag says, else the environment, else the conventional one if it is there."""
    if flag is not None:
        return flag
    named = environment.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    if named:
        return Path(named)
    return CONVENTIONAL_FILE if CONVENTIONAL_FILE.exists() else None
