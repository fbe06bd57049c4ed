"""What an operator or a customer should see: a log line each, and a list of the last ones."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from siprec_src.machine import Observe
from siprec_src.telemetry.log import Logger
from siprec_src.telemetry.redaction import redact
from siprec_src.values import immutable

MAX_KEPT: Final = 1000


@immutable
class Alert:
    """One of them."""

    at: dt.datetime
    event: str  #: as in the log
    code: int  #: docs/errors.md says what it means and what to do
    text: str
    fields: dict[str, object]  #: ``account_sid``, ``call_sid`` and others, without secrets


class Alerts:
    """The last `MAX_KEPT` of them."""

    def __init__(self, log: Logger, observe: Callable[[Observe], None]) -> None:
        self._log = log
        self._observe = observe
        self._kept: deque[Alert] = deque(maxlen=MAX_KEPT)
        self.heard: Callable[[Alert], None] = lambda alert: None  #: told of each

    def report(self, event: str, code: int, text: str, **fields: object) -> None:
        """Tell of something; nobody waits, nothing is raised."""
        self._log.warning(event, code=code, error=text, **fields)
        self._observe(Observe("alerts_total", (("code", str(code)),)))
        told = {name: value for name, value in redact(fields).items() if value is not None}
        alert = Alert(at=dt.datetime.now(dt.UTC), event=event, code=code, text=text, fields=told)
        self._kept.append(alert)
        self.heard(alert)

    def newest(self, *, account_sid: str | None = None) -> Sequence[Alert]:
        """The newest first; of one account, or all."""
        return [
            alert
            for alert in reversed(self._kept)
            if account_sid is None or alert.fields.get("account_sid") == account_sid
        ]
