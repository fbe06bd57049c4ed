"""The engine's books as metrics: what became of the packets of ports and readers that have ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from siprec_src.machine import Observe
from siprec_src.media import plane
from siprec_src.media.model import PortCounters, ReaderCounters

_NOT_PACKETS = frozenset({"received_octets", "tones", "delivered_octets", "jitter_us", "reported_jitter_us"})
_FATES = {
    counters: tuple(field.name for field in dataclasses.fields(counters) if field.name not in _NOT_PACKETS)
    for counters in (PortCounters, ReaderCounters)
}


def observations(message: plane.Answer | plane.Event) -> Iterator[Observe]:
    """Counts to add for an answer that closes books, and for events that were lost; none for any other."""
    match message:
        case plane.PortsClosed():
            for _, counters in message.counters:
                yield from _fates("media_packets_total", counters)
        case plane.ReaderDetached():
            yield from _fates("fork_packets_total", message.counters)
        case plane.EventsLost():
            yield Observe("media_events_lost_total", value=float(message.count))
        case _:
            return


def _fates(name: str, counters: PortCounters | ReaderCounters) -> Iterator[Observe]:
    for fate in _FATES[type(counters)]:
        if count := getattr(counters, fate):
            yield Observe(name, (("fate", fate),), float(count))
