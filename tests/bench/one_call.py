"""CPU of one recorded call in the control process, without kernel, media process and load generator.

Everything of the control process that is Python runs: parser, user agent, call, recording, driver, the
messages of the media plane, metrics, the text of log lines. Octets go in and out as on the wire; the time is
virtual, so that timers fire as they would at the given rate, and only the CPU time spent between octets
in and octets out is counted. What the peers and the media plane cost is not.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import heapq
import io
import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from siprec_src.app.driver import Driver
from siprec_src.app.entropy import SystemIdentity
from siprec_src.app.garbage import collect_seldom
from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.ingest.inline.routing import EVERYWHERE, RoutingTable, Trunk
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.machine import WallClock
from siprec_src.media.wire import decode, encode
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.parser import Malformed, StreamParser, parse_datagram
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.uri import parse_uri
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.vocabulary import Received, Resolve, Transmit
from siprec_src.telemetry import log as logs
from siprec_src.telemetry.ladder import Ladder
from siprec_src.telemetry.metrics import Metrics
from tests.support.media import FakeMedia

SRC, ALICE, BOB, SRS = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
HOLD_S = 1.0  #: from ACK to BYE
RATE = 50  #: calls a second of virtual time
BLOCK = 100  #: calls; what is told is of the quietest block, as other programs only add to it
EXPLAIN_CALLS = 500  #: calls kept for `siprec-src explain`, as by default
LINGER_S = 40.0  #: after which no transaction absorbs repetitions any more
DOORS = ("sip", "media", "timers")


@dataclasses.dataclass(frozen=True, slots=True)
class CallCost:
    """Microseconds of CPU a call, in the quietest block of calls."""

    calls: int
    recorded: int
    sip_messages: float  #: in and out
    media_messages: float  #: commands and answers
    log_lines: float
    total_us: float
    by_door_us: dict[str, float]  #: what it came by: SIP messages, the media plane's answers, timers


def measure(*, calls: int, warm_up: int = 300, explain_calls: int = EXPLAIN_CALLS) -> CallCost:
    """Place ``calls`` recorded calls, and some before them that are not counted."""
    loop = _VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        control = _Control(loop, explain_calls)
        loop.run_soon(control.make)
        control.place(warm_up)
        before = dict(control.counts)
        recorded = control.recorded
        collect_seldom()
        blocks = [control.place(BLOCK) for _ in range(calls // BLOCK)]
        done = len(blocks) * BLOCK
        control.finish()
        return CallCost(
            calls=done,
            recorded=control.recorded - recorded,
            sip_messages=(control.counts["sip"] - before["sip"]) / done,
            media_messages=(control.counts["media"] - before["media"]) / done,
            log_lines=(control.counts["log"] - before["log"]) / done,
            total_us=min(sum(block.values()) for block in blocks),
            by_door_us=min(blocks, key=lambda block: sum(block.values())),
        )
    finally:
        loop.close()
        asyncio.set_event_loop(None)


def circles(*, calls: int) -> int:
    """How many objects such calls leave that only the collector of cyclic garbage can free."""
    loop = _VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        control = _Control(loop, EXPLAIN_CALLS)
        loop.run_soon(control.make)
        control.place(calls)
        control.finish(LINGER_S)
        gc.collect()
        gc.disable()
        control.place(calls)
        control.finish(LINGER_S)
        return gc.collect()
    finally:
        gc.enable()
        loop.close()
        asyncio.set_event_loop(None)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still until it is put forward."""

    clock = 1000.0

    def time(self) -> float:
        return self.clock

    def run_soon(self, work: Callable[[], object] = lambda: None) -> None:
        """Whatever is ready and due, ``work`` first."""
        self.call_soon(work)
        self.call_soon(self.stop)
        self.run_forever()

    @property
    def due(self) -> float | None:
        """When its next timer fires."""
        return next((timer.when() for timer in self._scheduled if not timer.cancelled()), None)  # type: ignore[attr-defined]


