"""One Siprec as the API shows it: exactly seven keys (contract 3)."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from siprec_src.api.dates import rfc2822
from siprec_src.api.errors import TREE
from siprec_src.values import immutable


class Status(enum.Enum):
    """What has become of it, in the platform's words."""

    IN_PROGRESS = "in-progress"
    STOPPED = "stopped"


class SiprecResource(TypedDict):
    """One more recording of a live call."""

    sid: str
    account_sid: str
    call_sid: str
    name: str | None
    status: Literal["in-progress", "stopped"]
    date_updated: Annotated[str, Field(description="RFC 2822, +0000")]
    uri: str


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
    def shown(self) -> SiprecResource:
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "call_sid": self.call_sid,
            "name": self.name,
            "status": self.status.value,
            "date_updated": rfc2822(self.date_updated),
            "uri": self.uri,
        }
