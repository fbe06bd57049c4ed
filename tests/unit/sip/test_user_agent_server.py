"""What the user agent answers by itself, before an owner sees a request (RFC 3261 8.2, 9.2, 11.2, 18.2)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.parser import Malformed
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.vocabulary import (
    AckArrived,
    CancelArrived,
    DialogEnded,
    InviteArrived,
    RequestArrived,
    Respond,
    Transmit,
)
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, request


@pytest.fixture
def agent() -> Agent:
    return Agent()


def only_status(agent: Agent) -> int:
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    return sent.status


def arrive(agent: Agent, asked: Request | None = None) -> InviteArrived:
    agent.get(asked or request(body=SDP, headers=(SDP_TYPE,)))
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    return arrived


def respond(agent: Agent, arrived: InviteArrived | RequestArrived, status: int, **more: object) -> None:
    command = Respond(usage=arrived.usage, token=arrived.token, status=status)
    agent.do(dataclasses.replace(command, **more))  # type: ignore[arg-type]


@pytest.mark.rfc("3261", "17.2.1")
def test_an_invite_gets_100_at_once_and_is_told_once(agent: Agent) -> None:
    agent.get(request())
    agent.get(request())
    sent, told = agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == [100, 100]
    assert [type(e) for e in told] == [InviteArrived]
    assert sent[0].to.tag is None


@pytest.mark.rfc("3261", "8.2.1")
@pytest.mark.req("DLG-14")
@pytest.mark.parametrize("method", ["REGISTER", "FOO", "invite"])
def test_an_unknown_method_gets_405_and_allow(agent: Agent, method: str) -> None:
    agent.get(request(method))
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert sent.status == 405
    assert {"INVITE", "UPDATE", "PRACK"} <= set(sent.tags("allow"))
    assert sent.to.tag


@pytest.mark.rfc("3261", "8.2.1")
@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH"])
def test_a_method_that_only_dialogs_have_gets_405_outside(agent: Agent, method: str) -> None:
    agent.get(request(method))
    assert only_status(agent) == 405


@pytest.mark.rfc("3261", "12.2.2")
@pytest.mark.req("DLG-14")
@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "NOTIFY"])
def test_a_request_in_an_unknown_dialog_gets_481(agent: Agent, method: str) -> None:
    agent.get(request(method, to_tag="gone"))
    assert only_status(agent) == 481
    assert agent.told() == []


@pytest.mark.rfc("3261", "8.2.2.1")
def test_an_unknown_scheme_gets_416(agent: Agent) -> None:
    agent.get(request(uri="soap.beep://192.0.2.1/x"))
    assert only_status(agent) == 416


@pytest.mark.rfc("3261", "8.2.2.3")
@pytest.mark.req("DLG-14")
def test_an_unknown_extension_gets_420_with_its_name(agent: Agent) -> None:
    agent.get(request(headers=(("Require", "timer, nothingSupportsThis"), ("Require", "other"))))
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert sent.status == 420
    assert sent.tags("unsupported") == ("nothingSupportsThis", "other")


@pytest.mark.rfc("3261", "8.2.2.3")
def test_a_recording_session_is_left_to_the_owner(agent: Agent) -> None:
    arrived = arrive(agent, request(headers=(("Require", "siprec"),)))
    assert arrived.request.tags("require") == ("siprec",)


@pytest.mark.rfc("3261", "8.2.2.2")
def test_the_same_request_by_another_way_gets_482(agent: Agent) -> None:
    agent.get(request())
    agent.take()
    agent.get(request(branch="z9hG4bK-other"))
    assert only_status(agent) == 482


@pytest.mark.rfc("3261", "16.3")
def test_an_invite_that_may_not_be_forwarded_gets_483(agent: Agent) -> None:
    given = request()
    agent.get(dataclasses.replace(given, headers=given.headers.replaced("Max-Forwards", "0")))
    assert only_status(agent) == 483


@pytest.mark.rfc("3261", "8.1.1.8")
@pytest.mark.parametrize("contact", [None, "<tel:+123>", "<sip:a@b>, <sip:c@d>"])
def test_an_invite_without_one_contact_gets_400(agent: Agent, contact: str | None) -> None:
    agent.get(request(contact=contact))
    assert only_status(agent) == 400


@pytest.mark.rfc("3261", "20.1")
@pytest.mark.parametrize(
    ("accept", "taken"),
    [("text/plain", False), ("application/sdp", True), ("text/plain, */*", True), ("multipart/mixed", True)],
)
def test_an_invite_that_cannot_take_sdp_gets_406(agent: Agent, accept: str, taken: bool) -> None:
    agent.get(request(headers=(("Accept", accept),)))
    assert only_status(agent) == (100 if taken else 406)


@pytest.mark.rfc("3261", "11.2")
@pytest.mark.req("DLG-15")
def test_options_outside_a_dialog_tells_our_abilities(agent: Agent) -> None:
    agent.get(request("OPTIONS"))
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert sent.status == 200
    assert {"allow", "accept", "supported"} <= {name.lower() for name, _ in sent.headers}


def test_while_draining_new_calls_are_refused_and_running_ones_go_on(agent: Agent) -> None:
    arrived = arrive(agent)
    respond(agent, arrived, 200)
    (ok,) = agent.sent()
    agent.ua.draining = True
    agent.get(request(branch="z9hG4bK-2", call_id="c2"))
    (refused,) = agent.sent()
    assert isinstance(refused, Response)
    assert (refused.status, refused.headers.get("retry-after")) == (503, "5")
    agent.get(request("OPTIONS", branch="z9hG4bK-3"))
    assert only_status(agent) == 503
    agent.get(request("BYE", branch="z9hG4bK-4", cseq=2, to_tag=ok.to.tag or ""))
    assert [type(event) for event in agent.told()] == [RequestArrived]


@pytest.mark.rfc("3261", "21.5.4")
def test_over_the_limit_of_usages_or_transactions_a_newcomer_gets_503() -> None:
    agent = Agent(limits=AgentLimits(max_usages=1, max_transactions=2))
    agent.get(request())
    agent.take()
    agent.get(request(branch="z9hG4bK-2", call_id="c2"))
    assert only_status(agent) == 503
    agent.get(request("OPTIONS", branch="z9hG4bK-3"))
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert (sent.status, sent.headers.get("retry-after")) == (503, "5")


@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_for_nothing_gets_481(agent: Agent) -> None:
    agent.get(request("CANCEL"))
    assert only_status(agent) == 481


@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_is_answered_and_ends_the_invite_with_487(agent: Agent) -> None:
    arrived = arrive(agent)
    agent.get(request("CANCEL"))
    sent, told = agent.take()
    assert [(m.status, m.cseq.method) for m in sent if isinstance(m, Response)] == [
        (200, "CANCEL"),
        (487, "INVITE"),
    ]
    assert isinstance(told[0], CancelArrived)
    assert told[0].token == arrived.token
    respond(agent, arrived, 200)
    assert agent.sent() == []


@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_after_the_answer_has_no_effect(agent: Agent) -> None:
    respond(agent, arrive(agent), 200)
    agent.take()
    agent.get(request("CANCEL"))
    sent, told = agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == [200]
    assert told == []


@pytest.mark.rfc("3261", "17.1.3")
@pytest.mark.req("TXN-04")
def test_stray_responses_and_acks_are_dropped(agent: Agent) -> None:
    agent.get(answer(request(), 200))
    agent.get(request("ACK"))
    agent.get(request("ACK", to_tag="x", branch="z9hG4bK-7"))
    assert agent.take() == ([], [])
    assert agent.ua.idle


@pytest.mark.rfc("3261", "8.2.6.2")
@pytest.mark.rfc("3261", "12.1.1")
def test_forks_of_the_other_side_are_dialogs_with_tags_of_their_own(agent: Agent) -> None:
    routed = request(
        headers=(("Record-Route", "<sip:p1;lr>"), ("Record-Route", "<sip:p2;lr>"), ("Timestamp", "54"))
    )
    arrived = arrive(agent, routed)
    for label in ("a", "b", "a"):
        respond(agent, arrived, 180, dialog=label)
    one, two, three = agent.sent()
    assert one.to.tag == three.to.tag != two.to.tag
    assert one.headers.all("record-route") == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert one.headers.get("contact") == "<sip:192.0.2.1:5060>"
    respond(agent, arrived, 200, dialog="b")
    agent.take()
    agent.get(request("INFO", to_tag=one.to.tag or "", branch="z9hG4bK-8", cseq=2))
    assert only_status(agent) == 481
    agent.get(request("INFO", to_tag=two.to.tag or "", branch="z9hG4bK-9", cseq=3))
    (info,) = agent.told()
    assert isinstance(info, RequestArrived)
    assert info.dialog == "b"


@pytest.mark.rfc("3261", "13.3.1.3")
def test_a_refusal_carries_what_the_owner_gives(agent: Agent) -> None:
    arrived = arrive(agent)
    given = Headers([("Contact", "<sip:else@where>"), ("Warning", '399 x "y"'), ("Via", "evil")])
    respond(agent, arrived, 302, reason="Gone Fishing", headers=given)
    (sent,) = agent.sent()
    assert isinstance(sent, Response)
    assert (sent.status, sent.reason) == (302, "Gone Fishing")
    assert sent.headers.get("contact") == "<sip:else@where>"
    assert len(sent.vias) == 1
    agent.get(request("ACK", to_tag=sent.to.tag or ""))
    agent.run(40)
    assert agent.ua.idle


@pytest.mark.rfc("3261", "13.3.1.4")
def test_an_ack_is_told_once_with_the_token_of_its_invite(agent: Agent) -> None:
    arrived = arrive(agent)
    respond(agent, arrived, 200)
    (ok,) = agent.sent()
    for _ in range(2):
        agent.get(request("ACK", to_tag=ok.to.tag or "", branch="z9hG4bK-a"))
    (told,) = agent.told()
    assert isinstance(told, AckArrived)
    assert (told.token, told.usage) == (arrived.token, arrived.usage)
    agent.run(40)
    assert agent.sent() == []


@pytest.mark.rfc("6026", "7.1")
@pytest.mark.req("TXN-03")
def test_an_ack_with_the_invites_branch_is_taken_too(agent: Agent) -> None:
    respond(agent, arrive(agent), 200)
    (ok,) = agent.sent()
    agent.get(request("ACK", to_tag=ok.to.tag or ""))
    assert [type(e) for e in agent.told()] == [AckArrived]


@pytest.mark.rfc("3261", "12.2.2")
@pytest.mark.req("DLG-14")
@pytest.mark.parametrize(("cseq", "status"), [(1, 500), (0, 500), (2, None), (9, None)])
def test_numbers_that_do_not_rise_get_500(agent: Agent, cseq: int, status: int | None) -> None:
    respond(agent, arrive(agent), 200)
    (ok,) = agent.sent()
    agent.get(request("INFO", cseq=cseq, to_tag=ok.to.tag or "", branch="z9hG4bK-n"))
    sent, told = agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == ([status] if status else [])
    assert len(told) == (0 if status else 1)


@pytest.mark.rfc("3261", "15.1.2")
def test_a_bye_on_the_last_early_dialog_ends_the_invite(agent: Agent) -> None:
    arrived = arrive(agent)
    respond(agent, arrived, 180)
    (ringing,) = agent.sent()
    agent.get(request("BYE", cseq=2, to_tag=ringing.to.tag or "", branch="z9hG4bK-b"))
    sent, told = agent.take()
    assert [(m.status, m.cseq.method) for m in sent if isinstance(m, Response)] == [(487, "INVITE")]
    refused, bye = told
    assert refused == DialogEnded(usage=arrived.usage, dialog="", cause="487")
    assert isinstance(bye, RequestArrived)
    respond(agent, bye, 200)
    assert only_status(agent) == 200
    assert agent.ua.usages == 0


def test_an_invite_that_the_owner_forgets_is_refused_in_the_end() -> None:
    agent = Agent(limits=AgentLimits(unanswered_s=60))
    arrived = arrive(agent)
    agent.run(60)
    sent, told = agent.take()
    assert told == [DialogEnded(usage=arrived.usage, dialog="", cause="408")]
    assert isinstance(sent[0], Response)
    assert sent[0].status == 408
    agent.run(40)
    assert agent.ua.idle


@pytest.mark.rfc("3261", "8.2.7")
def test_what_could_not_be_read_is_answered_without_memory(agent: Agent) -> None:
    error = RemoteProtocolError("x", status=505)
    given = request().headers
    partial = Request(method="INVITE", uri="sip:x", headers=given.without("from", "cseq"))
    sent = agent.ua.refuse(Malformed(error=error, partial=partial), agent.peer, 0.0)
    again = agent.ua.refuse(Malformed(error=error, partial=partial), agent.peer, 1.0)
    assert sent == again
    assert isinstance(sent[0], Transmit)
    assert sent[0].data.startswith(b"SIP/2.0 505 ")
    assert agent.ua.idle


@pytest.mark.rfc("3261", "18.3")
@pytest.mark.parametrize(
    "partial",
    [
        None,
        Request(method="INVITE", uri="x", headers=Headers()),
        Request(method="INVITE", uri="x", headers=Headers([("Via", "nonsense")])),
        Request(method="ACK", uri="sip:x", headers=request().headers),
    ],
)
def test_what_cannot_be_answered_is_dropped(agent: Agent, partial: Request | None) -> None:
    malformed = Malformed(error=RemoteProtocolError("x"), partial=partial)
    assert agent.ua.refuse(malformed, agent.peer, 0.0) == []


@pytest.mark.rfc("3581", "4")
@pytest.mark.rfc("3261", "18.2.2")
@pytest.mark.parametrize(
    ("via", "extra", "port", "seen"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5060", "", 5060, None),
        ("SIP/2.0/UDP 192.0.2.9", "", 5060, None),
        ("SIP/2.0/UDP 192.0.2.9:5070", "", 5070, None),
        ("SIP/2.0/UDP 10.0.0.1:5070", "", 5070, "192.0.2.9"),
        ("SIP/2.0/UDP host.example:5070", "", 5070, "192.0.2.9"),
        ("SIP/2.0/UDP 10.0.0.1:5070", ";rport", 40000, "192.0.2.9"),
        ("SIP/2.0/UDP 10.0.0.1;maddr=224.0.0.1", "", 5060, "192.0.2.9"),
    ],
)
def test_a_response_goes_back_to_where_the_request_came_from(
    agent: Agent, via: str, extra: str, port: int, seen: str | None
) -> None:
    flow = Flow(Transport.UDP, Address("192.0.2.9", 40000), "e")
    agent.get(request("OPTIONS", via=via + extra), flow)
    (effect,) = agent.effects
    assert isinstance(effect, Transmit)
    assert effect.flow.remote == Address("192.0.2.9", port)
    (sent,) = agent.sent()
    assert sent.via.received == seen
    assert sent.via.parameter("rport") == ("40000" if extra else None)


@pytest.mark.rfc("3261", "18.2.2")
@pytest.mark.req("TRN-03")
def test_over_a_stream_a_response_takes_the_connection_and_then_the_port_of_the_via(agent: Agent) -> None:
    flow = Flow(Transport.TCP, Address("192.0.2.9", 40000), "e", connection=7)
    agent.get(request("OPTIONS", via="SIP/2.0/TCP 192.0.2.9:5062"), flow)
    assert agent.flows() == [Flow(Transport.TCP, Address("192.0.2.9", 5062), "e", connection=7)]


@pytest.mark.rfc("3261", "8.1.1.8")
def test_contact_names_the_transport_of_the_call(agent: Agent) -> None:
    flow = Flow(Transport.TCP, Address("192.0.2.9", 40000), "e", connection=7)
    agent.get(request(via="SIP/2.0/TCP 192.0.2.9"), flow)
    (arrived,) = agent.told()
    assert isinstance(arrived, InviteArrived)
    respond(agent, arrived, 200, contact_parameters=";+sip.src")
    (ok,) = agent.sent()
    assert ok.headers.get("contact") == "<sip:192.0.2.1:5060;transport=tcp>;+sip.src"
