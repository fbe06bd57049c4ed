"""Media and files of one recording session: sockets in the loop, tracks and files in the writer's thread."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final

from siprec_src.app import dtls
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.metadata import model as m
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.validate import check_metadata
from siprec_src.sip.message import Request
from siprec_src.srs.answer import Reception
from siprec_src.srs.archive import Archive
from siprec_src.srs.handshake import Handshake
from siprec_src.srs.port import TrackPort, open_port
from siprec_src.srs.roster import Roster
from siprec_src.srs.rtp import ReportBlock, SenderReport, parse_rtcp, receiver_report
from siprec_src.srs.settings import SrsSettings
from siprec_src.srs.srtp import Transform, opener, rtcp_opener, rtcp_sealer
from siprec_src.srs.track import RATE_HZ, Track
from siprec_src.telemetry.log import Logger

REPORT_INTERVAL_S: Final = 5.0  #: between receiver reports of a track (RFC 3550 6.2)
LINGER_S: Final = 0.25  #: for packets on their way when the session ends
MAX_COMPLAINTS: Final = 100


@dataclasses.dataclass(slots=True)
class _Line:
    """One m-line with its socket and its track."""

    port: TrackPort
    label: str = ""
    reception: Reception | None = None
    track: Track | None = None
    open_rtcp: Transform | None = None
    seal_rtcp: Transform | None = None
    handshake: Handshake | None = None
    codec: str = ""
    secure: str = ""
    report: tuple[SenderReport, float] | None = None  #: the sender's last, and when it came
    reports_received: int = 0
    goodbye: bool = False
    next_report: float = 0.0
    ssrc: int = 0
    job: Future[None] | None = None


class LiveRecording:
    """Implements `session.Recording`; driven by `tick` several times a second."""

    def __init__(
        self,
        request: Request,
        document: bytes | None,
        *,
        settings: SrsSettings,
        identity: Identity,
        dtls: dtls.Identity,
        writer: Executor,
        log: Logger,
        on_end: Callable[[LiveRecording], None],
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._dtls = dtls
        self._writer = writer
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._started_at = dt.datetime.now(dt.UTC)
        self._request = request
        self._cname = identity.cname()
        self._lines: dict[int, _Line] = {}
        self._roster = Roster()
        self._documents = 0
        self._complaints: list[str] = []
        self._reason = ""
        self._archive = Archive(settings.directory, recording_name(document, request))
        self._log = log
        self._submit(self._archive.open)

    def open(self, index: int) -> int:
        line = self._lines.get(index)
        if line is None:
            settings = self._settings
            start = settings.rtp_low + round(
                self._identity.uniform(0, settings.rtp_high - settings.rtp_low - 2)
            )
            port = open_port(
                settings.host,
                settings.rtp_low,
                settings.rtp_high,
                start,
                lambda data: self._rtcp_arrived(index, data),
                lambda data, rtcp: self._dtls_arrived(index, data, rtcp=rtcp),
            )
            line = self._lines[index] = _Line(port, ssrc=self._identity.ssrc())
        return line.port.port

    def receive(self, receptions: tuple[Reception, ...]) -> None:
        now = self._loop.time()
        for item in receptions:
            line = self._lines[item.index]
            line.port.forget_source()
            self._key(line, item)
            line.label = item.label
            line.codec = item.formats[0].encoding
            if line.track is None:
                line.track = Track(item.formats, started=self._started)
                line.next_report = now + REPORT_INTERVAL_S / 2
                self._open_with(line, item)
            else:
                self._submit(line.track.retarget, item.formats)
            line.reception = item
            self._shake_hands(line, item)

    def metadata(self, document: bytes) -> None:
        self._documents += 1
        self._submit(self._archive.metadata, document)
        try:
            found = read_metadata(document)
            labels = {line.label for line in self._lines.values() if line.label}
            if isinstance(found, m.Recording):
                self._roster.learn(found)
                check_metadata(document, labels or None)
        except RemoteProtocolError as error:
            self._complain(f"metadata {self._documents}: {error} ({error.section})")

    def end(self, reason: str) -> None:
        if self._reason:
            return
        self._reason = reason
        self._loop.call_later(LINGER_S, self._finish)

    def tick(self) -> None:
        """Hand what arrived to the writer; send reports that are due."""
        if self._reason:
            return
        now = self._loop.time()
        for index, line in self._lines.items():
            if line.track is None:
                continue
            if line.handshake is not None:
                line.handshake.tick()
            waits = line.port.waiting or line.track.waiting
            if waits and (line.job is None or line.job.done()):
                line.job = self._submit(self._write, index, line.track, line.label, line.port.take(), now)
            if now >= line.next_report:
                line.next_report = now + REPORT_INTERVAL_S * self._identity.uniform(0.5, 1.5)
                self._send_report(line, now)

    def _key(self, line: _Line, item: Reception) -> None:
        """Take the keys of a new answer; a key that stays keeps its roll-over counter (RFC 4568 7.1.4)."""
        before = line.reception
        if item.dtls is not None:
            return
        if item.receive_key is None or item.send_key is None:
            line.open_rtcp = line.seal_rtcp = None
            return
        line.secure = item.receive_key.suite
        if before is None or before.send_key != item.send_key:
            line.seal_rtcp = rtcp_sealer(item.send_key)
        if before is None or before.receive_key is None:
            line.open_rtcp = rtcp_opener(item.receive_key)
        elif before.receive_key.material != item.receive_key.material:
            line.open_rtcp = rtcp_opener(item.receive_key)
            self._open_with(line, item)

    def _shake_hands(self, line: _Line, item: Reception) -> None:
        """Begin the handshake of a new association; nothing is opened before it has ended (RFC 5764 5.1)."""
        peer = item.dtls
        if peer is None or item.rtp is None or item.rtcp is None or line.track is None:
            return
        if line.handshake is not None and line.handshake.peer.association == peer.association:
            return
        self._submit(_set_unprotect, line.track, _not_yet)
        line.open_rtcp = line.seal_rtcp = _not_yet
        remotes = {False: item.rtp} if item.rtcp_mux else {False: item.rtp, True: item.rtcp}
        line.handshake = Handshake(
            self._dtls, peer, remotes, lambda data, to, rtcp: line.port.send(data, to, rtcp=rtcp)
        )
        if not self._settings.behaviour.dtls_silent:
            line.handshake.begin()

    def _dtls_arrived(self, index: int, data: bytes, *, rtcp: bool) -> None:
        line = self._lines[index]
        if line.handshake is None or self._settings.behaviour.dtls_silent:
            return
        known = line.handshake.keys
        line.handshake.receive(data, rtcp=rtcp)
        if line.handshake.failure:
            self._complain(f"label {line.label}: {line.handshake.failure}")
        keys = line.handshake.keys
        if known is None and keys is not None and line.track is not None:
            rtp, reports = keys
            line.secure = rtp.receive.suite
            self._log.info("recording.secured", id=self._archive.name, label=line.label, suite=line.secure)
            self._submit(_set_unprotect, line.track, opener(rtp.receive))
            line.open_rtcp, line.seal_rtcp = rtcp_opener(reports.receive), rtcp_sealer(reports.send)

    def _open_with(self, line: _Line, item: Reception) -> None:
        if line.track is not None and item.receive_key is not None:
            self._submit(_set_unprotect, line.track, opener(item.receive_key))

    def _write(
        self, index: int, track: Track, label: str, datagrams: list[tuple[float, bytes]], now: float
    ) -> None:
        chunks = track.take(datagrams, now)
        if chunks:
            self._archive.media(index, label, chunks)

    def _finish(self) -> None:
        now = self._loop.time()
        for index, line in self._lines.items():
            rest = line.port.drain_and_close()
            if line.track is not None:
                self._submit(self._write_rest, index, line.track, line.label, rest, now)
        self._submit(lambda: self._archive.finish(self._summary(now)))
        self._submit(self._loop.call_soon_threadsafe, self._ended)

    def _write_rest(
        self, index: int, track: Track, label: str, datagrams: list[tuple[float, bytes]], now: float
    ) -> None:
        chunks = [*track.take(datagrams, now), *track.finish(now)]
        self._archive.media(index, label, chunks)

    def _ended(self) -> None:
        tracks = [self._track_summary(index, line) for index, line in sorted(self._lines.items())]
        self._log.info(
            "recording.end",
            id=self._archive.name,
            reason=self._reason,
            duration_s=round(self._loop.time() - self._started, 3),
            labels=[track["label"] for track in tracks],
            received=[track["received"] for track in tracks],
            lost=[track["lost"] for track in tracks],
            secure=any(track["suite"] for track in tracks),
            metadata=self._documents,
            complaints=self._complaints[:5],
        )
        self._on_end(self)

    def _submit(self, work: Callable[..., Any], *arguments: Any) -> Future[None]:
        future: Future[None] = self._writer.submit(work, *arguments)
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, job: Future[None]) -> None:
        """Runs in the writer's thread: a full disk is told once for each kind of fault."""
        error = None if job.cancelled() else job.exception()
        if error is not None:
            text = f"{type(error).__name__}: {error}"
            if text not in self._complaints:
                self._complain(text)
                self._log.error("recording.write-failed", id=self._archive.name, error=text)

    def _complain(self, text: str) -> None:
        if len(self._complaints) < MAX_COMPLAINTS:
            self._complaints.append(text)

    def _rtcp_arrived(self, index: int, data: bytes) -> None:
        line = self._lines[index]
        if line.open_rtcp is not None:
            try:
                data = line.open_rtcp(data)
            except ValueError:
                return
        report, goodbye = parse_rtcp(data)
        line.goodbye = line.goodbye or goodbye
        if report is not None:
            line.reports_received += 1
            line.report = (report, self._loop.time())

    def _send_report(self, line: _Line, now: float) -> None:
        if line.reception is None or line.reception.rtcp is None:
            return
        packet = receiver_report(line.ssrc, self._cname, _block(line, now))
        with contextlib.suppress(ValueError):
            data = line.seal_rtcp(packet) if line.seal_rtcp is not None else packet
            line.port.send(data, line.reception.rtcp, rtcp=not line.reception.rtcp_mux)

    def _summary(self, now: float) -> dict[str, object]:
        return {
            "id": self._archive.name,
            "session_id": self._roster.session_id,
            "call_id": self._request.call_id,
            "from": str(self._request.from_.uri),
            "to": str(self._request.to.uri),
            "started": self._started_at.isoformat(timespec="milliseconds"),
            "duration_s": round(now - self._started, 3),
            "ended_by": self._reason,
            "secure": bool(self._lines) and all(line.secure for line in self._lines.values()),
            "metadata_documents": self._documents,
            "complaints": self._complaints,
            "participants": self._roster.participants(),
            "tracks": [self._track_summary(index, line) for index, line in sorted(self._lines.items())],
        }

    def _track_summary(self, index: int, line: _Line) -> dict[str, Any]:
        books = dataclasses.asdict(line.track.books) if line.track is not None else {}
        books |= {"foreign": line.port.foreign, "overrun": line.port.overrun}
        return {
            "index": index,
            "label": line.label,
            "codec": line.codec,
            "suite": line.secure,
            "port": line.port.port,
            "sender_reports": line.reports_received,
            "goodbye": line.goodbye,
            "received": 0,
            "lost": 0,
            **books,
        }


