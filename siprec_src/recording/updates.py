"""Telling the SRS what has changed: one request at a time, always the newest complete state (RFC 7866 9.1).

Changes that come while a request is out become one document (UPD-15 of the requirements). Whatever
names labels carries the offer that defines them, so metadata during the call travels with the SDP: in a
re-INVITE, or where the SDP is as before and the SRS allows it in an UPDATE. The final document names
none and may go in an UPDATE by itself. Complete documents only: real SRSs keep no state between them.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from siprec_src.communication import CommunicationSession
from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata.document import snapshot
from siprec_src.metadata.writer import write_recording
from siprec_src.recording import request
from siprec_src.recording.forks import Forks
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.policy import tracks_of
from siprec_src.recording.srs import SrsTarget
from siprec_src.recording.srs import Updates as Method
from siprec_src.recording.talks import Talks
from siprec_src.sdp.model import SessionDescription
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Response

MAX_RETRIES: Final = 5  #: of one change, then it waits for the next one
RETRY_S: Final = 5.0  #: when the SRS is overloaded and does not say for how long
MAX_RETRY_S: Final = 60.0
GLARE_S: Final = (2.1, 4.0)  #: the wait of the owner of the Call-ID after 491 (RFC 3261 14.1)


class Verb(enum.Enum):
    """The request that carries an update; the value is its method."""

    INVITE = "INVITE"
    UPDATE = "UPDATE"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request of ours that has no answer yet."""

    token: int
    verb: Verb
    told: object  #: what of the call its document says
    asked_for: bool = False  #: the SRS wanted to be told, whether anything had changed or not
    final: bool = False


