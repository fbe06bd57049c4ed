"""Who takes new calls: routes each INVITE to a `Call` of its own, or refuses it (RFC 3261 8.2, 21).

A recording session that an SRS wants to begin (RFC 7866 6.1.1: ``+sip.srs`` and ``siprec`` together) is
not served: 501. ``Require: siprec`` without it is a recording client that takes us for an SRS: 403, since
passing it on as a call would make a recording of a recording. ``+sip.srs`` alone is a call as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from siprec_src.communication import CommunicationSession
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.ingest.inline.call import Call
from siprec_src.ingest.inline.dialogs import DialogBook
from siprec_src.ingest.inline.groups import Group
from siprec_src.ingest.inline.routing import Refusal, RoutingTable
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.ingest.inline.transfers import Transfers
from siprec_src.machine import Forward, Gone, LogLine, Observe
from siprec_src.sip.flow import Edge
from siprec_src.sip.headers import Reason
from siprec_src.sip.message import Headers, Request
from siprec_src.sip.vocabulary import InviteArrived, Respond

_SIPREC: Final = "siprec"

Admit = Callable[[CommunicationSession, float], str]
Effect = Forward | Respond | LogLine | Observe


class InlineIngest:
    """The machine that new INVITEs go to."""

    def __init__(
        self,
        *,
        identity: Identity,
        routing: RoutingTable,
        edges: Mapping[str, Edge],
        settings: InlineSettings | None = None,
    ) -> None:
        self._identity = identity
        self._routing = routing
        self._edges = edges
        self._settings = settings or InlineSettings()
        self._dialogs = DialogBook()
        self._transfers = Transfers()
        self._calls: set[Call] = set()
        self.admit: Admit | None = None  #: why a call may not be made, "" when it may; None: each may
        self.draining = False  #: set while the process goes down: no new call

    @property
    def deadline(self) -> float | None:
        return None

    @property
    def calls(self) -> int:
        """Live calls."""
        return len(self._calls)

    @property
    def talking(self) -> int:
        """Those that were answered and go on."""
        return sum(call.lasts for call in self._calls)

    def reroute(self, routing: RoutingTable) -> None:
        """New calls go by this table; those that run keep their way."""
        self._routing = routing

    def receive(self, event: object, now: float) -> Sequence[Effect]:
        """Take an `InviteArrived` or the end of a call; anything else concerns one that has ended already."""
        if isinstance(event, Gone) and isinstance(event.machine, Call):
            event.machine.leave_book()
            self._calls.discard(event.machine)
        if not isinstance(event, InviteArrived):
            return ()
        refusal = self._refusal(event.request)
        if refusal is not None:
            return self._refuse(event, refusal)
        named = self._dialogs.named(event.request.headers)
        route = self._routing.route(event.flow, event.request, named)
        if isinstance(route, Refusal):
            return self._refuse(event, route)
        asked = self._transfers.asked_by(event.request, route.trunk, now)
        old = asked or named
        call = Call(
            identity=self._identity,
            route=route,
            edges=self._edges,
            arrived=event,
            settings=self._settings,
            dialogs=self._dialogs,
            transfers=self._transfers,
            asked=asked,
            group=old.group if old is not None else Group(self._identity),
            router=lambda dialled: self._routing.dialled(route, event.request, dialled),
            now=now,
        )
        if self.admit is not None and (why := self.admit(call.arriving, now)):
            return self._refuse(event, Refusal(503, why, reason="recording required"))
        self._calls.add(call)
        return (Forward(call, event),)

    def wake(self, now: float) -> Sequence[Effect]:
        """No timer runs here."""
        del now
        return ()

    def _refusal(self, request: Request) -> Refusal | None:
        if self.draining:
            return Refusal(503, "draining")
        try:
            if any(tag.lower() == _SIPREC for tag in request.tags("require")):
                srs = any(contact.parameter("+sip.srs") is not None for contact in request.contacts)
                return Refusal(501, "recording session from an SRS") if srs else Refusal(403, "not an SRS")
        except RemoteProtocolError as error:
            return Refusal(error.status, str(error))
        return Refusal(503, "max_calls reached") if self.calls >= self._settings.max_calls else None

    def _refuse(self, event: InviteArrived, refusal: Refusal) -> Sequence[Effect]:
        fields = [("Retry-After", str(self._settings.retry_after_s))] if refusal.status == 503 else []
        if refusal.reason:
            fields.append(("Reason", str(Reason.of("SIP", refusal.status, refusal.reason))))
        return (
            Respond(
                usage=event.usage,
                token=event.token,
                status=refusal.status,
                headers=Headers(fields),
                once=refusal.stranger,
            ),
            LogLine(
                "warning",
                "call.refused",
                (
                    ("status", refusal.status),
                    ("reason", refusal.why),
                    ("source", str(event.flow.remote)),
                    ("sip_call_id", event.request.headers.get("call-id") or ""),
                ),
            ),
            Observe("calls_total", (("outcome", "refused"),)),
        )
