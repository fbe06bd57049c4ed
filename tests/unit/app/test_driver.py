"""The driver hands each event to its owner, performs effects in order, and keeps faults where they are."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from siprec_src.app.driver import Driver
from siprec_src.communication import (
    CommunicationSession,
    HangUp,
    Publish,
    RecordingChanged,
    RecordingState,
    TellCall,
)
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.voice import AskVoice, Voice, VoiceAnswered
from siprec_src.machine import Finished, Forward, Gone, LogLine, Observe
from siprec_src.media import plane
from siprec_src.media.model import PortId, ReaderId
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.parser import Malformed
from siprec_src.values import SecretText
from tests.support.identity import CountingIdentity
from tests.support.log import Log
from tests.support.media import attach_reader

FLOW = Flow(Transport.UDP, Address("192.0.2.1", 5060), "default")
INVITE = Request(headers=Headers(), method="INVITE", uri="sip:x@192.0.2.2")
ARRIVED = sip.InviteArrived(usage=1, token=10, request=INVITE, flow=FLOW)
SESSION = CommunicationSession(
    call=1, session_id=b"s", group_id=b"g", participants=(), streams=(), started=0.0
)
VOICE = Voice(url=SecretText("http://app.example/voice"))
OPEN = plane.OpenPorts(tag=70, host="127.0.0.1", low=10000, high=20000, count=2)
PORTS = plane.PortsOpen(
    tag=70, ports=tuple(plane.OpenPort(port=PortId(n), rtp_port=10000 + 2 * n) for n in (1, 2))
)


class Scripted:
    """A machine that does what the test says for each event, and remembers what it was told."""

    def __init__(self, script: Callable[[Any], Sequence[object]] = lambda _: ()) -> None:
        self.script = script
        self.told: list[Any] = []
        self.deadline: float | None = None
        self.woken = asyncio.Event()

    def receive(self, event: Any, now: float) -> Sequence[Any]:
        self.told.append(event)
        return self.script(event)

    def wake(self, now: float) -> Sequence[Any]:
        self.deadline = None
        self.woken.set()
        return self.script("wake")


class Agent:
    """A user agent that passes `Tell`s on and remembers commands."""

    deadline: float | None = None

    def __init__(self) -> None:
        self.commands: list[sip.Command] = []
        self.facts: dict[str, Sequence[sip.Effect]] = {}
        self.broken = False

    def receive(self, fact: sip.Fact, now: float) -> Sequence[sip.Effect]:
        assert isinstance(fact, sip.TransmitFailed)
        if fact.key == "raise":
            raise RuntimeError("broken user agent")
        return self.facts[fact.key]

    def command(self, command: sip.Command, now: float) -> Sequence[sip.Effect]:
        if self.broken:
            raise RuntimeError("cannot be done")
        self.commands.append(command)
        return [sip.Transmit(flow=FLOW, data=type(command).__name__.encode())]

    def wake(self, now: float) -> Sequence[sip.Effect]:
        return ()

    def refuse(self, malformed: Malformed, flow: Flow, now: float) -> Sequence[sip.Effect]:
        return [sip.Transmit(flow=flow, data=b"400")]


class World:
    """A driver with everything around it in the test's hand."""

    def __init__(self) -> None:
        self.agent, self.log = Agent(), Log()
        self.call, self.ingest, self.pool = Scripted(), Scripted(), Scripted()
        self.ingest.script = lambda event: [Forward(self.call, event)] if event is ARRIVED else []
        self.sent: list[bytes] = []
        self.kept: list[sip.KeepFlow] = []
        self.submitted: list[plane.Command] = []
        self.observed: list[Observe] = []
        self.noticed: list[object] = []
        self.on_notice: Callable[[], None] = lambda: None
        self.driver = Driver(
            user_agent=self.agent,
            ingest=self.ingest,
            pool=self.pool,
            identity=CountingIdentity(),
            transmit=lambda transmit: self.sent.append(transmit.data),
            keep=self.kept.append,
            resolve=lambda _: None,
            submit=self.submitted.append,
            observe=self.observed.append,
            log=self.log,
            notice=self.notice,
            ask_voice=self.notice,
        )

    def notice(self, news: object) -> None:
        self.noticed.append(news)
        self.on_notice()

    def tell(self, *events: sip.Event) -> None:
        """As if a message had made the user agent tell these."""
        self.agent.facts["k"] = [sip.Tell(event) for event in events]
        self.driver.received(sip.TransmitFailed(key="k"))

    @property
    def errors(self) -> list[str]:
        return [event for level, event, _ in self.log.lines if level == "error"]


@pytest.fixture
async def world() -> World:
    return World()


