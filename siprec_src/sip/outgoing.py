"""A request of ours on its way: one address after another until one answers (RFC 3261 8.1.3, RFC 3263 4.3).

Each address is a new transaction with a branch of its own; Call-ID and CSeq stay. The next one is tried
after a 503, a timeout or a failure of the transport. A request longer than a datagram should be goes by
TCP where the edge has it, unless the URI insists on UDP, and by UDP after all when the peer refuses TCP
(RFC 3261 18.1.1). A challenge is answered here, under a new CSeq, when the usage has credentials (22.1 to
22.3); a second refusal is the taker's.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

from siprec_src.errors import LocalError
from siprec_src.sip.auth import MAX_ROUNDS, Authenticator, Place, asks
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.headers import Via
from siprec_src.sip.holddown import retry_after_s
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.reason import reason_phrase
from siprec_src.sip.stack import Stack
from siprec_src.sip.target import numeric
from siprec_src.sip.transaction.base import ClientTransaction, Deliver, Ended, Failed, Outcome, Send, TimedOut
from siprec_src.sip.transaction.invite_client import InviteClient
from siprec_src.sip.transaction.key import client_key
from siprec_src.sip.transaction.non_invite_client import NonInviteClient
from siprec_src.sip.uri import Uri
from siprec_src.sip.writer import write_message


class Taker(Protocol):
    """Who wants the responses."""

    def answered(
        self, outgoing: Outgoing, response: Response, flow: Flow | None, now: float, *, made_here: bool
    ) -> None:
        """A response other than 100 has come, or was made here (8.1.3.1)."""

    def dismiss(self, response: Response, now: float) -> None:
        """A 2xx to our INVITE has come from an address that was left; nobody waits for it any more."""

    def goes_again(self, outgoing: Outgoing, now: float) -> int:
        """A challenged request is sent once more; the CSeq number it gets (8.1.3.5)."""


class Nobody:
    """Takes the responses to requests that the user agent sends on its own account."""

    def answered(
        self, outgoing: Outgoing, response: Response, flow: Flow | None, now: float, *, made_here: bool
    ) -> None:
        """Whatever the answer, nothing follows from it."""

    def dismiss(self, response: Response, now: float) -> None:
        """Nor from one that comes late."""

    def goes_again(self, outgoing: Outgoing, now: float) -> int:
        return outgoing.request.cseq.number + 1


class Attempt:
    """One transaction over one flow."""

    __slots__ = ("flow", "key", "outgoing", "queued", "transaction")

    def __init__(self, outgoing: Outgoing, transaction: ClientTransaction, flow: Flow, key: str) -> None:
        self.outgoing = outgoing
        self.transaction = transaction
        self.flow = flow
        self.key = key
        self.queued: float | None = None

    @property
    def deadline(self) -> float | None:
        return self.transaction.deadline

    def wake(self, now: float) -> None:
        self.outgoing.happened(self, self.transaction.wake(now), now)

    def receive(self, response: Response, now: float) -> None:
        self.outgoing.happened(self, self.transaction.receive(response, now), now)

    def fail(self, now: float) -> None:
        self.outgoing.happened(self, self.transaction.fail(now), now)

    def sent_by(self, vias: tuple[Via, ...]) -> bool:
        """Whether a response with ``vias`` is for us: ours and no other (18.1.2, 8.1.3.3)."""
        sent_by, *others = [(numeric(via.host) or via.host.lower(), via.port) for via in vias]
        ours = self.transaction.request.via
        return not others and sent_by == (numeric(ours.host) or ours.host.lower(), ours.port)


class Outgoing:
    """One request of a usage, from the command to its final response."""

    __slots__ = (
        "_answered", "_authenticator", "_candidates", "_promoted", "_rounds", "_udp_only", "current", "done",
        "edge", "keep_alive", "request", "spares_dialog", "stack", "taker", "token",
    )  # fmt: skip

    def __init__(
        self,
        stack: Stack,
        request: Request,
        edge: str,
        taker: Taker,
        token: int = 0,
        authenticator: Authenticator | None = None,
    ) -> None:
        self.stack = stack
        self.request = request  #: without Via; each attempt puts its own on top
        self.edge = edge
        self.taker = taker
        self.token = token
        self.current: Attempt | None = None
        self.spares_dialog = False  #: that nobody answers it is not the end of its dialog
        self.keep_alive = False  #: offered in the Via (RFC 6223 4.2.1)
        self.done = False  #: a final response has been given to the taker
        self._candidates: list[Flow] = []
        self._promoted: set[Address] = set()  #: asked by TCP first, since the request is long
        self._udp_only = False  #: the URI insists on UDP, whatever the length
        self._authenticator = authenticator
        self._answered: set[Place] = set()  #: realms whose challenge has been answered
        self._rounds = 0  #: how often it was sent again because of challenges

    def start(self, hop: Uri, now: float) -> None:
        """Find the next hop and send."""
        self._udp_only = hop.transport == "udp"
        if self._authenticator is not None:
            self.request = self._authenticator.authorized(self.request)
        self.stack.locate(hop, self.edge, self._located, now)

    def happened(self, attempt: Attempt, outcomes: list[Outcome], now: float) -> None:
        """Do what a transaction asks for."""
        for outcome in outcomes:
            match outcome:
                case Send(data):
                    self.stack.transmit(attempt.flow, data, attempt.key)
                case Deliver(message):
                    if attempt is self.current and isinstance(message, Response):
                        self._delivered(attempt, message, now)
                case TimedOut():
                    self._unanswered(attempt, 408, now)
                case Failed():
                    self._unanswered(attempt, 503, now)
                case Ended():
                    self._over(attempt)
        self.stack.schedule.arm(attempt)

    def _over(self, attempt: Attempt) -> None:
        """Nothing comes of it any more. Circles are cut: they would lie about until garbage is collected."""
        self.stack.clients.pop(attempt.key, None)
        del attempt.outgoing
        if self.done and attempt is self.current:
            self.taker = Nobody()

    def give(self, response: Response, flow: Flow | None, now: float, *, made_here: bool = False) -> None:
        """Give a response to the taker; after a final one only further 2xx follow."""
        self.done = self.done or response.status >= 200
        self.taker.answered(self, response, flow, now, made_here=made_here)

    def give_up(self, status: int, now: float) -> None:
        """Tell the taker a final response that nobody sent."""
        if not self.done:
            self.give(local_response(status), None, now, made_here=True)

    def spoil(self, attempt: Attempt, now: float) -> None:
        """A final response that cannot be read: the transaction ends, the taker is told 502."""
        self.stack.clients.pop(attempt.key, None)
        attempt.transaction.stop()
        if attempt is self.current:
            self.give_up(502, now)

    def _located(self, flows: tuple[Flow, ...], now: float) -> None:
        if self.done:
            return
        self._candidates = list(flows)
        if flows:
            self._try_next(now)
        else:
            self.give_up(503, now)

    def _try_next(self, now: float) -> None:
        """A header field that cannot be written is the owner's mistake, told as 500."""
        flow = self._candidates.pop(0)
        try:
            request, data, branch = self._addressed(flow)
            if self._too_long(flow, data, now):
                self._candidates.insert(0, flow)
                self._promoted.add(flow.remote)
                flow = dataclasses.replace(flow, transport=Transport.TCP)
                request, data, branch = self._addressed(flow)
        except LocalError:
            self.give_up(500, now)
            return
        self.begin(request, data, flow, client_key(branch, request.method), now)

    def begin(self, request: Request, data: bytes, flow: Flow, key: str, now: float) -> None:
        """Start a transaction that becomes the current one."""
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        transaction = kind(request, data, reliable=flow.transport.reliable, timers=self.stack.timers)
        self.current = attempt = Attempt(self, transaction, flow, key)
        self.stack.clients[key] = attempt
        self.happened(attempt, transaction.start(now), now)

    def _addressed(self, flow: Flow) -> tuple[Request, bytes, str]:
        branch = self.stack.identity.branch()
        via = via_value(self.stack, flow, branch, keep_alive=self.keep_alive)
        sent = self.request
        request = Request(
            method=sent.method, uri=sent.uri, headers=sent.headers.prepended("Via", via), body=sent.body
        )
        return request, write_message(request), branch

    def _too_long(self, flow: Flow, data: bytes, now: float) -> bool:
        return (
            flow.transport is Transport.UDP
            and not self._udp_only
            and len(data) > self.stack.settings.datagram_limit_bytes
            and Transport.TCP in self.stack.edges[self.edge].transports
            and flow.remote not in self._promoted
            and not self.stack.refuses_stream(flow.remote, now)
        )

    def _delivered(self, attempt: Attempt, response: Response, now: float) -> None:
        if response.status == 503:
            self.stack.hold_down.failed(attempt.flow.remote, now, retry_after_s(response))
        else:
            self.stack.hold_down.answered(attempt.flow.remote)
        if response.status == 503 and not self.done and self._another(attempt):
            self._try_next(now)
        elif self._answers_challenge(response, now):
            self._candidates.insert(0, attempt.flow)
            self._try_next(now)
        elif response.status > 100:
            self.give(response, attempt.flow, now)

    def _answers_challenge(self, response: Response, now: float) -> bool:
        """Put credentials into the request, if the response asks for some and we have what it asks for."""
        authenticator = self._authenticator
        if authenticator is None or self.done:
            return False
        if not asks(response):
            if 200 <= response.status < 300:
                authenticator.succeeded(response)
            return False
        if self._rounds == MAX_ROUNDS or not self.may_move_on():
            return False
        if not authenticator.learn(self.request, response, self._answered):
            return False
        self._rounds += 1
        number = f"{self.taker.goes_again(self, now)} {self.request.method}"
        headers = self.request.headers.replaced("CSeq", number)
        self.request = authenticator.authorized(dataclasses.replace(self.request, headers=headers))
        return True

    def _unanswered(self, attempt: Attempt, status: int, now: float) -> None:
        if attempt is not self.current or self.done:
            return
        if status == 503:
            same = attempt.flow.remote in {f.remote for f in self._candidates}
            if same and attempt.flow.remote in self._promoted:
                self.stack.refused_stream(attempt.flow.remote, now)
            if same and self.may_move_on():
                self._try_next(now)
                return
        self.stack.hold_down.failed(attempt.flow.remote, now)
        if self._another(attempt):
            self._try_next(now)
        else:
            self.give_up(status, now)

    def move_on(self, now: float) -> None:
        """The current address has been silent for too long: try the next one, if there is one."""
        attempt = self.current
        if attempt is None or self.done or not self._another(attempt):
            return
        self.stack.hold_down.failed(attempt.flow.remote, now)
        self.leave(attempt, now)
        self._try_next(now)

    def leave(self, attempt: Attempt, now: float) -> None:
        """Nothing more is sent to this address."""
        del now
        self.stack.clients.pop(attempt.key, None)
        attempt.transaction.stop()

    @property
    def others(self) -> int:
        """How many addresses are left beside the current one."""
        current = None if self.current is None else self.current.flow.remote
        return len({flow.remote for flow in self._candidates} - {current})

    def _another(self, attempt: Attempt) -> bool:
        """Whether another address is left; one that has answered, or is silent, is not asked again."""
        self._candidates = [f for f in self._candidates if f.remote != attempt.flow.remote]
        return bool(self._candidates) and self.may_move_on()

    def may_move_on(self) -> bool:
        """Whether trying the next address is still wanted."""
        return True


def local_response(status: int) -> Response:
    """A response made here: no header fields (8.1.3.1)."""
    return Response(status=status, reason=reason_phrase(status), headers=Headers())


def via_value(stack: Stack, flow: Flow, branch: str, *, keep_alive: bool = False) -> str:
    """Our Via on ``flow``; over UDP it asks for symmetric responses (RFC 3581 3)."""
    kept = ";keep" if keep_alive else ""
    asked = kept if flow.transport.reliable else ";rport"
    sent_by = stack.edges[flow.edge].advertised(flow.transport)
    return f"SIP/2.0/{flow.transport.value} {sent_by};branch={branch}{asked}"
