"""The server transactions: every arrow of RFC 3261 figures 7 and 8, as RFC 6026 draws the first; matching."""

from __future__ import annotations

import pytest

from siprec_src.errors import ConfigurationError
from siprec_src.sip.timers import Timers
from siprec_src.sip.transaction.base import Deliver, Ended, Send, State, TimedOut
from siprec_src.sip.transaction.invite_server import InviteServer
from siprec_src.sip.transaction.key import client_key, response_key, server_key
from siprec_src.sip.transaction.non_invite_server import NonInviteServer
from tests.support.sip import answer, request

ACK = request("ACK")
TIMERS = Timers()


def invite(*, reliable: bool = False) -> InviteServer:
    tx = InviteServer(reliable=reliable, timers=TIMERS)
    assert tx.start(0.0) == []
    return tx


def other(*, reliable: bool = False) -> NonInviteServer:
    tx = NonInviteServer(reliable=reliable, timers=TIMERS)
    assert tx.start(0.0) == []
    return tx


@pytest.mark.rfc("3261", "17.2.1")
def test_a_repeated_invite_gets_the_newest_provisional_again() -> None:
    tx = invite()
    assert tx.repeat(0.0) == []
    assert tx.respond(100, b"100", 0.0) == [Send(b"100")]
    assert tx.repeat(0.5) == [Send(b"100")]
    tx.respond(180, b"180", 1.0)
    assert tx.repeat(1.5) == [Send(b"180")]


@pytest.mark.rfc("6026", "8.5")
@pytest.mark.req("TXN-03")
def test_accepted_absorbs_the_invite_and_lets_the_user_repeat_its_2xx() -> None:
    tx = invite()
    assert tx.respond(200, b"200", 1.0) == [Send(b"200")]
    assert tx.repeat(1.2) == []
    assert tx.respond(200, b"200", 1.5) == [Send(b"200")]
    assert tx.acknowledge(ACK, 1.6) == [Deliver(ACK)]
    assert (tx.state, tx.deadline) == (State.ACCEPTED, 33.0)
    assert tx.wake(33.0) == [Ended()]


@pytest.mark.rfc("6026", "7.1")
@pytest.mark.req("TXN-03")
def test_a_transport_failure_does_not_end_a_server_transaction() -> None:
    tx = invite()
    tx.respond(200, b"200", 1.0)
    assert tx.fail(1.1) == []
    assert tx.state is State.ACCEPTED


@pytest.mark.rfc("3261", "17.2.1")
def test_a_failure_is_repeated_up_to_t2_until_its_ack_or_timer_h() -> None:
    tx = invite()
    assert tx.respond(486, b"486", 0.0) == [Send(b"486")]
    seen = []
    while (due := tx.deadline) is not None and due < 32.0:
        assert tx.wake(due) == [Send(b"486")]
        seen.append(due)
    assert seen == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert tx.wake(32.0) == [TimedOut(), Ended()]


@pytest.mark.rfc("3261", "17.2.1")
def test_the_ack_confirms_and_strays_are_absorbed_for_t4() -> None:
    tx = invite()
    tx.respond(486, b"486", 0.0)
    assert tx.repeat(0.1) == [Send(b"486")]
    assert tx.acknowledge(ACK, 1.0) == []
    assert (tx.state, tx.deadline) == (State.CONFIRMED, 6.0)
    assert tx.acknowledge(ACK, 1.1) == tx.repeat(1.2) == []
    assert tx.wake(6.0) == [Ended()]


@pytest.mark.rfc("3261", "17.2.1")
def test_over_a_stream_a_failure_is_sent_once_and_its_ack_ends_all() -> None:
    tx = invite(reliable=True)
    tx.respond(486, b"486", 0.0)
    assert tx.deadline == 32.0
    assert tx.acknowledge(ACK, 1.0) == [Ended()]


@pytest.mark.rfc("3261", "17.2.2")
def test_another_request_repeated_is_ignored_then_gets_the_answer_again() -> None:
    tx = other()
    assert tx.repeat(0.1) == []
    assert tx.respond(100, b"100", 0.2) == [Send(b"100")]
    assert tx.repeat(0.3) == [Send(b"100")]
    assert tx.respond(200, b"200", 1.0) == [Send(b"200")]
    assert tx.repeat(1.1) == [Send(b"200")]
    assert tx.respond(500, b"500", 1.2) == []
    assert (tx.state, tx.deadline) == (State.COMPLETED, 33.0)
    assert tx.wake(33.0) == [Ended()]


@pytest.mark.rfc("3261", "17.2.2")
def test_over_a_stream_the_answer_ends_it() -> None:
    assert other(reliable=True).respond(405, b"405", 1.0) == [Send(b"405"), Ended()]


@pytest.mark.rfc("4320", "4.2")
@pytest.mark.parametrize("provisional", [False, True])
def test_a_request_that_nobody_answers_is_dropped_without_a_word(provisional: bool) -> None:
    tx = other()
    if provisional:
        tx.respond(100, b"100", 1.0)
    assert tx.wake(32.0) == [TimedOut(), Ended()]


@pytest.mark.rfc("3261", "17.1.3")
def test_a_response_matches_by_branch_and_method_of_cseq() -> None:
    asked = request("CANCEL", branch="z9hG4bK-x")
    assert response_key(answer(asked, 200)) == client_key("z9hG4bK-x", "CANCEL")
    assert client_key("z9hG4bK-x", "CANCEL") != client_key("z9hG4bK-x", "INVITE")


@pytest.mark.rfc("3261", "17.2.3")
def test_a_request_matches_by_branch_sent_by_method_and_call_id() -> None:
    key = server_key(request())
    assert server_key(request(cseq=7, from_tag="other")) == key
    assert server_key(request(call_id="other")) != key
    assert server_key(request("ACK"), "INVITE") == server_key(request("CANCEL"), "INVITE") == key
    assert server_key(request("ACK")) != key
    assert server_key(request(via="SIP/2.0/UDP 192.0.2.9:5062")) != key
    assert server_key(request(via="SIP/2.0/UDP 192.0.2.8:5060")) != key


@pytest.mark.rfc("3261", "17.2.3")
@pytest.mark.parametrize("branch", ["z9hG4bK", "1", "old-style"])
def test_an_empty_or_old_branch_identifies_nothing_by_itself(branch: str) -> None:
    one, two = request(branch=branch), request(branch=branch, call_id="another")
    assert server_key(one) != server_key(two)
    assert server_key(one) == server_key(request(branch=branch))
    assert server_key(request("ACK", branch=branch), "INVITE") == server_key(one)


@pytest.mark.parametrize("bad", [{"t1_s": 0.0}, {"t1_s": 5.0}, {"t4_s": 0.0}])
def test_timers_that_cannot_work_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Timers(**bad)
