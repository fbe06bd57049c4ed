"""Telling the SRS what has changed: one request at a time, always the newest state (RFC 7866 9.1).

Changes that come while a request is out become one document (UPD-15 of the requirements). Whatever
names labels carries the offer that defines them, so metadata during the call travels with the SDP: in a
re-INVITE, or where the SDP is as before and the SRS allows it in an UPDATE. The final document names
none and may go in an UPDATE by itself, as a partial one does while the SDP is as before. Where nothing
is to be told for half the session's interval, a request without document refreshes it (RFC 4028 7.4).
"""

from __future__ import annotations

import enum
from typing import Final

from siprec_src.communication import CommunicationSession
from siprec_src.errors import RemoteProtocolError
from siprec_src.recording import request
from siprec_src.recording.documents import Document, Documents
from siprec_src.recording.forks import Forks
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.policy import tracks_of
from siprec_src.recording.srs import SrsTarget
from siprec_src.recording.srs import Updates as Method
from siprec_src.recording.talks import Talks
from siprec_src.sdp.model import SessionDescription
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.holddown import retry_after_s
from siprec_src.sip.message import Response
from siprec_src.sip.session_timer import Due, SessionTimer
from siprec_src.values import immutable

MAX_RETRIES: Final = 5  #: of one change, then it waits for the next one
RETRY_S: Final = 5.0  #: when the SRS is overloaded and does not say for how long
MAX_RETRY_S: Final = 60.0
SPREAD_S: Final = 2.0  #: within which the sessions that share a lost connection are refreshed
GLARE_S: Final = (2.1, 4.0)  #: the wait of the owner of the Call-ID after 491 (RFC 3261 14.1)


class Verb(enum.Enum):
    """The request that carries an update; the value is its method."""

    INVITE = "INVITE"
    UPDATE = "UPDATE"


@immutable
class Exchange:
    """A request of ours that has no answer yet."""

    token: int
    verb: Verb
    document: Document | None = None  #: what it tells
    asked_for: bool = False  #: the SRS wanted to be told, whether anything had changed or not
    refresh: bool = False  #: it tells nothing, only that we are here (RFC 4028 7.4)
    final: bool = False


