"""``/v1/alerts``: what went wrong lately; an account sees its own."""

from __future__ import annotations

from itertools import islice
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api.accounts import Account
from siprec_src.api.alerts import Alert, Alerts
from siprec_src.api.auth import Auth, principal_of
from siprec_src.api.errors import json_answer
from siprec_src.api.schemas import answers
from siprec_src.api.v1.models import ShownAlert, ShownAlerts

MAX_LISTED: Final = 100


def router(alerts: Alerts, auth: Auth) -> APIRouter:
    """The route."""
    made = APIRouter(prefix="/v1/alerts", tags=["alerts"], dependencies=[Depends(auth.admit)])

    @made.get("", operation_id="list_alerts", responses=answers(ShownAlerts, 200))
    async def list_alerts(request: Request) -> Response:
        """The last errors, the newest first."""
        principal = principal_of(request)
        account_sid = principal.sid if isinstance(principal, Account) else None
        listed: ShownAlerts = {
            "alerts": [shown(alert) for alert in islice(alerts.newest(account_sid=account_sid), MAX_LISTED)]
        }
        return json_answer(listed)

    return made


def shown(alert: Alert) -> ShownAlert:
    """An alert as it is answered."""
    return {
        "at": alert.at.isoformat(timespec="milliseconds"),
        "event": alert.event,
        "code": alert.code,
        "error": alert.text,
        "fields": alert.fields,
    }