class Updates:
    """What the SRS knows, and the queue of one towards what it should know."""

    def __init__(self, ground: Ground, target: SrsTarget, forks: Forks, talks: Talks) -> None:
        self.retry_at: float | None = None
        self.snapshot_wanted = False  #: the SRS asked for a complete document (RFC 7866 9.2)
        self._ground = ground
        self._config = target.config
        self._forks = forks
        self._talks = talks
        self._allows_update = False
        self._pending: Exchange | None = None
        self._their_invite: int | None = None  #: answered, its ACK has not come (RFC 3261 14.1)
        self._ack_has_answer = False
        self._told: object = None
        self._retries = 0
        self._final_sent = False
        self._recorded_from: float | None = None

    def peer_allows(self, response: Response) -> None:
        """Learn from the SRS's 2xx which methods it takes (RFC 3311 4)."""
        try:
            self._allows_update = "UPDATE" in response.tags("allow")
        except RemoteProtocolError:
            self._allows_update = False

    def snapshot(self, call: CommunicationSession, offer: SessionDescription, now: float) -> bytes:
        """A complete document with the labels of the offer that goes with it."""
        if self._told is None:
            self._told = _meaning(call)
        return self._document(call, offer, now)

    def final(self, call: CommunicationSession, now: float) -> bytes:
        """The call as it ended or left this recording. Without labels it needs no offer (RFC 7866 9.1)."""
        return self._document(call, None, now, final=True)

    def follow(self, call: CommunicationSession, *, paused: bool) -> Effects:
        """Bring the m-lines up to the call: tracks that came, went, moved or changed their codec."""
        tracks = {track.stream.stream_id: track for track in tracks_of(call, self._config)}
        effects: Effects = []
        for line in self._forks.lines:
            track = tracks.pop(line.stream.stream_id, None)
            line.removed = track is None
            line.stream = track.stream if track is not None else line.stream
            sending = line.sending(live=not paused)
            if line.removed or sending is not None:
                effects += line.fork.want(sending)
        if tracks and not self._forks.opening:
            effects += self._forks.open(tracks.values())
        return effects

    def send(
        self, usage: int, dialog: str, call: CommunicationSession, now: float, *, paused: bool
    ) -> Effects:
        """Tell what the SRS does not know yet, if anything and if it may be told now."""
        if self._busy or self.retry_at is not None or self._forks.opening:
            return []
        media_due = self._talks.differs(self._forks.lines, paused=paused)
        if not (media_due or self.snapshot_wanted or self._told != _meaning(call)):
            return []
        asked_for, self.snapshot_wanted = self.snapshot_wanted, False
        verb = Verb.INVITE if media_due or not self._may_update else Verb.UPDATE
        token = self._ground.identity.number()
        exchange = Exchange(token=token, verb=verb, told=_meaning(call), asked_for=asked_for)
        offer = self._talks.offer(self._forks.lines, paused=paused)
        return self._request(usage, dialog, exchange, offer, self.snapshot(call, offer, now))

    def agreed(self, *, paused: bool) -> bool:
        """Whether the SRS knows the m-lines as they should be, and no request is out that says otherwise."""
        return not self._busy and not self._talks.differs(self._forks.lines, paused=paused)

    def send_final(
        self, usage: int, dialog: str, call: CommunicationSession, now: float, *, paused: bool
    ) -> Effects:
        """Send the document with the call's end, once nothing else is out (RFC 8068 3.2.4)."""
        if self._final_sent or self._busy:
            return []
        self._final_sent = True
        verb = Verb.UPDATE if self._may_update else Verb.INVITE
        exchange = Exchange(token=self._ground.identity.number(), verb=verb, told=None, final=True)
        if verb is Verb.UPDATE:
            return self._request(usage, dialog, exchange, None, self.final(call, now))
        offer = self._talks.offer(self._forks.lines, paused=paused)
        document = self._document(call, offer, now, final=True)
        return self._request(usage, dialog, exchange, offer, document)

    def answered(self, token: int) -> Exchange | None:
        """Which exchange a final response ends; None when it is none of ours."""
        if self._pending is None or self._pending.token != token:
            return None
        exchange, self._pending = self._pending, None
        return exchange

    def succeeded(self, exchange: Exchange) -> None:
        self._told = exchange.told
        self._retries = 0

    def refused(self, exchange: Exchange, status: int, wait_s: float | None, now: float) -> str:
        """Take a refusal: try again later or in another way, or say why it is left at that."""
        self._talks.refused()
        if status in (405, 501) and exchange.verb is Verb.UPDATE:
            self._allows_update = False
            self.snapshot_wanted = self.snapshot_wanted or exchange.asked_for
            return ""
        if (delay_s := self._retry_delay_s(status, wait_s)) is not None:
            self._retries += 1
            self.retry_at = now + delay_s
            self.snapshot_wanted = self.snapshot_wanted or exchange.asked_for
            return ""
        self._retries = 0
        self._told = exchange.told
        self._talks.settle()
        return f"{exchange.verb.value} refused; the SRS keeps what it knew"

    def retry_due(self, now: float) -> bool:
        """Whether the wait after a refusal is over; it is told once."""
        if self.retry_at is None or now < self.retry_at:
            return False
        self.retry_at = None
        return True

    def await_ack(self, token: int, *, carries_answer: bool) -> None:
        """We have answered an INVITE of the SRS with 2xx."""
        self._their_invite = token
        self._ack_has_answer = carries_answer

    def acknowledged(self, token: int) -> bool:
        """Its ACK has come. Returns whether the answer to our offer is in it."""
        if token != self._their_invite:
            return False
        self._their_invite = None
        return self._ack_has_answer

    def cease(self) -> None:
        """Nothing is told any more but the end."""
        self.retry_at = None

    @property
    def _busy(self) -> bool:
        return self._pending is not None or self._their_invite is not None

    @property
    def _may_update(self) -> bool:
        return self._allows_update and self._config.updates is Method.AUTO

    def _retry_delay_s(self, status: int, wait_s: float | None) -> float | None:
        if self._retries == MAX_RETRIES:
            return None
        if status == 491:
            return round(self._ground.identity.uniform(*GLARE_S), 2)  # steps of 10 ms
        if status in (500, 503, 504):
            return min(RETRY_S if wait_s is None else max(wait_s, 0.5), MAX_RETRY_S)
        return None

    def _document(
        self, call: CommunicationSession, offer: SessionDescription | None, now: float, *, final: bool = False
    ) -> bytes:
        if self._recorded_from is None:
            self._recorded_from = now
        recording = snapshot(
            call,
            self._ground.wall,
            labels=self._labels(offer),
            recorded_from=self._recorded_from,
            recorded_until=now if final else None,
        )
        return write_recording(recording)

    def _labels(self, offer: SessionDescription | None) -> dict[bytes, str]:
        """Those of the m-lines in ``offer``; of one that the SRS refused to have it knows nothing."""
        lines = self._forks.lines[: len(offer.media)] if offer is not None else []
        return {line.stream.stream_id: line.label for line in lines if not line.removed}

    def _request(
        self, usage: int, dialog: str, exchange: Exchange, offer: SessionDescription | None, document: bytes
    ) -> Effects:
        self._pending = exchange
        fields, body = request.enclose(self._ground, self._config, offer, document)
        return [
            sip.SendRequest(
                usage=usage,
                dialog=dialog,
                token=exchange.token,
                method=exchange.verb.value,
                headers=request.within().appended(*fields),
                body=body,
            )
        ]


def _meaning(call: CommunicationSession) -> object:
    """All of a call that its document shows; two calls with the same meaning need no new document."""
    streams = tuple((s.stream_id, s.sender, s.medium, s.direction) for s in call.streams)
    times = (call.started, call.ended, call.reason, call.reason_cause)
    return (call.session_id, call.group_id, call.participants, streams, call.sip_session_ids, times)
