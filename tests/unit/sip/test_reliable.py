"""Reliable provisional responses, both sides (RFC 3262)."""

from __future__ import annotations

import pytest

from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.vocabulary import (
    DialogEnded,
    InviteArrived,
    RequestArrived,
    Respond,
    ResponseArrived,
    SendRequest,
)
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, request, start_invite

TAKES = ("Supported", "100rel")


def arrive(agent: Agent, *headers: tuple[str, str]) -> InviteArrived:
    agent.get(request(headers=(SDP_TYPE, *headers), body=SDP))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    return arrived


def respond(agent: Agent, arrived: InviteArrived | RequestArrived, status: int, **more: object) -> None:
    command = {"usage": arrived.usage, "token": arrived.token, "status": status, **more}
    agent.do(Respond(**command))  # type: ignore[arg-type]


def reliable(agent: Agent, arrived: InviteArrived, *, sdp: bool = False, dialog: str = "") -> None:
    headers = Headers([SDP_TYPE, ("Require", "100rel, precondition")] if sdp else [])
    respond(agent, arrived, 183, reliable=True, headers=headers, body=SDP if sdp else b"", dialog=dialog)


def prack(agent: Agent, tag: str, rack: str, *, cseq: int = 2) -> None:
    agent.get(request("PRACK", to_tag=tag, cseq=cseq, branch=f"z9hG4bK-k{cseq}", headers=(("RAck", rack),)))


def statuses(agent: Agent) -> list[int]:
    return [m.status for m in agent.sent() if isinstance(m, Response)]


@pytest.mark.rfc("3262", "3")
@pytest.mark.req("DLG-16")
def test_a_reliable_1xx_is_repeated_at_doubling_intervals_without_bound() -> None:
    agent = Agent()
    arrived = arrive(agent, TAKES)
    reliable(agent, arrived, sdp=True)
    (sent,) = agent.sent()
    assert sent.tags("require") == ("100rel", "precondition")
    assert sent.headers.get("rseq") == "102"
    agent.run(31)
    assert statuses(agent) == [183] * 5  # after 0.5, 1.5, 3.5, 7.5 and 15.5 s


@pytest.mark.rfc("3262", "3")
@pytest.mark.req("DLG-16")
def test_without_a_prack_the_invite_is_refused() -> None:
    agent = Agent()
    arrived = arrive(agent, TAKES)
    reliable(agent, arrived)
    agent.take()
    agent.run(32)
    sent, told = agent.take()
    assert isinstance(sent[-1], Response)
    assert sent[-1].status == 504
    assert told == [DialogEnded(usage=arrived.usage, dialog="", cause="no-prack")]
    agent.run(70)
    assert agent.ua.idle


@pytest.mark.rfc("3262", "3")
def test_a_peer_that_cannot_gets_an_ordinary_1xx() -> None:
    agent = Agent()
    reliable(agent, arrive(agent), sdp=True)
    (sent,) = agent.sent()
    assert sent.tags("require") == ("precondition",)
    assert "rseq" not in sent.headers


@pytest.mark.rfc("3262", "3")
def test_the_next_reliable_1xx_waits_for_the_prack_of_the_first() -> None:
    agent = Agent()
    arrived = arrive(agent, TAKES)
    reliable(agent, arrived)
    reliable(agent, arrived)
    (first,) = agent.sent()
    prack(agent, first.to.tag or "", "102 1 INVITE")
    (second,) = agent.sent()
    assert second.headers.get("rseq") == "103"


@pytest.mark.rfc("3262", "3")
@pytest.mark.parametrize("rack", ["103 1 INVITE", "102 2 INVITE", "102 1 UPDATE", "nonsense", ""])
def test_a_prack_for_nothing_gets_481(rack: str) -> None:
    agent = Agent()
    reliable(agent, arrive(agent, TAKES))
    (first,) = agent.sent()
    prack(agent, first.to.tag or "", rack)
    assert statuses(agent) == [481]


@pytest.mark.rfc("3262", "3")
def test_a_2xx_waits_for_the_prack_of_a_1xx_with_sdp_and_no_other() -> None:
    agent = Agent()
    arrived = arrive(agent, TAKES)
    reliable(agent, arrived, sdp=True)
    (first,) = agent.sent()
    respond(agent, arrived, 200)
    assert statuses(agent) == []
    prack(agent, first.to.tag or "", "102 1 INVITE")
    sent, told = agent.take()
    assert isinstance(told[0], RequestArrived)
    assert [m.status for m in sent if isinstance(m, Response)] == [200]
    plain = Agent()
    arrived = arrive(plain, TAKES)
    reliable(plain, arrived)
    respond(plain, arrived, 200)
    assert statuses(plain) == [183, 200]
    plain.run(2)
    assert 183 not in statuses(plain)


