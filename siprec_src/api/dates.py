"""Dates as the platform writes them: always UTC, which its Python client takes them for (RFC 5322 3.3)."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime


def rfc2822(moment: dt.datetime) -> str:
    """A date of a resource, such as ``Thu, 30 Jul 2015 20:00:00 +0000``."""
    return format_datetime(moment.replace(microsecond=0))


def iso8601(moment: dt.datetime) -> str:
    """The ``Timestamp`` of a callback, such as ``2026-11-21T22:59:03.123Z``."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
