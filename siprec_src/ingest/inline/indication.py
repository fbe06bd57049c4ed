"""Telling the parties by requests of our own that they are recorded, and of keys (RFC 7866 6.1.2, 7.1.2).

A change of the recording goes to each party that is record-aware as an offer in its leg alone: UPDATE
where the party takes it, else re-INVITE. Nothing else of the session changes by it, and the other party
learns nothing of it. It waits until no exchange is under way in the call, goes again after 491, and when
it is refused the call goes on as if it had never been sent. What each party was told is logged.

When the media process dies, each party whose leg has SRTP is offered new keys in the same way, at once:
a new process comes meanwhile. It never sends under a key that the old one has used (RFC 3711 9.1), also
before the party has answered. What comes to a party that does not know the new key fails its
authentication and is dropped by it, so nothing is gained by holding packets back.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.communication import RecordingChanged, RecordingState, Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.agreed import AgreedLine
from siprec_src.ingest.inline.announcement import ANNOUNCEMENT
from siprec_src.ingest.inline.awareness import Offered
from siprec_src.ingest.inline.bodies import session_of
from siprec_src.ingest.inline.keys import other
from siprec_src.ingest.inline.legs import NOTHING, RECORD
from siprec_src.ingest.inline.life import Answers
from siprec_src.ingest.inline.media import SIDES, Exchange
from siprec_src.ingest.inline.responses import CallResponses
from siprec_src.machine import Observe
from siprec_src.media import plane
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Headers

MAX_TRIES: Final = 5  #: of one change, before the next one is waited for
RETRY_S: Final = 5.0  #: after a refusal that may pass (RFC 3261 21.5)
PATIENCE_S: Final = 8.0  #: with a re-INVITE of ours that only rings (RFC 3261 14.1)
TONE: Final = "tone"  #: the mode, in logs
_GLARE_S: Final = {
    Side.CALLER: (0.0, 2.0),
    Side.CALLEE: (2.1, 4.0),
}  #: RFC 3261 14.1
_PASSING: Final = frozenset({500, 503, 504})


class CallIndication(CallResponses):
    """What a change of the recording does to the call."""

    def _recording_changed(self, event: RecordingChanged) -> None:
        if event.state is self._recording or self._ending is not None:
            return
        self._recording, self._recording_cause = event.state, event.cause
        for side in SIDES:
            self._told[side].tries = 0
            self._told[side].retry_at = None

    def _forget_waits(self) -> None:
        """A time to try again has come; from now on whatever happens next may be the moment.

        A party that lets our INVITE lie is not waited for: the other one may want a change meanwhile.
        """
        for side, party in self._told.items():
            if party.retry_at is not None and party.retry_at <= self._now:
                party.retry_at = None
            offered = party.offered
            if offered is not None and offered.until is not None and offered.until <= self._now:
                party.offered = dataclasses.replace(offered, until=None)
                self._out.append(sip.CancelInvite(usage=self._usages[side], token=offered.token))

    def _tell_parties(self) -> None:
        """Tell the parties what they do not know, where nothing is under way that it could disturb."""
        if not self.lasts or self._wait is not None or self._dialog is None:
            return
        self._sound_tones()
        if self._wait is not None or self._relays.exchanging:
            return
        known = self._described.get(self._dialog, {})
        for side in SIDES:
            party, theirs = self._told[side], known.get(other(side))
            if theirs is None or party.offered is not None or party.retry_at is not None:
                continue
            state = party.wants(theirs, self._recording)
            if state is not None or (party.unkeyed and self._media.protects(side)):
                self._ask_party(side, self._dialog, theirs, state)

    def _prove_telling(self) -> None:
        """Write down what was told, unless somebody is being told it still."""
        if self._wait is None and all(party.offered is None for party in self._told.values()):
            self._write_evidence()

    def _sound_tones(self) -> None:
        """Parties that are not aware hear a tone as long as they are recorded, where that is wanted."""
        wanted = {}
        if self._recording is RecordingState.ON and not self._tones_refused:
            unaware = [side for side in SIDES if not self._told[side].aware]
            tones = {side: self._settings.indication.tone(side) for side in unaware}
            wanted = {side: tone for side, tone in tones.items() if tone is not None}
        if wanted != self._media.tones:
            self._media.tones = wanted
            self._ask(self._media.commands(), self._tones_answered)
            if self._wait is not None:
                return
        for side in SIDES:
            self._note_tone(side)

    def _tones_answered(self, answers: Answers) -> None:
        refused = next((a for a in answers if isinstance(a, plane.Refused)), None)
        if refused is not None:
            self._log("error", "call.media-refused", ("reason", refused.reason), ("detail", refused.detail))
            self._tones_refused = refused.reason == "bad-argument"

    def _note_tone(self, side: Side) -> None:
        """The evidence for a party that is not aware: a tone, or nothing and why."""
        party = self._told[side]
        announced = self._settings.indication.mode(side) == ANNOUNCEMENT  # and noted when it was
        if party.aware or announced or (party.evidence is None and self._recording is RecordingState.OFF):
            return
        mode, why = NOTHING, ""
        if self._settings.indication.tone(side) is not None:
            why = "refused" if self._tones_refused else self._media.tone_hindrance(side)
            mode = NOTHING if why else TONE
        if (mode, self._recording) != party.evidence:
            party.evidence = (mode, self._recording)
            self._given(side, mode, self._recording, why)

    def _media_down(self) -> None:
        """The counters of what was sent to the parties are gone: nothing more is sent under those keys."""
        dialogs = list(self._agreements)
        if renewed := self._media.renew_keys([self._media.agreed, *self._agreements.values()]):
            self._media.agreed = renewed[0]
            self._agreements = dict(zip(dialogs, renewed[1:], strict=True))
            for party in self._told.values():
                party.unkey()
        super()._media_down()

    def _ask_party(
        self, side: Side, dialog: str, theirs: SessionDescription, state: RecordingState | None
    ) -> None:
        party = self._told[side]
        timer = self._vigil.request_fields(side, self._now)
        if timer is None:
            return
        offer = party.offer(self._media.crossed_offer(other(side), theirs), self._recording)
        method = "UPDATE" if party.takes_update else "INVITE"
        until = self._now + PATIENCE_S if method == "INVITE" else None
        party.offered = Offered(
            token=self._identity.number(),
            method=method,
            theirs=theirs,
            state=state,
            keyed=party.unkeyed,
            until=until,
        )
        headers = Headers((*timer, ("Content-Type", "application/sdp")))
        self._send(side, dialog, method, headers, write_sdp(offer), party.offered.token, spares_dialog=True)

    def _own_answer(self, event: sip.ResponseArrived) -> bool:
        """Whether this is a response to a request of our own, which is not passed on."""
        side = self._side(event.usage)
        party = self._told[side]
        offered = party.offered
        if offered is None or offered.token != event.token:
            return False
        status = event.response.status
        if status < 200:
            return True
        party.offered = None
        party.unkeyed = party.unkeyed and not (offered.keyed and status < 300)
        if status >= 300:
            self._not_told(side, offered, event)
            return True
        if offered.method == "INVITE":
            self._out.append(sip.SendAck(usage=self._usages[side], dialog=event.dialog, token=event.token))
        if self._ending is None:
            self._agreed_to(side)
            self._follow_answer(side, offered, event)
        return True

    def _not_told(self, side: Side, offered: Offered, event: sip.ResponseArrived) -> None:
        party, status = self._told[side], event.response.status
        party.tries += 1
        if (status == 491 or status in _PASSING) and party.tries < MAX_TRIES:
            wait_s = self._identity.uniform(*_GLARE_S[side]) if status == 491 else RETRY_S
            party.retry_at = self._now + wait_s
            return
        if offered.keyed:
            party.unkeyed = False
            self._log("error", "call.rekey-refused", ("side", side.value), ("status", status))
        if offered.state is not None:
            party.refused = offered.state
            said = (("side", side.value), ("mode", RECORD), ("state", offered.state.value))
            self._log("warning", "indication.refused", *said, ("status", status))
            self._out.append(Observe("indications_total", (("mode", RECORD), ("outcome", "refused"))))

    def _follow_answer(self, side: Side, offered: Offered, event: sip.ResponseArrived) -> None:
        """Media goes where the answer says and under the keys that were offered; nothing else follows."""
        dialog = event.dialog
        try:
            session = session_of(event.response)
            if session is None:
                return
            exchange = Exchange(offerer=other(side), offer=offered.theirs)
            fresh = self._media.agreement(exchange, session.description)
        except RemoteProtocolError as error:
            self._log("warning", "call.bad-answer", ("reason", str(error)))
            return
        if offered.keyed:
            self._log("info", "call.rekeyed", ("side", side.value))
        self._described[dialog] = {**self._described.get(dialog, {}), side: session.description}
        self._agreements[dialog] = self._media.agreed = _moved(self._media.agreed, fresh, side)
        self._connect(self._publish)


def _moved(
    agreed: tuple[AgreedLine, ...], fresh: tuple[AgreedLine, ...], side: Side
) -> tuple[AgreedLine, ...]:
    """What was agreed, with ``side`` at the places and with the keys of ``fresh``."""
    new = {line.index: line.parties[side] for line in fresh}
    out = []
    for line in agreed:
        party = new.get(line.index)
        if party is None:
            out.append(line)
            continue
        moved = dataclasses.replace(
            line.parties[side], remote=party.remote, remote_rtcp=party.remote_rtcp, keys=party.keys
        )
        out.append(dataclasses.replace(line, parties={**line.parties, side: moved}))
    return tuple(out)
