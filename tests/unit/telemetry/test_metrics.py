"""What is observed is what `/metrics` tells."""

from __future__ import annotations

import pytest

from siprec_src.machine import Observe
from siprec_src.media import plane
from siprec_src.media.model import PortCounters, PortId, ReaderCounters, ReaderId
from siprec_src.telemetry.books import observations
from siprec_src.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def samples(metrics: Metrics) -> dict[str, float]:
    lines = metrics.exposition().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (li.rpartition(" ") for li in lines if not li.startswith("#"))
    }


def test_counters_add_and_histograms_count(metrics: Metrics) -> None:
    labels = (("outcome", "recorded"), ("reason", "call-ended"))
    metrics.observe(Observe("recordings_total", labels))
    metrics.observe(Observe("recordings_total", labels, 2.0))
    metrics.observe(Observe("recording_setup_seconds", (), 0.03))
    told = samples(metrics)
    assert told['siprec_src_recordings_total{outcome="recorded",reason="call-ended"}'] == 3
    assert told['siprec_src_recording_setup_seconds_bucket{le="0.025"}'] == 0
    assert told['siprec_src_recording_setup_seconds_bucket{le="0.05"}'] == 1
    assert told['siprec_src_info{version="1.2.3"}'] == 1


def test_no_series_tells_when_it_was_made(metrics: Metrics) -> None:
    metrics.observe(Observe("calls_total", (("outcome", "answered"),)))
    assert "_created" not in metrics.exposition().decode()


@pytest.mark.parametrize(
    "observe",
    [
        Observe("nothing_such"),
        Observe("calls_total"),
        Observe("calls_total", (("color", "red"),)),
        Observe("calls_total", (("outcome", "answered"),), -1.0),
    ],
)
def test_an_observation_that_nothing_takes_is_counted_and_harms_nobody(
    metrics: Metrics, observe: Observe
) -> None:
    metrics.observe(observe)
    assert samples(metrics)["siprec_src_observe_failed_total"] == 1


def test_values_kept_elsewhere_are_read_at_each_scrape(metrics: Metrics) -> None:
    calls = [1]
    dropped = {"write-buffer-full": 2}
    metrics.gauge("calls_active", "Calls.", lambda: len(calls))
    metrics.counts("sip_dropped", "Dropped.", "reason", dropped.items)
    calls.append(2)
    dropped["not-sip"] = 1
    told = samples(metrics)
    assert told["siprec_src_calls_active"] == 2
    assert told['siprec_src_sip_dropped_total{reason="write-buffer-full"}'] == 2
    assert told['siprec_src_sip_dropped_total{reason="not-sip"}'] == 1


def test_books_that_close_become_counts_of_packets(metrics: Metrics) -> None:
    ports = (
        (PortId(1), PortCounters(received=10, relayed=9, dropped_send=1, received_octets=99, jitter_us=5)),
    )
    reader = ReaderCounters(offered=10, delivered=8, skipped_event=2)
    for answer in (
        plane.PortsClosed(tag=1, counters=ports),
        plane.ReaderDetached(tag=2, reader=ReaderId(1), counters=reader),
        plane.Done(tag=3),
    ):
        for observation in observations(answer):
            metrics.observe(observation)
    told = samples(metrics)
    assert told['siprec_src_media_packets_total{fate="received"}'] == 10
    assert told['siprec_src_media_packets_total{fate="dropped_send"}'] == 1
    assert told['siprec_src_fork_packets_total{fate="skipped_event"}'] == 2
    assert told["siprec_src_observe_failed_total"] == 0
    assert not any("octets" in name or "jitter" in name for name in told)
