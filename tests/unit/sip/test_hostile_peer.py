"""What a peer gains by lying: no call of another, no memory without bound, no flood (RFC 3261 26.1)."""

from __future__ import annotations

import dataclasses
import gc
import tracemalloc

import pytest

from siprec_src.sip.flow import Address
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import parse_datagram
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.vocabulary import (
    CancelArrived,
    InviteArrived,
    Respond,
    ResponseArrived,
    SendAck,
    SendRequest,
)
from siprec_src.sip.writer import write_message
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, request, start_invite


def started(agent: Agent) -> Request:
    agent.do(start_invite())
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    return sent


@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_with_a_guessed_branch_cancels_nothing() -> None:
    agent = Agent()
    agent.get(request(headers=(SDP_TYPE,), body=SDP))
    agent.take()
    agent.get(request("CANCEL", call_id="guessed"))
    sent, told = agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == [481]
    assert told == []
    agent.get(request("CANCEL"))
    assert [type(event) for event in agent.told()] == [CancelArrived]


@pytest.mark.rfc("3261", "17.2.3")
def test_two_peers_behind_nats_with_equal_branches_have_calls_of_their_own() -> None:
    agent = Agent()
    for call_id in ("one", "two"):
        agent.get(request(call_id=call_id))
    assert [type(event) for event in agent.told()] == [InviteArrived, InviteArrived]


@pytest.mark.rfc("3261", "18.1.2")
@pytest.mark.parametrize("via", ["SIP/2.0/UDP 192.0.2.77:5060", "SIP/2.0/UDP 192.0.2.1:5070"])
def test_a_response_whose_via_is_not_ours_is_dropped(via: str) -> None:
    agent = Agent()
    asked = started(agent)
    stray = answer(asked, 180)
    headers = stray.headers.replaced("Via", f"{via};branch={asked.via.branch}")
    agent.get(Response(status=180, reason="x", headers=headers))
    assert agent.take() == ([], [])


@pytest.mark.rfc("3261", "8.1.3.3")
def test_a_response_with_a_second_via_is_dropped() -> None:
    agent = Agent()
    stray = answer(started(agent), 180)
    headers = stray.headers.appended(("Via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK-x"))
    agent.get(Response(status=180, reason="x", headers=headers))
    assert agent.take() == ([], [])


@pytest.mark.rfc("3261", "13.2.2.4")
@pytest.mark.req("TXN-02")
def test_a_flood_of_forked_2xx_is_not_turned_against_a_third_party() -> None:
    agent = Agent(limits=AgentLimits(max_dialogs_per_usage=4))
    asked = started(agent)
    for n in range(100):
        agent.get(answer(asked, 200, tag=f"fork{n}", contact="<sip:victim@192.0.2.66>"))
    assert sum(isinstance(m, Request) and m.method == "BYE" for m in agent.sent()) == 4


@pytest.mark.rfc("3262", "4")
def test_a_flood_of_reliable_1xx_is_not_kept() -> None:
    agent = Agent(limits=AgentLimits(max_requests_per_dialog=3))
    asked = started(agent)
    for n in range(1, 20):
        agent.get(answer(asked, 183, headers=(("Require", "100rel"), ("RSeq", str(n)))))
    assert len(agent.told()) == 3
    agent.do(SendRequest(usage=1, dialog="p1", token=9, method="PRACK"))
    agent.take()
    agent.get(answer(asked, 183, headers=(("Require", "100rel"), ("RSeq", "4"))))
    assert len(agent.told()) == 1


@pytest.mark.rfc("3261", "12.3")
def test_an_early_dialog_that_has_ended_does_not_rise_again() -> None:
    agent = Agent(limits=AgentLimits(max_dialogs_per_usage=2))
    asked = started(agent)
    agent.get(answer(asked, 180, tag="one"))
    agent.do(SendRequest(usage=1, dialog="one", token=9, method="BYE"))
    agent.take()
    agent.get(answer(asked, 180, tag="one"))
    assert agent.take() == ([], [])
    agent.get(answer(asked, 200, tag="one"))
    sent, told = agent.take()
    assert [m.method for m in sent if isinstance(m, Request)] == ["ACK", "BYE"]
    assert [(e.response.status, e.made_here) for e in told if isinstance(e, ResponseArrived)] == [(487, True)]
    agent.run(100)
    assert agent.ua.idle


def test_early_dialogs_that_come_and_go_count_against_the_limit() -> None:
    agent = Agent(limits=AgentLimits(max_dialogs_per_usage=2))
    asked = started(agent)
    for n in range(10):
        agent.get(answer(asked, 180, tag=f"p{n}"))
        agent.get(request("BYE", branch=f"z9hG4bK-b{n}", call_id="c1", from_tag=f"p{n}", to_tag="t1"))
    assert sum(isinstance(event, ResponseArrived) for event in agent.told()) == 2


