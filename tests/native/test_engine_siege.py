"""Calls outlast strangers and a stop of the engine; `make siege` shows the same for a minute."""

from __future__ import annotations

import contextlib

import pytest

from siprec_src.media.model import MediaIo
from tests.bench.media.rounds import build_load
from tests.load.siege import Besieged
from tests.native.site import ENGINES
from tests.support.namespaces import Wire

CALLS = 20
RATE = 10_000
SECONDS = 4


@pytest.mark.parametrize("io", ENGINES, ids=lambda io: io.value)
def test_neither_strangers_nor_a_stop_cost_a_call_a_packet_and_none_is_joined_by_another(
    wire: Wire, io: MediaIo
) -> None:
    build_load()
    with contextlib.closing(Besieged(wire, io, CALLS)) as engine:
        ledger = engine.talk(SECONDS, strangers=RATE, raid_s=1.0, frozen_s=1.2)
        books = engine.books()
    assert ledger.sent == CALLS * 2 * SECONDS * 50
    assert ledger.whole, ledger
    assert (
        books["port.received"]
        == books["port.relayed"]
        == books["reader.offered"]
        == books["reader.delivered"]
    )
    assert books["port.lost"] == 0
    assert books["port.dropped_foreign"] + books["port.dropped_malformed"] == engine.raided > RATE / 4