def bye(usage: int = 1) -> sip.RequestArrived:
    request = dataclasses.replace(INVITE, method="BYE")
    return sip.RequestArrived(usage=usage, dialog="a", token=11, request=request, flow=FLOW)


async def test_a_new_call_goes_to_the_ingest_and_what_follows_to_its_machine(world: World) -> None:
    world.tell(ARRIVED)
    world.tell(bye())
    assert world.ingest.told == [ARRIVED]
    assert world.call.told == [ARRIVED, bye()]


async def test_effects_are_performed_in_order(world: World) -> None:
    ring = sip.Respond(usage=1, token=10, status=180)
    world.call.script = lambda event: (
        [LogLine("info", "call.begin", (("call", 1),)), OPEN, ring, Observe("x")] if event is ARRIVED else []
    )
    world.tell(ARRIVED)
    assert world.log.lines == [("info", "call.begin", {"call": 1})]
    assert world.submitted == [OPEN]
    assert world.sent == [b"Respond"]
    assert Observe("x") in world.observed


async def test_answers_events_and_readers_find_their_machine(world: World) -> None:
    detach = plane.ReaderAttached(tag=71, reader=ReaderId(9))
    attach = attach_reader(71, PortId(1), PortId(2))
    commands: dict[object, Sequence[object]] = {ARRIVED: [OPEN], PORTS: [attach]}
    world.call.script = lambda event: commands.get(event, [])
    world.tell(ARRIVED)
    told: list[plane.Answer | plane.Event] = [
        PORTS,
        detach,
        plane.SilenceChanged(port=PortId(2), silent=True),
        plane.ReaderUnreachable(reader=ReaderId(9)),
    ]
    for message in told:
        world.driver.media(message)
    world.driver.media(plane.SilenceChanged(port=PortId(3), silent=True))
    assert world.call.told == [ARRIVED, *told]


async def test_events_that_media_lost_are_counted(world: World) -> None:
    world.driver.media(plane.EventsLost(count=7))
    assert world.observed == [Observe("media_events_lost_total", value=7.0)]


async def test_a_publication_reaches_the_pool_before_the_effects_behind_it(world: World) -> None:
    recording = Scripted(lambda _: [plane.DetachReader(tag=5, reader=ReaderId(1))])
    world.pool.script = lambda event: [Forward(recording, event)]
    close = plane.ClosePorts(tag=6, ports=(PortId(1),))
    world.call.script = lambda event: [Publish(SESSION), close]
    world.tell(ARRIVED)
    assert recording.told == [SESSION]
    assert [type(command).__name__ for command in world.submitted] == ["DetachReader", "ClosePorts"]


async def test_what_recording_says_of_a_call_reaches_the_machine_that_published_it(world: World) -> None:
    changed = RecordingChanged(SESSION.call, RecordingState.ON, "started")
    stranger = RecordingChanged(SESSION.call + 1, RecordingState.ON, "started")
    world.pool.script = lambda event: [stranger, changed]
    world.call.script = lambda event: {ARRIVED: [Publish(SESSION)]}.get(event, [])
    world.tell(ARRIVED)
    assert world.call.told == [ARRIVED, changed]


async def test_a_command_to_a_call_reaches_its_machine_alone(world: World) -> None:
    world.call.script = lambda event: {ARRIVED: [Publish(SESSION)]}.get(event, [])
    world.tell(ARRIVED)
    world.driver.tell_call(SESSION.call, HangUp("enough"))
    world.driver.tell_call(SESSION.call + 1, HangUp("a stranger"))
    assert world.call.told == [ARRIVED, HangUp("enough")]


async def test_a_call_is_told_what_its_application_says_and_its_set_up_is_not_measured(world: World) -> None:
    asked = AskVoice(SESSION, Voice(url=SecretText("http://app.example/")))
    start = sip.StartInvite(usage=2, token=30, edge="default", request_uri="sip:y", headers=Headers())
    world.call.script = lambda event: [asked] if event is ARRIVED else [start]
    world.tell(ARRIVED)
    assert world.noticed == [asked]
    world.driver.tell_call(SESSION.call, VoiceAnswered(None))
    assert world.call.told[-1] == VoiceAnswered(None)
    assert world.agent.commands == [start]
    assert world.observed == []


async def test_recording_may_end_the_call_that_published_it(world: World) -> None:
    told, stranger = (TellCall(SESSION.call + other, HangUp("required", status=503)) for other in (0, 1))
    world.pool.script = lambda event: [stranger, told]
    world.call.script = lambda event: {ARRIVED: [Publish(SESSION)]}.get(event, [])
    world.tell(ARRIVED)
    assert world.call.told == [ARRIVED, HangUp("required", status=503)]


