"""Requests that we send: where they go, what stands for no answer, CANCEL, forks (RFC 3261 8.1, 13.2)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.errors import StateError
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.uri import parse_uri
from siprec_src.sip.vocabulary import (
    CancelInvite,
    DialogEnded,
    RequestArrived,
    Resolved,
    Respond,
    ResponseArrived,
    SendAck,
    SendOptions,
    SendRequest,
    Transmit,
)
from tests.support.sip import SDP, Agent, answer, edge, request, start_invite


@pytest.fixture
def agent() -> Agent:
    return Agent()


def started(agent: Agent, **options: object) -> Request:
    agent.do(start_invite(**options))  # type: ignore[arg-type]
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    return sent


def statuses(agent: Agent) -> list[tuple[int, bool]]:
    return [(e.response.status, e.made_here) for e in agent.told() if isinstance(e, ResponseArrived)]


def methods(agent: Agent) -> list[str]:
    return [m.method for m in agent.sent() if isinstance(m, Request)]


@pytest.mark.rfc("3261", "8.1.1")
@pytest.mark.req("SIP-02")
def test_an_invite_has_all_that_the_rules_ask_for(agent: Agent) -> None:
    sent = started(agent, contact_parameters=";+sip.src", headers=(("X-Own", "1"), ("CSeq", "9 EVIL")))
    assert (sent.method, sent.uri, str(sent.cseq)) == ("INVITE", "sip:peer@192.0.2.9", "1 INVITE")
    assert sent.headers.get("via") == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport"
    assert (sent.from_.tag, sent.to.tag, sent.call_id) == ("t1", None, "c1")
    assert sent.headers.get("contact") == "<sip:192.0.2.1:5060>;+sip.src"
    assert sent.max_forwards == 70
    assert sent.headers.get("x-own") == "1"
    assert sent.body == SDP


@pytest.mark.rfc("3261", "8.1.3.1")
@pytest.mark.req("TXN-06")
def test_silence_is_told_as_408(agent: Agent) -> None:
    started(agent)
    agent.run(32)
    assert statuses(agent) == [(408, True)]
    assert agent.ua.usages == 0


@pytest.mark.rfc("3261", "8.1.3.1")
@pytest.mark.req("TXN-06")
def test_a_transport_that_fails_is_told_as_503(agent: Agent) -> None:
    agent.do(start_invite())
    agent.fail()
    assert statuses(agent) == [(503, True)]
    assert agent.ua.usages == 0


@pytest.mark.rfc("3261", "8.1.3.2")
@pytest.mark.req("TXN-07")
@pytest.mark.parametrize("status", [183, 199, 299, 399, 499, 599, 699])
def test_unknown_statuses_are_told_as_they_are(agent: Agent, status: int) -> None:
    asked = started(agent)
    agent.get(answer(asked, status))
    assert statuses(agent) == [(status, False)]


@pytest.mark.parametrize("usage", [1])
def test_the_owners_mistakes_are_named_and_change_nothing(agent: Agent, usage: int) -> None:
    started(agent, usage=usage)
    with pytest.raises(StateError):
        agent.do(start_invite(usage=usage))
    with pytest.raises(StateError):
        agent.do(start_invite(usage=9, edge_name="none"))
    with pytest.raises(StateError):
        agent.do(start_invite(usage=9, uri="nonsense"))
    assert agent.ua.usages == 1


def test_a_header_that_cannot_be_written_is_told_as_500(agent: Agent) -> None:
    agent.do(start_invite(headers=(("X", "a\r\nEvil: b"),)))
    assert agent.take()[0] == []
    agent.do(start_invite(headers=(("X", "a\r\nEvil: b"),)))
    assert statuses(agent) == [(500, True)]
    assert agent.ua.usages == 0


def test_over_the_limit_of_usages_an_invite_is_told_as_503() -> None:
    agent = Agent(limits=AgentLimits(max_usages=1))
    started(agent)
    agent.do(start_invite(usage=2))
    assert statuses(agent) == [(503, True)]


@pytest.mark.rfc("3261", "8.1.2")
@pytest.mark.req("LOC-01")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:a@192.0.2.7", "UDP 192.0.2.7:5060"),
        ("sip:a@192.0.2.7:5080", "UDP 192.0.2.7:5080"),
        ("sip:a@192.0.2.7;transport=tcp", "TCP 192.0.2.7:5060"),
        ("sip:a@192.0.2.7;transport=tls", "TLS 192.0.2.7:5061"),
        ("sips:a@192.0.2.7", "TLS 192.0.2.7:5061"),
        ("sip:a@[2001:db8::7]", "UDP [2001:db8::7]:5060"),
        ("sip:a@example.com;maddr=192.0.2.8", "UDP 192.0.2.8:5060"),
        ("sip:a@192.0.2.7;transport=sctp", None),
        ("sips:a@192.0.2.7;transport=udp", None),
        ("sip:a@255.255.255.255", None),
        ("sip:a@224.0.0.1", None),
        ("sip:a@0.0.0.0", None),
        ("tel:+123", None),
    ],
)
def test_a_numeric_host_is_reached_as_its_uri_says(uri: str, expected: str | None) -> None:
    agent = Agent(edge("192.0.2.1", Transport.UDP, Transport.TCP, Transport.TLS))
    agent.do(start_invite(uri=uri))
    if expected is None:
        assert statuses(agent) == [(503, True)]
    else:
        (flow,) = agent.flows()
        assert f"{flow.transport.value} {flow.remote}" == expected


@pytest.mark.req("TRN-13")
def test_an_edge_without_the_transport_cannot_send() -> None:
    agent = Agent(edge("192.0.2.1", Transport.UDP))
    agent.do(start_invite(uri="sip:a@192.0.2.7;transport=tcp"))
    assert statuses(agent) == [(503, True)]


@pytest.mark.rfc("3261", "8.1.2")
def test_routes_decide_the_next_hop_loose_and_strict(agent: Agent) -> None:
    agent.do(start_invite(headers=(("Route", "<sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>"),)))
    assert agent.flows()[0].remote.host == "192.0.2.50"
    strict = started(agent, usage=2, headers=(("Route", "<sip:192.0.2.50>"),))
    assert strict.uri == "sip:192.0.2.50"
    assert strict.headers.all("route") == ("<sip:peer@192.0.2.9>",)


@pytest.mark.rfc("3261", "8.1.2")
def test_a_next_hop_of_the_owner_comes_before_all(agent: Agent) -> None:
    command = dataclasses.replace(start_invite(), next_hop=parse_uri("sip:192.0.2.60:5090;transport=tcp"))
    agent.do(command)
    assert agent.flows() == [Flow(Transport.TCP, Address("192.0.2.60", 5090), "e")]


def resolved(agent: Agent, *hosts: str, transport: Transport = Transport.UDP) -> None:
    (question,) = agent.questions()
    flows = tuple(Flow(transport, Address(host, 5060), "e") for host in hosts)
    agent.effects += agent.ua.receive(Resolved(query=question.query, flows=flows), agent.now)


@pytest.mark.rfc("3263", "4")
def test_a_name_is_resolved_and_nothing_found_is_503(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com"))
    (question,) = [e for e in agent.effects if e.__class__.__name__ == "Resolve"]
    assert (question.host, question.port, question.transport, question.secure) == (  # type: ignore[union-attr]
        "srs.example.com",
        None,
        None,
        False,
    )
    resolved(agent)
    assert statuses(agent) == [(503, True)]


@pytest.mark.rfc("3263", "4.3")
@pytest.mark.req("LOC-03", "ERR-08")
def test_the_next_address_is_tried_after_503_silence_and_failure_with_a_new_branch(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com"))
    resolved(agent, "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14")
    (first,) = agent.sent()
    assert isinstance(first, Request)
    agent.get(answer(first, 503))
    ack, second = agent.sent()
    assert isinstance(second, Request)
    assert isinstance(ack, Request)
    assert (ack.method, ack.via.branch) == ("ACK", first.via.branch)
    assert second.via.branch != first.via.branch
    assert (second.call_id, second.cseq, second.from_) == (first.call_id, first.cseq, first.from_)
    agent.run(32)
    agent.fail()
    *_, fourth = agent.sent()
    assert isinstance(fourth, Request)
    assert agent.told() == []
    agent.get(answer(fourth, 486))
    assert statuses(agent) == [(486, False)]


@pytest.mark.rfc("3263", "4.3")
@pytest.mark.req("ERR-08")
def test_the_last_address_decides(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com"))
    resolved(agent, "192.0.2.11")
    (first,) = agent.sent()
    assert isinstance(first, Request)
    agent.get(answer(first, 503))
    assert statuses(agent) == [(503, False)]


@pytest.mark.rfc("3263", "4")
@pytest.mark.req("LOC-04")
def test_a_cancel_follows_its_invite_and_no_other_address_is_tried(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com"))
    resolved(agent, "192.0.2.11", "192.0.2.12")
    (first,) = agent.sent()
    assert isinstance(first, Request)
    agent.get(answer(first, 100))
    agent.do(CancelInvite(usage=1, token=1, headers=Headers([("Reason", "SIP;cause=200")])))
    assert agent.flows()[0].remote.host == "192.0.2.11"
    agent.get(answer(first, 503))
    sent, told = agent.take()
    assert [m.method for m in sent if isinstance(m, Request)] == ["ACK"]
    assert [e.response.status for e in told if isinstance(e, ResponseArrived)] == [503]


def test_hosts_that_resolve_to_no_single_host_are_not_sent_to(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@evil.example.com"))
    resolved(agent, "255.255.255.255", "0.0.0.0", "224.0.0.1")
    assert statuses(agent) == [(503, True)]


def test_an_invite_cancelled_before_its_host_is_known_is_never_sent(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com"))
    (question,) = agent.questions()
    agent.do(CancelInvite(usage=1, token=1))
    assert statuses(agent) == [(487, True)]
    flow = Flow(Transport.UDP, Address("192.0.2.11", 5060), "e")
    agent.effects += agent.ua.receive(Resolved(query=question.query, flows=(flow,)), 1.0)
    assert agent.sent() == []


@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-01", "SIP-20")
def test_a_long_request_goes_by_tcp_and_by_udp_when_tcp_is_refused(agent: Agent) -> None:
    agent.do(start_invite(body=b"x" * 1300))
    assert agent.flows() == [Flow(Transport.TCP, Address("192.0.2.9", 5060), "e")]
    agent.do(start_invite(usage=2, body=b"x" * 1300))
    agent.fail()
    (first, second) = [e.flow.transport for e in agent.effects if hasattr(e, "flow")]
    assert (first, second) == (Transport.TCP, Transport.UDP)
    sent = agent.sent()
    assert [m.via.transport for m in sent] == ["TCP", "UDP"]
    assert sent[0].via.branch != sent[1].via.branch


@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-01")
def test_a_peer_that_refused_tcp_is_not_asked_again_for_a_while(agent: Agent) -> None:
    for usage, wait_s, expected in ((1, 0, Transport.TCP), (2, 599, Transport.UDP), (3, 2, Transport.TCP)):
        agent.run(wait_s)
        agent.take()
        agent.do(start_invite(usage=usage, body=b"x" * 1300))
        assert [e.flow.transport for e in agent.effects if isinstance(e, Transmit)] == [expected]
        agent.fail()


@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-01")
def test_a_long_request_stays_on_udp_where_the_edge_has_no_tcp() -> None:
    agent = Agent(edge("192.0.2.1", Transport.UDP))
    agent.do(start_invite(body=b"x" * 1300))
    assert agent.flows()[0].transport is Transport.UDP


@pytest.mark.rfc("3261", "18.1.2", "12.2.2")
@pytest.mark.req("TRN-03", "TRN-06")
def test_a_peer_may_answer_and_ask_by_another_connection_than_ours(agent: Agent) -> None:
    asked = started(agent, body=b"x" * 1300)
    assert asked.via.transport == "TCP"
    theirs = Flow(Transport.TCP, Address("192.0.2.9", 40000), "e", connection=7)
    agent.get(answer(asked, 200, headers=(("Content-Type", "application/sdp"),), body=SDP), theirs)
    assert statuses(agent) == [(200, False)]
    agent.do(SendAck(usage=1, dialog="p1", token=1))
    agent.take()
    bye = request("BYE", call_id=asked.call_id, from_tag="p1", to_tag=asked.from_.tag or "", cseq=1)
    agent.get(bye, theirs)
    (told,) = agent.told()
    assert isinstance(told, RequestArrived)
    agent.do(Respond(usage=1, token=told.token, status=200))
    assert {flow.connection for flow in agent.flows()} == {7}


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.req("SIP-13")
def test_a_cancel_has_the_invites_via_and_no_require(agent: Agent) -> None:
    asked = started(agent, headers=(("Require", "siprec"), ("Route", "<sip:192.0.2.9;lr>")))
    agent.get(answer(asked, 180))
    agent.do(CancelInvite(usage=1, token=1, headers=Headers([("Reason", "SIP;cause=26")])))
    (cancel,) = agent.sent()
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.via, str(cancel.cseq)) == ("CANCEL", asked.via, "1 CANCEL")
    assert cancel.headers.get("reason") == "SIP;cause=26"
    assert cancel.headers.all("route") == asked.headers.all("route")
    assert cancel.to.tag is None
    assert "require" not in cancel.headers


@pytest.mark.rfc("3261", "9.1")
def test_a_cancelled_invite_without_final_response_is_taken_as_ended(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 180))
    agent.do(CancelInvite(usage=1, token=1))
    agent.run(32)
    assert statuses(agent)[-1] == (487, True)
    agent.run(40)
    assert agent.ua.idle


def test_an_answer_that_takes_too_long_is_cancelled_and_told_as_408(agent: Agent) -> None:
    asked = started(agent, answer_timeout_s=8.0)
    agent.get(answer(asked, 180))
    agent.run(8)
    sent, told = agent.take()
    assert [m.method for m in sent if isinstance(m, Request)] == ["CANCEL"]
    last = told[-1]
    assert isinstance(last, ResponseArrived)
    assert (last.response.status, last.made_here) == (408, True)
    agent.get(answer(asked, 200))
    assert methods(agent) == ["ACK", "BYE"]
    assert agent.told() == []
    agent.run(70)
    assert agent.ua.idle


@pytest.mark.rfc("3261", "13.2.2.4")
@pytest.mark.req("TXN-02")
def test_the_2xx_of_a_second_fork_is_acknowledged_and_ended(agent: Agent) -> None:
    asked = started(agent)
    for tag in ("one", "two", "three"):
        agent.get(answer(asked, 180, tag=tag))
    agent.get(answer(asked, 200, tag="two"))
    assert [e.dialog for e in agent.told() if isinstance(e, ResponseArrived)] == [
        "one",
        "two",
        "three",
        "two",
    ]
    agent.do(SendAck(usage=1, dialog="two", token=1))
    assert methods(agent) == ["ACK"]
    agent.get(answer(asked, 200, tag="one"))
    sent, told = agent.take()
    assert [(m.method, m.to.tag) for m in sent if isinstance(m, Request)] == [("ACK", "one"), ("BYE", "one")]
    assert told == []
    agent.get(answer(asked, 200, tag="one"))
    agent.get(answer(asked, 200, tag="two"))
    assert [(m.method, m.to.tag) for m in agent.sent() if isinstance(m, Request)] == [
        ("ACK", "one"),
        ("ACK", "two"),
    ]


@pytest.mark.rfc("3261", "13.2.2.4")
def test_early_dialogs_that_lost_are_gone(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 180, tag="one"))
    agent.get(answer(asked, 200, tag="two"))
    agent.take()
    agent.get(request("INFO", call_id="c1", from_tag="one", to_tag="t1"))
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert sent.status == 481


def test_forks_beyond_the_limit_are_not_told() -> None:
    agent = Agent(limits=AgentLimits(max_dialogs_per_usage=2))
    asked = started(agent)
    for tag in "abcd":
        agent.get(answer(asked, 180, tag=tag))
    assert len(agent.told()) == 2


@pytest.mark.rfc("3261", "12.1.2")
@pytest.mark.rfc("3261", "13.2.2.4")
@pytest.mark.req("DLG-02")
def test_route_set_and_target_come_from_the_2xx(agent: Agent) -> None:
    asked = started(agent)
    early = (("Record-Route", "<sip:192.0.2.31;lr>"),)
    late = (("Record-Route", "<sip:192.0.2.41;lr>"), ("Record-Route", "<sip:192.0.2.42;lr>"))
    agent.get(answer(asked, 180, headers=early))
    agent.get(answer(asked, 200, headers=late, contact="<sip:new@192.0.2.99;method=INVITE?x=y>"))
    agent.take()
    agent.do(SendAck(usage=1, dialog="p1", token=1))
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    assert sent.headers.all("route") == ("<sip:192.0.2.42;lr>", "<sip:192.0.2.41;lr>")
    assert sent.uri == "sip:new@192.0.2.99"


@pytest.mark.rfc("3261", "13.2.2.4")
@pytest.mark.req("SIP-13")
def test_the_ack_to_a_2xx_has_a_branch_of_its_own_and_the_credentials(agent: Agent) -> None:
    asked = started(agent, headers=(("Authorization", "Digest x"), ("Require", "siprec")))
    agent.get(answer(asked, 200))
    agent.take()
    agent.do(SendAck(usage=1, dialog="p1", token=1, headers=Headers([("Require", "siprec")])))
    (ack,) = agent.sent()
    assert isinstance(ack, Request)
    assert ack.via.branch != asked.via.branch
    assert str(ack.cseq) == "1 ACK"
    assert ack.headers.get("authorization") == "Digest x"
    assert "require" not in ack.headers


@pytest.mark.rfc("3261", "13.2.2.4")
def test_a_bye_instead_of_the_ack_is_preceded_by_the_ack(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 200))
    agent.take()
    agent.do(SendRequest(usage=1, dialog="p1", token=2, method="BYE"))
    assert methods(agent) == ["ACK", "BYE"]
    agent.get(answer(asked, 200))
    assert methods(agent) == ["ACK"]


def test_a_final_response_that_cannot_be_used_is_told_as_502(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 180))
    agent.get(answer(asked, 200, contact="<tel:+1>"))
    assert statuses(agent) == [(180, False), (502, True)]
    assert agent.ua.usages == 0


def test_a_provisional_that_cannot_be_used_is_dropped(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 180, contact="<tel:+1>"))
    assert agent.told() == []
    assert agent.ua.usages == 1


@pytest.mark.rfc("3261", "12.1")
def test_a_provisional_without_a_tag_makes_no_dialog(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 180, tag=""))
    (told,) = agent.told()
    assert isinstance(told, ResponseArrived)
    assert told.dialog == ""
    agent.do(SendRequest(usage=1, dialog="", token=5, method="INFO"))
    assert statuses(agent) == [(481, True)]


def test_commands_for_what_has_ended_are_answered_or_ignored(agent: Agent) -> None:
    asked = started(agent)
    agent.get(answer(asked, 486))
    agent.take()
    agent.do(SendRequest(usage=1, dialog="p1", token=5, method="BYE"))
    assert statuses(agent) == [(481, True)]
    agent.do(CancelInvite(usage=1, token=1))
    agent.do(SendAck(usage=1, dialog="p1", token=1))
    assert agent.take() == ([], [])


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-04")
@pytest.mark.parametrize("method", ["INFO", "UPDATE", "INVITE"])
@pytest.mark.parametrize(("status", "byes"), [(481, 0), (408, 1)])
def test_481_or_408_inside_ends_the_dialog(agent: Agent, method: str, status: int, byes: int) -> None:
    asked = started(agent)
    agent.get(answer(asked, 200))
    agent.do(SendAck(usage=1, dialog="p1", token=1))
    agent.take()
    agent.do(SendRequest(usage=1, dialog="p1", token=2, method=method))
    (inside,) = agent.sent()
    assert isinstance(inside, Request)
    agent.get(answer(inside, status))
    sent, told = agent.take()
    assert sum(isinstance(m, Request) and m.method == "BYE" for m in sent) == byes
    assert told[-1] == DialogEnded(usage=1, dialog="p1", cause=str(status))


@pytest.mark.rfc("3261", "15.1.1")
@pytest.mark.req("DLG-12")
@pytest.mark.parametrize("status", [200, 481, 500])
def test_a_bye_ends_the_dialog_whatever_its_answer(agent: Agent, status: int) -> None:
    asked = started(agent)
    agent.get(answer(asked, 200))
    agent.do(SendAck(usage=1, dialog="p1", token=1))
    agent.take()
    agent.do(SendRequest(usage=1, dialog="p1", token=2, method="BYE"))
    assert agent.ua.usages == 0
    (bye,) = agent.sent()
    assert isinstance(bye, Request)
    agent.get(answer(bye, status))
    assert statuses(agent) == [(status, False)]
    agent.run(40)
    assert agent.ua.idle


@pytest.mark.rfc("3263", "4.3")
@pytest.mark.req("LOC-03", "LOC-05")
def test_an_address_that_failed_is_tried_last_by_the_next_request(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com"))
    resolved(agent, "192.0.2.11", "192.0.2.12")
    agent.fail()
    assert [flow.remote.host for flow in agent.flows()] == ["192.0.2.11", "192.0.2.12"]
    agent.do(start_invite(usage=2, token=2, uri="sip:a@srs.example.com"))
    resolved(agent, "192.0.2.11", "192.0.2.12")
    assert [flow.remote.host for flow in agent.flows()] == ["192.0.2.12"]


@pytest.mark.rfc("3263", "4.3")
@pytest.mark.req("LOC-03")
def test_a_silent_address_gets_only_its_share_of_the_time_for_an_answer(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com", answer_timeout_s=8.0))
    resolved(agent, "192.0.2.11", "192.0.2.12")
    agent.run(3.9)
    assert {flow.remote.host for flow in agent.flows()} == {"192.0.2.11"}
    agent.run(0.2)
    (second,) = agent.sent()
    assert isinstance(second, Request)
    agent.get(answer(second, 486))
    assert statuses(agent) == [(486, False)]
    agent.run(64)
    assert agent.ua.idle


@pytest.mark.req("LOC-04")
def test_an_address_that_has_shown_signs_of_life_keeps_the_whole_time(agent: Agent) -> None:
    agent.do(start_invite(uri="sip:a@srs.example.com", answer_timeout_s=8.0))
    resolved(agent, "192.0.2.11", "192.0.2.12")
    (first,) = agent.sent()
    assert isinstance(first, Request)
    agent.get(answer(first, 100))
    agent.run(7.9)
    assert agent.flows() == []


OPTIONS = SendOptions(
    usage=5,
    token=6,
    edge="e",
    request_uri="sip:srs.example.com",
    headers=Headers([("From", "<sip:us@192.0.2.1>"), ("Accept", "application/sdp")]),
    timeout_s=4.0,
)


@pytest.mark.rfc("3261", "11.1")
def test_options_outside_a_dialog_are_answered_once(agent: Agent) -> None:
    agent.do(OPTIONS)
    resolved(agent, "192.0.2.11")
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    assert (sent.method, sent.uri, sent.to.tag) == ("OPTIONS", "sip:srs.example.com", None)
    assert sent.from_.tag
    agent.get(answer(sent, 404))
    (told,) = agent.told()
    assert isinstance(told, ResponseArrived)
    assert (told.usage, told.token, told.response.status, told.made_here) == (5, 6, 404, False)
    agent.run(64)
    assert agent.told() == []
    assert agent.ua.idle


@pytest.mark.rfc("3261", "8.1.3.1")
@pytest.mark.rfc("3263", "4.3")
def test_options_to_silent_addresses_give_up_after_their_time(agent: Agent) -> None:
    agent.do(OPTIONS)
    resolved(agent, "192.0.2.11", "192.0.2.12")
    agent.run(3.9)
    assert {flow.remote.host for flow in agent.flows()} == {"192.0.2.11"}
    agent.run(4.0)
    assert {flow.remote.host for flow in agent.flows()} == {"192.0.2.12"}
    agent.run(0.2)
    assert statuses(agent) == [(408, True)]
    agent.run(64)
    assert agent.ua.idle


def test_options_whose_host_is_never_found_give_up(agent: Agent) -> None:
    agent.do(OPTIONS)
    agent.run(4.1)
    assert statuses(agent) == [(408, True)]
