"""The life of a call below its signalling: ports, the waits for the media plane, publication, the books.

A command to the media plane is answered within a millisecond, but not at once. While an answer is awaited,
what happens on the legs stands in a queue and is handled in its order afterwards, so every handler sees
one event at a time and no message overtakes the relay it speaks of.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from siprec_src.communication import CommunicationSession, Publish, RecordingState, Side, id_text
from siprec_src.identity import Identity
from siprec_src.ingest.inline.awareness import Awareness
from siprec_src.ingest.inline.groups import Group
from siprec_src.ingest.inline.media import SIDES, CallMedia
from siprec_src.ingest.inline.publication import Publication
from siprec_src.ingest.inline.routing import Route
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.ingest.inline.vigil import Vigil
from siprec_src.ingest.inline.voice import VoiceEffect
from siprec_src.machine import Finished, LogLine, Observe
from siprec_src.media import plane
from siprec_src.media.model import PortCounters, PortId
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Edge
from siprec_src.sip.headers import Reason
from siprec_src.sip.message import Request
from siprec_src.values import immutable

MEDIA_ANSWER_S: Final = 6.0  #: a media plane that is silent for longer than its restart counts as refusing

Effect = sip.Command | plane.Command | Publish | VoiceEffect | LogLine | Observe | Finished
MediaCommand = (
    plane.OpenPorts
    | plane.ConnectPort
    | plane.BridgePorts
    | plane.PlayTone
    | plane.Announce
    | plane.ClosePorts
)
Answers = tuple[plane.Answer, ...]


class Outcome(enum.Enum):
    """How a call ended; the label of ``calls_total``."""

    ANSWERED = "answered"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  #: by the callee's side
    UNREACHABLE = "unreachable"  #: the callee's side did not answer at all
    REFUSED = "refused"  #: by us: no room, or an offer that cannot be relayed
    SHUTDOWN = "shutdown"  #: this process ends and has hung up
    BROKEN = "broken"  #: a dialog was lost, or an answer made no sense
    TIMED_OUT = "timed-out"  #: neither party was there any more; hung up by us
    HUNG_UP = "hung-up"  #: by us, as we were told to


@dataclasses.dataclass(slots=True)
class Wait:
    """Commands that were sent, or a time to pass, and what happens then."""

    answers: dict[int, plane.Answer | None]
    then: Callable[[Answers], None]
    deadline: float
    for_media: bool = True  #: it is the media plane that is to answer


@immutable
class Ending:
    """Why and when a call ended."""

    outcome: Outcome
    status: int
    at: float


class CallLife:
    """What a call is apart from its messages; `Call` adds these."""

    def __init__(
        self,
        *,
        identity: Identity,
        route: Route,
        edges: Mapping[str, Edge],
        request: Request,
        settings: InlineSettings,
        group: Group,
        now: float,
    ) -> None:
        self.call = identity.number()
        self._identity = identity
        self._all_edges = edges
        self._request = request
        self._settings = settings
        self._go_by(route)
        self._contact = ";+sip.src" if settings.indication.contact else ""  #: RFC 7866 6.1.2
        self._began = self._now = now
        self._publication = Publication(identity, call=self.call, route=route, request=request, group=group)
        self._told = {side: Awareness() for side in SIDES}
        self._recording = RecordingState.OFF
        self._recording_cause = ""
        self._listening: dict[PortId, Side] = {}  #: parties that hear an announcement now
        self._announcing = 0  #: the tag of its end
        self._tones_refused = False  #: the media plane has no such sound
        self._out: list[Effect] = []
        self._wait: Wait | None = None
        self._backlog: deque[object] = deque()
        self._ending: Ending | None = None
        self._finished = False

    def _go_by(self, route: Route) -> None:
        """The call goes this way; for another one there must be no port yet."""
        edges = self._all_edges
        self._route = route
        self._edges = {Side.CALLER: edges[route.caller_edge], Side.CALLEE: edges[route.callee_edge]}
        self._media = CallMedia(
            self._identity,
            hosts={side: edge.rtp_advertised for side, edge in self._edges.items()},
            versions={side: ip_address(edge.rtp_bind).version for side, edge in self._edges.items()},
            policies=route.policies,
        )
        self._vigil = Vigil(self._media, self._settings.media_timeout_s)

    @property
    def deadline(self) -> float | None:
        """Of the answer while one is awaited, else of the parties' silence."""
        if self._wait is not None:
            return self._wait.deadline
        return min((at for at in (self._present_until, self._resume_at) if at is not None), default=None)

    @property
    def _present_until(self) -> float | None:
        """When an answered call is given up, as things are."""
        return self._vigil.deadline if self.lasts else None

    @property
    def _resume_at(self) -> float | None:
        """When a party is asked again that could not be told of the recording, or is not waited for."""
        times: list[float | None] = []
        for party in self._told.values() if self.lasts else ():
            times += (party.retry_at, None if party.offered is None else party.offered.until)
        return min((at for at in times if at is not None), default=None)

    @property
    def finished(self) -> bool:
        """Whether the call has said its last word."""
        return self._finished

    @property
    def lasts(self) -> bool:
        """Whether the call was answered and goes on."""
        return self._ending is None and self._publication.started is not None

    @property
    def arriving(self) -> CommunicationSession:
        """What is known of it before anybody is asked."""
        return self._publication.arriving(self._media, self._began)

    # the media plane

    def _ask(self, commands: Iterable[MediaCommand], then: Callable[[Answers], None]) -> None:
        """Send ``commands`` and go on with ``then`` when all are answered; at once when there are none."""
        tagged = [dataclasses.replace(command, tag=self._identity.number()) for command in commands]
        if not tagged:
            then(())
            return
        self._out += tagged
        self._wait = Wait({command.tag: None for command in tagged}, then, self._now + MEDIA_ANSWER_S)

    def _media_answer(self, answer: plane.Answer) -> None:
        wait = self._wait
        if wait is None or answer.tag not in wait.answers:
            self._late_answer(answer)
            return
        wait.answers[answer.tag] = answer
        if all(item is not None for item in wait.answers.values()):
            self._go_on(wait)

    def _late_answer(self, answer: plane.Answer) -> None:
        """Ports that were given after nobody waited for them any more are given back."""
        if isinstance(answer, plane.PortsOpen):
            self._close_unused(tuple(port.port for port in answer.ports))

    def _close_unused(self, ports: tuple[PortId, ...]) -> None:
        self._out.append(plane.ClosePorts(tag=self._identity.number(), ports=ports))

    def _give_up_waiting(self, reason: str) -> None:
        """Answers that are missing count as refusals."""
        if (wait := self._wait) is None:
            return
        for tag, answer in wait.answers.items():
            if answer is None:
                wait.answers[tag] = plane.Refused(tag=tag, reason=reason)
        self._go_on(wait)

    def _go_on(self, wait: Wait) -> None:
        self._wait = None
        wait.then(tuple(answer for answer in wait.answers.values() if answer is not None))

    # ports

    def _open(self, missing: Sequence[int], then: Callable[[str], None]) -> None:
        """Open both ports of the m-lines ``missing``; ``then`` gets "" or why it was refused."""
        near = next((port for _, port in self._media.ports()), None)
        if self._edges[Side.CALLER].name == self._edges[Side.CALLEE].name:
            groups: list[tuple[Side, ...]] = [SIDES]
        else:
            groups = [(Side.CALLER,), (Side.CALLEE,)]
        self._open_groups(missing, groups, [], near, then)

    def _open_groups(
        self,
        missing: Sequence[int],
        groups: list[tuple[Side, ...]],
        opened: list[plane.OpenPort],
        near: PortId | None,
        then: Callable[[str], None],
    ) -> None:
        """Ports of one edge after the other; the later ones near the first."""
        if not missing or not groups:
            self._take_ports(missing, opened)
            then("")
            return
        edge = self._edges[groups[0][0]]
        count = len(missing) * len(groups[0])

        def answered(answers: Answers) -> None:
            (answer,) = answers
            if isinstance(answer, plane.PortsOpen) and len(answer.ports) == count:
                more = [*opened, *answer.ports]
                self._open_groups(missing, groups[1:], more, near or more[0].port, then)
                return
            if opened:
                self._close_unused(tuple(port.port for port in opened))
            then(answer.reason if isinstance(answer, plane.Refused) else "bad-answer")

        command = plane.OpenPorts(
            tag=0, host=edge.rtp_bind, low=edge.rtp_low, high=edge.rtp_high, count=count, near=near
        )
        self._ask([command], answered)

    def _take_ports(self, missing: Sequence[int], opened: Sequence[plane.OpenPort]) -> None:
        """The first half faces the caller, the second the callee, m-line by m-line."""
        half = len(missing)
        for place, index in enumerate(missing):
            ports = {Side.CALLER: opened[place], Side.CALLEE: opened[half + place]}
            self._media.take_ports(index, ports)

    def _connect(self, then: Callable[[], None]) -> None:
        """Have the relay do what is agreed, then go on. A refusal is logged; the call goes on."""

        def answered(answers: Answers) -> None:
            refused = [answer.reason for answer in answers if isinstance(answer, plane.Refused)]
            if refused:
                self._log("warning", "call.media-refused", ("reason", refused[0]))
            then()

        self._ask(self._media.commands(), answered)

    # a media process that dies and comes back

    def _media_down(self) -> None:
        """Every port is void."""
        if self._ending is None and any(self._media.ports()):
            self._log("warning", "call.media-down")
        self._media.forget_ports()
        self._vigil.deaf(self._now)
        if self._wait is not None and self._wait.for_media:
            self._give_up_waiting("media-down")

    def _media_up(self) -> None:
        """Open the same port numbers again, one by one, all near the first."""
        if self._ending is None:
            self._reopen(list(self._media.lost_ports()), [], None)

    def _reopen(
        self,
        left: list[tuple[int, Side, int]],
        opened: list[tuple[int, Side, plane.OpenPort]],
        near: PortId | None,
    ) -> None:
        if not left:
            self._reopened(opened)
            return
        (index, side, number), edge = left[0], self._edges[left[0][1]]

        def answered(answers: Answers) -> None:
            (answer,) = answers
            if isinstance(answer, plane.PortsOpen) and answer.ports:
                port = answer.ports[0]
                self._reopen(left[1:], [*opened, (index, side, port)], near or port.port)
                return
            reason = answer.reason if isinstance(answer, plane.Refused) else "bad-answer"
            if reason == "media-down":  # gone again: all of it is done anew when it is back
                return
            self._log("error", "call.media-lost", ("rtp_port", number), ("reason", reason))
            self._reopen(left[1:], opened, near)

        command = plane.OpenPorts(tag=0, host=edge.rtp_bind, low=number, high=number + 1, count=1, near=near)
        self._ask([command], answered)

    def _reopened(self, opened: list[tuple[int, Side, plane.OpenPort]]) -> None:
        slots: dict[int, dict[Side, plane.OpenPort]] = {}
        for index, side, port in opened:
            slots.setdefault(index, {})[side] = port
        for index, ports in slots.items():
            if len(ports) == len(SIDES):
                self._media.take_ports(index, ports)
            else:
                self._close_unused(tuple(port.port for port in ports.values()))
        for index, _, _ in list(self._media.lost_ports()):
            self._media.give_up(index)
        self._vigil.deaf(self._now)
        self._connect(self._publish)

    # publication, the end, the books

    def _publish(self) -> None:
        if self._ending is None and (session := self._publication.changed(self._media)) is not None:
            self._out.append(Publish(session))

    def _end(self, outcome: Outcome, status: int, reason: Reason | None = None) -> None:
        """The call is over: recording is told first, then the ports are closed, then the books."""
        if self._ending is not None:
            return
        self._ending = Ending(outcome=outcome, status=status, at=self._now)
        if (session := self._publication.ended(self._now, reason)) is not None:
            self._out.append(Publish(session))
        ports = list(self._media.ports())
        closing = [plane.ClosePorts(tag=0, ports=tuple(port for _, port in ports))] if ports else []
        self._ask(closing, lambda answers: self._finish({port: side for side, port in ports}, answers))

    def _finish(self, sides: Mapping[PortId, Side], answers: Answers) -> None:
        self._media.forget_ports()
        books: dict[Side, list[PortCounters]] = {side: [] for side in SIDES}
        for answer in answers:
            if isinstance(answer, plane.PortsClosed):
                for port, counters in answer.counters:
                    if port in sides:
                        books[sides[port]].append(counters)
        self._log_end(books)
        self._finished = True
        self._out.append(Finished())

    def _log_begin(self) -> None:
        self._log(
            "info",
            "call.begin",
            ("session", id_text(self._publication.session_id)),
            ("trunk", self._route.trunk),
            ("to", self._route.to),
            ("sip_call_id", self._request.headers.get("call-id") or ""),
        )

    def _log_end(self, books: Mapping[Side, Sequence[PortCounters]]) -> None:
        ending = self._ending
        if ending is None:
            return
        started = self._publication.started
        fields: list[tuple[str, object]] = [
            ("session", id_text(self._publication.session_id)),
            ("trunk", self._route.trunk),
            ("to", self._route.to),
            ("sip_call_id", self._request.headers.get("call-id") or ""),
            ("outcome", ending.outcome.value),
            ("status", ending.status),
            ("duration_s", 0.0 if started is None else round(ending.at - started, 3)),
            ("setup_s", round((ending.at if started is None else started) - self._began, 3)),
        ]
        for side in SIDES:
            fields += _totals(side, books[side])
            fields.append((f"{side.value}_told", ",".join(self._told[side].given)))
        self._log("info", "call.end", *fields)
        self._out.append(Observe("calls_total", (("outcome", ending.outcome.value),)))

    def _log(self, level: str, event: str, *fields: tuple[str, object]) -> None:
        self._out.append(LogLine(level, event, (("call", self.call), *fields)))


def _totals(side: Side, own: Sequence[PortCounters]) -> list[tuple[str, object]]:
    """Sums of one party's track: what it sent, what the other got of it, what is missing and why."""
    names = [name for name in PortCounters.__dataclass_fields__ if name.startswith(("dropped_", "lost_"))]
    named = [(name, sum(getattr(item, name) for item in own)) for name in names]
    tones = sum(item.tones for item in own)
    return [
        *([(f"{side.value}_tones", tones)] if tones else []),
        (f"{side.value}_received", sum(item.received for item in own)),
        (f"{side.value}_relayed", sum(item.relayed for item in own)),
        (f"{side.value}_lost", sum(item.lost for item in own)),
        (f"{side.value}_dropped", sum(count for name, count in named if name.startswith("dropped_"))),
        *[(f"{side.value}_{name}", count) for name, count in named if count],
    ]
