"""A recording client and two recorders in virtual time: real user agents on both ends, a fake media plane.

Every message travels as octets. `Stage.ladder` is the text of what went over the wire and of what the
media plane was told between, which flow tests compare with a golden one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from siprec_src.communication import CommunicationSession, RecordingChanged
from siprec_src.machine import Finished, Forward, LogLine, Observe, WallClock
from siprec_src.media import plane
from siprec_src.recording.call import CallRecording
from siprec_src.recording.news import CopyChanged
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.srs import SrsConfig
from siprec_src.sdp.model import Media, SessionDescription
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import find, split_body
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.message import Headers, Message, Request, Response
from siprec_src.sip.parser import parse_datagram
from siprec_src.sip.user_agent import UserAgent
from tests.support.identity import CountingIdentity
from tests.support.media import FakeMedia
from tests.support.schema import History
from tests.unit.recording.play import answer_to

HOSTS = {"src": "192.0.2.1", "one": "192.0.2.11", "two": "192.0.2.12"}
NAMES = {host: name for name, host in HOSTS.items()}
ONE, TWO = (f"sip:rec@{HOSTS[name]};transport=tcp" for name in ("one", "two"))
METADATA = ("application/rs-metadata+xml", "application/rs-metadata")

Change = Callable[[int, Media], Media]


def at(host: str) -> Edge:
    return Edge(
        name="default",
        sip_bind=Address(host, 5060),
        sip_advertised=Address(host, 5060),
        transports=(Transport.UDP, Transport.TCP),
        rtp_bind=host,
        rtp_advertised=host,
    )


class Recorder:
    """An SRS: answers as the RFC says, unless a test tells it otherwise."""

    def __init__(self, stage: Stage, host: str) -> None:
        self.stage = stage
        self.host = host
        self.identity = CountingIdentity(NAMES[host][0])
        self.agent = UserAgent(self.identity, {"default": at(host)})
        self.change: Change = lambda _index, media: media
        self.statuses: deque[int] = deque()  #: answers to the next requests that are no 200
        self.silent = False
        self.most = 99  #: m-lines in its answers
        self.allow = "INVITE, ACK, CANCEL, BYE, UPDATE"
        self.fields: tuple[tuple[str, str], ...] = ()  #: more header fields of its answers
        self.usage = 0
        self.dialog = ""
        self.metadata: list[bytes] = []
        self._histories: dict[str, History] = {}  #: of the documents, by Call-ID
        self.answer: SessionDescription | None = None
        self.events: list[sip.Event] = []
        self._newest = 0

    def told(self, event: sip.Event) -> None:
        self.events.append(event)
        match event:
            case sip.InviteArrived():
                self.usage = event.usage
                self._take(event.usage, event.token, event.request)
            case sip.RequestArrived():
                self._take(event.usage, event.token, event.request)
            case sip.ResponseArrived(response=response, token=token) if response.status // 100 == 2:
                if token == self._newest:
                    self.do(sip.SendAck(usage=self.usage, dialog=event.dialog, token=token))
            case _:
                pass

    def ask(
        self, method: str, body: bytes = b"", content_type: str = "application/sdp", **headers: str
    ) -> None:
        """Send a request inside the dialog."""
        token = self.identity.number()
        if method == "INVITE":
            self._newest = token
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        fields = Headers([*named, *([("Content-Type", content_type)] if body else [])])
        self.do(
            sip.SendRequest(
                usage=self.usage, dialog="", token=token, method=method, headers=fields, body=body
            )
        )
        self.stage.run()

    def describe(self, change: Change) -> bytes:
        """Its own side as a new offer."""
        assert self.answer is not None
        media = (change(i, m) for i, m in enumerate(self.answer.media))
        self.answer = self.answer.with_media(*media).with_next_version()
        return write_sdp(self.answer)

    def do(self, command: sip.Command) -> None:
        self.stage.perform(self.host, self.agent.command(command, self.stage.now))

    def _take(self, usage: int, token: int, request: Request) -> None:
        parts = split_body(request)
        if (document := find(parts, *METADATA)) is not None:
            self._histories.setdefault(request.call_id, History()).take(document.content)
            self.metadata.append(document.content)
        if self.silent:
            return
        status = self.statuses.popleft() if self.statuses else 200
        offer = find(parts, "application/sdp")
        body = b""
        if status == 200 and offer is not None:
            self.answer = answer_to(parse_sdp(offer.content), self.change).with_connection(self.host)
            body = write_sdp(self.answer.with_media(*self.answer.media[: self.most]))
        fields = [("Allow", self.allow), *self.fields] + (
            [("Content-Type", "application/sdp")] if body else []
        )
        self.do(
            sip.Respond(
                usage=usage,
                token=token,
                status=status,
                headers=Headers(fields),
                body=body,
                contact_parameters=";+sip.srs",
            )
        )


class Client:
    """The recording client: user agent, pool and recordings, the media plane."""

    def __init__(self, stage: Stage, srs: Iterable[str | SrsConfig]) -> None:
        self.stage = stage
        self.identity = CountingIdentity("s")
        edges = {"default": at(HOSTS["src"])}
        self.agent = UserAgent(self.identity, edges)
        configs = [s if isinstance(s, SrsConfig) else SrsConfig(uri=s) for s in srs]
        self.pool = RecordingPool(self.identity, WallClock(1_767_312_000.0), edges, configs)
        self.media = FakeMedia()
        self.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=20000, high=20003, count=2))
        self.recordings: list[CallRecording] = []
        self.logs: list[LogLine] = []
        self.finished = 0
        self._owners: dict[int, CallRecording] = {}

    def told(self, event: sip.Event) -> None:
        owner = self._owners.get(event.usage)
        if owner is not None:
            self.effects(owner, owner.receive(event, self.stage.now))

    def wake(self) -> None:
        for machine in list(self.recordings):
            if machine.deadline is not None and machine.deadline <= self.stage.now:
                self.effects(machine, machine.wake(self.stage.now))

    def effects(self, machine: object, effects: Iterable[object]) -> None:
        for effect in effects:
            match effect:
                case Forward(machine=CallRecording() as made, event=event):
                    if made not in self.recordings:
                        self.recordings.append(made)
                    self.effects(made, made.receive(event, self.stage.now))  # type: ignore[arg-type]
                case Forward(event=event):
                    self.effects(self.pool, self.pool.receive(event, self.stage.now))  # type: ignore[arg-type]
                case LogLine():
                    self.logs.append(effect)
                case Observe() | RecordingChanged() | CopyChanged():
                    pass
                case Finished():
                    self.recordings = [r for r in self.recordings if r is not machine]
                    self.finished += 1
                case _ if isinstance(effect, plane.Command):
                    self.stage.note(_media_line(effect))
                    self._submit(machine, effect)
                case _:
                    self._command(machine, effect)

    def _submit(self, machine: object, command: plane.Command) -> None:
        assert isinstance(machine, CallRecording)
        answer = self.media.answer(command)
        self.stage.later(lambda: self.effects(machine, machine.receive(answer, self.stage.now)))

    def _command(self, machine: object, command: object) -> None:
        assert isinstance(command, sip.Command)
        assert isinstance(machine, CallRecording)
        if isinstance(command, sip.StartInvite):
            self._owners[command.usage] = machine
        self.stage.perform(HOSTS["src"], self.agent.command(command, self.stage.now))


class Stage:
    """Everybody, the wire between them, and the time."""

    def __init__(self, *srs: str | SrsConfig) -> None:
        self.now = 10.0
        self.lines: list[str] = []
        self.lost: Callable[[str, Message], bool] = lambda source, message: False
        self._todo: deque[Callable[[], None]] = deque()
        self.client = Client(self, srs or (ONE, TWO))
        self.one = Recorder(self, HOSTS["one"])
        self.two = Recorder(self, HOSTS["two"])
        self._nodes = {node.host: node for node in (self.one, self.two)}

    @property
    def ladder(self) -> str:
        """All that happened since the last look."""
        text = "\n".join(line for line in self.lines if line)
        self.lines.clear()
        return text

    def publish(self, call: CommunicationSession) -> None:
        self.tell_pool(call)

    def tell_pool(self, event: object) -> None:
        self.client.effects(self.client.pool, self.client.pool.receive(event, self.now))  # type: ignore[arg-type]
        self.run()

    def later(self, step: Callable[[], None]) -> None:
        self._todo.append(step)

    def note(self, line: str) -> None:
        self.lines.append(line)

    def run(self) -> None:
        while self._todo:
            self._todo.popleft()()

    def wait(self, seconds: float) -> None:
        """Let time pass, with every timer at its moment."""
        end = self.now + seconds
        while (due := min((t for t in self._deadlines() if t is not None), default=end)) < end:
            self.now = max(self.now, due)
            self._wake()
        self.now = end
        self._wake()

    def perform(self, host: str, effects: Iterable[sip.Effect]) -> None:
        for effect in effects:
            match effect:
                case sip.Tell():
                    node = self._nodes.get(host) or self.client
                    self.later(partial(node.told, effect.event))
                case sip.Transmit():
                    self._carry(host, effect)
                case sip.Resolve():
                    raise AssertionError(effect)

    def _carry(self, host: str, transmit: sip.Transmit) -> None:
        message = parse_datagram(transmit.data)
        assert isinstance(message, Request | Response), message
        target = transmit.flow.remote.host
        lost = self.lost(NAMES[host], message)
        self.note(_rung(NAMES[host], NAMES[target], message, lost=lost))
        if not lost:
            flow = Flow(transmit.flow.transport, Address(host, 5060), "default", 1)
            node = self._nodes.get(target) or self.client
            received = sip.Received(flow=flow, message=message)
            self.later(lambda: self.perform(target, node.agent.receive(received, self.now)))

    def _deadlines(self) -> Iterable[float | None]:
        yield from (node.agent.deadline for node in (self.client, self.one, self.two))
        yield from (machine.deadline for machine in self.client.recordings)

    def _wake(self) -> None:
        for host, node in ((HOSTS["src"], self.client), (self.one.host, self.one), (self.two.host, self.two)):
            if node.agent.deadline is not None and node.agent.deadline <= self.now:
                self.perform(host, node.agent.wake(self.now))
        self.client.wake()
        self.run()


def _rung(source: str, target: str, message: Request | Response, *, lost: bool) -> str:
    """One message as a line: who, to whom, what, and what its body says."""
    if isinstance(message, Response) and message.status == 100:
        return ""
    method = message.cseq.method
    what = method if isinstance(message, Request) else f"{message.status} {method}"
    parts = split_body(message)
    offer = find(parts, "application/sdp")
    told = ""
    if offer is not None:
        media = (_m_line(m) for m in parse_sdp(offer.content).media)
        told += f" [{', '.join(media)}]"
    if (document := find(parts, *METADATA)) is not None:
        told += f" +{_kind(document.content)}"
    return f"{source} {'-x' if lost else '->'} {target}  {what}{told}"


def _kind(document: bytes) -> str:
    if b"<requestsnapshot" in document:
        return "request"
    return "final" if b"<stop-time>" in document else "metadata"


def _m_line(media: Media) -> str:
    direction = media.own_direction.value if media.own_direction else ""
    secure = " srtp" if media.crypto else ""
    return f"{media.label or '-'}:{media.port} {direction}{secure}"


def _media_line(command: plane.Command) -> str:
    """What the media plane is told, where it concerns packets."""
    match command:
        case plane.AttachReader(stream=stream, remote=remote, live=live):
            return f"   fork {stream} to {NAMES[remote.host]}:{remote.port} {'live' if live else 'paused'}"
        case plane.SetReaderLive(live=live):
            return f"   fork {'live' if live else 'paused'}"
        case plane.UpdateReader(remote=remote):
            return f"   fork moves to {NAMES[remote.host]}:{remote.port}"
        case plane.DetachReader():
            return "   fork ends"
        case _:
            return ""