def recording_name(document: bytes | None, request: Request) -> str:
    """A safe file name: the CS's session id as a UUID, else a digest of the Call-ID."""
    if document is not None:
        with contextlib.suppress(RemoteProtocolError):
            found = read_metadata(document)
            if isinstance(found, m.Recording) and found.sessions and len(found.sessions[0].session_id) == 16:
                return str(uuid.UUID(bytes=found.sessions[0].session_id))
    return hashlib.sha256(request.call_id.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _set_unprotect(track: Track, unprotect: Transform) -> None:
    track.unprotect = unprotect


def _not_yet(_packet: bytes) -> bytes:
    msg = "no keys yet"
    raise ValueError(msg)


def _block(line: _Line, now: float) -> ReportBlock | None:
    track = line.track
    if track is None or (ssrc := track.ssrc) is None:
        return None
    last, delay = 0, 0
    if line.report is not None and line.report[0].ssrc == ssrc:
        last = line.report[0].ntp >> 16 & 0xFFFFFFFF
        delay = round((now - line.report[1]) * 65536)
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=track.fraction_lost(),
        lost=track.books.lost,
        highest_sequence=track.highest_sequence,
        jitter=round(track.books.jitter_ms * RATE_HZ / 1000),
        last_report=last,
        delay=delay,
    )