class Updates:
    """What the SRS knows, and the queue of one towards what it should know."""

    def __init__(
        self, ground: Ground, target: SrsTarget, forks: Forks, talks: Talks, own: request.Fields
    ) -> None:
        self.retry_at: float | None = None
        self.way_lost = False  #: the connection to the SRS has failed, and nothing has come through since
        self.snapshot_wanted = False  #: the SRS asked for a complete document (RFC 7866 9.2)
        self.timer = SessionTimer(target.config.session_expires_s)
        self._ground = ground
        self._config = target.config
        self._tells = target.metadata
        self._forks = forks
        self._talks = talks
        self._own = own  #: fields that all requests of this session have
        self._allows_update = False
        self._pending: Exchange | None = None
        self._their_invite: int | None = None  #: answered, its ACK has not come (RFC 3261 14.1)
        self._ack_has_answer = False
        self._documents = Documents(ground.wall, target.config)
        self._opening: Document | None = None  #: that of the INVITE
        self._refresh_due = False
        self._refresh_at: float | None = None
        self._retries = 0
        self._final_sent = False

    @property
    def deadline(self) -> float | None:
        """When `due` has something to say next."""
        due = [at for at in (self.retry_at, self._refresh_at, self.timer.deadline) if at is not None]
        return min(due, default=None)

    def begun(self, response: Response, now: float) -> None:
        """Learn from the SRS's first 2xx its session interval, and which methods it takes (RFC 3311 4)."""
        self.timer.agreed(response, now)
        if self._opening is not None:
            self._documents.taken(self._opening)
        try:
            self._allows_update = "UPDATE" in response.tags("allow")
        except RemoteProtocolError:
            self._allows_update = False

    def opening(self, call: CommunicationSession, offer: SessionDescription, now: float) -> bytes:
        """The complete document of the INVITE, with the labels of its offer; empty if the SRS takes none."""
        if not self._tells:
            return b""
        self._opening = self._documents.compose(call, self._labels(offer), now)
        return self._opening.octets

    def final(self, call: CommunicationSession, now: float) -> bytes:
        """The call as it ended or left this recording. Without labels it needs no offer (RFC 7866 9.1)."""
        return self._documents.compose(call, {}, now, final=True).octets

    def refresh_soon(self, now: float) -> None:
        """The connection to the SRS has failed: find out whether another one leads there."""
        self.way_lost = True
        self._refresh_at = now + self._ground.identity.uniform(0.0, SPREAD_S)

    def newest_since(self, then: float) -> bytes:
        """The newest document, if it was written at ``then`` or after it."""
        at, document = self._documents.newest
        return document if at >= then else b""

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
            elif paused:  # what still goes by the last answer stops as well
                effects += line.fork.pause()
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
        if not (media_due or self.snapshot_wanted or (self._tells and self._documents.due(call))):
            return self._refresh(usage, dialog, paused=paused) if self._refresh_due else []
        self._refresh_due = False
        asked_for, self.snapshot_wanted = self.snapshot_wanted, False
        verb = Verb.INVITE if media_due or not self._may_update else Verb.UPDATE
        token = self._ground.identity.number()
        if not self._tells:
            exchange = Exchange(token=token, verb=verb, asked_for=asked_for)
            offer = self._talks.offer(self._forks.lines, paused=paused)
            return self._request(usage, dialog, exchange, *request.enclose_alone(offer))
        document = None if asked_for or verb is Verb.INVITE else self._documents.changes(call, now)
        news = None
        if document is None:
            news = self._talks.offer(self._forks.lines, paused=paused)
            document = self._documents.compose(call, self._labels(news), now, whole=asked_for)
        exchange = Exchange(token=token, verb=verb, document=document, asked_for=asked_for)
        return self._request(usage, dialog, exchange, *self._enclosed(news, document.octets))

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
        exchange = Exchange(token=self._ground.identity.number(), verb=verb, final=True)
        if verb is Verb.UPDATE:
            return self._request(usage, dialog, exchange, *self._enclosed(None, self.final(call, now)))
        offer = self._talks.offer(self._forks.lines, paused=paused)
        document = self._documents.compose(call, self._labels(offer), now, final=True)
        return self._request(usage, dialog, exchange, *self._enclosed(offer, document.octets))

    def answered(self, token: int) -> Exchange | None:
        """Which exchange a final response ends; None when it is none of ours."""
        if self._pending is None or self._pending.token != token:
            return None
        exchange, self._pending = self._pending, None
        return exchange

    def succeeded(self, exchange: Exchange, response: Response, now: float) -> None:
        """The SRS knows what the request told; whatever it was for, it refreshed the session."""
        self.timer.agreed(response, now)
        self._refresh_due = False
        if exchange.document is not None:
            self._documents.taken(exchange.document)
        self._retries = 0
        self.way_lost = False

    def refused(self, exchange: Exchange, response: Response, now: float) -> str:
        """Take a refusal: try again later or in another way, or say why it is left at that."""
        self._talks.refused()
        if self.timer.try_again(response):
            self._repeat(exchange)
            return ""
        if response.status in (405, 501) and exchange.verb is Verb.UPDATE:
            self._allows_update = False
            self._repeat(exchange)
            return ""
        self.timer.failed(now)
        if (delay_s := self._retry_delay_s(response)) is not None:
            self._retries += 1
            self.retry_at = now + delay_s
            self._repeat(exchange)
            return ""
        self._retries = 0
        if exchange.document is not None:
            self._documents.refused(exchange.document)
        self._talks.settle()
        return f"{exchange.verb.value} refused; the SRS keeps what it knew"

    def due(self, now: float) -> bool:
        """Take the passing of time; whether the session has expired (RFC 4028 10)."""
        if self.retry_at is not None and now >= self.retry_at:
            self.retry_at = None
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            self._refresh_due = True
        match self.timer.due(now):
            case Due.EXPIRED:
                return True
            case Due.REFRESH:
                self._refresh_due = True
            case None:
                pass
        return False

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
        self.retry_at = self._refresh_at = None
        self.timer.stop()

    @property
    def _busy(self) -> bool:
        return self._pending is not None or self._their_invite is not None

    @property
    def _may_update(self) -> bool:
        return self._allows_update and self._config.updates is Method.AUTO

    def _repeat(self, exchange: Exchange) -> None:
        """What a refused request was to do is still to be done; what it told is not known yet anyway."""
        self.snapshot_wanted = self.snapshot_wanted or exchange.asked_for
        self._refresh_due = self._refresh_due or exchange.refresh

    def _retry_delay_s(self, response: Response) -> float | None:
        status, wait_s = response.status, retry_after_s(response)
        if self._retries == MAX_RETRIES:
            return None
        if status == 491:
            return round(self._ground.identity.uniform(*GLARE_S), 2)  # steps of 10 ms
        if status in (500, 503, 504):
            return min(RETRY_S if wait_s is None else max(wait_s, 0.5), MAX_RETRY_S)
        return None

    def _labels(self, offer: SessionDescription) -> dict[bytes, str]:
        """Those of the m-lines in ``offer``; of one that the SRS refused to have it knows nothing."""
        lines = self._forks.lines[: len(offer.media)]
        return {line.stream.stream_id: line.label for line in lines if not line.removed}

    def _refresh(self, usage: int, dialog: str, *, paused: bool) -> Effects:
        """An UPDATE without offer, else a re-INVITE with the SDP as it is (RFC 4028 7.4)."""
        self._refresh_due = False
        verb = Verb.UPDATE if self._may_update else Verb.INVITE
        exchange = Exchange(token=self._ground.identity.number(), verb=verb, refresh=True)
        if verb is Verb.UPDATE:
            return self._request(usage, dialog, exchange, (), b"")
        offer = self._talks.offer(self._forks.lines, paused=paused)
        return self._request(usage, dialog, exchange, *request.enclose_alone(offer))

    def _enclosed(self, offer: SessionDescription | None, document: bytes) -> tuple[request.Fields, bytes]:
        return request.enclose(self._ground, self._config, offer, document)

    def _request(
        self, usage: int, dialog: str, exchange: Exchange, fields: request.Fields, body: bytes
    ) -> Effects:
        self._pending = exchange
        return [
            sip.SendRequest(
                usage=usage,
                dialog=dialog,
                token=exchange.token,
                method=exchange.verb.value,
                headers=request.within(self._own).appended(*self.timer.request_fields(), *fields),
                body=body,
            )
        ]
