"""Messages that cross, come late or never: the call survives what its peers survive (RFC 5407)."""

from __future__ import annotations

import pytest

from siprec_src.errors import LocalError
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.vocabulary import (
    AckArrived,
    CancelInvite,
    InviteArrived,
    RequestArrived,
    Resolved,
    Respond,
    ResponseArrived,
    SendRequest,
    Transmit,
)
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, request, start_invite

OFFER = Headers([SDP_TYPE])


def arrive(agent: Agent, *headers: tuple[str, str]) -> InviteArrived:
    agent.get(request(headers=(SDP_TYPE, *headers), body=SDP))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    return arrived


def accept(agent: Agent, arrived: InviteArrived | RequestArrived, dialog: str = "") -> str:
    """Answer with a 2xx; its To tag."""
    agent.do(
        Respond(usage=arrived.usage, token=arrived.token, status=200, headers=OFFER, body=SDP, dialog=dialog)
    )
    ok = agent.sent()[-1]
    return ok.to.tag or ""


def inside(
    agent: Agent, method: str, tag: str, cseq: int, *headers: tuple[str, str], sdp: bool = False
) -> None:
    """The caller sends a request in the dialog."""
    fields = (SDP_TYPE, *headers) if sdp else headers
    body = SDP if sdp else b""
    branch = f"z9hG4bK-{method}{cseq}"
    moved = "<sip:moved@192.0.2.10>"
    agent.get(request(method, to_tag=tag, cseq=cseq, branch=branch, headers=fields, body=body, contact=moved))


def where(agent: Agent, usage: int, dialog: str) -> Address:
    """Where a request inside the dialog goes now."""
    agent.take()
    agent.do(SendRequest(usage=usage, dialog=dialog, token=77, method="INFO"))
    return agent.flows()[0].remote


@pytest.mark.rfc("5407", "3.1.4")
@pytest.mark.rfc("3261", "13.3.1.4")
def test_a_reinvite_that_overtakes_the_ack_does_not_end_the_call() -> None:
    agent = Agent()
    first = arrive(agent)
    tag = accept(agent, first)
    inside(agent, "INVITE", tag, 2, sdp=True)
    (second,) = agent.told()
    assert isinstance(second, RequestArrived)
    accept(agent, second)
    inside(agent, "ACK", tag, 2)
    agent.run(1)
    again = {m.cseq.number for m in agent.sent() if isinstance(m, Response)}
    assert again == {1}  # only the 2xx whose ACK is missing
    inside(agent, "ACK", tag, 1)
    acked = [e.token for e in agent.told() if isinstance(e, AckArrived)]
    assert acked == [first.token]
    agent.run(40)
    assert agent.take() == ([], [])
    assert agent.ua.usages == 1


@pytest.mark.rfc("3261", "15")
def test_a_bye_waits_for_every_missing_ack() -> None:
    agent = Agent()
    first = arrive(agent)
    tag = accept(agent, first)
    inside(agent, "INVITE", tag, 2, sdp=True)
    (second,) = agent.told()
    assert isinstance(second, RequestArrived)
    accept(agent, second)
    agent.do(SendRequest(usage=first.usage, dialog="", token=5, method="BYE"))
    inside(agent, "ACK", tag, 1)
    assert agent.sent() == []
    inside(agent, "ACK", tag, 2)
    assert [m.method for m in agent.sent() if isinstance(m, Request)] == ["BYE"]


@pytest.mark.rfc("5407", "3.2.1")
def test_byes_that_cross_are_both_answered_with_200() -> None:
    agent = Agent()
    first = arrive(agent)
    tag = accept(agent, first)
    inside(agent, "ACK", tag, 1)
    agent.do(SendRequest(usage=first.usage, dialog="", token=5, method="BYE"))
    (bye,) = agent.sent()
    assert isinstance(bye, Request)
    inside(agent, "BYE", tag, 2)
    sent, told = agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == [200]
    assert told == []
    inside(agent, "INFO", tag, 3)
    agent.get(answer(bye, 200))
    inside(agent, "BYE", tag, 4)
    assert [m.status for m in agent.sent() if isinstance(m, Response)] == [481, 481]
    agent.run(70)
    assert agent.ua.idle


def test_a_2xx_on_one_fork_more_than_the_limit_is_sent() -> None:
    agent = Agent(limits=AgentLimits(max_dialogs_per_usage=2))
    arrived = arrive(agent)
    for label in ("a", "b", "c"):
        agent.do(Respond(usage=arrived.usage, token=arrived.token, status=180, dialog=label))
    assert len(agent.sent()) == 2
    assert accept(agent, arrived, "d")
    assert agent.ua.usages == 1


