"""The user agent answers challenges to its owner's requests (RFC 3261 22, RFC 8760)."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siprec_src.sip import digest
from siprec_src.sip.auth import MAX_ROUNDS
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.digest import Challenge, Proof
from siprec_src.sip.message import Headers, Request
from siprec_src.sip.vocabulary import (
    CancelInvite,
    InviteArrived,
    Respond,
    ResponseArrived,
    SendAck,
    SendRequest,
)
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, request, start_invite

CREDENTIALS = Credentials(username="recorder", password="canary-password")
DIGEST = 'Digest realm="r", nonce="{}", algorithm=SHA-256, qop="auth"'
OK_SDP = (SDP_TYPE,)


@pytest.fixture
def agent() -> Agent:
    return Agent()


def asks(nonce: str, *, stale: bool = False, qop: str = "auth") -> tuple[tuple[str, str], ...]:
    value = DIGEST.format(nonce).replace('qop="auth"', f'qop="{qop}"')
    return (("WWW-Authenticate", value + (", stale=TRUE" if stale else "")),)


def started(agent: Agent, credentials: Credentials | None = CREDENTIALS, **options: object) -> Request:
    agent.do(dataclasses.replace(start_invite(**options), credentials=credentials))  # type: ignore[arg-type]
    return sent(agent)


def sent(agent: Agent, method: str = "") -> Request:
    """The only request sent since the last look, ACKs to refusals apart."""
    (found,) = [m for m in agent.sent() if isinstance(m, Request) and (m.method != "ACK" or method == "ACK")]
    return found


def refused(agent: Agent, asked: Request, *challenges: tuple[str, str], status: int = 401) -> Request:
    """The request that follows a challenge."""
    agent.get(answer(asked, status, headers=challenges))
    return sent(agent)


def parameters(asked: Request, field: str = "authorization") -> dict[str, str]:
    (value,) = asked.headers.all(field)
    return dict(digest.parse_schemes(value)[0].parameters)


def is_right(asked: Request, credentials: Credentials = CREDENTIALS, field: str = "authorization") -> bool:
    (value,) = asked.headers.all(field)
    (scheme,) = digest.parse_schemes(value)
    challenge = digest.read_challenge(scheme, allow_md5=True)
    assert isinstance(challenge, Challenge)
    proof = Proof(
        username=credentials.username,
        password=credentials.password,
        method=asked.method,
        uri=asked.uri,
        body=asked.body,
        count=int(scheme.parameters["nc"], 16),
        client_nonce=scheme.parameters["cnonce"],
    )
    return scheme.parameters["response"] == digest.respond(challenge, proof)


def statuses(agent: Agent) -> list[int]:
    return [e.response.status for e in agent.told() if isinstance(e, ResponseArrived)]


def confirmed(agent: Agent) -> Request:
    """A dialog whose INVITE was challenged; the request that made it."""
    asked = refused(agent, started(agent), *asks("n1"))
    agent.get(answer(asked, 200, tag="p2", headers=OK_SDP, body=SDP))
    agent.do(SendAck(usage=1, dialog="p2", token=1))
    return asked


def command(method: str, token: int = 2, **options: object) -> SendRequest:
    return SendRequest(usage=1, dialog="p2", token=token, method=method, **options)  # type: ignore[arg-type]


@pytest.mark.rfc("3261", "8.1.3.5", "22.1", "22.2")
@pytest.mark.req("AUT-01", "AUT-04", "ERR-05")
def test_a_challenged_invite_goes_once_more_with_credentials(agent: Agent) -> None:
    first = started(agent)
    assert "authorization" not in first.headers
    second = refused(agent, first, *asks("n1"))
    assert is_right(second)
    assert (second.call_id, second.from_, second.to) == (first.call_id, first.from_, first.to)
    assert (second.cseq.number, second.via.branch != first.via.branch) == (2, True)
    assert second.body == first.body
    assert parameters(second)["uri"] == first.uri
    agent.get(answer(second, 200, tag="p2", headers=OK_SDP, body=SDP))
    assert statuses(agent) == [200]


@pytest.mark.rfc("3261", "22.3")
@pytest.mark.req("AUT-01")
def test_a_proxy_and_the_server_behind_it_are_both_answered(agent: Agent) -> None:
    first = started(agent)
    proxy = ("Proxy-Authenticate", 'Digest realm="p", nonce="x", algorithm=SHA-512-256, qop="auth"')
    second = refused(agent, first, proxy, status=407)
    assert is_right(second, field="proxy-authorization")
    third = refused(agent, second, *asks("n1"))
    assert is_right(third)
    assert is_right(third, field="proxy-authorization")
    assert parameters(third, "proxy-authorization")["nc"] == "00000002"
    assert third.cseq.number == 3


@pytest.mark.rfc("3261", "22.1")
@pytest.mark.req("AUT-01")
def test_a_second_refusal_is_told_as_it_came(agent: Agent) -> None:
    second = refused(agent, started(agent), *asks("n1"))
    agent.get(answer(second, 401, headers=asks("n2")))
    told = [e for e in agent.told() if isinstance(e, ResponseArrived)]
    assert [(e.response.status, e.made_here) for e in told] == [(401, False)]
    assert told[0].response.headers.get("www-authenticate") == DIGEST.format("n2")
    assert agent.ua.usages == 0


@pytest.mark.rfc("7616", "3.3")
@pytest.mark.req("AUT-01")
def test_a_stale_nonce_is_replaced_but_not_without_end(agent: Agent) -> None:
    asked = started(agent)
    for count in range(MAX_ROUNDS):
        asked = refused(agent, asked, *asks(f"n{count}", stale=count > 0))
        assert parameters(asked)["nonce"] == f"n{count}"
    agent.get(answer(asked, 401, headers=asks("more", stale=True)))
    assert statuses(agent) == [401]


@pytest.mark.rfc("8760", "2.4", "2.6")
@pytest.mark.req("AUT-02", "AUT-05")
def test_the_topmost_challenge_that_can_be_answered_is_answered(agent: Agent) -> None:
    fields = [
        ("WWW-Authenticate", 'Basic realm="r"'),
        ("WWW-Authenticate", 'Digest realm="r", nonce="1", algorithm=SHA-3'),
        ("WWW-Authenticate", 'Digest realm="broken'),
        ("WWW-Authenticate", 'Digest realm="r", nonce="2", algorithm=SHA-512-256, qop="auth"'),
        ("WWW-Authenticate", 'Digest realm="r", nonce="3", algorithm=SHA-256, qop="auth"'),
    ]
    assert parameters(refused(agent, started(agent), *fields))["nonce"] == "2"


@pytest.mark.rfc("8760", "2.6")
@pytest.mark.req("AUT-03", "AUT-05")
@pytest.mark.parametrize(
    "challenge", ['Basic realm="r"', 'Digest realm="r", nonce="1"', 'Digest realm="r', "@", ""]
)
def test_a_challenge_that_cannot_be_answered_is_told(agent: Agent, challenge: str) -> None:
    asked = started(agent)
    agent.get(answer(asked, 401, headers=(("WWW-Authenticate", challenge),)))
    assert statuses(agent) == [401]


@pytest.mark.req("AUT-01")
def test_without_credentials_every_challenge_is_told(agent: Agent) -> None:
    asked = started(agent, None)
    agent.get(answer(asked, 401, headers=asks("n1")))
    assert statuses(agent) == [401]


@pytest.mark.rfc("7616", "3.4")
@pytest.mark.req("AUT-04")
def test_auth_int_covers_the_body_when_it_is_offered_alone(agent: Agent) -> None:
    asked = refused(agent, started(agent), *asks("n1", qop="auth-int"))
    assert asked.body
    assert parameters(asked)["qop"] == "auth-int"
    assert is_right(asked)


@pytest.mark.rfc("3261", "22.1")
@pytest.mark.req("AUT-06")
def test_the_ack_to_a_2xx_repeats_the_credentials_of_the_invite(agent: Agent) -> None:
    asked = refused(agent, started(agent), *asks("n1"))
    agent.get(answer(asked, 200, tag="p2", headers=OK_SDP, body=SDP))
    agent.do(SendAck(usage=1, dialog="p2", token=1))
    ack = sent(agent, "ACK")
    assert ack.headers.all("authorization") == asked.headers.all("authorization")
    assert ack.cseq.number == asked.cseq.number


@pytest.mark.rfc("3261", "22.2")
@pytest.mark.rfc("7616", "3.4")
@pytest.mark.req("AUT-04", "AUT-07")
def test_later_requests_of_the_dialog_bring_credentials_and_the_count_grows(agent: Agent) -> None:
    confirmed(agent)
    agent.take()
    counts = []
    for token, method in enumerate(("UPDATE", "INFO", "BYE"), 2):
        agent.do(command(method, token))
        asked = sent(agent)
        assert is_right(asked)
        counts.append((parameters(asked)["nc"], asked.cseq.number))
        agent.get(answer(asked, 200, tag="p2"))
    assert counts == [("00000002", 3), ("00000003", 4), ("00000004", 5)]


@pytest.mark.rfc("3261", "22.1", "14.1")
@pytest.mark.req("AUT-01")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "BYE"])
def test_a_request_inside_the_dialog_that_is_challenged_anew_goes_again(agent: Agent, method: str) -> None:
    confirmed(agent)
    agent.take()
    agent.do(command(method, headers=Headers(OK_SDP), body=SDP))
    first = sent(agent)
    second = refused(agent, first, *asks("n2", stale=True))
    assert (second.method, second.cseq.number) == (method, first.cseq.number + 1)
    assert (parameters(second)["nonce"], parameters(second)["nc"]) == ("n2", "00000001")
    agent.get(answer(second, 200, tag="p2", headers=OK_SDP, body=SDP))
    assert statuses(agent) == [200]


@pytest.mark.rfc("7616", "3.5")
def test_the_next_nonce_that_a_server_names_is_used(agent: Agent) -> None:
    asked = refused(agent, started(agent), *asks("n1"))
    named = (*OK_SDP, ("Authentication-Info", 'qop=auth, nextnonce="n9"'))
    agent.get(answer(asked, 200, tag="p2", headers=named, body=SDP))
    agent.do(SendAck(usage=1, dialog="p2", token=1))
    agent.take()
    agent.do(command("BYE"))
    bye = sent(agent)
    assert (parameters(bye)["nonce"], parameters(bye)["nc"]) == ("n9", "00000001")


@pytest.mark.rfc("3261", "22.1", "9.1")
def test_a_cancelled_invite_does_not_go_again_and_a_cancel_has_no_credentials(agent: Agent) -> None:
    asked = refused(agent, started(agent), *asks("n1"))
    agent.get(answer(asked, 180, tag="p2"))
    agent.take()
    agent.do(CancelInvite(usage=1, token=1))
    cancel = sent(agent)
    assert (cancel.method, cancel.cseq.number) == ("CANCEL", asked.cseq.number)
    assert "authorization" not in cancel.headers
    agent.get(answer(asked, 401, headers=asks("n2", stale=True)))
    assert [m.method for m in agent.sent() if isinstance(m, Request)] == ["ACK"]


@pytest.mark.rfc("3261", "12.1", "22.2")
def test_early_dialogs_of_a_challenged_invite_are_over(agent: Agent) -> None:
    first = started(agent)
    agent.get(answer(first, 180, tag="p2"))
    agent.take()
    second = refused(agent, first, *asks("n1"))
    agent.get(answer(second, 200, tag="p2", headers=OK_SDP, body=SDP))
    told = [e for e in agent.told() if isinstance(e, ResponseArrived)]
    assert [(e.response.status, e.dialog) for e in told] == [(200, "p2")]
    agent.do(SendAck(usage=1, dialog="p2", token=1))
    assert sent(agent, "ACK").cseq.number == 2


@pytest.mark.rfc("3261", "22.1")
def test_a_server_side_usage_answers_with_the_credentials_of_its_request(agent: Agent) -> None:
    agent.get(request(headers=OK_SDP, body=SDP))
    (invite,) = [e for e in agent.told() if isinstance(e, InviteArrived)]
    agent.do(Respond(usage=invite.usage, token=invite.token, status=200, headers=Headers(OK_SDP), body=SDP))
    (ok,) = agent.sent()
    agent.get(request("ACK", to_tag=ok.to.tag or ""))
    agent.take()
    agent.do(SendRequest(usage=invite.usage, dialog="", token=9, method="INFO", credentials=CREDENTIALS))
    assert is_right(refused(agent, sent(agent), *asks("n1")))


@pytest.mark.rfc("3261", "22.3")
def test_credentials_of_others_for_the_realm_give_way_and_those_for_other_realms_stay(agent: Agent) -> None:
    theirs = [("Authorization", f'Digest realm="{realm}", username="alice"') for realm in ("r", "other")]
    second = refused(agent, started(agent, headers=tuple(theirs)), *asks("n1"))
    usernames = [
        digest.parse_schemes(value)[0].parameters["username"] for value in second.headers.all("authorization")
    ]
    assert usernames == ["alice", "recorder"]


@pytest.mark.rfc("3261", "22.1", "22.2")
@pytest.mark.req("AUT-01")
def test_requests_that_cross_are_each_challenged_with_the_same_nonce_and_answered(agent: Agent) -> None:
    agent.get(request(headers=OK_SDP, body=SDP))
    (invite,) = [e for e in agent.told() if isinstance(e, InviteArrived)]
    agent.do(Respond(usage=invite.usage, token=invite.token, status=200, headers=Headers(OK_SDP), body=SDP))
    (ok,) = agent.sent()
    agent.get(request("ACK", to_tag=ok.to.tag or ""))
    asked = []
    for token in (8, 9):
        agent.take()
        agent.do(
            SendRequest(usage=invite.usage, dialog="", token=token, method="INFO", credentials=CREDENTIALS)
        )
        asked.append(sent(agent))
    again = [refused(agent, each, *asks("n1")) for each in asked]
    assert all(is_right(each) for each in again)
    assert again[1].cseq.number == again[0].cseq.number + 1 == 4


@pytest.mark.rfc("3261", "22.1")
@pytest.mark.req("AUT-01")
def test_credentials_that_a_request_brought_unasked_are_replaced_once(agent: Agent) -> None:
    confirmed(agent)
    agent.take()
    agent.do(command("INFO"))
    second = refused(agent, sent(agent), *asks("n2"))
    assert parameters(second)["nonce"] == "n2"
    agent.get(answer(second, 401, headers=asks("n3")))
    assert statuses(agent) == [401]


@given(
    st.lists(st.text(alphabet=st.sampled_from('Digest realmnoc="\\,; =:/SHA-256é'), max_size=80), max_size=4)
)
def test_no_challenge_makes_the_user_agent_raise(values: list[str]) -> None:
    agent = Agent()
    asked = started(agent)
    agent.get(answer(asked, 401, headers=tuple(("WWW-Authenticate", value.strip()) for value in values)))
    agent.run(64)
    assert agent.ua.usages == 0


def test_nothing_that_is_told_or_remembered_shows_the_password(agent: Agent) -> None:
    started(agent)
    started_again = dataclasses.replace(start_invite(usage=2), credentials=CREDENTIALS)
    assert CREDENTIALS.password not in repr(started_again)
