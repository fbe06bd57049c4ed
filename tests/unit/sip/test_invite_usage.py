"""Inside one dialog: glare, offers under way, UPDATE, limits (RFC 3261 14, RFC 3311 5, RFC 5407)."""

from __future__ import annotations

import itertools

import pytest

from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.vocabulary import (
    AckArrived,
    CancelArrived,
    InviteArrived,
    RequestArrived,
    Respond,
    ResponseArrived,
    SendAck,
    SendRequest,
)
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, request, start_invite


class Call:
    """A confirmed dialog with the peer, who was called (`calls`) or called us."""

    def __init__(self, *, calls: bool = True, limits: AgentLimits | None = None) -> None:
        self.agent = agent = Agent(limits=limits)
        self.branches = itertools.count(100)
        self.cseq = itertools.count(2)
        self.tokens = itertools.count(50)
        if calls:
            agent.do(start_invite())
            (invite,) = agent.sent()
            assert isinstance(invite, Request)
            agent.get(answer(invite, 200, headers=(SDP_TYPE,), body=SDP))
            agent.do(SendAck(usage=1, dialog="p1", token=1))
            self.usage, self.name, self.ids = 1, "p1", ("c1", "t1", "p1")
        else:
            agent.get(request(headers=(SDP_TYPE,), body=SDP))
            (arrived,) = agent.told()
            assert isinstance(arrived, InviteArrived)
            self.usage, self.name = arrived.usage, ""
            self.respond(arrived.token, 200, sdp=True)
            (ok,) = agent.sent()
            self.ids = ("pc1", ok.to.tag or "", "p1")
            self.get("ACK", cseq=1)
        agent.take()

    def get(self, method: str, *, sdp: bool = False, cseq: int | None = None, branch: str = "") -> Request:
        """The peer sends a request in the dialog."""
        call_id, ours, theirs = self.ids
        asked = request(
            method,
            call_id=call_id,
            to_tag=ours,
            from_tag=theirs,
            cseq=next(self.cseq) if cseq is None else cseq,
            branch=branch or f"z9hG4bK-{next(self.branches)}",
            headers=(SDP_TYPE,) if sdp else (),
            body=SDP if sdp else b"",
            contact="<sip:moved@192.0.2.10>",
        )
        self.agent.get(asked)
        return asked

    def send(self, method: str, *, sdp: bool = False) -> int:
        token = next(self.tokens)
        headers = Headers([SDP_TYPE] if sdp else [])
        body = SDP if sdp else b""
        self.agent.do(
            SendRequest(
                usage=self.usage,
                dialog=self.name,
                token=token,
                method=method,
                headers=headers,
                body=body,
            )
        )
        return token

    def respond(self, token: int, status: int, *, sdp: bool = False) -> None:
        headers = Headers([SDP_TYPE] if sdp else [])
        body = SDP if sdp else b""
        self.agent.do(Respond(usage=self.usage, token=token, status=status, headers=headers, body=body))

    def arrived(self) -> RequestArrived:
        (told,) = self.agent.told()
        assert isinstance(told, RequestArrived)
        return told

    def refused(self) -> tuple[int, str | None]:
        """Status and Retry-After of what was answered without the owner."""
        sent, told = self.agent.take()
        assert told == []
        last = sent[-1]
        assert isinstance(last, Response)
        return last.status, last.headers.get("retry-after")

    def refused_here(self) -> int:
        """Status that was told for a request that was not sent."""
        sent, told = self.agent.take()
        assert sent == []
        last = told[-1]
        assert isinstance(last, ResponseArrived)
        assert last.made_here
        return last.response.status


@pytest.fixture(params=[True, False], ids=["caller", "callee"])
def call(request: pytest.FixtureRequest) -> Call:
    return Call(calls=request.param)


@pytest.mark.rfc("3261", "14.2")
@pytest.mark.req("DLG-07")
def test_a_reinvite_while_ours_is_open_gets_491(call: Call) -> None:
    call.send("INVITE", sdp=True)
    call.agent.take()
    call.get("INVITE", sdp=True)
    assert call.refused() == (491, None)


@pytest.mark.rfc("3261", "14.2")
@pytest.mark.req("DLG-07")
def test_a_second_reinvite_before_the_first_is_answered_gets_500_and_a_time(call: Call) -> None:
    call.get("INVITE", sdp=True)
    call.agent.take()
    call.get("INVITE", sdp=True)
    assert call.refused() == (500, "5")


