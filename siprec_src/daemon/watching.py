"""What can be seen of the control process from outside: gauges read at each scrape, and the HTTP pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from siprec_src.api.plain import METRICS, TEXT, Page
from siprec_src.app.control import Control
from siprec_src.app.occupancy import Occupancy
from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.media.plane import MediaState
from siprec_src.net.transport import SipTransport
from siprec_src.recording.pool import RecordingPool
from siprec_src.sip.throttle import Throttle
from siprec_src.sip.user_agent import UserAgent
from siprec_src.telemetry import log as logs
from siprec_src.telemetry.metrics import Metrics


def gauges(
    metrics: Metrics,
    ingest: InlineIngest,
    pool: RecordingPool,
    user_agent: UserAgent,
    transport: SipTransport,
    throttle: Throttle,
    occupancy: Occupancy,
    media: Callable[[], MediaState | None],
) -> None:
    """Show what the parts count themselves."""
    sip, lines = transport.counters, logs.line_counters()
    metrics.gauge("calls_active", "Calls that have not ended.", lambda: ingest.calls)
    metrics.gauge("recordings_active", "Calls with a recording that is not over.", lambda: pool.live)
    metrics.gauge("sip_transactions", "SIP transactions remembered.", lambda: user_agent.transactions)
    metrics.gauge("control_load", "Share of its time that the process is busy.", lambda: occupancy.load)
    metrics.gauges("media_io", "1: how the media engine moves packets.", "io", lambda: _io(media()))
    metrics.gauges(
        "media_load",
        "Share of its time that a thread of the media engine is busy.",
        "thread",
        lambda: _loads(media()),
    )
    metrics.counts(
        "calls_refused",
        "New calls refused at the door, by reason.",
        "reason",
        lambda: (("overload", throttle.refused),),
    )
    metrics.gauges("srs_up", "1: the SRS is up; 0: it is held down.", "srs", lambda: pool.srs_up)
    metrics.counts(
        "sip_messages",
        "SIP messages, by what became of them.",
        "fate",
        lambda: (
            ("received", sip.received),
            ("sent", sip.sent),
            ("malformed", sip.malformed),
            ("send_failed", sip.send_failed),
        ),
    )
    metrics.counts(
        "sip_dropped",
        "SIP messages and connections dropped, by reason.",
        "reason",
        lambda: (*sip.dropped.items(), ("receive-buffer-full", transport.overrun)),
    )
    metrics.counts(
        "log_lines",
        "Lines of this process's log, by what became of them.",
        "fate",
        lambda: (("written", lines.written), ("dropped", lines.dropped)),
    )


def _io(state: MediaState | None) -> Iterable[tuple[str, float]]:
    return () if state is None else ((state.io.value, 1.0),)


def _loads(state: MediaState | None) -> Iterable[tuple[str, float]]:
    return () if state is None else ((str(thread), load) for thread, load in enumerate(state.loads))


def pages(metrics: Metrics, process: Control) -> dict[str, Callable[[], Page]]:
    """What is answered for each path."""

    def readyz() -> Page:
        if process.ready:
            return (200, TEXT, b"ready\n")
        return (503, TEXT, f"not ready: {process.phase.value}\n".encode())

    return {
        "/metrics": lambda: (200, METRICS, metrics.exposition()),
        "/healthz": lambda: (200, TEXT, b"ok\n"),
        "/readyz": readyz,
    }
