"""A small world in virtual time: phones, the daemon's user agent and ingest, a fake media plane.

Every message travels as octets through writer and parser, without delay unless `World.lost` swallows it.
`World.ladder` is the text of all that went over the wire, which flow tests compare with a golden one.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from siprec_src.communication import CommunicationSession, Publish
from siprec_src.ingest.inline.call import Call
from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.ingest.inline.routing import RoutingTable, Trunk
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.ingest.inline.voice import (
    Answer,
    AskVoice,
    Instructed,
    Voice,
    VoiceAnswered,
    VoiceEffect,
    VoiceUnfit,
)
from siprec_src.machine import Finished, Forward, Gone, LogLine, Observe
from siprec_src.media import plane
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Message, Request, Response
from siprec_src.sip.parser import Malformed, parse_datagram
from siprec_src.sip.timers import Timers
from siprec_src.sip.uri import parse_uri
from siprec_src.sip.user_agent import UserAgent
from tests.support.descriptions import audio, media_text
from tests.support.identity import CountingIdentity
from tests.support.media import FakeMedia
from tests.support.phone import ALICE, BOB, NAMES, SRC, Phone, edge


class Daemon:
    """The daemon's control process without sockets: user agent, ingest, calls, media plane."""

    def __init__(self, world: World, host: str, trunks: Iterable[Trunk], settings: InlineSettings) -> None:
        self.world = world
        self.host = host
        self.identity = CountingIdentity()
        edges = {"default": edge(host)}
        self.agent = UserAgent(self.identity, edges)
        self.ingest = InlineIngest(
            identity=self.identity, routing=RoutingTable(trunks, edges), edges=edges, settings=settings
        )
        self.media = FakeMedia()
        self.calls: list[Call] = []
        self.published: list[CommunicationSession] = []
        self.on_publish: Callable[[CommunicationSession], None] = lambda session: None
        self.logs: list[LogLine] = []
        self.observed: list[Observe] = []
        self.voice: list[VoiceEffect] = []  #: what calls asked of a voice application, and told it
        self.hold_media = False  #: answers of the media plane wait in ``held``
        self.held: deque[tuple[Call, plane.Answer]] = deque()
        self._owners: dict[int, Call] = {}

    def told(self, event: sip.Event) -> None:
        if isinstance(event, sip.InviteArrived):
            self._effects(None, self.ingest.receive(event, self.world.now))
        elif event.usage in self._owners:
            self.feed(self._owners[event.usage], event)

    def feed(self, call: Call, event: object) -> None:
        self._effects(call, call.receive(event, self.world.now))

    def everyone(self, event: plane.Event) -> None:
        """An event of the media plane that concerns every call."""
        for call in list(self.calls):
            self.feed(call, event)
        self.world.run()

    def wake(self) -> None:
        for call in list(self.calls):
            if call.deadline is not None and call.deadline <= self.world.now:
                self._effects(call, call.wake(self.world.now))

    def release(self) -> None:
        """The media plane answers what waited."""
        self.hold_media = False
        while self.held:
            call, answer = self.held.popleft()
            self.feed(call, answer)
        self.world.run()

    def answer_voice(self, answer: Answer | None) -> None:
        """The voice application answers for every call."""
        for call in list(self.calls):
            self.feed(call, VoiceAnswered(answer))
        self.world.run()

    def log(self, event: str) -> dict[str, object]:
        """Fields of the only line called ``event``."""
        (line,) = [line for line in self.logs if line.event == event]
        return dict(line.fields)

    def _effects(self, call: Call | None, effects: Iterable[object]) -> None:
        for effect in effects:
            match effect:
                case Forward(machine=Call() as made, event=event):
                    self.calls.append(made)
                    assert isinstance(event, sip.InviteArrived)
                    self._owners[event.usage] = made
                    self.world.later(partial(self.feed, made, event))
                case Publish():
                    self.published.append(effect.session)
                    self.on_publish(effect.session)
                case AskVoice() | VoiceUnfit() | Instructed():
                    self.voice.append(effect)
                case LogLine():
                    self.logs.append(effect)
                case Observe():
                    self.observed.append(effect)
                case Finished():
                    assert call is not None
                    self.calls.remove(call)
                    self._owners = {u: c for u, c in self._owners.items() if c is not call}
                    self.ingest.receive(Gone(call), self.world.now)
                case _ if isinstance(effect, plane.Command):
                    assert call is not None
                    self._media(call, effect)
                case _:
                    self._sip(call, effect)

    def _media(self, call: Call, command: plane.Command) -> None:
        answer = self.media.answer(command)
        if self.hold_media:
            self.held.append((call, answer))
        else:
            self.world.later(lambda: self.feed(call, answer))

    def _sip(self, call: Call | None, effect: object) -> None:
        assert isinstance(effect, sip.Command)
        if isinstance(effect, sip.StartInvite) and call is not None:
            self._owners[effect.usage] = call
        self.world.perform(self.host, self.agent.command(effect, self.world.now))


