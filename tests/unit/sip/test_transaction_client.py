"""The client transactions: every arrow of RFC 3261 figures 5 and 6, as RFC 6026 draws the first."""

from __future__ import annotations

import pytest

from siprec_src.sip.message import Request
from siprec_src.sip.timers import Timers
from siprec_src.sip.transaction.base import Deliver, Ended, Failed, Send, State, TimedOut
from siprec_src.sip.transaction.invite_client import InviteClient, acknowledgement
from siprec_src.sip.transaction.non_invite_client import NonInviteClient
from tests.support.sip import answer, message, request

INVITE = request(headers=(("Route", "<sip:proxy;lr>"), ("Require", "siprec"), ("Proxy-Require", "x")))
BYE = request("BYE")
TRYING, RINGING, OK, BUSY = (answer(INVITE, status) for status in (100, 180, 200, 486))
TIMERS = Timers()


def invite(*, reliable: bool = False) -> InviteClient:
    return InviteClient(INVITE, b"invite", reliable=reliable, timers=TIMERS)


def bye(*, reliable: bool = False) -> NonInviteClient:
    return NonInviteClient(BYE, b"bye", reliable=reliable, timers=TIMERS)


def times_sent(tx: InviteClient | NonInviteClient, until: float) -> list[float]:
    """When the request is sent again."""
    out = []
    while (due := tx.deadline) is not None and due <= until:
        if Send(b"invite") in (found := tx.wake(due)) or Send(b"bye") in found:
            out.append(due)
    return out


@pytest.mark.rfc("3261", "17.1.1.2")
def test_invite_is_repeated_at_doubling_intervals_until_timer_b() -> None:
    tx = invite()
    assert tx.start(0.0) == [Send(b"invite")]
    assert times_sent(tx, 31.9) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert tx.wake(32.0) == [TimedOut(), Ended()]
    assert (tx.state, tx.deadline) == (State.TERMINATED, None)


@pytest.mark.rfc("3261", "17.1.1.2")
def test_invite_over_a_stream_is_sent_once() -> None:
    tx = invite(reliable=True)
    tx.start(0.0)
    assert tx.deadline == 32.0
    assert tx.wake(32.0) == [TimedOut(), Ended()]


@pytest.mark.rfc("3261", "17.1.1.2")
def test_provisional_ends_the_repetitions_and_leaves_no_timer() -> None:
    tx = invite()
    tx.start(0.0)
    assert tx.receive(TRYING, 0.1) == [Deliver(TRYING)]
    assert tx.receive(RINGING, 0.2) == [Deliver(RINGING)]
    assert (tx.state, tx.deadline) == (State.PROCEEDING, None)


@pytest.mark.rfc("6026", "8.4")
@pytest.mark.req("TXN-01")
def test_2xx_repeated_is_delivered_again_while_accepted() -> None:
    tx = invite()
    tx.start(0.0)
    assert tx.receive(OK, 1.0) == tx.receive(OK, 1.5) == [Deliver(OK)]
    assert (tx.state, tx.deadline) == (State.ACCEPTED, 1.0 + 64 * 0.5)
    assert tx.receive(BUSY, 2.0) == tx.receive(RINGING, 2.0) == []
    assert tx.wake(33.0) == [Ended()]


@pytest.mark.rfc("3261", "17.1.1.3")
@pytest.mark.req("TXN-05")
def test_failure_is_acknowledged_each_time_and_delivered_once() -> None:
    tx = invite()
    tx.start(0.0)
    first = tx.receive(BUSY, 1.0)
    assert first[1:] == [Deliver(BUSY)]
    assert tx.receive(BUSY, 2.0) == first[:1]
    assert (tx.state, tx.deadline) == (State.COMPLETED, 33.0)
    assert tx.wake(33.0) == [Ended()]


@pytest.mark.rfc("3261", "17.1.1.2")
@pytest.mark.req("TXN-05")
def test_failure_over_a_stream_is_acknowledged_and_ends_at_once() -> None:
    tx = invite(reliable=True)
    tx.start(0.0)
    tx.receive(RINGING, 0.5)
    sent, delivered, ended = tx.receive(BUSY, 1.0)
    assert isinstance(sent, Send)
    assert (delivered, ended) == (Deliver(BUSY), Ended())


