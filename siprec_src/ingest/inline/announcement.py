"""An announcement before the parties are connected: "this call is recorded" (RFC 7866 6.1.2).

It is heard when the callee has answered, by whichever party is to hear it, both at once: nobody is rung
later because of it, and nobody listens to silence when both are told. The caller hears it as early media,
after a 183 with the description of the 2xx that follows, if this has one; the callee's 2xx is acknowledged
at once where the ACK has nothing to say. A party that hangs up ends it, and whatever fails of it, the call
goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from siprec_src.communication import Format, HangUp, RecordingState, Side
from siprec_src.ingest.inline.legs import NOTHING, CallLegs
from siprec_src.ingest.inline.life import Answers, Wait
from siprec_src.ingest.inline.media import SIDES
from siprec_src.ingest.inline.relay import Relayed
from siprec_src.media import plane
from siprec_src.media.model import PortId, Sound
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Headers

ANNOUNCEMENT: Final = "announcement"  #: the mode, in logs
PATIENCE_S: Final = 25.0  #: no announcement is as long
_BEFORE: Final = "before-connecting"  #: the cause, in logs


class CallAnnouncement(CallLegs):
    """The time between the callee's answer and its way to the caller."""

    def _announce(
        self, relayed: Relayed, event: sip.ResponseArrived, early: bytes, then: Callable[[], None]
    ) -> None:
        """Let the parties hear what they are to hear; then go on.

        ``early`` is the description that the caller is going to get.
        """
        self._told[Side.CALLEE].heard(event.response, first=True)
        wanted = [side for side in SIDES if self._is_to_hear(side, relayed, event)]
        if not wanted or self._relays.settled(relayed.token):
            then()
            return
        if Side.CALLER in wanted and early:
            headers = Headers((("Content-Type", event.response.headers.get("content-type") or ""),))
            tag = self._enter(event.dialog, event.response)
            self._respond(
                Side.CALLER, relayed.token, 183, headers=headers, body=early, dialog=event.dialog, tag=tag
            )
        if relayed.unanswered_offer(event.dialog, Side.CALLEE) is None:
            self._send_ack(relayed, event.dialog, None, b"")
        places = {side: place for side in wanted if (place := self._media.heard_at(side)) is not None}
        commands = [self._announcement(*place) for place in places.values()]
        sides = {port: side for side, (port, _) in places.items()}
        self._ask(commands, lambda answers: self._listen(sides, answers, then))

    def _is_to_hear(self, side: Side, relayed: Relayed, event: sip.ResponseArrived) -> bool:
        if self._settings.indication.mode(side) != ANNOUNCEMENT or self._told[side].aware:
            return False
        why = self._media.tone_hindrance(side)
        if not why and self._media.heard_at(side) is None:
            why = "held" if any(self._media.ports()) else "media-down"
        if side is Side.CALLER and not why and event.response.body:
            why = "100rel" if "100rel" in (self._request.headers.get("require") or "").lower() else ""
        elif side is Side.CALLER and not why and not relayed.settled(event.dialog):
            why = "no-audio"
        if why:
            self._given(side, NOTHING, RecordingState.ON, why, cause=_BEFORE)
        return not why

    def _announcement(self, port: PortId, form: Format) -> plane.Announce:
        return plane.Announce(
            tag=0,
            port=port,
            sound=Sound(file=self._settings.indication.announcement_file),
            payload_type=form.payload_type,
            encoding=form.encoding.upper(),
            ssrc=self._identity.ssrc(),
            first_sequence=self._identity.sequence(),
            first_timestamp=self._identity.timestamp(),
        )

    def _listen(self, sides: Mapping[PortId, Side], answers: Answers, then: Callable[[], None]) -> None:
        """Wait until every party has heard it to the end."""
        for (port, side), answer in zip(sides.items(), answers, strict=True):
            if isinstance(answer, plane.Refused):
                self._log("error", "call.media-refused", ("reason", answer.reason), ("detail", answer.detail))
                self._given(side, NOTHING, RecordingState.ON, "refused", cause=_BEFORE)
            else:
                self._listening[port] = side

        def heard(_answers: Answers) -> None:
            for side in self._listening.values():
                self._given(side, NOTHING, RecordingState.ON, "cut-short", cause=_BEFORE)
            self._listening.clear()
            then()

        if not self._listening or any(leaves(event) for event in self._backlog):
            heard(())
            return
        self._announcing = self._identity.number()
        self._wait = Wait({self._announcing: None}, heard, self._now + PATIENCE_S)

    def _heard_out(self, port: PortId) -> None:
        """A party has heard the announcement."""
        side = self._listening.pop(port, None)
        if side is None:
            return
        self._given(side, ANNOUNCEMENT, RecordingState.ON, cause=_BEFORE)
        if not self._listening:
            self._media_answer(plane.Done(tag=self._announcing))

    def _cut_short(self, event: object) -> None:
        """A party that leaves does not have to hear it to the end."""
        if self._listening and leaves(event):
            self._give_up_waiting("cut-short")


def leaves(event: object) -> bool:
    """Whether a party leaves the call by this event, or both have to."""
    if isinstance(event, sip.RequestArrived):
        return event.request.method == "BYE"
    return isinstance(event, sip.CancelArrived | sip.DialogEnded | HangUp)