class World:
    """Everybody, the wire between them, and the time."""

    def __init__(
        self,
        trunks: Iterable[Trunk] | None = None,
        settings: InlineSettings | None = None,
        patience: int = 1,
    ) -> None:
        """``patience``: how much longer than the rest Bob waits before he gives up."""
        self.now = 100.0
        self.ladder_lines: list[str] = []
        self.lost: Callable[[str, str, Message], bool] = lambda source, target, message: False
        self.at_once = False  #: what phones do is only begun, until `run`: messages cross on the wire
        self._todo: deque[Callable[[], None]] = deque()
        self.alice = Phone(self, ALICE, Timers())
        self.bob = Phone(self, BOB, Timers(t1_s=Timers().t1_s * patience))
        self.src = Daemon(self, SRC, two_trunks() if trunks is None else trunks, settings or InlineSettings())
        self._nodes: dict[str, Phone | Daemon] = {ALICE: self.alice, BOB: self.bob, SRC: self.src}

    @property
    def ladder(self) -> str:
        """All that went over the wire since the last look."""
        text = "\n".join(self.ladder_lines)
        self.ladder_lines.clear()
        return text

    def settle(self) -> None:
        """What the phones began at once goes on."""
        self.at_once = False
        self.run()

    def later(self, step: Callable[[], None]) -> None:
        self._todo.append(step)

    def run(self) -> None:
        """Until nothing more happens at this moment."""
        while self._todo:
            self._todo.popleft()()

    def wait(self, seconds: float) -> None:
        """Let time pass, with every timer at its moment."""
        end = self.now + seconds
        while True:
            self.run()
            due = min((at for at in self._deadlines() if at is not None), default=end)
            if due >= end:
                break
            self.now = max(self.now, due)
            self._wake()
        self.now = end
        self._wake()
        self.run()

    def perform(self, host: str, effects: Iterable[sip.Effect]) -> None:
        """Effects of the user agent at ``host``."""
        for effect in effects:
            match effect:
                case sip.Tell():
                    self.later(partial(self._nodes[host].told, effect.event))
                case sip.Transmit():
                    self._carry(host, effect)
                case sip.Resolve():
                    raise AssertionError(effect)

    def _carry(self, host: str, transmit: sip.Transmit) -> None:
        message = parse_datagram(transmit.data)
        assert message is not None
        assert not isinstance(message, Malformed), message
        target = transmit.flow.remote.host
        lost = self.lost(NAMES[host], NAMES[target], message)
        self.ladder_lines.append(_rung(NAMES[host], NAMES[target], message, lost=lost))
        if not lost:
            self.later(lambda: self._arrive(host, target, message))

    def _arrive(self, source: str, target: str, message: Request | Response) -> None:
        flow = Flow(Transport.UDP, Address(source, 5060), "default")
        agent = self._nodes[target].agent
        self.perform(target, agent.receive(sip.Received(flow=flow, message=message), self.now))

    def _deadlines(self) -> Iterable[float | None]:
        yield from (node.agent.deadline for node in self._nodes.values())
        yield from (call.deadline for call in self.src.calls)

    def _wake(self) -> None:
        for host, node in self._nodes.items():
            if node.agent.deadline is not None and node.agent.deadline <= self.now:
                self.perform(host, node.agent.wake(self.now))
        self.src.wake()
        self.run()


def connected(caller: bytes = b"", callee: bytes = b"", *headers: tuple[str, str]) -> World:
    """A world in which Alice and Bob talk; its ladder begins behind the ACK."""
    world = World()
    world.alice.call(caller or audio(ALICE, 4000), *headers)
    world.bob.reply(200, callee or audio(BOB, 5000))
    world.alice.ack()
    world.ladder_lines.clear()
    return world


def two_trunks() -> tuple[Trunk, ...]:
    """Alice behind the PBX, Bob behind the carrier, calls both ways."""
    return (
        Trunk(
            name="pbx",
            sources=(ipaddress.ip_network(f"{ALICE}/32"),),
            to="carrier",
            uri=parse_uri(f"sip:{ALICE}:5060"),
        ),
        Trunk(
            name="carrier",
            sources=(ipaddress.ip_network(f"{BOB}/32"),),
            to="pbx",
            uri=parse_uri(f"sip:{BOB}:5060"),
        ),
    )


def asking(voice: Voice | None, settings: InlineSettings | None = None) -> World:
    """A world in which Alice's calls wait for a voice application."""
    pbx, carrier = two_trunks()
    return World((dataclasses.replace(pbx, voice=voice), carrier), settings)


def is_request(message: Message, method: str) -> bool:
    return isinstance(message, Request) and message.method == method


def _rung(source: str, target: str, message: Request | Response, *, lost: bool) -> str:
    if isinstance(message, Request):
        text = message.method if message.to.tag else f"{message.method} {message.uri}"
    else:
        text = f"{message.status} {message.cseq.method}"
        if "rseq" in message.headers:
            text += " reliable"
    return f"{source:>5} -> {target:<5}  {text}{media_text(message)}{'  LOST' if lost else ''}"
