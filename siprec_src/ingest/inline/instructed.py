"""A call that a voice application sends on: asked when it arrives, before any port is opened.

The caller has his 100 and waits; nothing else of the call has begun, so whatever ends it now ends nothing
but this. What the application cannot have, and what it does not say in time, is replaced by the trunk's
default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from siprec_src.communication import HangUp, Publish, Side
from siprec_src.ingest.inline import headers as crossing
from siprec_src.ingest.inline.announcement import leaves
from siprec_src.ingest.inline.indication import CallIndication
from siprec_src.ingest.inline.life import Outcome, Wait
from siprec_src.ingest.inline.publication import reason_of
from siprec_src.ingest.inline.routing import Refusal
from siprec_src.ingest.inline.voice import (
    MAX_PAUSE_S,
    Answer,
    AskVoice,
    Dialled,
    Instructed,
    Voice,
    VoiceDefault,
    VoiceUnfit,
)
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Headers, Request

UNAVAILABLE: Final = 503  #: to the caller whose application does not answer and who is not to go on without

DECLINED: Final = 603


class CallInstructed(CallIndication):
    """The time between the INVITE and the way that it takes."""

    def _consult(self, token: int, go_on: Callable[[], None]) -> None:
        """Ask the trunk's application, if it has one; then go on, or refuse the INVITE ``token``."""
        voice = self._route.voice
        if voice is None:
            go_on()
            return

        def answered(answer: Answer | None) -> None:
            if answer is None:
                self._take_default(voice, token, go_on)
            else:
                wait_s = min(answer.pause_s, MAX_PAUSE_S)
                self._hold(wait_s, lambda: self._follow(answer, voice, token, go_on))

        self._on_answer = answered
        self._hold(voice.patience_s, lambda: self._voice_answered(None))
        self._out.append(AskVoice(self.arriving, voice))

    def _voice_answered(self, answer: Answer | None) -> None:
        """The application has said something, or nothing in time; what comes later is too late."""
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            self._wait, self._held = None, False
            on_answer(answer)

    def _follow(self, answer: Answer, voice: Voice, token: int, go_on: Callable[[], None]) -> None:
        if answer.refused is not None:
            self._refuse_call(token, answer.refused, "as its voice application says")
            return
        self._begun = answer.begun
        if answer.dialled is not None and (why := self._dial(answer.dialled)):
            self._out.append(VoiceUnfit(self.arriving, why))
            self._take_default(voice, token, go_on)
            return
        self._log("info", "call.instructed", ("to", self._route.to), ("request_uri", self._route.request_uri))
        go_on()

    def _dial(self, dialled: Dialled) -> str:
        """Go to somebody else from now on; why that cannot be, or ""."""
        self._dialled = dialled
        if dialled.to is not None:
            route = self._router(dialled)
            if isinstance(route, Refusal):
                self._dialled = None
                return route.why
            self._go_by(route)
            self._publication.dialled(Request(method="INVITE", uri=route.request_uri, headers=self._invited))
        return ""

    def _take_default(self, voice: Voice, token: int, go_on: Callable[[], None]) -> None:
        self._log("warning", "call.uninstructed", ("default", voice.default.value))
        if voice.default is VoiceDefault.REFUSE:
            self._refuse_call(token, UNAVAILABLE, "its voice application does not answer")
        else:
            go_on()

    def _hold(self, wait_s: float, then: Callable[[], None]) -> None:
        """Let the caller wait. Nothing of the call has begun, so who leaves need not wait for the end."""
        self._held = wait_s > 0
        if not self._held:
            then()
            return

        def over(_: object) -> None:
            self._held = False
            then()

        self._wait = Wait({}, over, self._now + wait_s, for_media=False)

    def _cut_short(self, event: object) -> None:
        """The caller does not wait any longer, or whoever commands the daemon does not let him."""
        super()._cut_short(event)
        if not self._held or not leaves(event):
            return
        self._held, self._wait, self._on_answer = False, None, None
        if isinstance(event, HangUp):
            self._log("info", "call.hung-up", ("cause", event.cause))
            self._respond(Side.CALLER, self._first_token, DECLINED)
            self._end(Outcome.HUNG_UP, DECLINED)
        else:
            reason = reason_of(event.request) if isinstance(event, sip.CancelArrived) else None
            self._end(Outcome.CANCELLED, 487, reason)

    @property
    def _invited(self) -> Headers:
        """The header fields of the INVITE as the callee gets it."""
        headers = crossing.for_new_dialog(self._request)
        if self._dialled is None:
            return headers
        if self._dialled.to is not None:
            headers = headers.replaced("To", f"<{self._route.request_uri}>")
        return crossing.by_another(headers, self._dialled.caller_id)

    @property
    def _patience_s(self) -> float | None:
        """How long the callee may ring."""
        asked = None if self._dialled is None else self._dialled.timeout_s
        return self._settings.answer_timeout_s if asked is None else asked

    def _publish(self) -> None:
        super()._publish()
        if self._begun and self._out and isinstance(published := self._out[-1], Publish):
            begun, self._begun = self._begun, ()
            self._out.append(Instructed(published.session, begun))

    def _refuse_call(self, token: int, status: int, why: str) -> None:
        retry = (("Retry-After", str(self._settings.retry_after_s)),) if status == UNAVAILABLE else ()
        self._log("warning", "call.refused", ("status", status), ("reason", why))
        self._respond(Side.CALLER, token, status, headers=Headers(retry))
        self._end(Outcome.REFUSED, status)
