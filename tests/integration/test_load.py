"""SIPp's stock caller and callee with media, 20 calls a second: none fails, all are recorded."""

from __future__ import annotations

import pytest

from tests.load.run import Load, perform


@pytest.mark.parametrize("kill_srs", [False, True], ids=["srs-up", "srs-killed"])
@pytest.mark.req("ERR-13")
def test_twenty_calls_a_second_with_media_all_end_well(*, kill_srs: bool) -> None:
    load = Load(rate=20, duration_s=6, kill_srs=kill_srs)
    report = perform(load, tell=lambda _: None)
    assert (report.callers.successful, report.callers.failed) == (load.calls, 0)
    assert report.callees.failed == 0
    for side in ("caller", "callee"):
        assert report.totals[f"{side}_received"] == report.totals[f"{side}_relayed"] > 0
        assert report.totals[f"{side}_lost"] == report.totals[f"{side}_dropped"] == 0
    if not kill_srs:
        assert report.recordings == {"recorded": load.calls}
        assert report.srs.failed == 0
        assert report.totals["dropped_overrun"] == report.totals["dropped_send"] == 0