@pytest.mark.rfc("3311", "5.2")
@pytest.mark.req("DLG-08", "DLG-09")
def test_updates_with_offers_meet_open_offers(call: Call) -> None:
    ours = call.send("UPDATE", sdp=True)
    (sent,) = call.agent.sent()
    assert isinstance(sent, Request)
    call.get("UPDATE", sdp=True)
    assert call.refused() == (491, None)
    call.agent.get(answer(sent, 200, headers=(SDP_TYPE,), body=SDP))
    (told,) = call.agent.told()
    assert isinstance(told, ResponseArrived)
    assert told.token == ours
    call.get("UPDATE", sdp=True)
    first = call.arrived()
    call.get("UPDATE", sdp=True)
    assert call.refused() == (500, "5")
    call.respond(first.token, 200, sdp=True)
    call.agent.take()
    call.get("UPDATE", sdp=True)
    call.arrived()


@pytest.mark.rfc("3311", "5.2")
@pytest.mark.req("DLG-08")
def test_an_update_with_an_offer_meets_an_open_reinvite(call: Call) -> None:
    call.get("INVITE", sdp=True)
    reinvite = call.arrived()
    call.get("UPDATE", sdp=True)
    assert call.refused() == (500, "5")
    call.respond(reinvite.token, 488)
    call.send("INVITE", sdp=True)
    call.agent.take()
    call.get("UPDATE", sdp=True)
    assert call.refused() == (491, None)


@pytest.mark.rfc("3311", "5.2")
@pytest.mark.req("DLG-08", "DLG-09")
def test_an_update_without_an_offer_is_welcome_at_any_time(call: Call) -> None:
    call.send("INVITE", sdp=True)
    call.agent.take()
    call.get("UPDATE")
    call.respond(call.arrived().token, 200)
    call.get("INVITE")
    call.agent.take()
    call.get("UPDATE")
    call.arrived()


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("DLG-05")
def test_the_owners_reinvite_waits_for_every_open_invite(call: Call) -> None:
    first = call.send("INVITE", sdp=True)
    (sent,) = call.agent.sent()
    assert isinstance(sent, Request)
    call.send("INVITE", sdp=True)
    assert call.refused_here() == 491
    call.agent.get(answer(sent, 200, headers=(SDP_TYPE,), body=SDP))
    call.agent.do(SendAck(usage=call.usage, dialog=call.name, token=first))
    call.agent.take()
    theirs = call.get("INVITE", sdp=True)
    reinvite = call.arrived()
    call.send("INVITE", sdp=True)
    assert call.refused_here() == 491
    call.respond(reinvite.token, 200, sdp=True)
    call.agent.take()
    call.send("INVITE", sdp=True)
    assert call.refused_here() == 491
    call.get("ACK", cseq=theirs.cseq.number)
    assert [type(e) for e in call.agent.told()] == [AckArrived]
    call.send("INVITE", sdp=True)
    assert len(call.agent.sent()) == 1


@pytest.mark.rfc("3311", "5.1")
@pytest.mark.req("DLG-08")
def test_the_owners_update_with_an_offer_waits_for_an_open_offer(call: Call) -> None:
    call.get("INVITE", sdp=True)
    call.agent.take()
    call.send("UPDATE", sdp=True)
    assert call.refused_here() == 491
    call.send("UPDATE")
    assert [m.method for m in call.agent.sent() if isinstance(m, Request)] == ["UPDATE"]


@pytest.mark.rfc("5407", "3.1.5")
def test_a_reinvite_that_overtakes_the_answer_to_our_late_offer_gets_491(call: Call) -> None:
    late = call.get("INVITE")
    call.respond(call.arrived().token, 200, sdp=True)
    call.agent.take()
    call.get("INVITE", sdp=True)
    assert call.refused() == (491, None)
    call.get("ACK", cseq=late.cseq.number, sdp=True)
    call.agent.take()
    call.get("INVITE", sdp=True)
    call.arrived()