class _Lines(io.StringIO):
    """Where the log goes: counted, not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def write(self, line: str) -> int:
        self.count += 1
        return len(line.encode())


class _Control:
    """The control process between its doors, and scripted peers behind each."""

    def __init__(self, loop: _VirtualLoop, explain_calls: int) -> None:
        self._explain_calls = explain_calls
        self._loop = loop
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._out: deque[Transmit] = deque()
        self._commands: deque[bytes] = deque()
        self._stream = StreamParser()
        self._plane = FakeMedia()
        self._lines = _Lines()
        self._placed = 0
        self._messages = {"sip": 0, "media": 0}
        self._spent_ns = dict.fromkeys(DOORS, 0)
        self._peers = {ALICE: _caller, BOB: _callee, SRS: _recorder}

    @property
    def counts(self) -> dict[str, int]:
        return {**self._messages, "log": self._lines.count}

    @property
    def recorded(self) -> int:
        """Recording sessions that ended well, as the metrics say."""
        lines = self._metrics.exposition().decode().splitlines()
        ended = [line for line in lines if line.startswith('siprec_src_recordings_total{outcome="recorded"')]
        return sum(int(float(line.rpartition(" ")[2])) for line in ended)

    def make(self) -> None:
        """As `daemon.control` does."""
        logs.configure(format_="json", stream=self._lines)
        edges = {"default": _edge()}
        identity = SystemIdentity()
        self._metrics = Metrics("0")
        self._driver = Driver(
            user_agent=UserAgent(
                identity=identity, edges=edges, limits=AgentLimits(max_usages=16000, max_transactions=48000)
            ),
            ingest=InlineIngest(
                identity=identity,
                edges=edges,
                routing=RoutingTable((_trunk(),), edges),
                settings=InlineSettings(max_calls=4000),
            ),
            pool=RecordingPool(
                identity,
                WallClock(1.7e9),
                edges,
                (SrsConfig(uri=f"sip:srs@{SRS};transport=tcp"),),
                settings=RecordingSettings(options_interval_s=0),
            ),
            identity=identity,
            transmit=self._out.append,
            resolve=_no_names,
            keep=lambda _: None,
            submit=lambda command: self._commands.append(encode(command)),
            observe=self._metrics.observe,
            log=logs.get_logger("control"),
            ladder=Ladder(self._explain_calls),
        )
        self._driver.start()

    def place(self, calls: int) -> dict[str, float]:
        """Begin so many calls, one after another; what one took in this time, microseconds by door."""
        before = dict(self._spent_ns)
        for _ in range(calls):
            self._placed += 1
            number = self._placed
            self._arrive(ALICE, _INVITE.replace(b"@N@", b"%d" % number))
            self._until(self._loop.clock + 1 / RATE)
        return {door: (self._spent_ns[door] - before[door]) / calls / 1000 for door in DOORS}

    def finish(self, linger_s: float = 1.0) -> None:
        """Let every call end, and so much time pass."""
        self._until(self._loop.clock + HOLD_S + linger_s)

    def _until(self, end: float) -> None:
        """Everything that is due before ``end``, at its time."""
        while True:
            timer = self._loop.due
            step = self._later[0][0] if self._later else None
            due = min((at for at in (timer, step) if at is not None), default=end)
            if due >= end:
                break
            self._loop.clock = max(self._loop.clock, due)
            if step is not None and step <= due:
                heapq.heappop(self._later)[2]()
            else:
                self._counted("timers", self._loop.run_soon)
            self._settle()
        self._loop.clock = end

    def _arrive(self, host: str, data: bytes) -> None:
        self._messages["sip"] += 1
        self._counted("sip", partial(self._take, host, data))
        self._settle()

    def _take(self, host: str, data: bytes) -> None:
        """As `net` does with what a socket gave."""
        if host == SRS:
            flow = Flow(Transport.TCP, Address(SRS, 5060), "default")
            items: list[object] = [*self._stream.feed(data)]
        else:
            flow = Flow(Transport.UDP, Address(host, 5060), "default")
            items = [parse_datagram(data)]
        for item in items:
            assert not isinstance(item, Malformed), item
            self._driver.received(Received(flow=flow, message=item))  # type: ignore[arg-type]

    def _settle(self) -> None:
        """The peers and the media plane answer until nobody has anything to say."""
        while self._out or self._commands:
            while self._commands:
                command = decode(self._commands.popleft())
                answer = encode(self._plane.answer(command))  # type: ignore[arg-type]
                self._plane.commands.clear()
                self._messages["media"] += 2
                self._counted("media", partial(self._answered, answer))
            while self._out:
                sent = self._out.popleft()
                self._messages["sip"] += 1
                for delay_s, data in self._peers[sent.flow.remote.host](sent.data):
                    arrive: Callable[[], None] = partial(self._arrive, sent.flow.remote.host, data)
                    heapq.heappush(self._later, (self._loop.clock + delay_s, next(self._order), arrive))

    def _answered(self, data: bytes) -> None:
        self._driver.media(decode(data))  # type: ignore[arg-type]

    def _counted(self, door: str, work: Callable[[], object]) -> None:
        start = time.thread_time_ns()
        work()
        self._spent_ns[door] += time.thread_time_ns() - start


def _no_names(question: Resolve) -> None:
    raise AssertionError(question)


def _trunk() -> Trunk:
    return Trunk(name="all", sources=EVERYWHERE, to=parse_uri(f"sip:{BOB}"))


def _edge() -> Edge:
    return Edge(
        name="default",
        sip_bind=Address(SRC, 5060),
        sip_advertised=Address(SRC, 5060),
        transports=(Transport.UDP, Transport.TCP),
        rtp_bind=SRC,
        rtp_advertised=SRC,
    )


Said = Iterator[tuple[float, bytes]]


def _caller(data: bytes) -> Said:
    """What Alice's phone says to what it gets: ACK, and after a while BYE."""
    if data.startswith(b"SIP/2.0 200") and b"CSeq: 1 INVITE" in data:
        fields = _fields(data)
        contact = re.search(rb"\r\nContact: <([^>]+)>", data)
        assert contact
        for delay_s, number, method in ((0.0, b"1", b"ACK"), (HOLD_S, b"2", b"BYE")):
            yield (
                delay_s,
                b"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK%s-%s\r\n"
                % (method, contact[1], fields[b"call-id"].strip(), method)
                + b"From:%s\r\nTo:%s\r\nCall-ID:%s\r\n" % (fields[b"from"], fields[b"to"], fields[b"call-id"])
                + b"CSeq: %s %s\r\nContact: <sip:1000@192.0.2.2:5060>\r\n" % (number, method)
                + b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            )


