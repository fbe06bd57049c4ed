"""Connections that are kept alive for dialogs (RFC 6223), as the user agent asks the driver for it."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request
from siprec_src.sip.settings import AgentSettings
from siprec_src.sip.vocabulary import FlowFailed, FlowLost, InviteArrived, KeepFlow, Respond, SendRequest
from tests.support.sip import Agent, answer, request, start_invite

PEER = "sip:peer@192.0.2.9;transport=tcp"
CONTACT = f"<{PEER}>"
TCP = Flow(Transport.TCP, Address("192.0.2.9", 5060), "e")


@pytest.fixture
def agent() -> Agent:
    return Agent()


def invited(agent: Agent, usage: int = 1, uri: str = PEER) -> Request:
    command = dataclasses.replace(start_invite(usage=usage, token=usage, uri=uri), keep_alive=True)
    agent.do(command)
    (sent,) = agent.sent()
    assert isinstance(sent, Request)
    return sent


def agree(agent: Agent, asked: Request, said: str, tag: str = "p1") -> list[KeepFlow]:
    """The peer answers with ``said`` in place of our ``keep``."""
    via = (asked.headers.get("via") or "").replace(";keep", said)
    fields = asked.headers.replaced("Via", via)
    agent.get(answer(dataclasses.replace(asked, headers=fields), 200, tag=tag, contact=CONTACT))
    return kept(agent)


def kept(agent: Agent) -> list[KeepFlow]:
    """What the driver has been asked to keep since the last look."""
    found = [effect for effect in agent.effects if isinstance(effect, KeepFlow)]
    agent.effects = []
    return found


def bye(agent: Agent, usage: int) -> list[KeepFlow]:
    agent.do(SendRequest(usage=usage, dialog=f"p{usage}", token=90 + usage, method="BYE"))
    return kept(agent)


@pytest.mark.rfc("6223", "4.2.1")
@pytest.mark.req("TRN-07")
def test_keep_is_offered_in_the_first_request_of_a_dialog_on_a_stream_alone(agent: Agent) -> None:
    assert invited(agent).via.parameter("keep") == ""
    assert invited(agent, 2, "sip:peer@192.0.2.9;transport=udp").via.parameter("keep") is None
    agent.do(start_invite(usage=3, uri=PEER))
    assert ";keep" not in (agent.sent()[0].headers.get("via") or "")
    never = Agent(settings=AgentSettings(keepalive_s=0.0))
    assert invited(never).via.parameter("keep") is None


@pytest.mark.rfc("6223", "4.2.1", "7")
@pytest.mark.req("TRN-07")
@pytest.mark.parametrize(
    ("said", "interval_s"),
    [
        (";keep=120", 120.0), (";keep=0", 30.0), (";keep=1", 10.0),
        (";keep", None), ("", None), (";keep=x", None), (";keep=-1", None),
    ],
)  # fmt: skip
def test_the_peer_says_whether_and_how_often(agent: Agent, said: str, interval_s: float | None) -> None:
    expected = [] if interval_s is None else [KeepFlow(flow=TCP, interval_s=interval_s)]
    assert agree(agent, invited(agent), said) == expected


@pytest.mark.rfc("6223", "4.2.2")
@pytest.mark.req("TRN-07")
def test_a_flow_is_kept_until_the_last_of_its_dialogs_has_ended(agent: Agent) -> None:
    for usage in (1, 2):
        assert len(agree(agent, invited(agent, usage), ";keep=60", f"p{usage}")) == 1
    assert bye(agent, 1) == []
    assert bye(agent, 2) == [KeepFlow(flow=TCP, interval_s=0.0)]


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.req("TRN-07")
def test_a_flow_that_fails_is_told_and_the_next_one_that_works_is_kept(agent: Agent) -> None:
    agree(agent, invited(agent), ";keep=60")
    agent.effects = list(agent.ua.receive(FlowFailed(flow=TCP), agent.now))
    assert agent.told() == [FlowLost(usage=1, dialog="p1")]
    agent.effects = list(agent.ua.receive(FlowFailed(flow=TCP), agent.now))
    assert agent.told() == []
    agent.do(SendRequest(usage=1, dialog="p1", token=5, method="UPDATE"))
    (update,) = agent.sent()
    assert isinstance(update, Request)
    agent.get(answer(update, 200))
    assert kept(agent) == [KeepFlow(flow=TCP, interval_s=60.0)]
    bye(agent, 1)
    agent.run(64)
    assert agent.ua.idle


@pytest.mark.rfc("6223", "4.3.1")
@pytest.mark.parametrize(
    ("transport", "said"), [(Transport.TCP, "0"), (Transport.TLS, "0"), (Transport.UDP, "")]
)
def test_pings_are_welcome_on_streams(agent: Agent, transport: Transport, said: str) -> None:
    via = f"SIP/2.0/{transport.value} 192.0.2.9:5060;keep"
    agent.get(request(via=via), dataclasses.replace(TCP, transport=transport))
    (told,) = [event for event in agent.told() if isinstance(event, InviteArrived)]
    agent.do(Respond(usage=told.usage, token=told.token, status=486, headers=Headers()))
    (response,) = agent.sent()
    assert response.via.parameter("keep") == said