def test_an_answer_that_takes_too_long_while_the_name_is_looked_up_is_told_as_408() -> None:
    agent = Agent()
    agent.do(start_invite(uri="sip:peer@srs.example", answer_timeout_s=4.0))
    (question,) = agent.questions()
    agent.run(4)
    assert [e.response.status for e in agent.told() if isinstance(e, ResponseArrived)] == [408]
    flow = Flow(Transport.UDP, Address("192.0.2.9", 5060), "e")
    assert agent.ua.receive(Resolved(query=question.query, flows=(flow,)), 5.0) == []
    assert agent.ua.idle


@pytest.mark.rfc("3261", "9.1")
def test_a_cancelled_invite_that_tcp_refuses_is_not_sent_again() -> None:
    agent = Agent()
    agent.do(start_invite(body=b"x" * 1300))
    agent.do(CancelInvite(usage=1, token=1))
    agent.fail()
    sent, told = agent.take()
    assert [m.via.transport for m in sent] == ["TCP"]
    assert [e.response.status for e in told if isinstance(e, ResponseArrived)] == [503]


@pytest.mark.rfc("3261", "18.1.1")
def test_a_uri_that_insists_on_udp_gets_udp_however_long_the_request_is() -> None:
    agent = Agent()
    agent.do(start_invite(uri="sip:peer@192.0.2.9;transport=udp", body=b"x" * 1300))
    assert [e.flow.transport for e in agent.effects if isinstance(e, Transmit)] == [Transport.UDP]


@pytest.mark.rfc("3261", "12.1.2")
def test_the_target_of_an_early_dialog_is_the_contact_last_given() -> None:
    agent = Agent()
    agent.do(start_invite())
    (asked,) = agent.sent()
    assert isinstance(asked, Request)
    agent.get(answer(asked, 180, contact=None))
    assert where(agent, 1, "p1") == Address("192.0.2.9", 5060)
    agent.get(answer(asked, 183, contact="<sip:b@192.0.2.20>"))
    assert where(agent, 1, "p1") == Address("192.0.2.20", 5060)


@pytest.mark.rfc("3261", "12.2.1.1", "13.2.2.4")
@pytest.mark.parametrize("cancelled", [True, False])
def test_the_bye_to_a_late_2xx_follows_what_was_sent_in_its_early_dialog(*, cancelled: bool) -> None:
    """The number of the PRACK again would be refused with 500, and the peer left in a call with nobody."""
    agent = Agent()
    agent.do(start_invite())
    (asked,) = agent.sent()
    assert isinstance(asked, Request)
    agent.get(answer(asked, 183, tag="late", headers=(("Require", "100rel"), ("RSeq", "1"))))
    agent.do(SendRequest(usage=1, dialog="late", token=2, method="PRACK"))
    if cancelled:
        agent.do(CancelInvite(usage=1, token=1))
    else:
        agent.get(answer(asked, 200, tag="first"))
    agent.take()
    agent.get(answer(asked, 200, tag="late", contact="<sip:moved@192.0.2.20>"))
    sent = [message for message in agent.sent() if isinstance(message, Request)]
    assert [(m.method, m.cseq.number, m.uri, m.to.tag) for m in sent] == [
        ("ACK", 1, "sip:moved@192.0.2.20", "late"),
        ("BYE", 3, "sip:moved@192.0.2.20", "late"),
    ]


@pytest.mark.rfc("6141", "4.6")
@pytest.mark.req("DLG-03")
def test_a_reliable_1xx_to_our_reinvite_moves_the_target_even_if_the_reinvite_fails() -> None:
    agent = Agent()
    agent.do(start_invite())
    (asked,) = agent.sent()
    assert isinstance(asked, Request)
    agent.get(answer(asked, 200))
    agent.do(SendRequest(usage=1, dialog="p1", token=2, method="INVITE", headers=OFFER, body=SDP))
    again = agent.sent()[-1]
    assert isinstance(again, Request)
    marks = (("Require", "100rel"), ("RSeq", "1"))
    agent.get(answer(again, 180, contact="<sip:b@192.0.2.30>"))
    assert where(agent, 1, "p1") == Address("192.0.2.9", 5060)
    agent.get(answer(again, 183, headers=marks, contact="<sip:b@192.0.2.20>"))
    agent.get(answer(again, 488))
    assert where(agent, 1, "p1") == Address("192.0.2.20", 5060)


@pytest.mark.rfc("6141", "4.6")
@pytest.mark.req("DLG-03")
@pytest.mark.parametrize(("reliable", "host"), [(True, "192.0.2.10"), (False, "192.0.2.9")])
def test_a_reliable_1xx_of_ours_takes_the_target_of_their_reinvite(*, reliable: bool, host: str) -> None:
    agent = Agent()
    first = arrive(agent)
    tag = accept(agent, first)
    inside(agent, "ACK", tag, 1)
    agent.take()
    inside(agent, "INVITE", tag, 2, ("Supported", "100rel"), sdp=True)
    (second,) = agent.told()
    assert isinstance(second, RequestArrived)
    agent.do(Respond(usage=second.usage, token=second.token, status=183, reliable=reliable))
    agent.do(Respond(usage=second.usage, token=second.token, status=488))
    assert where(agent, first.usage, "") == Address(host, 5060)


