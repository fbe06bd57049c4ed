"""Callbacks that are not delivered, and alerts, by HTTP; asked without a socket."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from siprec_src.api import app
from siprec_src.api.alerts import Alerts
from siprec_src.api.auth import Auth
from siprec_src.api.callbacks import Callbacks
from siprec_src.api.callbacks.callback import Failed, Result
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.v1 import alerts, callbacks
from siprec_src.machine import WallClock
from siprec_src.store.letter import Letter
from tests.support.asgi import LOCAL, Answer, asked
from tests.support.log import Log
from tests.unit.api.callbacks.test_service import Disk, Server
from tests.unit.api.door import ALICE, BOB, BOTH

NOW = 1_767_312_000.0


class Office:
    """Three callbacks: one dead, one that waits, one behind it."""

    def __init__(self) -> None:
        self.log = Log()
        self.alerts = Alerts(self.log, lambda _: None)
        self.callbacks = Callbacks(
            CallbackSettings(max_pending=3),
            Server(),
            Disk(),
            WallClock(NOW),
            observe=lambda _: None,
            alerts=self.alerts,
            log=self.log,
        )
        box = self.callbacks.outbox
        for id_, resource, result in (
            ("CBdead", "SR1", Failed(reason="HTTP status 404", again=False)),
            ("CBwaits", "SR2", Failed(reason="HTTP status 503", again=True)),
            ("CBbehind", "SR2", None),
        ):
            box.put(_letter(id_, resource, box.number()))
            self._try(box.start(NOW), result)
        auth = Auth(BOTH, None, local=True)
        routers = (callbacks.router(self.callbacks, auth), alerts.router(self.alerts, auth))
        self.app = app.build(app.Parts(auth=auth, pages={}, routers=routers, log=self.log, version="1"))

    def _try(self, started: list[Letter], result: Result | None) -> None:
        for letter in started:
            assert result is not None
            self.callbacks.outbox.settle(letter.id, result, NOW)

    def ask(self, method: str, path: str, **fields: str) -> Answer:
        return asked(self.app, method, path, fields or LOCAL)

    def ids(self, path: str = "/v1/callbacks") -> list[str]:
        return [one["id"] for one in self.ask("GET", path).json["callbacks"]]


def _letter(id_: str, resource: str, number: int) -> Letter:
    return Letter(
        id=id_,
        number=number,
        account_sid=ALICE.sid,
        resource=resource,
        call_sid="CA1",
        url="https://me:secret@app.example/told?key=secret",
        method="POST",
        fields=(("SiprecSid", resource), ("SiprecEvent", "siprec-started")),
        since=NOW,
        due=NOW,
    )


def test_the_dead_and_those_on_their_way_are_listed_without_secrets() -> None:
    office = Office()
    assert office.ids() == ["CBdead", "CBwaits", "CBbehind"]
    answer = office.ask("GET", "/v1/callbacks?dead=true")
    assert answer.json == {
        "callbacks": [
            {
                "id": "CBdead",
                "account": ALICE.sid,
                "call": "CA1",
                "resource": "SR1",
                "event": "siprec-started",
                "url": "https://app.example/told?…",
                "dead": True,
                "since": "2026-01-02T00:00:00.000+00:00",
                "tries": 1,
                "next_try": None,
                "error": "HTTP status 404",
            }
        ],
        "more": 0,
    }


def test_a_dead_one_is_tried_again_alone_or_with_all() -> None:
    office = Office()
    answer = office.ask("POST", "/v1/callbacks/CBdead/retry")
    assert (answer.status, answer.json["dead"], answer.json["tries"]) == (202, False, 0)
    assert office.ids("/v1/callbacks?dead=true") == []
    assert office.ask("POST", "/v1/callbacks/CBdead/retry").status == 404
    assert office.ask("POST", "/v1/callbacks/retry").json == {"retried": 0}
    assert Office().ask("POST", "/v1/callbacks/retry").json == {"retried": 1}


def test_without_room_a_dead_one_stays_dead() -> None:
    office = Office()
    office.callbacks.outbox.put(_letter("CBmore", "SR3", 9))
    assert office.ask("POST", "/v1/callbacks/CBdead/retry").status == 503
    assert office.ask("POST", "/v1/callbacks/retry").json == {"retried": 0}
    assert office.ids("/v1/callbacks?dead=true") == ["CBdead"]


def test_one_is_dropped_whether_dead_or_waiting() -> None:
    office = Office()
    for id_ in ("CBdead", "CBwaits"):
        assert office.ask("DELETE", f"/v1/callbacks/{id_}").status == 200
        assert office.ask("DELETE", f"/v1/callbacks/{id_}").status == 404
    assert office.ids() == ["CBbehind"]


def test_callbacks_are_the_operators_and_alerts_are_whose_they_are_about() -> None:
    office = Office()
    for account in (ALICE, BOB):
        office.alerts.report("callback.dead", 11200, "gone", account_sid=account.sid, url="x")
    password = base64.b64encode(f"{ALICE.sid}:{ALICE.auth_token}".encode()).decode()
    as_alice: dict[str, Any] = {"authorization": f"Basic {password}"}
    assert office.ask("GET", "/v1/callbacks", **as_alice).status == 403
    assert office.ask("POST", "/v1/callbacks/retry", **as_alice).status == 403
    assert office.ask("DELETE", "/v1/callbacks/CBdead", **as_alice).status == 403
    (hers,) = office.ask("GET", "/v1/alerts", **as_alice).json["alerts"]
    assert (hers["code"], hers["error"], hers["fields"]["account_sid"]) == (11200, "gone", ALICE.sid)
    everything = office.ask("GET", "/v1/alerts").json["alerts"]
    assert [one["fields"]["account_sid"] for one in everything] == [BOB.sid, ALICE.sid]
    assert dataclasses.is_dataclass(office.alerts.newest()[0])