async def test_publications_and_what_becomes_of_copies_are_noticed_in_their_order(world: World) -> None:
    changed = CopyChanged(
        call=SESSION.call, session_id=SESSION.session_id, copy="SR1", state=CopyState.STARTED, srs="a"
    )
    world.pool.script = lambda event: [changed]
    world.call.script = lambda event: [Publish(SESSION)]
    world.tell(ARRIVED)
    assert world.noticed == [changed, SESSION]


async def test_the_end_of_a_call_is_noticed_before_that_of_its_copies(world: World) -> None:
    stopped = CopyChanged(
        call=SESSION.call, session_id=SESSION.session_id, copy="SR1", state=CopyState.STOPPED, srs="a"
    )
    ended = dataclasses.replace(SESSION, ended=1.0)
    world.pool.script = lambda event: [stopped] if event == ended else []
    world.call.script = lambda event: [Publish(ended)]
    world.tell(ARRIVED)
    assert world.noticed == [ended, stopped]


async def test_what_is_commanded_by_those_who_are_told_waits_until_all_effects_are_performed(
    world: World,
) -> None:
    def script(event: Any) -> Sequence[object]:
        world.call.deadline = asyncio.get_running_loop().time() + 0.01 if event is ARRIVED else None
        if event == "wake":
            return [Publish(SESSION), LogLine("info", "the last effect")]
        return [LogLine("info", type(event).__name__)]

    world.call.script = script
    world.on_notice = lambda: world.driver.tell_call(SESSION.call, HangUp("x"))
    world.tell(ARRIVED)
    async with asyncio.timeout(5):
        await world.call.woken.wait()
    assert [event for _, event, _ in world.log.lines] == ["InviteArrived", "the last effect", "HangUp"]


@pytest.mark.parametrize("effect", [Publish(SESSION), AskVoice(SESSION, VOICE)])
async def test_a_fault_of_those_who_are_told_is_none_of_the_call(world: World, effect: object) -> None:
    def fault() -> None:
        raise RuntimeError("of the API")

    world.on_notice = fault
    world.call.script = lambda event: [effect] if event is ARRIVED else []
    world.tell(ARRIVED)
    world.tell(bye())
    assert world.call.told == [ARRIVED, bye()]
    assert world.errors == ["driver.not-told"]


async def test_a_finished_machine_is_forgotten_and_late_requests_get_481(world: World) -> None:
    world.call.script = lambda event: [Finished()]
    world.tell(ARRIVED)
    assert world.driver.living == 0
    world.tell(bye())
    assert world.agent.commands == [sip.Respond(usage=1, token=11, status=481, dialog="a")]


async def test_ports_that_open_for_a_machine_that_has_ended_are_closed(world: World) -> None:
    world.call.script = lambda event: [OPEN, Finished()]
    world.tell(ARRIVED)
    world.driver.media(PORTS)
    (_, close) = world.submitted
    assert isinstance(close, plane.ClosePorts)
    assert close.ports == (PortId(1), PortId(2))


async def test_a_machine_is_woken_at_its_deadline(world: World) -> None:
    def script(event: Any) -> Sequence[object]:
        world.call.deadline = None if event == "wake" else asyncio.get_running_loop().time() + 0.01
        return [Finished()] if event == "wake" else []

    world.call.script = script
    world.tell(ARRIVED)
    async with asyncio.timeout(5):
        await world.call.woken.wait()
    assert world.driver.living == 0


@pytest.mark.rfc("3261", "21.5.1")
async def test_a_fault_in_a_machine_ends_its_call_and_no_other(world: World) -> None:
    other = Scripted()
    second = dataclasses.replace(ARRIVED, usage=2, token=20)
    takers = {ARRIVED: world.call, second: other}
    world.ingest.script = lambda event: [Forward(takers[event], event)] if event in takers else []
    world.call.script = lambda event: {ARRIVED: [OPEN]}[event]
    world.tell(ARRIVED)
    world.tell(second)
    world.driver.media(PORTS)
    assert world.errors == ["machine.failed"]
    assert world.agent.commands == [sip.Respond(usage=1, token=10, status=500)]
    assert [c.ports for c in world.submitted if isinstance(c, plane.ClosePorts)] == [(PortId(1), PortId(2))]
    assert world.driver.living == 1
    world.tell(bye(usage=2))
    assert other.told == [second, bye(usage=2)]