def test_a_response_that_cannot_be_written_changes_nothing() -> None:
    agent = Agent()
    first = arrive(agent, ("Supported", "100rel"))
    torn = Headers([("X-Torn", "a\r\nb")])
    with pytest.raises(LocalError):
        agent.do(Respond(usage=first.usage, token=first.token, status=183, headers=torn, reliable=True))
    agent.do(Respond(usage=first.usage, token=first.token, status=183, reliable=True))
    (sent,) = agent.sent()
    assert sent.headers.get("rseq") == "102"
    tag = sent.to.tag or ""
    inside(agent, "PRACK", tag, 2, ("RAck", "102 1 INVITE"))
    agent.take()
    accept(agent, first)
    inside(agent, "ACK", tag, 1)
    inside(agent, "INVITE", tag, 3)
    again = agent.told()[-1]
    assert isinstance(again, RequestArrived)
    with pytest.raises(LocalError):
        agent.do(Respond(usage=again.usage, token=again.token, status=488, headers=torn))
    agent.do(Respond(usage=again.usage, token=again.token, status=488))
    assert [m.status for m in agent.sent() if isinstance(m, Response)] == [488]
    inside(agent, "INVITE", tag, 4)
    assert [type(event) for event in agent.told()] == [RequestArrived]


@pytest.mark.rfc("3262", "3")
@pytest.mark.rfc("3261", "15")
def test_a_bye_while_the_2xx_waits_for_a_prack_refuses_the_invite() -> None:
    agent = Agent()
    arrived = arrive(agent, ("Supported", "100rel"))
    agent.do(
        Respond(usage=arrived.usage, token=arrived.token, status=183, headers=OFFER, body=SDP, reliable=True)
    )
    tag = agent.sent()[-1].to.tag or ""
    agent.do(Respond(usage=arrived.usage, token=arrived.token, status=200, headers=OFFER, body=SDP))
    assert agent.take() == ([], [])
    agent.do(SendRequest(usage=arrived.usage, dialog="", token=5, method="BYE"))
    sent, told = agent.take()
    assert [(m.status, m.cseq.method) for m in sent if isinstance(m, Response)] == [(487, "INVITE")]
    assert [(e.token, e.response.status, e.made_here) for e in told if isinstance(e, ResponseArrived)] == [
        (5, 200, True)
    ]
    inside(agent, "PRACK", tag, 2, ("RAck", "102 1 INVITE"))
    assert [m.status for m in agent.sent() if isinstance(m, Response)] == [481]
    agent.run(40)
    assert agent.ua.idle


def left_behind(agent: Agent) -> tuple[Request, Request]:
    """An INVITE whose first address was silent for its share of the time: as it went to both."""
    agent.do(start_invite(uri="sip:a@srs.example.com", answer_timeout_s=8.0))
    (question,) = agent.questions()
    flows = tuple(Flow(Transport.UDP, Address(f"192.0.2.{n}", 5060), "e") for n in (11, 12))
    agent.effects += agent.ua.receive(Resolved(query=question.query, flows=flows), agent.now)
    (first,) = agent.sent()
    agent.run(4.1)
    second = agent.sent()[-1]
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert first.via.branch != second.via.branch
    return first, second


@pytest.mark.rfc("3261", "13.2.2.4")
@pytest.mark.rfc("3263", "4.3")
def test_an_answer_from_an_address_that_was_left_is_acknowledged_and_ended() -> None:
    agent = Agent()
    first, second = left_behind(agent)
    agent.get(answer(second, 200, tag="second"))
    (told,) = agent.told()
    assert isinstance(told, ResponseArrived)
    assert told.dialog == "second"
    agent.get(answer(first, 200, tag="first"))
    assert [(m.method, m.to.tag) for m in agent.sent() if isinstance(m, Request)] == [
        ("ACK", "first"),
        ("BYE", "first"),
    ]
    agent.get(answer(first, 200, tag="first"))  # once more, since our ACK was lost
    assert [m.method for m in agent.sent() if isinstance(m, Request)] == ["ACK"]


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.rfc("3263", "4.3")
def test_an_address_that_was_left_and_begins_to_ring_is_cancelled_and_gets_the_ack() -> None:
    agent = Agent()
    first, second = left_behind(agent)
    agent.get(answer(first, 180, tag="first"))
    agent.get(answer(first, 183, tag="first"))
    sent = agent.sent()
    assert [(m.method, m.via.branch) for m in sent if isinstance(m, Request)] == [
        ("CANCEL", first.via.branch)
    ]
    agent.get(answer(first, 487, tag="first"))
    (ack,) = agent.sent()
    assert isinstance(ack, Request)
    assert (ack.method, ack.via.branch) == ("ACK", first.via.branch)
    assert agent.told() == []
    agent.get(answer(second, 486))
    assert [e.response.status for e in agent.told() if isinstance(e, ResponseArrived)] == [486]
    agent.run(64)
    assert agent.ua.idle
