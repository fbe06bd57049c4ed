"""A few seconds of speech on both tracks: what left, and what the SRS says of it by RTCP (RFC 3550 6.4)."""

from __future__ import annotations

from typing import Final

from siprec_src.media.model import ReaderCounters
from siprec_src.probe.bench import Bench
from siprec_src.probe.plane import Track
from siprec_src.probe.report import Report
from siprec_src.probe.session import Conversation, unexpected
from siprec_src.probe.talker import PAYLOAD_TYPES

TALK_S: Final = 4.0
REPORT_S: Final = (
    4.0  #: further, when there is no receiver report yet; RFC 3550 6.2 has one after 5 s at most
)
LOSS_NOTED: Final = 0.01
LOSS_FATAL: Final = 0.5
JITTER_NOTED_MS: Final = 30.0
_NAMES: Final = {number: name for name, number in PAYLOAD_TYPES.items()}
_FIREWALL: Final = (
    "see that no firewall drops UDP between our RTP ports and those of the SRS, in both directions"
)


async def talk(bench: Bench, conversation: Conversation, report: Report) -> None:
    """Speak on every track that the SRS took, and judge what came of each."""
    tracks = bench.media.tracks
    for port, talker in zip(conversation.ports, conversation.talkers, strict=True):
        track = tracks.get(port.port)
        if track is not None and track.payload_types:
            talker.start(port.rtp_port, _NAMES[track.payload_types[0][0]])
    await bench.until(lambda: unexpected(bench) is not None, TALK_S)
    live = [track for track in tracks.values() if track.reader is not None]
    await bench.until(
        lambda: all(t.report or t.unreachable for t in live) or bool(unexpected(bench)), REPORT_S
    )
    books = await bench.media.counters(bench.identity.number())
    for opened in conversation.ports:
        track, counters = tracks.get(opened.port), books.get(opened.port)
        if track is not None and (counters is not None or track.unreachable):
            _judge(conversation.label(opened.port), track, counters or ReaderCounters(), report)


def _judge(label: str, track: Track, books: ReaderCounters, report: Report) -> None:
    facts: dict[str, object] = {
        "label": label,
        "to": track.remote,
        "rtp_sent": books.delivered,
        "rtcp_sent": books.rtcp_sent,
        "rtcp_received": books.rtcp_received,
    }
    sent = f"label {label}: {books.delivered} packets to {track.remote}"
    if track.unreachable:
        report.failed(
            "media",
            f"label {label}: nobody listens at {track.remote}, its host answers (ICMP port unreachable)",
            "see that the media part of the SRS runs, and that it is at the address of its answer",
            **facts,
        )
    elif not books.delivered:
        report.failed("media", f"{sent}: the SRS's answer lets none go", "see the answer above", **facts)
    elif unsent := books.dropped_full + books.dropped_send:
        report.failed(
            "media",
            f"{sent}; {unsent} could not be sent at all",
            "see the route from this machine to that address",
            **facts,
        )
    elif track.report is None:
        heard = (
            f"{books.rtcp_received} RTCP packets came, no report of it among them"
            if books.rtcp_received
            else ("no RTCP came back")
        )
        report.warning(
            "media",
            f"{sent}; {heard}, so nobody can tell whether it hears them",
            f"listen to the recording; {_FIREWALL}",
            **facts,
        )
    else:
        _judge_report(sent, track, facts, report)


def _judge_report(sent: str, track: Track, facts: dict[str, object], report: Report) -> None:
    heard = track.report
    assert heard is not None  # noqa: S101 asked by the caller
    jitter_ms = heard.jitter_us / 1000
    facts |= {
        "loss": round(heard.fraction_lost, 4),
        "lost": heard.cumulative_lost,
        "jitter_ms": round(jitter_ms, 1),
    }
    trip = ""
    if heard.round_trip_us is not None:
        facts["round_trip_ms"] = round(heard.round_trip_us / 1000, 1)
        trip = f", {facts['round_trip_ms']} ms there and back"
    says = f"{sent}; it reports {heard.fraction_lost:.1%} lost, {jitter_ms:.1f} ms jitter{trip}"
    if heard.fraction_lost >= LOSS_FATAL:
        report.failed("media", says, _FIREWALL, **facts)
    elif heard.fraction_lost >= LOSS_NOTED or heard.cumulative_lost > 0:
        report.warning("media", says, "look for a full or faulty link between us and the SRS", **facts)
    elif jitter_ms > JITTER_NOTED_MS:
        report.warning("media", says, "look for a busy host or link between us and the SRS", **facts)
    else:
        report.ok("media", says, **facts)
