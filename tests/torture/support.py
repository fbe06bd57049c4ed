"""The torture messages of RFC 4475: exact octets, the verdict on each, and what a user agent does with it."""

from __future__ import annotations

import dataclasses
import json
from functools import cached_property
from typing import Any

from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.head import Head, read_head
from siprec_src.sip.limits import DEFAULT_LIMITS
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import KeepAlive, Malformed, Parsed, StreamParser, parse_datagram
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.vocabulary import Effect, InviteArrived, Received, Tell, Transmit
from tests.support.identity import CountingIdentity
from tests.support.reference import REFERENCE, reference_path

HERE = Address("198.51.100.1", 5060)
PEER = Flow(Transport.UDP, Address("192.0.2.200", 5099), "public")
STREAM = Flow(Transport.TCP, Address("192.0.2.200", 5099), "public", connection=1)
EDGE = Edge(
    name="public",
    sip_bind=HERE,
    sip_advertised=HERE,
    transports=(Transport.UDP, Transport.TCP),
    rtp_bind=HERE.host,
    rtp_advertised=HERE.host,
)


def names() -> list[str]:
    """Names of all messages; one that says so where the reference data is absent."""
    index = REFERENCE / "torture" / "rfc4475" / "index.json"
    return (
        [entry["name"] for entry in json.loads(index.read_text())["messages"]]
        if index.exists()
        else ["absent"]
    )


@dataclasses.dataclass(frozen=True)
class Case:
    """One message: its octets, its entry in the index, and what comes of it."""

    entry: dict[str, Any]
    data: bytes

    @cached_property
    def parsed(self) -> Request | Response | Malformed | None:
        return parse_datagram(self.data)

    @property
    def request(self) -> Request:
        assert isinstance(self.parsed, Request), self.parsed
        return self.parsed

    @property
    def response(self) -> Response:
        assert isinstance(self.parsed, Response), self.parsed
        return self.parsed

    @property
    def malformed(self) -> Malformed:
        assert isinstance(self.parsed, Malformed), self.parsed
        return self.parsed

    @cached_property
    def effects(self) -> list[Effect]:
        """What a fresh user agent does when this datagram arrives."""
        assert self.parsed is not None
        return _taken(fresh_agent(), self.parsed, PEER)

    @property
    def answers(self) -> list[Head]:
        return _answers(self.effects)

    @property
    def verdict(self) -> int | str:
        """As a datagram."""
        return _verdict(self.effects)

    @property
    def verdicts_over_tcp(self) -> list[int | str]:
        """Of each message that a fresh user agent finds in these octets when they come by a connection."""
        agent = fresh_agent()
        items = StreamParser().feed(self.data)
        return [_verdict(_taken(agent, i, STREAM)) for i in items if not isinstance(i, KeepAlive)]


def fresh_agent() -> UserAgent:
    return UserAgent(CountingIdentity(), {EDGE.name: EDGE})


def _taken(agent: UserAgent, item: Parsed, flow: Flow) -> list[Effect]:
    if isinstance(item, Malformed):
        return agent.refuse(item, flow, 0.0)
    return agent.receive(Received(flow=flow, message=item), 0.0)


def _answers(effects: list[Effect]) -> list[Head]:
    """Heads of the responses sent, read back from the octets; what was wrong may be in them again."""
    sent = [effect.data for effect in effects if isinstance(effect, Transmit)]
    heads = [read_head(data.partition(b"\r\n\r\n")[0] + b"\r\n", DEFAULT_LIMITS) for data in sent]
    assert all(head.status and head.error is None for head in heads)
    return heads


def _verdict(effects: list[Effect]) -> int | str:
    """The final status sent, ``process`` when an owner of calls was told, ``drop`` when neither."""
    final = [response.status for response in _answers(effects) if response.status >= 200]
    told = [e for e in effects if isinstance(e, Tell) and isinstance(e.event, InviteArrived)]
    assert len(final) + len(told) <= 1
    return final[0] if final else "process" if told else "drop"


def case(name: str) -> Case:
    folder = reference_path("torture", "rfc4475")
    index = json.loads((folder / "index.json").read_text())
    entry = next(e for e in index["messages"] if e["name"] == name)
    return Case(entry, (folder / entry["file"]).read_bytes())
