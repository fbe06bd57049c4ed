"""The driver: hands events with the time to machines and performs what they return, in order.

Nothing between an event and its effects waits. Events that effects make go into one queue, so no machine is
ever entered twice at once. A fault inside a machine ends that machine's call and nothing else.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from siprec_src.app.agenda import Agenda
from siprec_src.app.owners import Owner, Owners
from siprec_src.app.resumption import Resumption
from siprec_src.app.usage import closing_answer
from siprec_src.communication import CommunicationSession, Publish, RecordingChanged, TellCall
from siprec_src.identity import Identity
from siprec_src.ingest.inline.voice import AskVoice, Instructed, VoiceEffect, VoiceUnfit
from siprec_src.machine import Finished, Forward, Gone, LogLine, Machine, Observe
from siprec_src.media import plane
from siprec_src.media.model import PortId
from siprec_src.recording import commands as recording
from siprec_src.recording.news import CopyChanged
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Flow
from siprec_src.sip.parser import Malformed
from siprec_src.telemetry.books import observations
from siprec_src.telemetry.ladder import Case, Ladder
from siprec_src.telemetry.log import Logger, write
from siprec_src.telemetry.seldom import SeldomLine

INTERNAL_ERROR: Final = 500  # RFC 3261 21.5.1
SHUTTING_DOWN: Final = 503  # RFC 3261 21.5.4


class UserAgent(Protocol):
    """What the driver needs of `sip.user_agent.UserAgent`."""

    @property
    def deadline(self) -> float | None: ...
    def receive(self, fact: sip.Fact, now: float) -> Sequence[sip.Effect]: ...
    def command(self, command: sip.Command, now: float) -> Sequence[sip.Effect]: ...
    def wake(self, now: float) -> Sequence[sip.Effect]: ...
    def refuse(self, malformed: Malformed, flow: Flow, now: float) -> Sequence[sip.Effect]: ...


class Driver:
    """One event loop's machines: the user agent, an ingest, the recording pool, and all they make."""

    def __init__(
        self,
        *,
        user_agent: UserAgent,
        ingest: Machine[Any, Any],
        pool: Machine[Any, Any],
        identity: Identity,
        transmit: Callable[[sip.Transmit], None],
        resolve: Callable[[sip.Resolve], None],
        keep: Callable[[sip.KeepFlow], None],
        submit: Callable[[plane.Command], None],
        observe: Callable[[Observe], None],
        log: Logger,
        ladder: Ladder | None = None,
        notice: Callable[[CommunicationSession | CopyChanged], None] = lambda news: None,
        ask_voice: Callable[[VoiceEffect], None] = lambda effect: None,
    ) -> None:
        self._user_agent = user_agent
        self._identity = identity
        self._transmit = transmit
        self._resolve = resolve
        self._keep = keep
        self._submit = submit
        self._observe = observe
        self._notice = notice
        self._ask_voice = ask_voice
        self._log = log
        self._malformed = SeldomLine(log, "sip.malformed")
        self._ladder = ladder or Ladder(0)
        self._owners = Owners()
        self._resumption = Resumption(self._owners, identity, submit)
        self._ingest = self._owners.add(ingest)
        self._pool = self._owners.add(pool)
        self._agenda: Agenda[Owner] = Agenda()
        self._queue: deque[tuple[Owner, object]] = deque()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    @property
    def living(self) -> int:
        """Calls and recording sessions that have not finished."""
        return self._owners.living

    def start(self) -> None:
        """Let the machines that stay for ever set their timers."""
        now = self._loop.time()
        for owner in (self._ingest, self._pool):
            self._perform(owner, owner.machine.wake(now), now)
        self._run(now)

    # doors: what the sockets, the resolver and the media process tell

    def received(self, fact: sip.Fact) -> None:
        """A message, the answer to a `Resolve`, or the failure of a `Transmit`."""
        now = self._loop.time()
        work = partial(self._user_agent.receive, fact, now)
        self._user_agent_does(work, now, self._ladder.came(fact, now))
        self._run(now)

    def malformed(self, malformed: Malformed, flow: Flow) -> None:
        """Octets that are no message; answered where they can be."""
        now = self._loop.time()
        error = malformed.error
        broken = {"error": str(error), "rule": error.section, "status": error.status}
        self._malformed.write(now, remote=str(flow.remote), transport=flow.transport.value, **broken)
        self._user_agent_does(partial(self._user_agent.refuse, malformed, flow, now), now)
        self._run(now)

    def media(self, message: plane.Answer | plane.Event) -> None:
        """An answer or event of the media process."""
        now = self._loop.time()
        if isinstance(message, plane.MediaUp) and message.resumed:
            self._log.info("media.resumed", calls_and_recordings=self.living)
            self._resumption.begin()
        elif isinstance(message, plane.MediaDown | plane.MediaUp):
            self._broadcast(message)
        else:
            self._media_told(message)
        self._run(now)

    def record(self, event: CommunicationSession | recording.Command | recording.CopyCommand) -> None:
        """Command the recording of a call, or show it one that no ingest of this process has."""
        now = self._loop.time()
        self._queue.append((self._pool, event))
        self._run(now)

    def tell_call(self, call: int, event: object) -> None:
        """Hand ``event`` to the machine of a live call; one that has ended does not hear it."""
        if (owner := self._owners.owner_of_call(call)) is not None:
            self._queue.append((owner, event))
            self._run(self._loop.time())

    def hang_up(self) -> None:
        """End every call now (RFC 3261 15); their machines finish in the usual way."""
        now = self._loop.time()
        for owner in self._owners:
            for usage, trace in tuple(owner.usages.items()):
                if (pending := trace.pending) is not None:
                    self._command(
                        owner, sip.Respond(usage=usage, token=pending.token, status=SHUTTING_DOWN), now
                    )
                    cancel = sip.CancelArrived(usage=usage, token=pending.token, request=pending.request)
                    self._queue.append((owner, cancel))
                for dialog in trace.dialogs:
                    token = self._identity.number()
                    bye = sip.SendRequest(usage=usage, dialog=dialog, token=token, method="BYE")
                    self._try_perform(owner, bye, now)
                    ended = sip.DialogEnded(usage=usage, dialog=dialog, cause="shutdown")
                    self._queue.append((owner, ended))
        self._run(now)

    def close(self) -> None:
        """Stop the timer; nothing is performed after this."""
        if self._timer is not None:
            self._timer.cancel()

    # the queue

    def _run(self, now: float) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self._queue:
                owner, event = self._queue.popleft()
                if not owner.forgotten:
                    self._drive(owner, event, now)
        finally:
            self._running = False
        self._arm()

    def _drive(self, owner: Owner, event: object, now: float) -> None:
        try:
            effects = owner.machine.receive(event, now)
        except Exception:  # noqa: BLE001 one machine's fault must not end another call
            self._failed(owner, event, now)
            return
        self._perform(owner, effects, now)

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._running = True  # what others command meanwhile waits for the last effect, as in `_run`
        try:
            deadline = self._user_agent.deadline
            if deadline is not None and deadline <= now:
                self._user_agent_does(partial(self._user_agent.wake, now), now)
            for owner in self._agenda.due(now):
                self._wake_up(owner, now)
        finally:
            self._running = False
        self._run(now)

    def _wake_up(self, owner: Owner, now: float) -> None:
        try:
            effects = owner.machine.wake(now)
        except Exception:  # noqa: BLE001 as in `_drive`
            self._failed(owner, None, now)
            return
        self._perform(owner, effects, now)

    def _arm(self) -> None:
        earliest, other = self._user_agent.deadline, self._agenda.earliest
        if earliest is None or (other is not None and other < earliest):
            earliest = other
        if self._timer is not None:
            if earliest is not None and self._timer.when() <= earliest:
                # An early wake is harmless, and cheaper than a new timer for each event.
                return
            self._timer.cancel()
            self._timer = None
        if earliest is not None:
            self._timer = self._loop.call_at(earliest, self._wake)

    # effects

    def _perform(self, owner: Owner, effects: Sequence[object], now: float) -> None:
        finished = False
        for effect in effects:
            if isinstance(effect, Finished):
                finished = True
            elif not owner.forgotten:
                self._try_perform(owner, effect, now)
        if finished and not owner.permanent:
            self._forget(owner)
        elif not owner.forgotten:
            self._agenda.set(owner, owner.machine.deadline)

    def _try_perform(self, owner: Owner, effect: object, now: float) -> None:
        try:
            self._perform_one(owner, effect, now)
        except Exception:  # noqa: BLE001 an effect that cannot be performed is its owner's fault
            self._failed(owner, effect, now)

    def _perform_one(self, owner: Owner, effect: object, now: float) -> None:
        match effect:
            case sip.StartInvite() | sip.SendRequest() | sip.SendAck() | sip.CancelInvite() | sip.Respond():
                self._command(owner, effect, now)
            case sip.SendOptions():
                owner.aside = True
                self._command(owner, effect, now)
            case LogLine():
                write(self._log, effect)
                self._ladder.noted(effect, now, owner.case)
            case Observe():
                self._observe(effect)
            case Publish():
                self._owners.published(owner, effect.session)
                self._ladder.published(owner.case, effect.session)
                self._published(effect.session, now)
            case CopyChanged():
                self._tell_others(self._notice, effect)
            case AskVoice() | VoiceUnfit() | Instructed():
                if isinstance(effect, AskVoice):
                    self._owners.names_call(owner, effect.session.call)
                    owner.invited_at = None  # what the application takes is not what we add
                self._tell_others(self._ask_voice, effect)
            case TellCall():
                if (told := self._owners.owner_of_call(effect.call)) is not None:
                    self._queue.append((told, effect.event))
            case RecordingChanged():
                if (told := self._owners.owner_of_call(effect.call)) is not None:
                    self._queue.append((told, effect))
            case Forward() if owner is self._pool:
                made = self._owners.of(effect.machine, owner)
                made.case = made.case or self._ladder.of_event(effect.event)
                self._drive(made, effect.event, now)
            case Forward():
                self._forward(owner, effect, now)
            case _ if isinstance(effect, plane.Command):
                self._owners.submitted(owner, effect)
                self._submit(effect)
            case _:
                self._log.error("driver.unknown-effect", machine=owner.name, effect=type(effect).__name__)

    def _published(self, session: CommunicationSession, now: float) -> None:
        """At once for recording: the forks end, with their books, before the call's ports are closed.

        Whoever takes notice may record a new call, and knows of the end of a call before that of its copies.
        """
        learn = (
            partial(self._drive, self._pool, session, now),
            partial(self._tell_others, self._notice, session),
        )
        for tell in learn if session.ended is None else reversed(learn):
            tell()

    def _tell_others(self, door: Callable[[Any], None], news: object) -> None:
        try:
            door(news)
        except Exception:  # noqa: BLE001 what they make of it is no fault of the call that it is about
            self._log.error("driver.not-told", news=type(news).__name__, exc_info=True)

    def _command(self, owner: Owner, command: sip.Command, now: float) -> None:
        if not owner.permanent:
            self._owners.usage(owner, command.usage).commanded(command)
        sent = self._perform_sip(self._user_agent.command(command, now), now, owner.case)
        if isinstance(command, sip.StartInvite) and owner.invited_at is not None:
            # With a name to look up first, the INVITE leaves later and is not measured here.
            if sent:
                added_s = self._loop.time() - owner.invited_at
                self._observe(Observe("call_setup_added_seconds", value=added_s))
            owner.invited_at = None

    def _user_agent_does(
        self, work: Callable[[], Sequence[sip.Effect]], now: float, about: Case | None = None
    ) -> None:
        """Let the user agent work and perform what it returns."""
        try:
            effects = work()
        except Exception:  # noqa: BLE001 whatever one message did to it, the next one is served
            self._log.error("sip.failed", exc_info=True)
        else:
            self._perform_sip(effects, now, about)

    def _perform_sip(self, effects: Sequence[sip.Effect], now: float, about: Case | None) -> int:
        """Perform the user agent's effects; how many messages were sent."""
        sent = 0
        for effect in effects:
            match effect:
                case sip.Transmit():
                    self._transmit(effect)
                    self._ladder.sent(effect, now, about)
                    sent += 1
                case sip.Resolve():
                    self._ladder.waits(effect.query, about)
                    self._resolve(effect)
                case sip.KeepFlow():
                    self._keep(effect)
                case sip.Tell():
                    self._tell(effect.event, now)
        return sent

    def _tell(self, event: sip.Event, now: float) -> None:
        owner = self._owners.owner_of_usage(event.usage)
        if owner is not None:
            owner.usages[event.usage].told(event)
            self._queue.append((owner, event))
        elif isinstance(event, sip.InviteArrived):
            self._queue.append((self._ingest, event))
        elif isinstance(event, sip.RequestArrived):
            # Its owner has finished or failed: for us there is no such dialog (RFC 3261 12.2.2).
            gone = sip.Respond(usage=event.usage, token=event.token, status=481, dialog=event.dialog)
            self._user_agent_does(partial(self._user_agent.command, gone, now), now)
        elif isinstance(event, sip.ResponseArrived):
            # It may have crossed the CANCEL of an owner that failed: the peer believes to be in a call.
            for command in closing_answer(event, self._identity.number()):
                self._user_agent_does(partial(self._user_agent.command, command, now), now)

    def _forward(self, sender: Owner, forward: Forward, now: float) -> None:
        owner = self._owners.of(forward.machine, sender)
        if isinstance(forward.event, sip.InviteArrived):
            owner.invited_at = now
            owner.case = self._ladder.of_request(forward.event.request)
            self._owners.usage(owner, forward.event.usage).told(forward.event)
        self._queue.append((owner, forward.event))

    # media

    def _media_told(self, message: plane.Answer | plane.Event) -> None:
        for observation in observations(message):
            self._observe(observation)
        if isinstance(message, plane.Answer) and self._resumption.is_asked(message):
            owner = self._resumption.lost(message)
            if owner is not None:
                self._log.warning("media.not-resumed", machine=owner.name)
                self._queue.extend((owner, event) for event in (plane.MediaDown(), plane.MediaUp()))
            return
        if isinstance(message, plane.Answer):
            owner = self._owners.answered(message)
        else:
            owner = self._owners.concerned(message)
        if owner is not None:
            self._queue.append((owner, message))
        elif isinstance(message, plane.PortsOpen):
            # Who asked has ended meanwhile: nobody else would ever close them.
            self._close_ports(tuple(port.port for port in message.ports))

    def _broadcast(self, event: plane.MediaDown | plane.MediaUp) -> None:
        if isinstance(event, plane.MediaDown):
            self._log.warning("media.down", calls_and_recordings=self.living)
            self._owners.void_media()
        else:
            self._log.info("media.up")
        self._queue.extend((owner, event) for owner in self._owners if not owner.permanent)

    def _close_ports(self, ports: tuple[PortId, ...]) -> None:
        if ports:
            self._submit(plane.ClosePorts(tag=self._identity.number(), ports=ports))

    # ends

    def _failed(self, owner: Owner, event: object, now: float) -> None:
        """A machine raised: say so once, end what is its, touch nothing else."""
        self._log.error(
            "machine.failed",
            machine=owner.name,
            event_type=type(event).__name__,
            usages=sorted(owner.usages),
            exc_info=True,
        )
        self._ladder.noted(LogLine("error", "machine.failed", (("machine", owner.name),)), now, owner.case)
        self._observe(Observe("machine_failures_total", (("machine", owner.name),)))
        if owner.permanent:
            if isinstance(event, sip.InviteArrived):
                refusal = sip.Respond(usage=event.usage, token=event.token, status=INTERNAL_ERROR)
                self._user_agent_does(partial(self._user_agent.command, refusal, now), now)
            return
        if owner.parent is self._ingest:
            self._observe(Observe("calls_total", (("outcome", "broken"),)))
        if owner.published is not None:
            # The recording of a broken call ends as that of any other.
            self._published(dataclasses.replace(owner.published, ended=now), now)
        for trace in tuple(owner.usages.values()):
            for command in trace.closing(INTERNAL_ERROR, self._identity.number()):
                self._user_agent_does(partial(self._user_agent.command, command, now), now)
        self._close_ports(tuple(owner.ports))
        self._forget(owner)

    def _forget(self, owner: Owner) -> None:
        self._agenda.set(owner, None)
        self._owners.forget(owner)
        if owner.parent is not None:
            self._queue.append((owner.parent, Gone(owner.machine)))
