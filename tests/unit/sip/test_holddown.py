"""Addresses that failed are tried last for a while."""

from __future__ import annotations

import pytest

from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.holddown import LONGEST_S, HoldDown

A, B, C = (Flow(Transport.UDP, Address(f"192.0.2.{n}", 5060), "e") for n in (1, 2, 3))


@pytest.mark.rfc("3263", "4.3")
@pytest.mark.req("LOC-05")
def test_an_address_that_failed_is_last_until_its_time_is_over() -> None:
    held = HoldDown(30.0, 10)
    held.failed(A.remote, 0.0)
    assert held.order((A, B, C), 29.9) == (B, C, A)
    assert held.order((A, B, C), 30.0) == (A, B, C)


@pytest.mark.req("LOC-05")
def test_when_all_are_held_down_they_are_tried_as_they_stand() -> None:
    held = HoldDown(30.0, 10)
    for flow in (B, A):
        held.failed(flow.remote, 0.0)
    assert held.order((A, B), 1.0) == (A, B)


@pytest.mark.rfc("3261", "21.5.4")
def test_retry_after_is_respected_but_not_for_ever() -> None:
    held = HoldDown(30.0, 10)
    held.failed(A.remote, 0.0, 60.0)
    assert held.order((A, B), 59.0) == (B, A)
    held.failed(A.remote, 0.0, 1e9)
    assert held.order((A, B), LONGEST_S - 1) == (B, A)
    assert held.order((A, B), LONGEST_S) == (A, B)


def test_an_answer_ends_it() -> None:
    held = HoldDown(30.0, 10)
    held.failed(A.remote, 0.0)
    held.answered(A.remote)
    assert held.order((A, B), 1.0) == (A, B)


def test_it_can_be_turned_off_and_is_bounded() -> None:
    off = HoldDown(0.0, 10)
    off.failed(A.remote, 0.0)
    assert off.order((A, B), 0.0) == (A, B)
    small = HoldDown(30.0, 1)
    small.failed(A.remote, 0.0)
    small.failed(B.remote, 0.0)
    assert small.order((A, B, C), 1.0) == (A, C, B)
