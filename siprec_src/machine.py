"""The Machine contract: facts and time go in, effects come out.

A machine opens no socket, reads no clock, draws no random number and writes no log. Whoever drives it
hands it events with ``now`` and performs the effects it returns, in order. `now` is seconds of one
monotonic clock with an arbitrary zero; `WallClock` turns it into calendar time where a document needs it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from siprec_src.values import immutable

EventT = TypeVar("EventT", contravariant=True)
EffectT = TypeVar("EffectT", covariant=True)


class Machine(Protocol[EventT, EffectT]):
    """What every protocol machine offers its driver."""

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called next, seconds of the driver's clock; None: no timer runs."""

    def receive(self, event: EventT, now: float) -> Sequence[EffectT]:
        """Take one event; return what must be done, in order."""

    def wake(self, now: float) -> Sequence[EffectT]:
        """Take the passing of time: fire every timer due at ``now``. Calling it early is harmless."""


@immutable(kw_only=False)
class WallClock:
    """Calendar time as a function of the monotonic ``now``.

    Read once at start, so that times in one process never go backwards when the system's clock is
    stepped (RFC 7865 6.9, RFC 6341 REQ-024).
    """

    unix_at_zero_s: float  #: Unix time, seconds, at which ``now`` was 0.0

    def at(self, now: float) -> dt.datetime:
        """The UTC time of ``now``, to the microsecond."""
        return dt.datetime.fromtimestamp(self.unix_at_zero_s + now, dt.UTC)


@immutable(kw_only=False)
class LogLine:
    """An effect: write one structured log line. Values are text and numbers, never a key or credential."""

    level: str  #: ``debug``, ``info``, ``warning`` or ``error``
    event: str  #: stable slug with dots, e.g. ``call.end``
    fields: tuple[tuple[str, object], ...] = ()


@immutable(kw_only=False)
class Finished:
    """An effect: the machine has reached its end and will do nothing more; its driver forgets it."""


@immutable(kw_only=False)
class Observe:
    """An effect: add ``value`` to the counter, or put it into the histogram, called ``name``."""

    name: str  #: e.g. ``recordings_total``; the metric must be declared in telemetry
    labels: tuple[tuple[str, str], ...] = ()
    value: float = 1.0


@immutable(kw_only=False, eq=False)
class Forward:
    """An effect: hand ``event`` to ``machine``, a new one or one already known to the driver."""

    machine: Machine[Any, Any]
    event: object


@immutable(kw_only=False, eq=False)
class Gone:
    """An event: ``machine``, which this one began by a `Forward`, has finished or failed and is forgotten."""

    machine: Machine[Any, Any]
