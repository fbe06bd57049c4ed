"""A stage for the recording machines: virtual time, the fake media plane, and an SRS that a test plays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from siprec_src.communication import (
    CommunicationSession,
    Direction,
    Format,
    MediaStream,
    Name,
    Participant,
    RecordingChanged,
    Side,
    TellCall,
)
from siprec_src.machine import Finished, Forward, LogLine, Observe, WallClock
from siprec_src.media import plane
from siprec_src.recording.news import CopyChanged
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.rule import Rule
from siprec_src.recording.rules import RuleBook
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig
from siprec_src.sdp.crypto import SUITES, Crypto
from siprec_src.sdp.model import Media, Origin, SessionDescription, new_session
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import find, split_parts
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from tests.support.identity import CountingIdentity
from tests.support.media import FakeMedia
from tests.support.schema import History

PCMU = Format(payload_type=0, encoding="PCMU", clock_rate=8000)
PCMA = Format(payload_type=8, encoding="PCMA", clock_rate=8000)
OPUS = Format(payload_type=96, encoding="opus", clock_rate=48000, channels=2)
DTMF = Format(payload_type=101, encoding="telephone-event", clock_rate=8000, parameters="0-16")

CALLER, CALLEE = b"A" * 16, b"B" * 16
VOICE_A, VOICE_B = b"a" * 16, b"b" * 16
WALL = WallClock(1_767_312_000.0)  #: ``now`` 0 is Friday, 2026-01-02 00:00 UTC
FLOW = Flow(Transport.TCP, Address("192.0.2.9", 5060), "default", 1)


def edge(name: str = "default", host: str = "192.0.2.1") -> Edge:
    return Edge(
        name=name,
        sip_bind=Address("0.0.0.0", 5060),
        sip_advertised=Address(host, 5060),
        transports=(Transport.UDP, Transport.TCP),
        rtp_bind="10.0.0.1",
        rtp_advertised=host,
        rtp_low=10000,
        rtp_high=10099,
    )


def track(
    stream_id: bytes, sender: bytes, source: int, *formats: Format, encrypted: bool = False
) -> MediaStream:
    return MediaStream(
        stream_id=stream_id,
        sender=sender,
        medium="audio",
        source=source,
        formats=formats or (PCMU, DTMF),
        packet_time_ms=20,
        encrypted=encrypted,
    )


def two_party_call(ports: tuple[int, int] = (1, 2)) -> CommunicationSession:
    return CommunicationSession(
        call=7,
        session_id=b"S" * 16,
        group_id=b"G" * 16,
        participants=(
            Participant(
                participant_id=CALLER,
                side=Side.CALLER,
                names=(Name(aor="sip:alice@example.com", display="Alice & Co"),),
                joined=0.0,
            ),
            Participant(
                participant_id=CALLEE, side=Side.CALLEE, names=(Name(aor="sip:bob@example.net"),), joined=0.0
            ),
        ),
        streams=(track(VOICE_A, CALLER, ports[0]), track(VOICE_B, CALLEE, ports[1])),
        started=0.0,
    )


def with_stream(call: CommunicationSession, stream_id: bytes, **changes: object) -> CommunicationSession:
    """The call with one of its streams changed."""
    streams = tuple(
        dataclasses.replace(s, **changes) if s.stream_id == stream_id else s  # type: ignore[arg-type]
        for s in call.streams
    )
    return dataclasses.replace(call, streams=streams)


def answer_media(media: Media, port: int = 30000, direction: Direction = Direction.RECVONLY) -> Media:
    """What an SRS that obeys the RFC answers to one m-line."""
    answer = Media(medium=media.medium, port=port, protocol=media.protocol, formats=())
    answer = answer.with_formats(media.rtp_formats[:1])
    if media.crypto:
        chosen = media.crypto[0]
        answer = answer.with_crypto(Crypto(chosen.tag, chosen.suite, b"\xaa" * SUITES[chosen.suite]))
    return answer.with_label(media.label or "").with_direction(direction)


def answer_to(
    offer: SessionDescription, change: Callable[[int, Media], Media] = lambda _index, media: media
) -> SessionDescription:
    """A good answer, with each m-line changed as a test wants it."""
    origin = Origin(session_id=77, version=1, address="192.0.2.9")
    media = (
        change(i, answer_media(m, 0 if m.rejected else 30000 + 2 * i)) for i, m in enumerate(offer.media)
    )
    return new_session(origin, *media)


class Play:
    """The pool with its recordings, performed on the fake media plane."""

    def __init__(
        self,
        *srs: str | SrsConfig,
        edges: Iterable[Edge] = (),
        settings: RecordingSettings | None = None,
        rules: Sequence[Rule] = (),
    ) -> None:
        configs = [s if isinstance(s, SrsConfig) else SrsConfig(uri=s) for s in srs]
        known = list(edges) or [edge()]
        self.identity = CountingIdentity()
        self.media = FakeMedia()
        for port in self._open_call_ports():
            assert port in (1, 2)
        self.pool = RecordingPool(
            self.identity,
            WALL,
            {e.name: e for e in known},
            configs or [SRS],
            settings=settings,
            decide=RuleBook(rules, WALL).decide,
        )
        self.now = 1.0
        self.sent: list[sip.Command] = []
        self.commands: list[plane.Command] = []
        self.order: list[object] = []  #: everything performed, in order
        self.logs: list[LogLine] = []
        self.states: list[tuple[str, str]] = []  #: of the recording, as the call was told, with causes
        self.news: list[tuple[str, str, str]] = []  #: of the copies: name, state and reason
        self.hung_up: list[
            tuple[int, str, int]
        ] = []  #: calls that recording has ended, with cause and status
        self.observed: list[Observe] = []
        self.machines: list[object] = []
        self.owners: dict[int, object] = {}  #: of usages
        self.finished = 0
        self.histories: dict[int, History] = {}  #: of the documents, by usage
        self.held: list[tuple[object, plane.Answer]] | None = None  #: answers of media kept back

    def publish(self, call: CommunicationSession) -> None:
        self._do(self.pool, self.pool.receive(call, self.now))

    def command(self, event: object) -> None:
        self._do(self.pool, self.pool.receive(event, self.now))  # type: ignore[arg-type]

    def tell(self, event: object) -> None:
        """An event of the user agent or of the media plane for whoever is concerned."""
        usage = getattr(event, "usage", None)
        for machine in list(self.machines):
            if usage is None or self.owners.get(usage) in (None, machine):
                self._do(machine, machine.receive(event, self.now))  # type: ignore[attr-defined]

    def until(self, now: float) -> None:
        """Let time pass, waking every machine when it is due."""
        while due := [m for m in self.machines if (m.deadline or now + 1) <= now]:  # type: ignore[attr-defined]
            machine = min(due, key=lambda m: m.deadline)  # type: ignore[attr-defined]
            self.now = max(self.now, machine.deadline)  # type: ignore[attr-defined]
            self._do(machine, machine.wake(self.now))  # type: ignore[attr-defined]
        self.now = now

    def wake_pool(self) -> None:
        self._do(self.pool, self.pool.wake(self.now))

    def hold_media(self) -> None:
        """Keep the answers of the media plane back until `release_media`."""
        self.held = []

    def release_media(self) -> None:
        held, self.held = self.held or [], None
        for machine, answer in held:
            if machine in self.machines:  # who has finished is told nothing
                self._do(machine, machine.receive(answer, self.now))  # type: ignore[attr-defined]

    # What the SRS sees and says.

    @property
    def invites(self) -> list[sip.StartInvite]:
        return [c for c in self.sent if isinstance(c, sip.StartInvite)]

    @property
    def requests(self) -> list[sip.SendRequest]:
        return [c for c in self.sent if isinstance(c, sip.SendRequest)]

    @property
    def responses(self) -> list[sip.Respond]:
        return [c for c in self.sent if isinstance(c, sip.Respond)]

    @property
    def newest(self) -> sip.StartInvite | sip.SendRequest:
        """Our newest request that gets an answer."""
        return [c for c in self.sent if isinstance(c, sip.StartInvite | sip.SendRequest)][-1]

    def methods(self) -> list[str]:
        return [r.method for r in self.requests]

    def say(
        self,
        status: int,
        to: sip.StartInvite | sip.SendRequest | None = None,
        sdp: SessionDescription | bytes | None = None,
        headers: Iterable[tuple[str, str]] = (),
        *,
        made_here: bool = False,
        contact: str = "<sip:srs@192.0.2.9>;+sip.srs",
    ) -> None:
        """The SRS answers our newest request, or the one named."""
        command = to or self.newest
        fields = [("Contact", contact), *headers]
        body = write_sdp(sdp) if isinstance(sdp, SessionDescription) else sdp or b""
        if body:
            fields.append(("Content-Type", "application/sdp"))
        response = Response(headers=Headers(fields), body=body, status=status, reason="")
        self.tell(
            sip.ResponseArrived(
                usage=command.usage,
                dialog="srs" if status < 300 else "",
                token=command.token,
                response=response,
                made_here=made_here,
            )
        )

    def accept(
        self,
        change: Callable[[int, Media], Media] = lambda _index, media: media,
        headers: Iterable[tuple[str, str]] = (("Allow", "INVITE, ACK, BYE, UPDATE"),),
    ) -> None:
        """The SRS answers the newest INVITE, re-INVITE or UPDATE with 200 and an SDP."""
        command = self.newest
        self.say(200, command, answer_to(offer_of(command), change), headers)

    def ask(self, method: str, body: bytes = b"", content_type: str = "", **headers: str) -> sip.Respond:
        """The SRS sends a request inside the dialog; returns our answer."""
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if body:
            fields.append(("Content-Type", content_type or "application/sdp"))
        token = 1000 + len(self.responses)
        request = Request(headers=Headers(fields), body=body, method=method, uri="sip:siprec-src@192.0.2.1")
        self.tell(
            sip.RequestArrived(
                usage=self.invites[-1].usage, dialog="srs", token=token, request=request, flow=FLOW
            )
        )
        return next(r for r in self.responses if r.token == token)

    def ack(self, response: sip.Respond, body: bytes = b"") -> None:
        fields = [("Content-Type", "application/sdp")] if body else []
        request = Request(headers=Headers(fields), body=body, method="ACK", uri="sip:siprec-src@192.0.2.1")
        self.tell(sip.AckArrived(usage=response.usage, dialog="srs", token=response.token, request=request))

    def log(self, event: str) -> list[dict[str, object]]:
        return [dict(line.fields) for line in self.logs if line.event == event]

    def counted(self, name: str) -> list[tuple[tuple[str, str], ...]]:
        return [o.labels for o in self.observed if o.name == name]

    def _open_call_ports(self) -> tuple[int, ...]:
        opened = self.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=20000, high=20099, count=2))
        assert isinstance(opened, plane.PortsOpen)
        return tuple(port.port for port in opened.ports)

    def _do(self, machine: object, effects: Iterable[object]) -> None:
        for effect in effects:
            self.order.append(effect)
            match effect:
                case Forward():
                    if effect.machine not in self.machines and effect.machine is not self.pool:
                        self.machines.append(effect.machine)
                    self._do(effect.machine, effect.machine.receive(effect.event, self.now))
                case LogLine():
                    self.logs.append(effect)
                case Observe():
                    self.observed.append(effect)
                case RecordingChanged():
                    self.states.append((effect.state.value, effect.cause))
                case CopyChanged():
                    self.news.append((effect.copy, effect.state.value, _reason(effect)))
                case TellCall():
                    self.hung_up.append((effect.call, effect.event.cause, effect.event.status))
                case Finished():
                    self.machines.remove(machine)
                    self.finished += 1
                case (
                    sip.StartInvite() | sip.SendRequest() | sip.SendAck() | sip.CancelInvite() | sip.Respond()
                ):
                    self._check_bodies(effect)
                    self.owners.setdefault(effect.usage, machine)
                    self.sent.append(effect)
                case _:
                    self._media(machine, effect)  # type: ignore[arg-type]

    def _check_bodies(self, command: sip.Command) -> None:
        """Every SDP of ours can be read again, every metadata document is valid after those before it."""
        if isinstance(command, sip.CancelInvite | sip.SendOptions) or not command.body:
            return
        document = metadata_of(command)
        if document:
            self.histories.setdefault(command.usage, History()).take(document)
        if "sdp" in (command.headers.get("content-type") or "") or b"application/sdp" in command.body:
            offer = offer_of(command)
            labels = {media.label for media in offer.media}
            assert len(labels) == len(offer.media)
            named = {part.split(b"</label>")[0].decode() for part in document.split(b"<label>")[1:]}
            assert named <= labels
        else:
            assert b"<label>" not in document

    def _media(self, machine: object, command: plane.Command) -> None:
        self.commands.append(command)
        answer = self.media.answer(command)
        if self.held is not None:
            self.held.append((machine, answer))
        else:
            self._do(machine, machine.receive(answer, self.now))  # type: ignore[attr-defined]


def _reason(news: CopyChanged) -> str:
    return "" if news.outcome is None else news.outcome.reason


SRS = SrsConfig(uri="sip:recorder@srs.example")


def metadata_of(command: sip.StartInvite | sip.SendRequest | sip.Respond | sip.SendAck) -> bytes:
    """The metadata document that a message of ours carries; empty when it carries none."""
    content_type = command.headers.get("content-type") or ""
    parts = split_parts(content_type, command.body) if command.body else ()
    part = find(parts, "application/rs-metadata+xml", "application/rs-metadata")
    return b"" if part is None else part.content


def offer_of(command: sip.StartInvite | sip.SendRequest | sip.Respond | sip.SendAck) -> SessionDescription:
    """The SDP that a message of ours carries."""
    part = find(split_parts(command.headers.get("content-type") or "", command.body), "application/sdp")
    assert part is not None
    return parse_sdp(part.content)
