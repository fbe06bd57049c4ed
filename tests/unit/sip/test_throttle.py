"""Overload control: as many new calls as there is time for, and nobody refused without need."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable

import pytest

from siprec_src.sip.message import Response
from siprec_src.sip.settings import AgentSettings
from siprec_src.sip.throttle import Throttle
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.vocabulary import InviteArrived, RequestArrived, Respond
from tests.support.sip import Agent, request

CAPACITY = 40  #: new calls of a period that keep the process busy all the time


def taken(throttle: Throttle, offered: Iterable[int]) -> list[int]:
    """How many calls are taken in each period, of those offered; each costs its share of the capacity."""
    counts = []
    names = itertools.count()
    for calls in offered:
        admitted = sum(throttle.admits((id(offered), next(names))) for _ in range(calls))
        throttle.measured(min(1.0, admitted / CAPACITY))
        counts.append(admitted)
    return counts


@pytest.mark.rfc("3261", "21.5.4")
def test_at_twice_the_capacity_nine_tenths_of_it_are_taken() -> None:
    counts = taken(Throttle(0.9), [2 * CAPACITY] * 100)[20:]
    assert 0.9 * CAPACITY * 0.95 < sum(counts) / len(counts) < CAPACITY


def test_what_is_within_the_limit_is_all_taken() -> None:
    offered = [CAPACITY * 8 // 10] * 100
    assert taken(Throttle(0.9), offered) == offered


def test_after_an_overload_everybody_is_taken_within_a_second() -> None:
    throttle = Throttle(0.9)
    taken(throttle, [20 * CAPACITY] * 50)
    offered = [CAPACITY // 2] * 20
    assert taken(throttle, offered)[10:] == offered[10:]


def test_one_busy_moment_refuses_nobody() -> None:
    throttle = Throttle(0.9)
    throttle.measured(1.0)
    assert all(throttle.admits(number) for number in range(100))


def test_a_limit_of_one_refuses_nobody_ever() -> None:
    throttle = Throttle(1.0)
    assert all(taken(throttle, [10 * CAPACITY] * 50))
    assert throttle.refused == 0


def overload(throttle: Throttle) -> None:
    """The next new call is refused; the first one never is."""
    for _ in range(50):
        throttle.measured(1.0)
    assert throttle.admits("first")


@pytest.fixture
def throttle() -> Throttle:
    return Throttle(0.1)


@pytest.fixture
def agent(throttle: Throttle) -> Agent:
    agent = Agent()
    agent.ua = UserAgent(agent.identity, agent.edges, throttle=throttle)
    return agent


@pytest.mark.rfc("3261", "8.2.7", "20.33", "21.5.4")
def test_a_refused_call_gets_503_with_retry_after_and_leaves_nothing_behind(
    agent: Agent, throttle: Throttle
) -> None:
    overload(throttle)
    agent.get(request("INVITE"))
    (refusal,) = agent.sent()
    assert isinstance(refusal, Response)
    assert refusal.status == 503
    assert refusal.headers.get("retry-after") == str(AgentSettings().drain_retry_after_s)
    assert refusal.to.tag
    assert agent.ua.idle
    throttle.measured(0.0)
    agent.get(request("INVITE"))
    assert [again.status for again in agent.sent() if isinstance(again, Response)] == [503]
    assert throttle.refused == 1
    agent.get(request("ACK", to_tag=refusal.to.tag))
    assert agent.sent() == []


def test_a_call_that_runs_is_served_and_so_is_whoever_asks_for_options(
    agent: Agent, throttle: Throttle
) -> None:
    agent.get(request("INVITE"))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    agent.do(Respond(usage=arrived.usage, token=arrived.token, status=200, dialog="a"))
    *_, ok = agent.sent()
    tag = ok.to.tag or ""
    agent.get(request("ACK", to_tag=tag, branch="z9hG4bK-p2"))
    agent.told()
    overload(throttle)
    agent.get(request("INVITE", to_tag=tag, branch="z9hG4bK-p3", cseq=2))
    agent.get(request("BYE", to_tag=tag, branch="z9hG4bK-p4", cseq=3))
    assert [event.request.method for event in agent.told() if isinstance(event, RequestArrived)] == [
        "INVITE",
        "BYE",
    ]
    agent.sent()
    agent.get(request("OPTIONS", call_id="pc2", branch="z9hG4bK-p5"))
    (answer,) = agent.sent()
    assert isinstance(answer, Response)
    assert answer.status == 200
    assert throttle.refused == 0


def test_a_refused_call_is_remembered_without_keeping_what_its_peer_sent() -> None:
    throttle = Throttle(0.5)
    for _ in range(50):
        throttle.measured(1.0)
    calls = [frozenset({number}) for number in range(100)]
    refused = [call for call in calls if not throttle.admits(call)]
    names = [weakref.ref(call) for call in refused]
    assert refused
    assert not any(throttle.admits(frozenset(call)) for call in refused)
    del refused, calls
    assert not any(name() for name in names)
