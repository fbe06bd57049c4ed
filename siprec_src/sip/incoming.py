"""A request that came to us, from its arrival until its transaction ends (RFC 3261 8.2, 17.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from siprec_src.sip.flow import Flow
from siprec_src.sip.message import Request, Response
from siprec_src.sip.reply import make_response, reply_flow
from siprec_src.sip.stack import MergeKey, Stack
from siprec_src.sip.transaction.base import Deliver, Ended, Failed, Outcome, Send, TimedOut
from siprec_src.sip.transaction.invite_server import InviteServer
from siprec_src.sip.transaction.key import ServerKey
from siprec_src.sip.transaction.non_invite_server import NonInviteServer
from siprec_src.sip.vocabulary import Respond
from siprec_src.sip.writer import write_message


class Answerer(Protocol):
    """The usage, or the dialog in it, that a received request belongs to."""

    def respond(self, incoming: Incoming, command: Respond, now: float) -> None:
        """The owner answers."""

    def cancelled(self, incoming: Incoming, request: Request, now: float) -> None:
        """The peer cancels a pending INVITE."""

    def lapsed(self, incoming: Incoming) -> None:
        """The transaction is over, answered or not."""


class Incoming:
    """One received request with its server transaction; for non-ACK requests only."""

    __slots__ = (
        "answered", "answerer", "flow", "key", "merge_key", "queued", "request", "stack", "token",
        "transaction", "way",
    )  # fmt: skip

    def __init__(self, stack: Stack, request: Request, flow: Flow, key: ServerKey) -> None:
        self.stack = stack
        self.request = request
        self.flow = flow
        self.way = reply_flow(request, flow)
        self.key = key
        self.merge_key: MergeKey | None = None
        self.token = 0  #: 0 until an owner has it
        self.answerer: Answerer | None = None
        self.answered = False  #: finally
        self.queued: float | None = None
        kind = InviteServer if request.method == "INVITE" else NonInviteServer
        self.transaction = kind(reliable=flow.transport.reliable, timers=stack.timers)

    @property
    def deadline(self) -> float | None:
        return self.transaction.deadline

    def wake(self, now: float) -> None:
        self._happened(self.transaction.wake(now))

    def begin(self, now: float) -> None:
        """Enter the tables."""
        self.stack.servers[self.key] = self
        if self.request.to.tag is None:
            self.merge_key = merge_key(self.request)
            self.stack.merged.setdefault(self.merge_key, self)
        self._happened(self.transaction.start(now))

    def own(self, answerer: Answerer) -> int:
        """Give the request to an owner, under a new token."""
        self.answerer = answerer
        self.token = self.stack.identity.number()
        self.stack.tokens[self.token] = self
        return self.token

    def repeat(self, now: float) -> None:
        """The request came again."""
        self._happened(self.transaction.repeat(now))

    def acknowledge(self, ack: Request, now: float) -> bool:
        """An ACK with our branch. True: it belongs to a 2xx and is the dialog's matter (RFC 6026 7.1)."""
        if not isinstance(self.transaction, InviteServer):
            return False
        outcomes = self.transaction.acknowledge(ack, now)
        self._happened(outcomes)
        return any(isinstance(outcome, Deliver) for outcome in outcomes)

    def make(
        self,
        status: int,
        *,
        tag: str = "",
        reason: str = "",
        fields: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        dialog: bool = False,
    ) -> Response:
        """A response to this request, not yet sent."""
        return make_response(
            self.request,
            self.flow,
            status,
            reason=reason,
            tag=tag,
            fields=fields,
            body=body,
            dialog=dialog,
        )

    def answer(
        self, status: int, now: float, *, tag: str = "", fields: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Make a response without a body and send it."""
        self.send(status, write_message(self.make(status, tag=tag, fields=fields)), now)

    def send(self, status: int, data: bytes, now: float) -> None:
        """Send a response already made: a new one, or a 2xx or reliable 1xx once more."""
        if status >= 200:
            self.answered = True
            self.stack.tokens.pop(self.token, None)
        self._happened(self.transaction.respond(status, data, now))

    def send_once(self, data: bytes) -> None:
        """Send a final response and forget the request (RFC 3261 26.3.2.4)."""
        self.answered = True
        self.stack.transmit(self.way, data)
        self.transaction.stop()
        self._forget()

    def _happened(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Send(data):
                    self.stack.transmit(self.way, data)
                case Ended():
                    self._forget()
                case Deliver() | TimedOut() | Failed():
                    pass
        self.stack.schedule.arm(self)

    def _forget(self) -> None:
        self.stack.servers.pop(self.key, None)
        self.stack.tokens.pop(self.token, None)
        if self.merge_key is not None and self.stack.merged.get(self.merge_key) is self:
            del self.stack.merged[self.merge_key]
        if self.answerer is not None:
            self.answerer.lapsed(self)
            self.answerer = None


def merge_key(request: Request) -> MergeKey:
    """What two copies of one request, come by different ways, have in common (RFC 3261 8.2.2.2)."""
    return (request.from_.tag, request.call_id, request.cseq.number, request.method)
