"""A usage whose owner failed is ended as far as it had come."""

from __future__ import annotations

import pytest

from siprec_src.app.usage import UsageTrace
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response

FLOW = Flow(Transport.UDP, Address("192.0.2.1", 5060), "default")


def request(method: str) -> Request:
    return Request(headers=Headers(), method=method, uri="sip:x@192.0.2.2")


def invited() -> UsageTrace:
    trace = UsageTrace(1)
    trace.told(sip.InviteArrived(usage=1, token=10, request=request("INVITE"), flow=FLOW))
    return trace


def inviting() -> UsageTrace:
    trace = UsageTrace(1)
    trace.commanded(
        sip.StartInvite(usage=1, token=20, edge="default", request_uri="sip:x", headers=Headers())
    )
    return trace


def answered(status: int, *, made_here: bool = False) -> sip.ResponseArrived:
    response = Response(headers=Headers(), status=status, reason="")
    return sip.ResponseArrived(usage=1, dialog="b", token=20, response=response, made_here=made_here)


@pytest.mark.rfc("3261", "21.5.1")
def test_an_unanswered_invite_is_refused() -> None:
    assert invited().closing(500, 99) == [sip.Respond(usage=1, token=10, status=500)]


@pytest.mark.rfc("3261", "9.1")
def test_an_invite_without_an_answer_is_cancelled() -> None:
    trace = inviting()
    trace.told(answered(180))
    assert trace.closing(500, 99) == [sip.CancelInvite(usage=1, token=20)]


@pytest.mark.rfc("3261", "15.1.1")
def test_an_answered_invite_ends_with_bye() -> None:
    trace = invited()
    trace.commanded(sip.Respond(usage=1, token=10, status=180, dialog="a"))
    trace.commanded(sip.Respond(usage=1, token=10, status=200, dialog="a"))
    assert trace.closing(500, 99) == [sip.SendRequest(usage=1, dialog="a", token=99, method="BYE")]


@pytest.mark.rfc("3261", "13.2.2.4")
def test_a_2xx_is_acknowledged_before_the_bye() -> None:
    trace = inviting()
    trace.told(answered(200))
    bye = sip.SendRequest(usage=1, dialog="b", token=99, method="BYE")
    assert trace.closing(500, 99) == [sip.SendAck(usage=1, dialog="b", token=20), bye]
    trace.commanded(sip.SendAck(usage=1, dialog="b", token=20))
    assert trace.closing(500, 99) == [bye]


@pytest.mark.parametrize("status", [302, 408, 486, 603])
def test_nothing_is_left_of_a_refused_invite(status: int) -> None:
    trace = inviting()
    trace.told(answered(status, made_here=status == 408))
    assert trace.closing(500, 99) == []


def test_nothing_is_left_after_a_bye_of_either_side_a_lost_dialog_or_a_cancel() -> None:
    by_us = invited()
    by_us.commanded(sip.Respond(usage=1, token=10, status=200, dialog="a"))
    by_us.commanded(sip.SendRequest(usage=1, dialog="a", token=5, method="BYE"))
    by_peer = invited()
    by_peer.commanded(sip.Respond(usage=1, token=10, status=200, dialog="a"))
    by_peer.told(sip.RequestArrived(usage=1, dialog="a", token=6, request=request("BYE"), flow=FLOW))
    lost = invited()
    lost.commanded(sip.Respond(usage=1, token=10, status=200, dialog="a"))
    lost.told(sip.DialogEnded(usage=1, dialog="a", cause="no-ack"))
    cancelled = invited()
    cancelled.told(sip.CancelArrived(usage=1, token=10, request=request("CANCEL")))
    for trace in (by_us, by_peer, lost, cancelled):
        assert trace.closing(500, 99) == []
        assert trace.dialogs == ()
        assert trace.pending is None
