"""A line that anybody can cause is seldom, and says how many it stands for."""

from __future__ import annotations

from siprec_src.telemetry.seldom import EVERY_S, SeldomLine
from tests.support.log import Log


def test_what_is_left_out_of_a_second_is_told_by_the_next_line() -> None:
    log = Log()
    line = SeldomLine(log, "sip.malformed")
    for at in (0.0, 0.0, EVERY_S / 2, EVERY_S, 3 * EVERY_S):
        line.write(at, remote=at)
    assert log.lines == [
        ("warning", "sip.malformed", {"remote": 0.0, "left_out_before": 0}),
        ("warning", "sip.malformed", {"remote": EVERY_S, "left_out_before": 2}),
        ("warning", "sip.malformed", {"remote": 3 * EVERY_S, "left_out_before": 0}),
    ]
