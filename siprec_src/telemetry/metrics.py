"""Every metric of the daemon, declared in one place, and what `/metrics` answers.

Machines name a metric in an `Observe`; one that is not declared here, or with other labels, is a bug of ours
and is counted as ``observe_failed_total``, it never disturbs a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from siprec_src.machine import Observe
from siprec_src.values import immutable

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

PREFIX: Final = "siprec_src_"
SETUP_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 16.0, 32.0)
LOSS_BUCKETS: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
JITTER_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
ANSWER_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
CALLBACK_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3600.0)
ADDED_BUCKETS_S: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5)


@immutable(kw_only=False)
class Declared:
    """One metric that machines may observe."""

    name: str  #: without the prefix; a counter's ends in ``_total``
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()  #: of a histogram; none: a counter


DECLARED: Final = (
    Declared("calls_total", "Calls that ended, by outcome.", ("outcome",)),
    Declared("calls_unrecorded_total", "Calls or parts of calls that were not recorded.", ("reason",)),
    Declared("indications_total", "What parties were told of the recording.", ("mode", "outcome")),
    Declared("recordings_total", "Recording sessions that ended.", ("outcome", "reason")),
    Declared("recording_setup_seconds", "INVITE to the SRS until media flows.", (), SETUP_BUCKETS_S),
    Declared("fork_packets_total", "Packets of forks that ended, by what became of them.", ("fate",)),
    Declared("fork_packets_dropped_total", "Packets that an SRS should have got and did not.", ("srs",)),
    Declared("srs_byes_after_metadata_total", "BYEs at once after a document of ours.", ("srs",)),
    Declared("srs_rtcp_silences_total", "Tracks whose SRS stopped to send RTCP.", ("srs",)),
    Declared("srs_reported_loss_ratio", "Loss that receiver reports of an SRS name.", ("srs",), LOSS_BUCKETS),
    Declared("srs_reported_jitter_seconds", "Jitter that they name.", ("srs",), JITTER_BUCKETS_S),
    Declared("call_setup_added_seconds", "INVITE in until INVITE out.", (), ADDED_BUCKETS_S),
    Declared("media_packets_total", "Packets of calls that ended, by what became of them.", ("fate",)),
    Declared("media_events_lost_total", "Events of the engine that control was never told."),
    Declared("callbacks_total", "Callbacks, by what became of a try, or of them.", ("result",)),
    Declared("callback_seconds", "From an event until its callback was taken.", (), CALLBACK_BUCKETS_S),
    Declared(
        "voice_requests_total", "Questions to voice applications, by what became of them.", ("outcome",)
    ),
    Declared("voice_answer_seconds", "INVITE in until its application has answered.", (), ANSWER_BUCKETS_S),
    Declared("alerts_total", "Errors told to operators and customers, by code.", ("code",)),
    Declared("machine_failures_total", "Calls or recordings ended by a fault of ours.", ("machine",)),
)


class Metrics:
    """The registry of one process."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in DECLARED:
            self._declare(metric)
        self._failed = Counter(
            PREFIX + "observe_failed", "Observations that no declared metric takes.", registry=self._registry
        )
        info = Gauge(
            PREFIX + "info", "Always 1; the version is a label.", ("version",), registry=self._registry
        )
        info.labels(version).set(1)

    def observe(self, observe: Observe) -> None:
        """Add to the counter or put into the histogram that is named."""
        labels = dict(observe.labels)
        try:
            if (counter := self._counters.get(observe.name)) is not None:
                (counter.labels(**labels) if labels else counter).inc(observe.value)
            else:
                histogram = self._histograms[observe.name]
                (histogram.labels(**labels) if labels else histogram).observe(observe.value)
        except (KeyError, ValueError):
            self._failed.inc()

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A value that is read at each scrape, e.g. ``calls_active``."""
        Gauge(PREFIX + name, text, registry=self._registry).set_function(read)

    def counts(
        self, name: str, text: str, label: str, read: Callable[[], Iterable[tuple[str, float]]]
    ) -> None:
        """A counter kept elsewhere, read at each scrape as (label value, count)."""
        self._registry.register(_Family(CounterMetricFamily, (PREFIX + name, text, label), read))

    def gauges(
        self, name: str, text: str, label: str, read: Callable[[], Iterable[tuple[str, float]]]
    ) -> None:
        """Values kept elsewhere, read at each scrape as (label value, value)."""
        self._registry.register(_Family(GaugeMetricFamily, (PREFIX + name, text, label), read))

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def _declare(self, metric: Declared) -> None:
        name = PREFIX + metric.name
        if metric.buckets:
            self._histograms[metric.name] = Histogram(
                name, metric.help, metric.labels, buckets=metric.buckets, registry=self._registry
            )
        else:
            self._counters[metric.name] = Counter(name, metric.help, metric.labels, registry=self._registry)


class _Family(Collector):
    def __init__(
        self,
        kind: type[CounterMetricFamily | GaugeMetricFamily],
        named: tuple[str, str, str],
        read: Callable[[], Iterable[tuple[str, float]]],
    ) -> None:
        self._kind = kind
        self._name, self._text, self._label = named
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = self._kind(self._name, self._text, labels=(self._label,))
        for value, count in self._read():
            family.add_metric((value,), count)
        yield family