def test_calls_that_are_over_leave_no_timers_behind_while_others_run() -> None:
    """The limit on unanswered INVITEs is far away; a call that is over must not be kept until then."""
    agent = Agent(limits=AgentLimits(unanswered_s=10_000))
    agent.do(start_invite(usage=9999, uri="sip:peer@192.0.2.9"))
    (ringing,) = agent.sent()
    assert isinstance(ringing, Request)
    agent.get(answer(ringing, 180))
    for n in range(300):
        agent.do(start_invite(usage=n, token=n))
        (asked,) = agent.sent()
        assert isinstance(asked, Request)
        agent.get(answer(asked, 200))
        agent.do(SendAck(usage=n, dialog="p1", token=n))
        agent.do(SendRequest(usage=n, dialog="p1", token=n, method="BYE"))
        bye = agent.sent()[-1]
        assert isinstance(bye, Request)
        agent.get(answer(bye, 200))
        agent.take()
        agent.run(33)
    assert agent.ua.timers < 100


@pytest.mark.rfc("3261", "18.2.2")
def test_a_response_never_goes_where_a_via_or_a_contact_points() -> None:
    agent = Agent()
    lying = "SIP/2.0/UDP 192.0.2.66:9;maddr=192.0.2.66;received=192.0.2.66;rport"
    agent.get(request("OPTIONS", via=lying))
    assert [flow.remote for flow in agent.flows()] == [Address("192.0.2.9", 5060)]


@pytest.mark.rfc("3261", "8.2.7")
@pytest.mark.parametrize("method", ["OPTIONS", "BYE", "CANCEL", "REGISTER", "MESSAGE", "INFO"])
@pytest.mark.parametrize("to_tag", ["", "guessed"])
def test_a_flood_of_requests_takes_no_room_from_calls(method: str, to_tag: str) -> None:
    agent = Agent(limits=AgentLimits(max_transactions=20))
    agent.get(request(body=SDP, headers=(SDP_TYPE,)))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    (held, timers) = (agent.ua.transactions, agent.ua.timers)
    for n in range(50):
        agent.sent()
        agent.get(request(method, branch=f"z9hG4bK-{n}", call_id=f"f{n}", to_tag=to_tag))
        (answered,) = agent.sent()
        agent.get(request(method, branch=f"z9hG4bK-{n}", call_id=f"f{n}", to_tag=to_tag))
        assert agent.sent() == [answered]
        assert isinstance(answered, Response)
        assert answered.status in (200, 405, 481)
    assert (agent.ua.transactions, agent.ua.timers) == (held, timers)
    agent.get(request(call_id="new", branch="z9hG4bK-new"))
    assert [type(event) for event in agent.told()] == [InviteArrived]
    agent.sent()


@pytest.mark.rfc("3261", "21.5.4")
def test_a_flood_of_invites_leaves_room_for_calls_that_run() -> None:
    agent = Agent(limits=AgentLimits(max_transactions=20))
    agent.get(request(body=SDP, headers=(SDP_TYPE,)))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    for n in range(50):
        agent.get(request(branch=f"z9hG4bK-{n}", call_id=f"f{n}", to_tag="guessed"))
    last = agent.sent()[-1]
    assert isinstance(last, Response)
    assert last.status == 503
    agent.get(request("CANCEL"))
    assert [m.status for m in agent.sent() if isinstance(m, Response)] == [200, 487]


@pytest.mark.rfc("3261", "26.3.2.4")
def test_a_stranger_is_refused_once_and_forgotten() -> None:
    agent = Agent()
    agent.get(request(body=SDP, headers=(SDP_TYPE,)))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    agent.do(Respond(usage=arrived.usage, token=arrived.token, status=403, once=True))
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert sent.status == 403
    assert agent.ua.idle
    agent.get(request("ACK", to_tag=sent.to.tag or ""))
    agent.run(40)
    assert agent.take() == ([], [])


def test_long_values_are_not_remembered() -> None:
    names = ("Via", "From", "To", "Contact", "Record-Route")
    tracemalloc.start()
    try:
        for number in range(10):
            many = "".join(f";p{number}{at}" for at in range(900))
            long = request("OPTIONS", headers=(("Record-Route", f"<sip:p@192.0.2.1;lr>{many}"),))
            for name in names:
                value = f"{long.headers.get(name) or ''}{many}"
                long = dataclasses.replace(long, headers=long.headers.replaced(name, value))
            parsed = parse_datagram(write_message(long))
            assert isinstance(parsed, Request)
            assert parsed.record_routes
        del parsed, long, many, value
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 200_000