@pytest.mark.rfc("3261", "12.2.2")
@pytest.mark.req("DLG-03", "DLG-10")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_only_a_refresh_that_succeeds_moves_the_target(call: Call, method: str) -> None:
    for status, host in ((488, "192.0.2.9"), (200, "192.0.2.10")):
        asked = call.get(method, sdp=True)
        call.respond(call.arrived().token, status, sdp=status == 200)
        if method == "INVITE":
            call.get("ACK", cseq=asked.cseq.number, branch=(asked.via.branch or "") if status > 299 else "")
        call.agent.take()
        call.send("INFO")
        (flow,) = call.agent.flows()
        assert flow.remote.host == host


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-03")
def test_a_2xx_to_our_refresh_moves_the_target(call: Call) -> None:
    call.send("UPDATE")
    (sent,) = call.agent.sent()
    assert isinstance(sent, Request)
    call.agent.get(answer(sent, 200, contact="<sip:moved@192.0.2.10>"))
    call.agent.take()
    call.send("INFO")
    assert call.agent.flows()[0].remote.host == "192.0.2.10"


@pytest.mark.rfc("3261", "12.2.1.1")
@pytest.mark.req("SIP-03")
def test_refreshing_requests_and_their_2xx_carry_our_contact(call: Call) -> None:
    call.send("UPDATE")
    (sent,) = call.agent.sent()
    assert "contact" in sent.headers
    call.get("UPDATE")
    call.respond(call.arrived().token, 200)
    (ok,) = call.agent.sent()
    assert "contact" in ok.headers
    call.get("INFO")
    call.respond(call.arrived().token, 200)
    (plain,) = call.agent.sent()
    assert "contact" not in plain.headers


def test_a_peer_cannot_pile_up_requests() -> None:
    call = Call(limits=AgentLimits(max_requests_per_dialog=3))
    for _ in range(3):
        call.get("INFO")
    assert len(call.agent.told()) == 3
    call.get("INFO")
    assert call.refused() == (500, "5")
    call.agent.run(33)
    call.get("INFO")
    call.arrived()


@pytest.mark.rfc("3261", "15.1.2")
def test_what_comes_after_the_end_gets_481(call: Call) -> None:
    call.get("BYE")
    bye = call.arrived()
    call.respond(bye.token, 200)
    call.agent.take()
    call.get("INFO")
    assert call.refused() == (481, None)
    call.send("INFO")
    assert call.refused_here() == 481
    call.agent.run(40)
    assert call.agent.ua.idle


@pytest.mark.rfc("3261", "14.1")
def test_a_2xx_to_a_reinvite_that_a_bye_overtook_is_still_acknowledged(call: Call) -> None:
    call.send("INVITE", sdp=True)
    (reinvite,) = call.agent.sent()
    assert isinstance(reinvite, Request)
    call.get("BYE")
    call.agent.take()
    call.agent.get(answer(reinvite, 200))
    call.agent.get(answer(reinvite, 200))
    sent, told = call.agent.take()
    assert [m.method for m in sent if isinstance(m, Request)] == ["ACK", "ACK"]
    (lost,) = told
    assert isinstance(lost, ResponseArrived)
    assert (lost.response.status, lost.made_here) == (481, True)


@pytest.mark.rfc("3261", "9.2")
def test_a_cancelled_reinvite_gets_487_of_its_owner_and_no_longer_blocks(call: Call) -> None:
    asked = call.get("INVITE", sdp=True)
    call.agent.take()
    call.get("CANCEL", cseq=asked.cseq.number, branch=asked.via.branch or "")
    sent, told = call.agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == [200]
    (cancelled,) = told
    assert isinstance(cancelled, CancelArrived)
    call.respond(cancelled.token, 487)
    assert [m.status for m in call.agent.sent() if isinstance(m, Response)] == [487]
    call.send("INVITE", sdp=True)
    assert len(call.agent.sent()) == 1


@pytest.mark.rfc("3261", "15")
@pytest.mark.req("DLG-12")
def test_a_bye_of_the_peer_crosses_the_one_that_waits_for_an_ack() -> None:
    call = Call(calls=False)
    call.get("INVITE", sdp=True)
    call.respond(call.arrived().token, 200, sdp=True)
    bye = call.send("BYE")
    call.agent.take()
    call.get("INFO")
    assert call.refused() == (481, None)
    call.get("BYE")
    sent, told = call.agent.take()
    assert [m.status for m in sent if isinstance(m, Response)] == [200]
    (answered,) = told
    assert isinstance(answered, ResponseArrived)
    assert (answered.token, answered.response.status) == (bye, 200)
    call.agent.run(40)
    assert call.agent.ua.idle
