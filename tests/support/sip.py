"""User agents that talk over a network made of a clock and a queue: virtual time, delay, loss; no socket."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from itertools import count
from typing import TypeVar

from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.parser import parse_datagram
from siprec_src.sip.settings import AgentLimits, AgentSettings
from siprec_src.sip.timers import Timers
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.vocabulary import (
    CancelInvite,
    Command,
    Effect,
    Event,
    Received,
    Resolve,
    Respond,
    SendAck,
    SendRequest,
    StartInvite,
    Tell,
    Transmit,
    TransmitFailed,
)
from siprec_src.sip.writer import write_message
from tests.support.identity import CountingIdentity
from tests.support.ladder import Ladder

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
SDP_TYPE = ("Content-Type", "application/sdp")

EventT = TypeVar("EventT", bound=Event)


def edge(host: str = "192.0.2.1", *transports: Transport, name: str = "e", port: int = 5060) -> Edge:
    """An edge at ``host``; UDP and TCP unless told otherwise."""
    at = Address(host, port)
    return Edge(
        name=name,
        sip_bind=at,
        sip_advertised=at,
        transports=transports or (Transport.UDP, Transport.TCP),
        rtp_bind=host,
        rtp_advertised=host,
    )


def message(data: bytes) -> Request | Response:
    """The message that ``data`` is."""
    parsed = parse_datagram(data)
    assert isinstance(parsed, Request | Response), parsed
    return parsed


def request(
    method: str = "INVITE",
    uri: str = "sip:us@192.0.2.1",
    *,
    branch: str = "z9hG4bK-p1",
    call_id: str = "pc1",
    cseq: int = 1,
    from_tag: str = "p1",
    to_tag: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    via: str = "SIP/2.0/UDP 192.0.2.9:5060",
    contact: str | None = "<sip:peer@192.0.2.9>",
) -> Request:
    """A request of a peer at 192.0.2.9, as it would be parsed."""
    tag = f";tag={to_tag}" if to_tag else ""
    fields = [
        ("Via", f"{via};branch={branch}"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:peer@192.0.2.9>;tag={from_tag}"),
        ("To", f"<sip:us@192.0.2.1>{tag}"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
    ]
    if contact is not None and method in {"INVITE", "UPDATE"}:
        fields.append(("Contact", contact))
    given = Headers((*fields, *headers))
    return Request(method=method, uri=uri, headers=given, body=body)


def answer(
    asked: Request,
    status: int,
    *,
    tag: str = "p1",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    contact: str | None = "<sip:peer@192.0.2.9>",
) -> Response:
    """A peer's response to a request that we sent."""
    to = asked.headers.get("to") or ""
    fields = [("Via", value) for value in asked.headers.all("via")]
    fields += [
        ("From", asked.headers.get("from") or ""),
        ("To", to if asked.to.tag or not tag else f"{to};tag={tag}"),
        ("Call-ID", asked.call_id),
        ("CSeq", asked.headers.get("cseq") or ""),
    ]
    if contact is not None and asked.method in {"INVITE", "UPDATE"}:
        fields.append(("Contact", contact))
    fields += headers
    return Response(status=status, reason="x", headers=Headers(fields), body=body)


