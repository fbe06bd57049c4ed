"""Voice applications: asked for each call that waits for one, and never for longer than the call waits.

What goes wrong is told to the application's owner as an alert, and the call is given the trunk's default. A
server that does not answer is left alone for a while (`breaker`), so that no further call waits for it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from typing import Final, Protocol

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.calls.book import KnownCall
from siprec_src.api.calls.parties import parties_of
from siprec_src.api.outside import OutsideAnswer, OutsideError, OutsideRequest
from siprec_src.api.sids import call_sid
from siprec_src.api.signed import on_the_wire
from siprec_src.api.voice.breaker import REST_S, Breaker
from siprec_src.api.voice.plan import BAD_ADDRESS, Plan, plan_of
from siprec_src.api.voice.requests import svaml_request, twiml_request
from siprec_src.communication import CommunicationSession
from siprec_src.errors import InstructionError
from siprec_src.ingest.inline.voice import (
    Answer,
    AskVoice,
    Instructed,
    Voice,
    VoiceAnswered,
    VoiceEffect,
    VoiceFormat,
    VoiceUnfit,
)
from siprec_src.instructions.model import Script
from siprec_src.instructions.svaml import parse_svaml
from siprec_src.instructions.twiml import MAX_DOCUMENT_BYTES, parse_twiml
from siprec_src.machine import Observe
from siprec_src.telemetry.log import Logger

NO_ANSWER: Final = 11200
TOO_LARGE: Final = 11750
FAILED: Final = "voice.failed"  #: no script came that can be used; in logs
REPORT: Final = "voice.report"  #: something in it was not carried out; in logs


class Doors(Protocol):
    """What is needed of the rest of the daemon."""

    def accounts(self) -> Accounts:
        """Those that calls may belong to, as they are now."""

    async def ask(self, request: OutsideRequest, *, timeout_s: float, max_bytes: int) -> OutsideAnswer:
        """Ask a customer's server. Raises OutsideError."""

    def answered(self, call: int, event: VoiceAnswered) -> None:
        """Tell a call what its application says."""

    def begin(self, session: CommunicationSession, script: Script) -> None:
        """Carry this out on a call that has just been answered, which goes on afterwards."""

    def report(self, event: str, code: int, text: str, **fields: object) -> None:
        """Tell whoever looks after the account."""

    def observe(self, observe: Observe) -> None:
        """Count something."""

    def now(self) -> float:
        """Seconds of the machines' clock."""

    def today(self) -> dt.datetime:
        """Now, in UTC."""


class Unusable(Exception):
    """A URL has given no script that can be used; without a code it was not asked."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class Applications:
    """The applications of all trunks."""

    def __init__(self, doors: Doors, log: Logger) -> None:
        self._doors = doors
        self._log = log
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)  #: by URL
        self._asking: set[asyncio.Task[None]] = set()

    def take(self, effect: VoiceEffect) -> None:
        """Perform an effect of a call; nothing is awaited."""
        match effect:
            case AskVoice():
                asking = asyncio.get_running_loop().create_task(self._consult(effect))
                self._asking.add(asking)
                asking.add_done_callback(self._asking.discard)
            case VoiceUnfit(session=session):
                call = self._known(session, self._doors.accounts().of_call(session))
                self._report(FAILED, call, BAD_ADDRESS, f"what is to be dialled cannot be: {effect.why}")
            case Instructed(session=session):
                self._doors.begin(session, Script(instructions=effect.instructions))

    async def close(self) -> None:
        """Ask nobody any more; calls that wait are not told."""
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _consult(self, asked: AskVoice) -> None:
        began, answer = self._doors.now(), None
        try:
            answer = await self._answer(asked.session, asked.voice)
        except Exception:  # noqa: BLE001 the call goes on by default
            self._log.error("voice.broken", exc_info=True)
        self._doors.observe(Observe("voice_answer_seconds", value=self._doors.now() - began))
        self._doors.answered(asked.session.call, VoiceAnswered(answer))

    async def _answer(self, session: CommunicationSession, voice: Voice) -> Answer | None:
        """What the first URL says, or else the second; None: neither says anything that can be used."""
        account = self._doors.accounts().of_call(session)
        call = self._known(session, account)
        if account is None:
            self._report(FAILED, call, NO_ANSWER, "without an account nothing can be asked")
            return None
        failed: tuple[tuple[str, str], ...] = ()
        for url in (voice.url, voice.fallback_url):
            if url is None:
                break
            try:
                plan = await self._plan(call, account, voice, url, failed)
            except Unusable as error:
                if error.code is not None:
                    self._report(FAILED, call, error.code, str(error))
                    failed = (("ErrorCode", str(error.code)), ("ErrorUrl", on_the_wire(url)[0]))
                continue
            for report in plan.reports:
                self._report(REPORT, call, report.code, report.text)
            self._log.debug("voice.planned", call_sid=call.sid, unreached=plan.unreached)
            return plan.answer
        return None

    async def _plan(
        self, call: KnownCall, account: Account, voice: Voice, url: str, failed: tuple[tuple[str, str], ...]
    ) -> Plan:
        """Raises Unusable."""
        if not self._breakers[url].admits(self._doors.now()):
            self._count("skipped")
            raise Unusable("it did not answer lately")
        if voice.format is VoiceFormat.TWIML:
            request = twiml_request(call, account, voice.method, url, *failed)
        else:
            request = svaml_request(call, account, url, self._doors.today())
        document = self._document(await self._ask(request, url, voice.timeout_s))
        parse = parse_twiml if voice.format is VoiceFormat.TWIML else parse_svaml
        try:
            plan = plan_of(parse(document), voice)
        except InstructionError as error:
            self._count("unusable")
            raise Unusable(str(error), error.code) from None
        self._count("answered")
        return plan

    async def _ask(self, request: OutsideRequest, url: str, timeout_s: float) -> OutsideAnswer:
        breaker = self._breakers[url]
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._doors.ask(request, timeout_s=timeout_s, max_bytes=MAX_DOCUMENT_BYTES)
            if answer.status < 500:
                breaker.answered()
                return answer
            why = f"HTTP status {answer.status}"
        except TimeoutError:
            why = f"no answer within {timeout_s:g} s"
        except OutsideError as error:
            why = str(error)
        self._count("no-answer")
        rest = breaker.failed(self._doors.now())
        raise Unusable(f"{why}; it is not asked for {REST_S:g} s" if rest else why, NO_ANSWER)

    def _document(self, answer: OutsideAnswer) -> bytes:
        if 200 <= answer.status < 300 and answer.complete:
            return answer.body
        self._count("unusable")
        if answer.complete:
            raise Unusable(f"HTTP status {answer.status}", NO_ANSWER)
        raise Unusable(f"its answer is longer than {MAX_DOCUMENT_BYTES} bytes", TOO_LARGE)

    def _known(self, session: CommunicationSession, account: Account | None) -> KnownCall:
        return KnownCall(
            sid=call_sid(session.session_id),
            account_sid="" if account is None else account.sid,
            parties=parties_of(session),
            session=session,
        )

    def _report(self, event: str, call: KnownCall, code: int, text: str) -> None:
        named = {"account_sid": call.account_sid or None, "call_sid": call.sid}
        self._doors.report(event, code, text, trunk=call.session.trunk, **named)

    def _count(self, outcome: str) -> None:
        self._doors.observe(Observe("voice_requests_total", (("outcome", outcome),)))
