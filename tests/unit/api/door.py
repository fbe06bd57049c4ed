"""The API before a pool that records one call, asked without a socket."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from siprec_src.api import app
from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.alerts import Alerts
from siprec_src.api.auth import Auth
from siprec_src.api.plain import TEXT
from siprec_src.api.v1 import alerts, calls, events, explained, recordings, srs
from siprec_src.api.v1.hub import Hub
from siprec_src.api.v1.known import KnownCalls
from siprec_src.api.v1.recent import RecentCalls
from siprec_src.machine import WallClock
from siprec_src.recording import commands
from siprec_src.recording.rule import Rule
from siprec_src.telemetry.explain import Explainer
from siprec_src.telemetry.ladder import Ladder
from siprec_src.values import SecretText
from tests.support.asgi import LOCAL, Answer, asked
from tests.unit.recording.play import Play, two_party_call

ALICE = Account(sid="AC" + "a" * 32, auth_token=SecretText("alice's"), name="alice")
BOB = Account(sid="AC" + "b" * 32, auth_token=SecretText("bob's"), name="bob")
BOTH = Accounts(known=(ALICE, BOB), of_trunk={"bobs": BOB.sid})
BOBS_CALL = dataclasses.replace(two_party_call(), call=8, session_id=b"8" * 16, trunk="bobs")


class Log:
    """Remembers the lines of errors."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...

    def error(self, event: str, **fields: object) -> None:
        self.errors.append((event, fields))


class Door:
    """The whole application."""

    def __init__(
        self,
        *,
        local: bool = True,
        token: str | None = None,
        accounts: Accounts | None = None,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.play = Play("sip:srs.example", rules=rules)
        self.told: list[commands.Command | commands.CopyCommand] = []
        self.log = Log()
        wall = WallClock(1_767_312_000.0)
        self.auth = Auth(accounts or Accounts(), SecretText(token) if token else None, local=local)
        pool, kept = self.play.pool, Explainer(Ladder(0), wall, ())
        self.recent = RecentCalls()
        known = KnownCalls(
            pool=pool,
            auth=self.auth,
            wall=wall,
            explainer=kept,
            recent=self.recent,
            now=lambda: self.play.now,
        )
        self.hub = Hub(known)
        self.alerts = Alerts(self.log, lambda observed: None)
        self.alerts.heard = self.hub.alert
        self.app = app.build(
            app.Parts(
                auth=self.auth,
                pages={"/healthz": lambda: (200, TEXT, b"ok\n")},
                routers=(
                    calls.router(known, self._tell),
                    recordings.router(known, self._tell),
                    explained.router(kept, self.auth),
                    srs.router(pool, self.auth),
                    events.router(self.hub, self.auth),
                    alerts.router(self.alerts, self.auth),
                ),
                log=self.log,
                version="1",
            )
        )
        self.play.publish(two_party_call())
        if self.play.invites:
            self.play.accept()

    def ask(self, method: str, path: str, fields: Mapping[str, str] = LOCAL, **more: Any) -> Answer:
        return asked(self.app, method, path, fields, **more)

    def _tell(self, command: commands.Command | commands.CopyCommand) -> None:
        self.told.append(command)
        self.play.command(command)