@pytest.mark.rfc("3262", "3")
def test_forks_number_their_responses_for_themselves() -> None:
    agent = Agent()
    arrived = arrive(agent, TAKES)
    reliable(agent, arrived, dialog="a")
    reliable(agent, arrived, dialog="b")
    one, two = agent.sent()
    assert one.to.tag != two.to.tag
    prack(agent, two.to.tag or "", f"{two.headers.get('rseq')} 1 INVITE")
    (told,) = agent.told()
    assert isinstance(told, RequestArrived)
    assert told.dialog == "b"


@pytest.mark.rfc("3262", "5")
@pytest.mark.req("DLG-16")
def test_an_answer_in_a_reliable_1xx_lets_an_update_with_an_offer_in() -> None:
    agent = Agent()
    arrived = arrive(agent, TAKES)
    reliable(agent, arrived, sdp=True)
    (first,) = agent.sent()
    tag = first.to.tag or ""
    prack(agent, tag, "102 1 INVITE")
    agent.take()
    agent.get(request("UPDATE", to_tag=tag, cseq=3, branch="z9hG4bK-u", headers=(SDP_TYPE,), body=SDP))
    assert isinstance(agent.told()[0], RequestArrived)


def calling() -> tuple[Agent, Request]:
    agent = Agent()
    agent.do(start_invite())
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    return agent, sent


def ring(agent: Agent, invite: Request, rseq: str, tag: str = "p1") -> list[str]:
    """A reliable 183 arrives; the dialogs that it is told for."""
    agent.get(answer(invite, 183, tag=tag, headers=(("Require", "100rel"), ("RSeq", rseq))))
    return [event.dialog for event in agent.told() if isinstance(event, ResponseArrived)]


@pytest.mark.rfc("3262", "4")
@pytest.mark.req("DLG-16")
def test_reliable_1xx_are_told_once_and_in_order_for_each_fork() -> None:
    agent, invite = calling()
    assert ring(agent, invite, "7") == ["p1"]
    assert ring(agent, invite, "7") == []
    assert ring(agent, invite, "9") == []
    assert ring(agent, invite, "8") == ["p1"]
    assert ring(agent, invite, "40", tag="p2") == ["p2"]
    assert ring(agent, invite, "nonsense", tag="p3") == []


@pytest.mark.rfc("3262", "7.2")
@pytest.mark.req("DLG-16")
def test_pracks_acknowledge_in_order_and_only_what_is_due() -> None:
    agent, invite = calling()
    ring(agent, invite, "7")
    ring(agent, invite, "8")
    for token in (2, 3, 4):
        agent.do(SendRequest(usage=1, dialog="p1", token=token, method="PRACK"))
    sent, told = agent.take()
    assert [m.headers.get("rack") for m in sent] == ["7 1 INVITE", "8 1 INVITE"]
    assert [m.cseq.number for m in sent] == [2, 3]
    (refused,) = told
    assert isinstance(refused, ResponseArrived)
    assert (refused.token, refused.response.status) == (4, 481)


@pytest.mark.rfc("3262", "4")
def test_a_prack_that_is_refused_does_not_end_the_dialog() -> None:
    agent, invite = calling()
    ring(agent, invite, "7")
    agent.do(SendRequest(usage=1, dialog="p1", token=2, method="PRACK"))
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    agent.get(answer(sent, 481))
    assert [type(e) for e in agent.told()] == [ResponseArrived]


@pytest.mark.rfc("3262", "3")
def test_a_reinvite_whose_1xx_has_no_prack_ends_the_call_with_a_bye() -> None:
    agent = Agent()
    arrived = arrive(agent)
    respond(agent, arrived, 200, headers=Headers([SDP_TYPE]), body=SDP)
    (ok,) = agent.sent()
    tag = ok.to.tag or ""
    agent.get(request("ACK", to_tag=tag, branch="z9hG4bK-a"))
    agent.get(request(to_tag=tag, cseq=2, branch="z9hG4bK-r", headers=(TAKES,)))
    reinvite = agent.told()[-1]
    assert isinstance(reinvite, RequestArrived)
    respond(agent, reinvite, 183, reliable=True)
    agent.take()
    agent.run(32)
    sent, told = agent.take()
    assert told == [DialogEnded(usage=arrived.usage, dialog="", cause="no-prack")]
    assert [m.method if isinstance(m, Request) else m.status for m in sent[-2:]] == [504, "BYE"]
