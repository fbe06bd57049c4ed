"""An OPTIONS of ours outside any dialog (RFC 3261 11.1): one answer, from a peer or made here."""

from __future__ import annotations

from siprec_src.sip.flow import Flow
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.outgoing import Nobody, Outgoing
from siprec_src.sip.stack import Stack
from siprec_src.sip.uri import parse_uri
from siprec_src.sip.vocabulary import ResponseArrived, SendOptions


class _Asker(Nobody):
    """Tells the owner the final response."""

    def __init__(self, stack: Stack, usage: int) -> None:
        self._stack = stack
        self._usage = usage

    def answered(
        self, outgoing: Outgoing, response: Response, flow: Flow | None, now: float, *, made_here: bool
    ) -> None:
        if response.status >= 200:
            told = ResponseArrived(
                usage=self._usage,
                dialog="",
                token=outgoing.token,
                response=response,
                flow=flow,
                made_here=made_here,
            )
            self._stack.tell(told)


class OutgoingOptions(Outgoing):
    """One OPTIONS; each address gets the same time to answer, less than Timer F would give it."""

    __slots__ = ("_timeout_s", "_until", "queued")

    def __init__(self, stack: Stack, command: SendOptions, now: float) -> None:
        hop = parse_uri(command.request_uri)
        head = [
            ("Max-Forwards", "70"),
            ("From", f"{command.headers.get('from')};tag={stack.identity.tag()}"),
            ("To", f"<{command.request_uri}>"),
            ("Call-ID", stack.identity.call_id()),
            ("CSeq", "1 OPTIONS"),
            *command.headers.without("from"),
        ]
        request = Request(method="OPTIONS", uri=command.request_uri, headers=Headers(head))
        super().__init__(stack, request, command.edge, _Asker(stack, command.usage), command.token)
        self.queued: float | None = None
        self._timeout_s = command.timeout_s
        self._until: float | None = now + command.timeout_s
        self.start(hop, now)
        stack.schedule.arm(self)

    @property
    def deadline(self) -> float | None:
        return self._until

    def wake(self, now: float) -> None:
        if self._until is None or now < self._until:
            return
        self._until = now + self._timeout_s
        if self.current is not None and self.others:
            self.move_on(now)
            return
        if self.current is not None:
            self.stack.hold_down.failed(self.current.flow.remote, now)
            self.stack.clients.pop(self.current.key, None)
            self.current.transaction.stop()
        self.give_up(408, now)

    def give(self, response: Response, flow: Flow | None, now: float, *, made_here: bool = False) -> None:
        if response.status >= 200:
            self._until = None
        super().give(response, flow, now, made_here=made_here)
