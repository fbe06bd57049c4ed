"""One rule of the configuration: of which calls it is, and what is done with them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
from collections.abc import Iterator, Mapping
from typing import Final

from siprec_src.communication import CallDirection
from siprec_src.errors import ConfigurationError
from siprec_src.instructions.model import Track as TrackName
from siprec_src.recording.connector import Connector
from siprec_src.recording.hours import parse_hours
from siprec_src.recording.patterns import check_pattern
from siprec_src.recording.templates import constants_of, parse_template
from siprec_src.sip.parameters import is_token
from siprec_src.values import immutable

MAX_PARAMETERS: Final = 99


class Record(enum.Enum):
    """What a rule wants: the first `FORCE` or `NEVER` decides, else the first `YES` or `NO`."""

    FORCE = "force"  #: recorded, and nobody may stop or pause it
    YES = "yes"  #: recorded, unless somebody wants it otherwise
    DONT_CARE = "dont-care"  #: this rule decides nothing
    NO = "no"  #: not recorded, unless somebody wants it otherwise
    NEVER = "never"  #: not recorded, and nobody may start it

    @property
    def binds(self) -> bool:
        """Whether nobody may want it otherwise."""
        return self in (Record.FORCE, Record.NEVER)

    @property
    def wants(self) -> bool:
        return self in (Record.FORCE, Record.YES)


class Policy(enum.Enum):
    """What becomes of a call that is to be recorded and is not."""

    BEST_EFFORT = "best-effort"  #: nothing
    REQUIRED = "required"  #: it is refused or ended


_READ: Final = {"key": None}  # no key of the file: what the names in it stand for


@immutable
class Rule:
    """Which calls are recorded, and how: those for which all its conditions hold."""

    name: str = ""  #: in the log and in answers; by default ``rule`` and its number
    trunk: str | tuple[str, ...] = ()  #: names of trunks: the call came by one of them
    caller: str | tuple[str, ...] = ()  #: patterns, one of which is the caller's: ``+49*``, ``*@pbx.example``
    callee: str | tuple[str, ...] = ()  #: likewise of whom it has called
    header: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: fields of the INVITE, and patterns of what they say: {"X-Queue" = "sales*"}
    direction: CallDirection | None = None  #: of its trunk
    time: str | tuple[str, ...] = ()  #: when it was answered: ``mon-fri 08:00-18:00``, ``22:00-06:00``
    time_zone: str = "UTC"  #: of ``time``, e.g. ``Europe/Berlin``
    percentage: float = 100  #: of the calls; which ones, their session ids say, always in the same way
    record: Record = Record.YES  #: the first force or never decides, else the first yes or no
    connector: str = ""  #: where to record instead of at each ``[[srs]]``: the name of a ``[[connector]]``
    track: TrackName | None = None
    #: which an SRS gets, inbound: what the caller says; by default as its own configuration has it
    policy: Policy = Policy.BEST_EFFORT  #: required: the call is not made, or ended, when no SRS takes it
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: for the metadata, with placeholders: {Custom1 = "Bob", Queue = "{header:X-Queue}"}
    zone: dt.tzinfo = dataclasses.field(default=dt.UTC, metadata=_READ)  #: of ``time_zone``
    via: Connector | None = dataclasses.field(default=None, metadata=_READ)  #: of ``connector``

    def __post_init__(self) -> None:
        _require(0 <= self.percentage <= 100, "percentage", "expected 0 to 100")
        _require(all(listed(self.trunk)), "trunk", "expected names")
        for key in ("caller", "callee"):
            for pattern in listed(getattr(self, key)):
                with _blamed(key):
                    check_pattern(pattern)
        for name, pattern in self.header.items():
            _require(is_token(name), "header", f"{name[:64]!r} is no name of a header field")
            with _blamed("header"):
                check_pattern(pattern)
        for hours in listed(self.time):
            with _blamed("time"):
                parse_hours(hours)
        self._check_result()

    def _check_result(self) -> None:
        for key in ("connector", "track", "parameters"):
            useless = bool(getattr(self, key)) and self.record in (Record.NEVER, Record.DONT_CARE)
            _require(not useless, key, f'means nothing with record = "{self.record.value}"')
        required = self.policy is Policy.REQUIRED
        _require(self.record.wants or not required, "policy", 'needs record = "force" or "yes"')
        _require(len(self.parameters) <= MAX_PARAMETERS, "parameters", f"more than {MAX_PARAMETERS}")
        for name, text in self.parameters.items():
            _require(0 < len(name) <= 64 and name.isprintable(), "parameters", f"{name[:64]!r} is no name")
            with _blamed("parameters"):
                if constants_of(parse_template(text)):
                    raise ConfigurationError("{value:…} is of an [[srs]] alone")


def listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """One text, or several."""
    return (value,) if isinstance(value, str) else value


def _require(holds: bool, key: str, what: str) -> None:
    if not holds:
        raise ConfigurationError(f"{key}: {what}")


@contextlib.contextmanager
def _blamed(key: str) -> Iterator[None]:
    """What is wrong inside is wrong with this key."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}: {error}") from error
