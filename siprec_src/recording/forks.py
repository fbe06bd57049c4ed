"""The media side of one recording session: the SRC's ports, one per m-line, and the fork behind each.

Everything here returns commands for the media plane, in order; answers come back by their tag.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from siprec_src.communication import MediaStream
from siprec_src.identity import Identity
from siprec_src.media import plane
from siprec_src.media.model import PortId, ReaderId
from siprec_src.recording.fork import Fork
from siprec_src.recording.line import RecordedLine, label_of
from siprec_src.recording.protection import MediaSecurity, fresh_end, fresh_keys
from siprec_src.recording.srs import SrsTarget
from siprec_src.sip.flow import Edge
from siprec_src.values import immutable

MAX_LINES: Final = 16  #: m-lines of one recording session; tracks beyond are described, not forked


@immutable(kw_only=False)
class Wanted:
    """A track that shall get an m-line."""

    stream: MediaStream
    first: bool  #: whether its party is the one that the first label is for


class Forks:
    """The m-lines of one recording session with their ports and readers."""

    def __init__(self, identity: Identity, target: SrsTarget, edge: Edge) -> None:
        self.lines: list[RecordedLine] = []
        self.refusal = ""  #: why no ports were opened the last time, "" when they were
        self._identity = identity
        self._target = target
        self._edge = edge
        self._ssrcs: set[int] = set()  #: of all readers that there were
        self._cnames: dict[bytes, str] = {}  #: one for each party (RFC 7022 4)
        self._asked: tuple[plane.OpenPorts, tuple[Wanted, ...]] | None = None
        self._closing: plane.ClosePorts | None = None
        self._ended = False
        self._void = False  #: the ids name nothing, or something of somebody else

    @property
    def opening(self) -> bool:
        return self._asked is not None

    @property
    def silent(self) -> bool:
        """No packet can leave: every reader has stopped copying, or there is none."""
        return not any(line.fork.copying for line in self.lines)

    @property
    def resting(self) -> bool:
        """A reader is there, or on its way, that shall not copy."""
        return any(line.fork.resting for line in self.lines)

    @property
    def stopped(self) -> bool:
        """Every reader has ended."""
        return all(line.fork.settled and line.fork.reader is None for line in self.lines)

    @property
    def closed(self) -> bool:
        """Nothing is held any more."""
        return self._ended and self._asked is None and self._closing is None

    def open(self, wanted: Iterable[Wanted]) -> list[plane.Command]:
        """Open a port for each track, beside the ports of the call, so that one engine thread has both."""
        tracks = tuple(wanted)[: MAX_LINES - len(self.lines)]
        if not tracks:
            return []
        near = tracks[0].stream.source
        command = plane.OpenPorts(
            tag=self._identity.number(),
            host=self._edge.rtp_bind,
            low=self._edge.rtp_low,
            high=self._edge.rtp_high,
            count=len(tracks),
            near=PortId(near) if near is not None else None,
            dtls=self._target.security is MediaSecurity.DTLS,
        )
        self._asked = (command, tracks)
        return [command]

    def know(self, tracks: Iterable[Wanted]) -> None:
        """What the tracks are now that ports are being opened for: their keys may have grown longer."""
        if self._asked is not None:
            command, asked = self._asked
            newest = {track.stream.stream_id: track for track in tracks}
            self._asked = command, tuple(newest.get(track.stream.stream_id, track) for track in asked)

    def awaits(self, tag: int) -> bool:
        return (
            (self._asked is not None and self._asked[0].tag == tag)
            or (self._closing is not None and self._closing.tag == tag)
            or any(line.fork.awaits(tag) for line in self.lines)
        )

    def answered(self, answer: plane.Answer) -> list[plane.Command]:
        """Take an answer that `awaits` knows."""
        if self._asked is not None and self._asked[0].tag == answer.tag:
            return self._opened(answer)
        if self._closing is not None and self._closing.tag == answer.tag:
            self._closing = None
            return []
        fork = next(line.fork for line in self.lines if line.fork.awaits(answer.tag))
        return fork.answered(answer)

    def apply(self, *, paused: bool) -> list[plane.Command]:
        """Send every track as the newest exchange allows; while ``paused`` nothing but RTCP."""
        return [command for line in self.lines for command in line.fork.want(line.sending(live=not paused))]

    def pause(self) -> list[plane.Command]:
        """Stop all copying; addresses and keys stay."""
        return [command for line in self.lines for command in line.fork.pause()]

    def resume(self) -> list[plane.Command]:
        """Let the copying go on where the newest exchange allows it."""
        sendings = ((line.fork, line.sending(live=True)) for line in self.lines if line.fork.resting)
        return [command for fork, sending in sendings if sending for command in fork.want(sending)]

    def stop(self) -> list[plane.Command]:
        """End every reader, each with its RTCP BYE; their books come with the answers."""
        return [command for line in self.lines for command in line.fork.want(None)]

    def close(self) -> list[plane.Command]:
        """Close every port, also those that are being opened."""
        self._ended = True
        ports = tuple(line.port.port for line in self.lines)
        return self._close(ports) if ports and not self._void else []

    def void(self) -> None:
        """The media plane is gone, and every port and reader with it."""
        self._asked = self._closing = None
        self._ended = self._void = True
        for line in self.lines:
            line.fork.void()

    def line_of(self, reader: ReaderId) -> RecordedLine | None:
        return next((line for line in self.lines if line.fork.reader == reader), None)

    def _opened(self, answer: plane.Answer) -> list[plane.Command]:
        tracks = self._asked[1] if self._asked is not None else ()
        self._asked = None
        match answer:
            case plane.PortsOpen(ports=ports) if self._ended:
                return self._close(tuple(port.port for port in ports))
            case plane.PortsOpen(ports=ports, fingerprint=fingerprint):
                self.refusal = ""
                for track, port in zip(tracks, ports, strict=False):
                    self._add(track, port, fingerprint)
            case plane.Refused(reason=reason):
                self.refusal = reason
            case _:
                self.refusal = "bad-answer"
        return []

    def _close(self, ports: tuple[PortId, ...]) -> list[plane.Command]:
        self._closing = plane.ClosePorts(tag=self._identity.number(), ports=ports)
        return [self._closing]

    def _add(self, track: Wanted, port: plane.OpenPort, fingerprint: str) -> None:
        config = self._target.config
        sender = track.stream.sender
        cname = self._cnames.get(sender) or self._cnames.setdefault(sender, self._identity.cname())
        index = 0 if track.first else 1
        line = RecordedLine(
            stream=track.stream,
            label=label_of(index, config.labels, [line.label for line in self.lines]),
            port=port,
            fork=Fork(self._identity, via=port.port, cname=cname, ssrcs=self._ssrcs),
        )
        suites = self._target.suites_for(track.stream.key_bits)
        match self._target.security:
            case MediaSecurity.SDES:
                line.cryptos = fresh_keys(suites, self._identity.secret)
            case MediaSecurity.DTLS:
                line.dtls = fresh_end(suites, fingerprint, self._identity.secret)
            case _:
                pass
        self.lines.append(line)
