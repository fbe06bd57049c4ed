"""One fork: the reader that copies one track to the SRS, moved by commands towards what is wanted.

Control says what it wants; the fork sends one command at a time and goes on when its answer comes, so a
change that arrives while another is under way is not lost. Copying stops before anything else changes
and begins after everything else has (RFC 7866 7.1.1.1).
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import Any, Final

from siprec_src.identity import Identity
from siprec_src.media import plane
from siprec_src.media.model import DtlsPeer, Endpoint, PortId, ReaderCounters, ReaderId, SrtpKey
from siprec_src.values import immutable


@immutable
class Sending:
    """How a track goes to the SRS, as its newest answer allows."""

    stream: PortId  #: where the track is received
    remote: Endpoint
    remote_rtcp: Endpoint | None
    rtcp_mux: bool
    no_rtcp: bool
    payload_types: tuple[tuple[int, int], ...]  #: (as the party sends, as the SRS answered)
    clock_rate: int  #: Hz
    events: bool
    send_key: SrtpKey | None
    receive_key: SrtpKey | None
    dtls: DtlsPeer | None  #: whose handshake makes the keys instead
    live: bool

    @property
    def path(self) -> object:
        """What one reader goes by all its life; where it changes another one is needed."""
        if self.dtls is None:
            return self.stream, self.clock_rate
        flow = (self.remote, self.remote_rtcp, self.rtcp_mux)
        return self.stream, self.clock_rate, flow, self.dtls.association


class Fork:
    """The reader of one m-line of the recording session."""

    def __init__(self, identity: Identity, *, via: PortId, cname: str, ssrcs: set[int]) -> None:
        """``ssrcs``: those of all readers of the recording session; none is used twice."""
        self.reader: ReaderId | None = None
        self.failure = ""  #: why the media plane refused it; "" while all is well
        self.unaccounted = False  #: a reader ended before its books could be read
        self.unreachable = False  #: the SRS's port was closed when last heard of
        self._identity = identity
        self._via = via
        self.cname = cname
        self._ssrc: int | None = None
        self._ssrcs = ssrcs
        self._collided = False  # the SSRC is the SRS's as well
        self._conflicts: set[tuple[Endpoint, Endpoint | None]] = set()  # places of it (RFC 3550 8.2)
        self.counters = ReaderCounters()  #: the books of every reader that has ended
        self._books: dict[PortId, ReaderCounters] = {}  # the same by stream
        self._want: Sending | None = None
        self._have: Sending | None = None
        self._under_way: plane.Command | None = None

    @property
    def ssrc(self) -> int:
        """Of the reader that there is, or of the next one."""
        if self._ssrc is None:
            while (ssrc := self._identity.ssrc()) in self._ssrcs:
                pass
            self._ssrcs.add(ssrc)
            self._ssrc = ssrc
        return self._ssrc

    @property
    def settled(self) -> bool:
        """Nothing is under way: the media plane does what was wanted."""
        return self._under_way is None

    @property
    def copying(self) -> bool:
        """Whether packets may be leaving now."""
        changing = self._under_way is not None and not isinstance(self._under_way, plane.AttachReader)
        return self._have is not None and (self._have.live or changing)

    @property
    def resting(self) -> bool:
        """Whether it is attached, or to be, and no packets are meant to leave."""
        return self._want is not None and not self._want.live

    def want(self, sending: Sending | None) -> list[plane.Command]:
        """Send like this from now on; None: end the reader, which may not wait for other commands."""
        if sending and self._want and sending.stream != self._want.stream:
            self.failure = ""
        self._want = sending
        if sending is None and self.reader is not None and not self._detaching:
            return [self._begin(plane.DetachReader(tag=self._identity.number(), reader=self.reader))]
        return self._next()

    def pause(self) -> list[plane.Command]:
        """Stop the copying, all else as it is. Nothing happens to a fork that is not attached."""
        return [] if self._want is None else self.want(dataclasses.replace(self._want, live=False))

    def collided(self) -> list[plane.Command] | None:
        """The SRS sends under our SSRC: leave it with a BYE and go on under another (RFC 3550 8.2).

        None: so it has done in this place before, thus they are our own packets that come back.
        """
        have = self._have
        if have is None or (have.remote, have.remote_rtcp) in self._conflicts:
            return None
        self._conflicts.add((have.remote, have.remote_rtcp))
        self._collided = True
        return self._next()

    def awaits(self, tag: int) -> bool:
        return self._under_way is not None and self._under_way.tag == tag

    def answered(self, answer: plane.Answer) -> list[plane.Command]:
        """Take the answer to the command under way."""
        command, self._under_way = self._under_way, None
        match answer:
            case plane.ReaderAttached(reader=reader) if isinstance(command, plane.AttachReader):
                self.reader = reader
            case plane.ReaderDetached(counters=counters):
                self._keep(counters)
                self._forget()
            case plane.Refused(reason=reason):
                self._refused(command, reason)
            case _:
                pass
        return self._next()

    def void(self) -> None:
        """The media plane is gone and every id with it."""
        self.unaccounted = self.unaccounted or self.reader is not None
        self._under_way = None
        self._want = None
        self._forget()

    @property
    def _detaching(self) -> bool:
        return isinstance(self._under_way, plane.DetachReader)

    def _keep(self, counters: ReaderCounters) -> None:
        if self._have is None:
            return
        before = self._books.get(self._have.stream, ReaderCounters())
        # What an earlier reader was offered came before this one, but not before the recording.
        missed = max(before.before_attach, counters.before_attach - before.offered)
        books = dataclasses.replace(_sum(before, counters), before_attach=missed)
        self._books[self._have.stream] = books
        self.counters = functools.reduce(_sum, self._books.values())

    def _forget(self) -> None:
        self.reader = None
        self._ssrc = None  # the next reader begins its sequence numbers anew
        self._collided = False
        self._have = None

    def _refused(self, command: plane.Command | None, reason: str) -> None:
        """A reader that the plane does not know any more has ended with its port; its books are lost.

        Where the track has moved to another port meanwhile, it is tried there.
        """
        self.unaccounted = self.unaccounted or self.reader is not None
        moved = self._want is not None and self._have is not None and self._want.stream != self._have.stream
        self._forget()
        if not isinstance(command, plane.DetachReader) and not moved:
            self.failure = reason

    def _next(self) -> list[plane.Command]:
        settled = self._want == self._have and not self._collided
        if self._under_way is not None or settled or (self.failure and self._want):
            return []
        command = self._toward(self._want)
        return [self._begin(command)] if command is not None else []

    def _begin(self, command: plane.Command) -> plane.Command:
        self._under_way = command
        return command

    def _toward(self, want: Sending | None) -> plane.Command | None:
        """The next command on the way from what is had to what is wanted."""
        have, reader, tag = self._have, self.reader, self._identity.number()
        if have is None or reader is None:
            return self._attach(tag, want) if want is not None else None
        if want is None or have.path != want.path or self._collided:
            return plane.DetachReader(tag=tag, reader=reader)
        if have.live and not want.live:
            self._have = dataclasses.replace(have, live=False)
            return plane.SetReaderLive(tag=tag, reader=reader, live=False)
        if dataclasses.replace(have, live=want.live) != want:
            self._have = dataclasses.replace(want, live=have.live)
            self.unreachable = self.unreachable and want.remote == have.remote
            return _update(tag, reader, want)
        self._have = want
        return plane.SetReaderLive(tag=tag, reader=reader, live=True)

    def _attach(self, tag: int, want: Sending) -> plane.AttachReader:
        # A handshake lasts; what is wanted by its end is said then, and not what was at its beginning.
        self._have = want if want.dtls is None else dataclasses.replace(want, live=False)
        self.unreachable = False
        return plane.AttachReader(
            tag=tag,
            stream=want.stream,
            via=self._via,
            remote=want.remote,
            remote_rtcp=want.remote_rtcp,
            rtcp_mux=want.rtcp_mux,
            no_rtcp=want.no_rtcp,
            ssrc=self.ssrc,
            cname=self.cname,
            first_sequence=self._identity.sequence(),
            first_timestamp=self._identity.timestamp(),
            clock_rate=want.clock_rate,
            payload_types=want.payload_types,
            events=want.events,
            send_key=want.send_key,
            receive_key=want.receive_key,
            dtls=want.dtls,
            live=self._have.live,
        )


def _update(tag: int, reader: ReaderId, want: Sending) -> plane.UpdateReader:
    return plane.UpdateReader(
        tag=tag,
        reader=reader,
        remote=want.remote,
        remote_rtcp=want.remote_rtcp,
        rtcp_mux=want.rtcp_mux,
        no_rtcp=want.no_rtcp,
        payload_types=want.payload_types,
        events=want.events,
        send_key=want.send_key,
        receive_key=want.receive_key,
        keep_keys=want.dtls is not None,
    )


def _sum(one: ReaderCounters, other: ReaderCounters) -> ReaderCounters:
    """The books of two readers of one fork; jitter is the newer one's."""
    total = dict(zip(_COUNTERS, map(operator.add, _numbers(one), _numbers(other)), strict=True))
    return ReaderCounters(**(total | {"reported_jitter_us": other.reported_jitter_us}))


_COUNTERS: Final = tuple(field.name for field in dataclasses.fields(ReaderCounters))
_numbers: Final[Any] = operator.attrgetter(*_COUNTERS)