def _callee(data: bytes) -> Said:
    """Bob rings, answers, and agrees to the BYE."""
    contact = b"Contact: <sip:2000@192.0.2.3:5060;transport=UDP>\r\n"
    if data.startswith(b"INVITE"):
        yield 0.01, _response(data, b"180 Ringing", contact)
        yield 0.05, _response(data, b"200 OK", contact + _CALLEE_FIELDS, _sdp(b"callee", b"192.0.2.3", 6000))
    elif data.startswith(b"BYE"):
        yield 0.001, _response(data, b"200 OK", contact)


def _recorder(data: bytes) -> Said:
    """The SRS agrees to everything."""
    if data.startswith((b"SIP/2.0", b"ACK")):
        return
    contact = b"Contact: <sip:srs@192.0.2.4:5060;transport=tcp>;+sip.srs\r\n"
    contact += b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n"
    if b"application/sdp" in data:
        contact += b"Content-Type: application/sdp\r\n"
        yield 0.002, _response(data, b"200 OK", contact, _SRS_SDP)
    else:
        yield 0.002, _response(data, b"200 OK", contact)


def _fields(data: bytes) -> dict[bytes, bytes]:
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(b":") for line in lines)}


def _response(request: bytes, status: bytes, more: bytes, body: bytes = b"") -> bytes:
    """With the fields that RFC 3261 8.2.6 copies."""
    fields = _fields(request)
    to = fields[b"to"] if b";tag=" in fields[b"to"] else fields[b"to"] + b";tag=" + fields[b"call-id"].strip()
    return (
        b"SIP/2.0 %s\r\nVia:%s\r\nFrom:%s\r\nTo:%s\r\n" % (status, fields[b"via"], fields[b"from"], to)
        + b"Call-ID:%s\r\nCSeq:%s\r\n" % (fields[b"call-id"], fields[b"cseq"])
        + more
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


def _sdp(name: bytes, host: bytes, port: int) -> bytes:
    return (
        b"v=0\r\no=%s 53655765 2353687637 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n" % (name, host, host)
        + b"m=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n" % port
        + b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    )


_CALLEE_FIELDS = (
    b'P-Asserted-Identity: "Bob Callee" <sip:2000@carrier.example>\r\n'
    b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nContent-Type: application/sdp\r\n"
)
_SRS_SDP = (
    b"v=0\r\no=srs 1 1 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n"
    b"m=audio 7000 RTP/AVP 0\r\na=label:1\r\na=recvonly\r\n"
    b"m=audio 7002 RTP/AVP 0\r\na=label:2\r\na=recvonly\r\n"
)
_OFFER = _sdp(b"caller", b"192.0.2.2", 5000)
_INVITE = (
    b"INVITE sip:2000@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-@N@-0\r\n"
    b'From: "Alice Caller" <sip:1000@pbx.example>;tag=@N@a1\r\nTo: <sip:2000@pbx.example>\r\n'
    b"Call-ID: @N@-1@192.0.2.2\r\nCSeq: 1 INVITE\r\nContact: <sip:1000@192.0.2.2:5060>\r\n"
    b"Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000\r\n"
    b"X-PBX-Call: @N@\r\nMax-Forwards: 70\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(_OFFER)
) + _OFFER