async def test_who_began_a_machine_is_told_when_it_is_gone(world: World) -> None:
    recording = Scripted(lambda _: [Finished()])
    world.pool.script = lambda event: [Forward(recording, event)] if event is SESSION else []
    world.call.script = lambda event: [Publish(SESSION)] if event is ARRIVED else [Finished()]
    world.tell(ARRIVED)
    assert [event.machine for event in world.pool.told if isinstance(event, Gone)] == [recording]
    assert not any(isinstance(event, Gone) for event in world.ingest.told)
    world.tell(bye())
    assert [event.machine for event in world.ingest.told if isinstance(event, Gone)] == [world.call]


async def test_the_recording_of_a_call_that_fails_is_ended_and_the_call_counted(world: World) -> None:
    world.call.script = lambda event: {ARRIVED: [Publish(SESSION)]}[event]
    world.tell(ARRIVED)
    world.tell(bye())
    first, last = world.pool.told
    assert (first, first.ended) == (SESSION, None)
    assert last.ended is not None
    assert dataclasses.replace(last, ended=None) == SESSION
    assert Observe("calls_total", (("outcome", "broken"),)) in world.observed
    assert any(isinstance(event, Gone) for event in world.ingest.told)


@pytest.mark.rfc("3261", "15")
async def test_an_answer_for_a_machine_that_failed_is_acknowledged_and_ended(world: World) -> None:
    start = sip.StartInvite(usage=2, token=30, edge="default", request_uri="sip:y", headers=Headers())
    world.call.script = lambda event: {ARRIVED: [start]}[event]
    world.tell(ARRIVED)
    headers = Headers([("CSeq", "1 INVITE")])
    response = Response(headers=headers, status=200, reason="OK")
    world.tell(bye())
    world.agent.commands.clear()
    world.tell(sip.ResponseArrived(usage=2, dialog="b", token=30, response=response))
    ack, ended = world.agent.commands
    assert ack == sip.SendAck(usage=2, dialog="b", token=30)
    assert isinstance(ended, sip.SendRequest)
    assert (ended.usage, ended.dialog, ended.method) == (2, "b", "BYE")


async def test_a_command_that_cannot_be_carried_out_ends_the_machine_that_gave_it(world: World) -> None:
    world.agent.broken = True
    world.call.script = lambda event: [sip.Respond(usage=1, token=10, status=180), OPEN]
    world.tell(ARRIVED)
    assert world.errors[0] == "machine.failed"
    assert world.submitted == []
    assert world.driver.living == 0


async def test_a_fault_in_the_ingest_refuses_the_call_and_the_next_one_is_taken(world: World) -> None:
    world.ingest.script = lambda event: [][event]  # raises
    world.tell(ARRIVED)
    assert world.agent.commands == [sip.Respond(usage=1, token=10, status=500)]
    world.ingest.script = lambda event: [Forward(world.call, event)]
    world.tell(dataclasses.replace(ARRIVED, usage=2))
    assert len(world.call.told) == 1


async def test_a_fault_in_the_user_agent_is_told_and_the_next_message_served(world: World) -> None:
    world.driver.received(sip.TransmitFailed(key="raise"))
    assert world.errors == ["sip.failed"]
    world.tell(ARRIVED)
    assert world.call.told == [ARRIVED]


async def test_octets_that_are_no_message_are_answered_where_they_can_be_and_told(world: World) -> None:
    error = RemoteProtocolError("no Call-ID", section="RFC 3261 8.1.1")
    for _ in range(2):
        world.driver.malformed(Malformed(error=error), FLOW)
    assert world.sent == [b"400", b"400"]
    (line,) = (fields for _, event, fields in world.log.lines if event == "sip.malformed")
    assert (line["remote"], line["error"]) == (str(FLOW.remote), "no Call-ID")
    assert (line["rule"], line["status"]) == ("RFC 3261 8.1.1", 400)


async def test_every_machine_hears_of_the_end_of_media_and_its_return(world: World) -> None:
    world.call.script = lambda event: [OPEN] if event is ARRIVED else []
    world.tell(ARRIVED)
    world.driver.media(PORTS)
    world.driver.media(plane.MediaDown())
    world.driver.media(plane.MediaUp())
    world.driver.media(plane.SilenceChanged(port=PortId(1), silent=True))
    assert world.call.told[2:] == [plane.MediaDown(), plane.MediaUp()]