class Agent:
    """A `UserAgent` with a clock in hand: what it sent and told since the last look."""

    def __init__(
        self,
        *edges: Edge,
        limits: AgentLimits | None = None,
        settings: AgentSettings | None = None,
        timers: Timers | None = None,
        identity: CountingIdentity | None = None,
    ) -> None:
        self.edges = {e.name: e for e in (edges or (edge(),))}
        self.identity = identity or CountingIdentity()
        self.ua = UserAgent(self.identity, self.edges, limits, timers, settings)
        self.now = 0.0
        self.effects: list[Effect] = []
        self.peer = Flow(Transport.UDP, Address("192.0.2.9", 5060), next(iter(self.edges)))

    def get(self, received: Request | Response, flow: Flow | None = None) -> None:
        """A message arrives, through octets and the parser."""
        parsed = message(write_message(received))
        self.effects += self.ua.receive(Received(flow=flow or self.peer, message=parsed), self.now)

    def do(self, command: Command) -> None:
        """An owner commands."""
        self.effects += self.ua.command(command, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass, firing every timer when it is due."""
        end = self.now + seconds
        while (due := self.ua.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self.effects += self.ua.wake(self.now)
        self.now = end

    def fail(self) -> None:
        """What was sent last with a key could not be sent."""
        key = next(e.key for e in reversed(self.effects) if isinstance(e, Transmit) and e.key)
        self.effects += self.ua.receive(TransmitFailed(key=key), self.now)

    def take(self) -> tuple[list[Request | Response], list[Event]]:
        """Messages sent and events told since the last look."""
        out = [message(e.data) for e in self.effects if isinstance(e, Transmit)]
        told = [e.event for e in self.effects if isinstance(e, Tell)]
        self.effects = []
        return out, told

    def sent(self) -> list[Request | Response]:
        """Messages sent since the last look; events of that time are forgotten."""
        return self.take()[0]

    def told(self) -> list[Event]:
        """Events told since the last look; messages of that time are forgotten."""
        return self.take()[1]

    def flows(self) -> list[Flow]:
        """Flows of what was sent since the last look."""
        out = [e.flow for e in self.effects if isinstance(e, Transmit)]
        self.effects = []
        return out

    def questions(self) -> list[Resolve]:
        """Names to be resolved since the last look."""
        out = [e for e in self.effects if isinstance(e, Resolve)]
        self.effects = []
        return out


def start_invite(
    usage: int = 1,
    token: int = 1,
    uri: str = "sip:peer@192.0.2.9",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = SDP,
    answer_timeout_s: float | None = None,
    contact_parameters: str = "",
    edge_name: str = "e",
) -> StartInvite:
    """An INVITE with an offer to the peer at 192.0.2.9."""
    fields = [("From", "<sip:us@192.0.2.1>"), ("To", f"<{uri}>"), *headers]
    if body:
        fields.append(SDP_TYPE)
    return StartInvite(
        usage=usage,
        token=token,
        edge=edge_name,
        request_uri=uri,
        headers=Headers(fields),
        body=body,
        answer_timeout_s=answer_timeout_s,
        contact_parameters=contact_parameters,
    )


class Party:
    """One end of a `World`: a user agent, what it was told, and short commands for the test's owner."""

    def __init__(self, world: World, name: str, host: str) -> None:
        self.world = world
        self.name = name
        self.host = host
        self.identity = CountingIdentity(f"{name[0]}")
        self.ua = UserAgent(self.identity, {"e": edge(host)})
        self.told: list[Event] = []

    def last(self, kind: type[EventT]) -> EventT:
        """The newest event of a kind."""
        return next(event for event in reversed(self.told) if isinstance(event, kind))

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)

    def invite(self, to: Party, *, body: bytes = SDP, headers: tuple[tuple[str, str], ...] = ()) -> int:
        """Start a call; the usage's handle is its token too."""
        handle = self.identity.number()
        uri = f"sip:{to.name}@{to.host}"
        given = [("From", f"<sip:{self.name}@{self.host}>"), ("To", f"<{uri}>"), *headers]
        if body:
            given.append(SDP_TYPE)
        self.do(
            StartInvite(
                usage=handle, token=handle, edge="e", request_uri=uri, headers=Headers(given), body=body
            )
        )
        return handle

    def respond(
        self,
        usage: int,
        token: int,
        status: int,
        *,
        sdp: bool = False,
        dialog: str = "",
        reliable: bool = False,
    ) -> None:
        self.do(
            Respond(
                usage=usage,
                token=token,
                status=status,
                headers=Headers([SDP_TYPE] if sdp else []),
                body=SDP if sdp else b"",
                dialog=dialog,
                reliable=reliable,
            )
        )

    def send(self, usage: int, dialog: str, method: str, *, sdp: bool = False) -> int:
        token = self.identity.number()
        self.do(
            SendRequest(
                usage=usage,
                dialog=dialog,
                token=token,
                method=method,
                headers=Headers([SDP_TYPE] if sdp else []),
                body=SDP if sdp else b"",
            )
        )
        return token

    def ack(self, usage: int, dialog: str, token: int, *, sdp: bool = False) -> None:
        self.do(
            SendAck(
                usage=usage,
                dialog=dialog,
                token=token,
                headers=Headers([SDP_TYPE] if sdp else []),
                body=SDP if sdp else b"",
            )
        )

    def cancel(self, usage: int, token: int) -> None:
        self.do(CancelInvite(usage=usage, token=token))

    def do(self, command: Command) -> None:
        self.world.perform(self, self.ua.command(command, self.world.now))


class World:
    """Parties, the wire between them, and the time. ``delay_s`` is the way of every message."""

    def __init__(self, hosts: Mapping[str, str], *, delay_s: float = 0.01) -> None:
        self.now = 0.0
        self.ladder = Ladder()
        self.delay_s = delay_s
        self.loses: Callable[[Request | Response], bool] = lambda _: False
        self._wire: list[tuple[float, int, Flow, Party, bytes]] = []
        self._order = count()
        self.parties = {name: Party(self, name, host) for name, host in hosts.items()}
        self._by_host = {party.host: party for party in self.parties.values()}

    def perform(self, party: Party, effects: list[Effect]) -> None:
        """Do what a user agent asks for."""
        for effect in effects:
            match effect:
                case Transmit(flow=flow, data=data):
                    self._send(party, flow, data)
                case Tell(event=event):
                    party.told.append(event)
                case Resolve():
                    raise AssertionError(effect)

    def run(self, seconds: float) -> None:
        """Let messages arrive and timers fire for so long."""
        end = self.now + seconds
        while (due := self._next()) is not None and due <= end:
            self.now = max(self.now, due)
            self._step()
        self.now = end

    def settle(self) -> None:
        """Run until everything in flight has arrived, without waiting for a timer."""
        while self._wire:
            self.now = max(self.now, self._wire[0][0])
            self._step()

    def _next(self) -> float | None:
        due = [p.ua.deadline for p in self.parties.values() if p.ua.deadline is not None]
        due += [self._wire[0][0]] if self._wire else []
        return min(due) if due else None

    def _step(self) -> None:
        while self._wire and self._wire[0][0] <= self.now:
            _, _, flow, to, data = heapq.heappop(self._wire)
            self.perform(to, to.ua.receive(Received(flow=flow, message=message(data)), self.now))
        for party in self.parties.values():
            if party.ua.deadline is not None and party.ua.deadline <= self.now:
                self.perform(party, party.ua.wake(self.now))

    def _send(self, party: Party, flow: Flow, data: bytes) -> None:
        to = self._by_host[flow.remote.host]
        sent = message(data)
        lost = self.loses(sent)
        self.ladder.note(self.now, party.name, to.name, sent, lost=lost)
        if not lost:
            back = Flow(flow.transport, Address(party.host, 5060), "e")
            heapq.heappush(self._wire, (self.now + self.delay_s, next(self._order), back, to, data))