@pytest.mark.rfc("3261", "17.1.1.3")
@pytest.mark.req("SIP-13")
def test_ack_to_a_failure_has_the_invites_branch_and_no_require() -> None:
    ack = acknowledgement(INVITE, BUSY)
    assert (ack.method, ack.uri, str(ack.cseq)) == ("ACK", INVITE.uri, "1 ACK")
    assert ack.via == INVITE.via
    assert len(ack.vias) == 1
    assert ack.headers.get("to") == BUSY.headers.get("to")
    assert ack.headers.get("from") == INVITE.headers.get("from")
    assert ack.headers.all("route") == ("<sip:proxy;lr>",)
    assert "require" not in ack.headers
    assert "proxy-require" not in ack.headers


@pytest.mark.rfc("3261", "17.1.1.2")
@pytest.mark.req("TXN-06")
def test_transport_failure_while_calling_ends_it_and_while_ringing_does_not() -> None:
    tx = invite()
    tx.start(0.0)
    assert tx.fail(0.1) == [Failed(), Ended()]
    ringing = invite()
    ringing.start(0.0)
    ringing.receive(RINGING, 0.1)
    assert ringing.fail(0.2) == []
    assert ringing.state is State.PROCEEDING


@pytest.mark.rfc("6026", "8.4")
def test_transport_failure_of_the_ack_is_not_the_users_matter() -> None:
    tx = invite()
    tx.start(0.0)
    tx.receive(BUSY, 0.1)
    assert tx.fail(0.2) == [Ended()]


@pytest.mark.rfc("3261", "17.1.2.2")
def test_other_requests_are_repeated_up_to_t2_until_timer_f() -> None:
    tx = bye()
    assert tx.start(0.0) == [Send(b"bye")]
    assert times_sent(tx, 31.9) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert tx.wake(32.0) == [TimedOut(), Ended()]


@pytest.mark.rfc("3261", "17.1.2.2")
def test_a_provisional_slows_the_repetitions_down_to_t2() -> None:
    tx = bye()
    tx.start(0.0)
    assert tx.receive(TRYING, 0.1) == [Deliver(TRYING)]
    assert times_sent(tx, 10.0) == [0.5, 4.5, 8.5]
    assert tx.receive(TRYING, 10.0) == [Deliver(TRYING)]
    times_sent(tx, 31.9)
    assert TimedOut() in tx.wake(32.0)


@pytest.mark.rfc("3261", "17.1.2.2")
def test_a_final_response_is_delivered_once_and_absorbed_for_t4() -> None:
    tx = bye()
    tx.start(0.0)
    assert tx.receive(OK, 1.0) == [Deliver(OK)]
    assert tx.receive(OK, 1.5) == tx.receive(BUSY, 2.0) == []
    assert (tx.state, tx.deadline) == (State.COMPLETED, 6.0)
    assert tx.wake(6.0) == [Ended()]


@pytest.mark.rfc("3261", "17.1.2.2")
def test_a_failure_after_a_provisional_is_final_too() -> None:
    tx = bye(reliable=True)
    assert tx.start(0.0) == [Send(b"bye")]
    tx.receive(RINGING, 0.5)
    assert tx.receive(BUSY, 1.0) == [Deliver(BUSY), Ended()]


@pytest.mark.rfc("3261", "17.1.2.2")
@pytest.mark.parametrize("provisional", [False, True])
def test_transport_failure_of_another_request_ends_it(provisional: bool) -> None:
    tx = bye()
    tx.start(0.0)
    if provisional:
        tx.receive(TRYING, 0.1)
    assert tx.fail(0.2) == [Failed(), Ended()]
    assert tx.fail(0.3) == []


def test_waking_early_is_harmless() -> None:
    tx = invite()
    tx.start(0.0)
    assert tx.wake(0.4) == []


def test_a_stopped_transaction_says_nothing_more() -> None:
    tx = bye()
    tx.start(0.0)
    tx.stop()
    assert tx.deadline is None
    assert tx.wake(99.0) == tx.receive(OK, 99.0) == []


def test_the_acknowledgement_is_written_as_a_whole_message() -> None:
    tx = invite()
    tx.start(0.0)
    sent = tx.receive(BUSY, 1.0)[0]
    assert isinstance(sent, Send)
    assert isinstance(parsed := message(sent.data), Request)
    assert parsed.method == "ACK"