async def test_a_machine_whose_ports_go_on_hears_nothing_of_another_media_process(world: World) -> None:
    world.call.script = lambda event: [OPEN] if event is ARRIVED else []
    world.tell(ARRIVED)
    world.driver.media(PORTS)
    before = list(world.call.told)
    world.driver.media(plane.MediaUp(resumed=True))
    (asked,) = (command for command in world.submitted if isinstance(command, plane.ResumePorts))
    assert asked.ports == tuple(port.port for port in PORTS.ports)
    world.driver.media(plane.Done(tag=asked.tag))
    assert world.call.told == before
    world.driver.media(plane.MediaUp(resumed=True))
    asked = [command for command in world.submitted if isinstance(command, plane.ResumePorts)][-1]
    world.driver.media(plane.Refused(tag=asked.tag, reason="gone"))
    assert world.call.told == [*before, plane.MediaDown(), plane.MediaUp()]


async def test_only_the_newest_media_process_says_what_goes_on(world: World) -> None:
    world.call.script = lambda event: [OPEN] if event is ARRIVED else []
    world.tell(ARRIVED)
    world.driver.media(PORTS)
    before = list(world.call.told)
    for _ in range(2):
        world.driver.media(plane.MediaUp(resumed=True))
    first, second = (command for command in world.submitted if isinstance(command, plane.ResumePorts))
    world.driver.media(plane.Done(tag=second.tag))
    world.driver.media(plane.Refused(tag=first.tag, reason="media-down"))
    assert world.call.told == before


async def test_what_a_machine_has_ended_is_not_asked_for_again(world: World) -> None:
    attach = attach_reader(71, PortId(1), PortId(2))
    steps: dict[object, Sequence[object]] = {
        ARRIVED: [OPEN],
        PORTS: [attach],
        plane.ReaderAttached(tag=71, reader=ReaderId(5)): [
            plane.DetachReader(tag=72, reader=ReaderId(5)),
            plane.ClosePorts(tag=73, ports=(PortId(2),)),
        ],
    }
    world.call.script = lambda event: steps.get(event, [])
    world.tell(ARRIVED)
    for event in list(steps)[1:]:
        assert isinstance(event, plane.Answer)
        world.driver.media(event)
    world.driver.media(plane.MediaUp(resumed=True))
    (asked,) = (command for command in world.submitted if isinstance(command, plane.ResumePorts))
    assert (asked.ports, asked.readers) == ((PortId(1),), ())


@pytest.mark.rfc("3261", "15")
async def test_hanging_up_ends_answered_calls_with_bye_and_the_others_with_503(world: World) -> None:
    second, waiting = Scripted(), dataclasses.replace(ARRIVED, usage=2, token=20)
    world.ingest.script = lambda event: [Forward(world.call if event is ARRIVED else second, event)]
    world.call.script = lambda event: (
        [sip.Respond(usage=1, token=10, status=200, dialog="a")] if event is ARRIVED else []
    )
    world.tell(ARRIVED)
    world.tell(waiting)
    world.agent.commands.clear()
    world.driver.hang_up()
    assert [(type(c).__name__, c.usage) for c in world.agent.commands] == [("SendRequest", 1), ("Respond", 2)]
    assert world.call.told[-1] == sip.DialogEnded(usage=1, dialog="a", cause="shutdown")
    assert isinstance(second.told[-1], sip.CancelArrived)


async def test_the_delay_that_we_add_to_a_call_is_measured_once(world: World) -> None:
    start = sip.StartInvite(usage=2, token=30, edge="default", request_uri="sip:y", headers=Headers())
    response = Response(headers=Headers(), status=200, reason="OK")
    answer = sip.ResponseArrived(usage=2, dialog="b", token=30, response=response)
    world.call.script = lambda event: [start] if isinstance(event, sip.InviteArrived) else []
    world.tell(ARRIVED)
    world.tell(answer)
    measured = [observe for observe in world.observed if observe.name == "call_setup_added_seconds"]
    assert len(measured) == 1
    assert 0 <= measured[0].value < 1
    assert world.call.told == [ARRIVED, answer]


async def test_machines_that_stay_set_their_timers_at_the_start_and_a_check_is_nobodys_call(
    world: World,
) -> None:
    check = Scripted()
    options = sip.SendOptions(
        usage=9, token=90, edge="default", request_uri="sip:srs.example", headers=Headers(), timeout_s=4.0
    )
    answer = sip.ResponseArrived(
        usage=9, dialog="", token=90, response=Response(status=404, reason="", headers=Headers())
    )
    commands: dict[object, Sequence[object]] = {
        "ask": [options],
        answer: [Forward(world.pool, "found"), Finished()],
    }
    check.script = lambda event: commands.get(event, [])
    world.pool.script = lambda event: [Forward(check, "ask")] if event == "wake" else []
    world.driver.start()
    assert world.sent == [b"SendOptions"]
    assert world.driver.living == 0
    world.tell(answer)
    assert world.pool.told[0] == "found"
    assert check.told == ["ask", answer]
