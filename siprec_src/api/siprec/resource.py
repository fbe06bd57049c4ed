"""One Siprec as the API shows it: exactly seven keys (contract 3)."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from siprec_src.api.dates import rfc2822
from siprec_src.api.errors import TREE
from siprec_src.values import immutable


class Status(enum.Enum):
    """What has become of it, in the platform's words."""

    IN_PROGRESS = "in-progress"
    STOPPED = "stopped"


@immutable
class Siprec:
    """One Siprec at one moment."""

    sid: str
    account_sid: str
    call_sid: str
    name: str | None
    status: Status
    date_updated: dt.datetime

    @property
    def uri(self) -> str:
        """Always with its SID, however it was named (F014, F054)."""
        return f"{TREE}/Accounts/{self.account_sid}/Calls/{self.call_sid}/Siprec/{self.sid}.json"

    @property
    def shown(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "call_sid": self.call_sid,
            "name": self.name,
            "status": self.status.value,
            "date_updated": rfc2822(self.date_updated),
            "uri": self.uri,
        }
