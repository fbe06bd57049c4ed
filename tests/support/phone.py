"""A party of a call in virtual time: a user agent of its own, and what its owner was told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Edge, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.timers import Timers
from siprec_src.sip.uri import parse_uri
from siprec_src.sip.user_agent import UserAgent
from tests.support.identity import CountingIdentity

if TYPE_CHECKING:
    from tests.support.world import World

EventT = TypeVar("EventT", bound=sip.Event)

ALICE, BOB, SRC = "10.0.0.1", "10.0.0.2", "10.0.0.9"
NAMES = {ALICE: "alice", BOB: "bob", SRC: "src"}


def edge(host: str, name: str = "default", **changes: int) -> Edge:
    return Edge(
        name=name,
        sip_bind=Address(host, 5060),
        sip_advertised=Address(host, 5060),
        transports=(Transport.UDP,),
        rtp_bind=host,
        rtp_advertised=host,
        rtp_low=changes.get("low", 10000),
        rtp_high=changes.get("high", 10099),
    )


class Phone:
    """One party."""

    def __init__(self, world: World, host: str, timers: Timers) -> None:
        self.world = world
        self.host = host
        self.identity = CountingIdentity(NAMES[host][0])
        self.agent = UserAgent(self.identity, {"default": edge(host)}, timers=timers)
        self.events: list[sip.Event] = []
        self.usage = 0
        self.dialog = ""
        self.invite = 0  #: token of the newest INVITE, sent or received
        self.call_headers = Headers(
            (("From", f"<sip:{NAMES[host]}@pbx.example>"), ("To", "<sip:bob@pbx.example>"))
        )

    # what it does

    def call(
        self,
        body: bytes = b"",
        *headers: tuple[str, str],
        uri: str = f"sip:bob@{SRC}",
        contact_parameters: str = "",
    ) -> None:
        fields = self.call_headers.appended(*headers)
        if body:
            fields = fields.appended(*_typed(headers))
        self.usage, self.invite = self.identity.number(), self.identity.number()
        self._do(
            sip.StartInvite(
                usage=self.usage,
                token=self.invite,
                edge="default",
                request_uri=uri,
                headers=fields,
                body=body,
                next_hop=parse_uri(f"sip:{SRC}:5060"),
                contact_parameters=contact_parameters,
            )
        )

    def reply(
        self,
        status: int,
        body: bytes = b"",
        *headers: tuple[str, str],
        label: str = "",
        reliable: bool = False,
        token: int | None = None,
        contact_parameters: str = "",
    ) -> None:
        """Answer the newest request, or the one named."""
        fields = Headers(headers)
        if body:
            fields = fields.appended(*_typed(headers))
        pending = token or self._newest_request()
        if status >= 200 and pending == self.invite:
            self.dialog = label or self.dialog
        self._do(
            sip.Respond(
                usage=self.usage,
                token=pending,
                status=status,
                headers=fields,
                body=body,
                dialog=label,
                reliable=reliable,
                contact_parameters=contact_parameters,
            )
        )

    def ack(self, body: bytes = b"") -> None:
        """Acknowledge the newest 2xx to an INVITE of ours."""
        answer = self.last(sip.ResponseArrived)
        fields = Headers(_typed(())) if body else Headers()
        self._do(
            sip.SendAck(usage=self.usage, dialog=answer.dialog, token=answer.token, headers=fields, body=body)
        )

    def request(
        self, method: str, body: bytes = b"", *headers: tuple[str, str], dialog: str | None = None
    ) -> int:
        """Send a request inside the dialog; returns its token."""
        fields = Headers(headers)
        if body:
            fields = fields.appended(*_typed(headers))
        token = self.identity.number()
        if method == "INVITE":
            self.invite = token
        name = self.dialog if dialog is None else dialog
        self._do(
            sip.SendRequest(
                usage=self.usage, dialog=name, token=token, method=method, headers=fields, body=body
            )
        )
        return token

    def cancel(self, *headers: tuple[str, str]) -> None:
        self._do(sip.CancelInvite(usage=self.usage, token=self.invite, headers=Headers(headers)))

    # what it saw

    def last(self, kind: type[EventT]) -> EventT:
        return next(event for event in reversed(self.events) if isinstance(event, kind))

    @property
    def request_seen(self) -> Request:
        """The newest request that its owner was told."""
        kinds = sip.InviteArrived | sip.RequestArrived | sip.AckArrived
        return next(event.request for event in reversed(self.events) if isinstance(event, kinds))

    @property
    def response_seen(self) -> Response:
        return self.last(sip.ResponseArrived).response

    def told(self, event: sip.Event) -> None:
        self.events.append(event)
        match event:
            case sip.InviteArrived():
                self.usage, self.invite = event.usage, event.token
            case sip.RequestArrived(request=Request(method="INVITE")):
                self.invite = event.token
            case sip.ResponseArrived() if 200 <= event.response.status < 300:
                self.dialog = event.dialog
            case _:
                pass

    def _newest_request(self) -> int:
        kinds = sip.InviteArrived | sip.RequestArrived
        return next(event.token for event in reversed(self.events) if isinstance(event, kinds))

    def _do(self, command: sip.Command) -> None:
        self.world.perform(self.host, self.agent.command(command, self.world.now))
        if not self.world.at_once:
            self.world.run()


def _typed(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    said = any(name.lower() == "content-type" for name, _ in headers)
    return () if said else (("Content-Type", "application/sdp"),)
