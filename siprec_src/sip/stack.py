"""What all usages of one user agent share: tables, timers, ids, and the effects of the step under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from siprec_src.identity import Identity
from siprec_src.sip.flow import Address, Edge, Flow
from siprec_src.sip.holddown import HoldDown
from siprec_src.sip.keepalive import KeptFlows
from siprec_src.sip.schedule import Schedule
from siprec_src.sip.settings import AgentLimits, AgentSettings
from siprec_src.sip.target import Question, Unreachable, usable, way_to
from siprec_src.sip.timers import Timers
from siprec_src.sip.transaction.key import ClientKey, ServerKey
from siprec_src.sip.uri import Uri
from siprec_src.sip.vocabulary import Effect, Event, FlowLost, KeepFlow, Resolve, Resolved, Tell, Transmit

if TYPE_CHECKING:
    from siprec_src.sip.dialog import DialogKey
    from siprec_src.sip.dialog_receiver import DialogReceiver
    from siprec_src.sip.incoming import Incoming
    from siprec_src.sip.invite_usage import InviteUsage
    from siprec_src.sip.outgoing import Attempt

Located = Callable[[tuple[Flow, ...], float], None]
MergeKey = tuple[str | None, str, int, str]


class Stack:
    """Tables and services; each table says who takes entries out again."""

    __slots__ = (
        "_effects", "_refused", "_waiting", "clients", "dialogs", "edges", "hold_down", "identity", "kept",
        "leaving", "limits", "merged", "schedule", "servers", "settings", "timers", "tokens", "usages",
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        edges: Mapping[str, Edge],
        limits: AgentLimits,
        timers: Timers,
        settings: AgentSettings,
    ) -> None:
        self.identity = identity
        self.edges = edges
        self.limits = limits
        self.timers = timers
        self.settings = settings
        self.schedule = Schedule()
        self.hold_down = HoldDown(settings.hold_down_s, limits.max_held_down)
        self.kept = KeptFlows()  #: until the dialog ends, or the flow fails
        self.clients: dict[ClientKey, Attempt] = {}  #: until the transaction ends
        self.servers: dict[ServerKey, Incoming] = {}  #: until the transaction ends
        self.merged: dict[MergeKey, Incoming] = {}  #: until the transaction ends (RFC 3261 8.2.2.2)
        self.tokens: dict[int, Incoming] = {}  #: until the owner's final response, or the transaction's end
        self.dialogs: dict[DialogKey, DialogReceiver] = {}  #: until the dialog ends
        self.leaving: set[DialogKey] = set()  #: until our BYE is answered
        self.usages: dict[int, InviteUsage] = {}  #: until its last dialog and its INVITE have ended
        self._refused: dict[Address, float] = {}
        self._waiting: dict[int, Located] = {}
        self._effects: list[Effect] = []

    def full(self, *, newcomer: bool) -> bool:
        """Whether there is no room for a request; a tenth is kept for what belongs to a running call."""
        most = self.limits.max_transactions
        kept = most // 10 if newcomer else 0
        return len(self.clients) + len(self.servers) >= most - kept

    @property
    def idle(self) -> bool:
        """Whether nothing at all is remembered."""
        return not (
            self.clients or self.servers or self.merged or self.tokens or self.dialogs or self.leaving
            or self.usages or self._waiting or len(self.schedule) or len(self.kept)
        )  # fmt: skip

    def take(self) -> list[Effect]:
        """The effects gathered since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def transmit(self, flow: Flow, data: bytes, key: str = "") -> None:
        self._effects.append(Transmit(flow=flow, data=data, key=key))

    def keep(self, dialog: DialogReceiver, flow: Flow) -> None:
        """Have the flow that a dialog uses pinged as long as it lasts, if that was agreed."""
        interval_s = self.kept.use(dialog, flow)
        if interval_s is not None:
            self._effects.append(KeepFlow(flow=flow, interval_s=interval_s))

    def let_go(self, dialog: DialogReceiver) -> None:
        """A dialog has ended: what was kept for it alone is pinged no more."""
        flow = self.kept.end(dialog)
        if flow is not None:
            self._effects.append(KeepFlow(flow=flow, interval_s=0.0))

    def flow_failed(self, flow: Flow) -> None:
        """A kept flow is gone: the owners of its dialogs are told."""
        for dialog in self.kept.failed(flow):
            self.tell(FlowLost(usage=dialog.usage.handle, dialog=dialog.name))

    def tell(self, event: Event) -> None:
        self._effects.append(Tell(event))

    def locate(self, hop: Uri, edge: str, then: Located, now: float) -> None:
        """Find the flows to ``hop``, best first, and call ``then``: at once, or when the name is resolved."""
        way = way_to(hop, self.edges[edge])
        if isinstance(way, Unreachable):
            then((), now)
        elif isinstance(way, Question):
            query = self.identity.number()
            self._waiting[query] = then
            self._effects.append(
                Resolve(
                    query=query,
                    host=way.host,
                    port=way.port,
                    transport=way.transport,
                    secure=way.secure,
                    domain=way.domain,
                    edge=edge,
                )
            )
        else:
            then(way, now)

    def resolved(self, fact: Resolved, now: float) -> None:
        """The answer to a question; one that nobody asked is ignored."""
        then = self._waiting.pop(fact.query, None)
        if then is not None:
            flows = self.hold_down.order((flow for flow in fact.flows if self._may_send(flow)), now)
            then(flows[: self.limits.max_addresses_per_request], now)

    def refused_stream(self, remote: Address, now: float) -> None:
        """A peer has refused TCP: so that no call waits for it again, it is remembered for a while."""
        self._refused.pop(remote, None)
        self._refused[remote] = now + self.settings.stream_refused_s
        if len(self._refused) > self.limits.max_refusals:
            del self._refused[next(iter(self._refused))]

    def refuses_stream(self, remote: Address, now: float) -> bool:
        """Whether a peer is known to refuse TCP."""
        return self._refused.get(remote, now) > now

    def _may_send(self, flow: Flow) -> bool:
        edge = self.edges.get(flow.edge)
        return edge is not None and flow.transport in edge.transports and usable(flow.remote.host)
