"""The user agent: every SIP message, timer and command passes here (RFC 3261 8, 12, 17, 18).

Facts and commands with ``now`` go in, effects come out. Owners of usages are known only as the handles
in `Tell`. Nothing that a peer sends makes `receive` raise: what breaks a rule is answered with the status
the rule names, or dropped when it is a response or an ACK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from siprec_src.errors import LocalError, RemoteProtocolError, StateError
from siprec_src.identity import Identity
from siprec_src.sip.admission import abilities, allow, examine
from siprec_src.sip.client_usage import ClientUsage
from siprec_src.sip.dialog import request_key
from siprec_src.sip.flow import Edge, Flow
from siprec_src.sip.headers import parse_rseq
from siprec_src.sip.incoming import Incoming, merge_key
from siprec_src.sip.message import Request, Response
from siprec_src.sip.outgoing import local_response
from siprec_src.sip.outgoing_options import OutgoingOptions
from siprec_src.sip.parser import Malformed
from siprec_src.sip.reply import make_response, reply_flow, stateless_tag
from siprec_src.sip.server_usage import ServerUsage
from siprec_src.sip.settings import AgentLimits, AgentSettings
from siprec_src.sip.stack import Stack
from siprec_src.sip.throttle import Throttle
from siprec_src.sip.timers import Timers
from siprec_src.sip.transaction.key import response_key, server_key
from siprec_src.sip.vocabulary import (
    CancelInvite,
    Command,
    Effect,
    Fact,
    FlowFailed,
    Received,
    Resolved,
    Respond,
    ResponseArrived,
    SendAck,
    SendOptions,
    SendRequest,
    StartInvite,
    TransmitFailed,
)
from siprec_src.sip.writer import write_message


class UserAgent:
    """All transactions, dialogs and usages of one process."""

    __slots__ = ("_stack", "_throttle", "draining")

    def __init__(
        self,
        identity: Identity,
        edges: Mapping[str, Edge],
        limits: AgentLimits | None = None,
        timers: Timers | None = None,
        settings: AgentSettings | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._throttle = throttle or Throttle()
        self.draining = False  #: new calls get 503 with Retry-After, those that run go on
        self._stack = Stack(
            identity, edges, limits or AgentLimits(), timers or Timers(), settings or AgentSettings()
        )

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called next; None: no timer runs."""
        return self._stack.schedule.deadline

    @property
    def idle(self) -> bool:
        """Whether nothing is remembered of any call: no table has an entry, no timer runs."""
        return self._stack.idle

    @property
    def transactions(self) -> int:
        """How many transactions there are."""
        return len(self._stack.clients) + len(self._stack.servers)

    @property
    def timers(self) -> int:
        """How many timers are held, those included that were stopped and not yet cleared away."""
        return len(self._stack.schedule)

    @property
    def usages(self) -> int:
        """How many usages there are; a relayed call has two."""
        return len(self._stack.usages)

    def receive(self, fact: Fact, now: float) -> list[Effect]:
        """Take a message, an answer of the resolver, a failure to send. No peer makes it raise."""
        match fact:
            case Received(message=Request() as request):
                self._request(request, fact.flow, now)
            case Received(message=Response() as response):
                self._response(response, now)
            case Received():
                pass
            case Resolved():
                self._stack.resolved(fact, now)
            case TransmitFailed():
                attempt = self._stack.clients.get(fact.key)
                if attempt is not None:
                    attempt.fail(now)
            case FlowFailed():
                self._stack.flow_failed(fact.flow)
            case _:
                assert_never(fact)
        return self._stack.take()

    def command(self, command: Command, now: float) -> list[Effect]:
        """Take a command of an owner.

        One that comes too late for what it names is answered as the peer would (481) or ignored: owner and
        peer may act at the same time.

        Raises:
            StateError: the owner's mistake: a usage twice, an edge that is none. Nothing was changed.
            LocalError: a field of a response cannot be written; in a request it is told as 500.
        """
        match command:
            case StartInvite():
                self._start_invite(command, now)
            case SendRequest():
                self._send_request(command, now)
            case SendAck():
                usage = self._stack.usages.get(command.usage)
                dialog = usage.dialogs.get(command.dialog) if usage is not None else None
                if dialog is not None:
                    dialog.acknowledge(command, now)
            case SendOptions():
                self._send_options(command, now)
            case CancelInvite():
                usage = self._stack.usages.get(command.usage)
                if usage is not None:
                    usage.cancel(command.token, command.headers, now)
            case Respond():
                incoming = self._stack.tokens.get(command.token)
                if incoming is not None and incoming.answerer is not None:
                    incoming.answerer.respond(incoming, command, now)
            case _:
                assert_never(command)
        return self._stack.take()

    def wake(self, now: float) -> list[Effect]:
        """Fire every timer due at ``now``."""
        self._stack.schedule.wake(now)
        return self._stack.take()

    def refuse(self, malformed: Malformed, flow: Flow, now: float) -> list[Effect]:
        """Answer, without memory, a message that could not be read (8.2.7); responses are only dropped."""
        if malformed.partial is not None:
            self._answer_stateless(malformed.partial, flow, malformed.error.status)
        return self._stack.take()

    def _start_invite(self, command: StartInvite, now: float) -> None:
        stack = self._stack
        if command.usage in stack.usages or command.edge not in stack.edges:
            raise StateError(f"usage {command.usage} on edge {command.edge!r} cannot start")
        if stack.full(newcomer=True) or len(stack.usages) >= stack.limits.max_usages:
            self._tell_local(command, "", 503)
            return
        try:
            ClientUsage(stack, command, now)
        except RemoteProtocolError as error:
            stack.usages.pop(command.usage, None)
            raise StateError(f"INVITE cannot be sent: {error}") from error

    def _send_request(self, command: SendRequest, now: float) -> None:
        usage = self._stack.usages.get(command.usage)
        dialog = usage.dialogs.get(command.dialog) if usage is not None else None
        if dialog is None or dialog.held_bye is not None:
            self._tell_local(command, command.dialog, 481)
        else:
            dialog.send(command, now)

    def _send_options(self, command: SendOptions, now: float) -> None:
        if command.edge not in self._stack.edges:
            raise StateError(f"OPTIONS on edge {command.edge!r} cannot be sent")
        if self._stack.full(newcomer=True):
            self._tell_local(command, "", 500)
            return
        try:
            OutgoingOptions(self._stack, command, now)
        except RemoteProtocolError as error:
            raise StateError(f"OPTIONS cannot be sent: {error}") from error

    def _tell_local(self, command: StartInvite | SendRequest | SendOptions, dialog: str, status: int) -> None:
        self._stack.tell(
            ResponseArrived(
                usage=command.usage,
                dialog=dialog,
                token=command.token,
                response=local_response(status),
                made_here=True,
            )
        )

    def _response(self, response: Response, now: float) -> None:
        """One that matches nothing is dropped (17.1.3, RFC 6026 8.9); so is a 1xx that cannot be read."""
        try:
            attempt = self._stack.clients.get(response_key(response))
        except RemoteProtocolError:
            return
        if attempt is None or not attempt.sent_by(response.vias):
            return
        try:
            readable(response)
        except RemoteProtocolError:
            if response.status >= 200:
                attempt.outgoing.spoil(attempt, now)
            return
        attempt.receive(response, now)

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        try:
            if request.method == "ACK":
                self._ack(request, now)
            else:
                self._matched(request, flow, now)
        except (RemoteProtocolError, LocalError) as error:
            self._answer_stateless(request, flow, error.status)

    def _ack(self, request: Request, now: float) -> None:
        """An ACK belongs to a transaction, or to a dialog, or to nobody; it is never answered."""
        incoming = self._stack.servers.get(server_key(request, "INVITE"))
        if incoming is not None and not incoming.acknowledge(request, now):
            return
        dialog = self._stack.dialogs.get(request_key(request))
        if dialog is not None:
            dialog.acked(request, now)

    def _matched(self, request: Request, flow: Flow, now: float) -> None:
        key = server_key(request)
        known = self._stack.servers.get(key)
        if known is not None:
            known.repeat(now)
            return
        newcomer = not self._of_a_call(request)
        if newcomer and request.method != "INVITE":
            self._answer_stranger(request, flow)
            return
        if (newcomer and not self._throttle.admits(key)) or self._stack.full(newcomer=newcomer):
            self._answer_stateless(request, flow, 503)
            return
        incoming = Incoming(self._stack, request, flow, key)
        incoming.begin(now)
        try:
            self._dispatch(incoming, now)
        except (RemoteProtocolError, LocalError) as error:
            if not incoming.answered:
                incoming.answer(error.status, now, tag=stateless_tag(request))

    def _of_a_call(self, request: Request) -> bool:
        """Whether it is meant for something that is known: a dialog, or an INVITE to be cancelled."""
        if request.method == "CANCEL":
            return server_key(request, "INVITE") in self._stack.servers
        key = request_key(request)
        return key in self._stack.dialogs or key in self._stack.leaving

    def _answer_stranger(self, request: Request, flow: Flow) -> None:
        """Answer what is no INVITE and of no call, without memory (8.2.7): a flood of it takes no room."""
        settings = self._stack.settings
        refusal = None if request.method == "CANCEL" else examine(request, settings)
        fields: tuple[tuple[str, str], ...] = ()
        if refusal is not None:
            status, fields = refusal.status, refusal.fields
        elif request.to.tag is not None or request.method in {"CANCEL", "BYE", "PRACK", "UPDATE", "INFO"}:
            status = 481
        elif request.method == "OPTIONS":
            full = self.draining or self._stack.full(newcomer=True)
            status, fields = 503 if full else 200, abilities(settings)
        else:
            status, fields = 405, (allow(settings),)
        self._answer_stateless(request, flow, status, fields)

    def _dispatch(self, incoming: Incoming, now: float) -> None:
        request = incoming.request
        if request.method == "CANCEL":
            self._cancel(incoming, now)
            return
        refusal = examine(request, self._stack.settings)
        if refusal is not None:
            tag = stateless_tag(request)
            incoming.answer(refusal.status, now, tag=tag, fields=refusal.fields)
        elif request.to.tag is None:
            self._outside(incoming, now)
        else:
            self._inside(incoming, now)

    def _inside(self, incoming: Incoming, now: float) -> None:
        """A request inside a dialog. A BYE that crosses our own is still answered (RFC 5407 3.2)."""
        key = request_key(incoming.request)
        dialog = self._stack.dialogs.get(key)
        if dialog is not None:
            dialog.receive(incoming, now)
        elif incoming.request.method == "BYE" and key in self._stack.leaving:
            incoming.answer(200, now)
        else:
            incoming.answer(481, now)

    def _outside(self, incoming: Incoming, now: float) -> None:
        """An INVITE outside any dialog."""
        stack, request = self._stack, incoming.request
        tag = stateless_tag(request)
        if stack.merged.get(merge_key(request)) is not incoming:
            incoming.answer(482, now, tag=tag)
            return
        busy = self.draining or len(stack.usages) >= stack.limits.max_usages
        if busy:
            retry = ("Retry-After", str(stack.settings.drain_retry_after_s))
            incoming.answer(503, now, tag=tag, fields=(retry,))
        else:
            ServerUsage(stack, incoming, now).start(now)

    def _cancel(self, incoming: Incoming, now: float) -> None:
        """A CANCEL is answered by itself; what it cancels is an INVITE without final answer (9.2)."""
        target = self._stack.servers[server_key(incoming.request, "INVITE")]
        incoming.answer(200, now, tag=stateless_tag(incoming.request))
        if not target.answered and target.answerer is not None:
            target.answerer.cancelled(target, incoming.request, now)

    def _answer_stateless(
        self, request: Request, flow: Flow, status: int, fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Answer what has no transaction, when it can be; an ACK never is."""
        if request.method == "ACK":
            return
        retry = str(self._stack.settings.drain_retry_after_s)
        fields = (("Retry-After", retry), *fields) if status == 503 else fields
        try:
            tag = "" if not request.headers.all("to") else stateless_tag(request)
            response = make_response(request, flow, status, tag=tag, fields=fields)
            self._stack.transmit(reply_flow(request, flow), write_message(response))
        except (RemoteProtocolError, LocalError):
            return


def readable(response: Response) -> None:
    """Read every field of a response that its usage will need.

    Raises:
        RemoteProtocolError: one of them breaks its rule.
    """
    _ = response.to, response.from_, response.call_id
    if "rseq" in response.headers:
        parse_rseq(response.headers.get("rseq") or "")
    if response.cseq.method in {"INVITE", "UPDATE"} and response.status < 300:
        _ = response.record_routes
        for contact in response.contacts:
            if contact.uri.scheme not in {"sip", "sips"}:
                raise RemoteProtocolError("a Contact that cannot be called", section="RFC 3261 8.1.1.8")
