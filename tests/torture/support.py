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
from siprec_src.sip.parser import Malformed, parse_datagram
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.vocabulary import Effect, InviteArrived, Received, Tell, Transmit
from tests.support.identity import CountingIdentity
from tests.support.reference import REFERENCE, reference_path

HERE = Address("198.51.100.1", 5060)
PEER = Flow(Transport.UDP, Address("192.0.2.200", 5099), "public")
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
        agent = UserAgent(CountingIdentity(), {EDGE.name: EDGE})
        if isinstance(self.parsed, Malformed):
            return agent.refuse(self.parsed, PEER, 0.0)
        assert self.parsed is not None
        return agent.receive(Received(flow=PEER, message=self.parsed), 0.0)

    @property
    def answers(self) -> list[Head]:
        """Heads of the responses sent, read back from the octets; what was wrong may be in them again."""
        sent = [effect.data for effect in self.effects if isinstance(effect, Transmit)]
        heads = [read_head(data.partition(b"\r\n\r\n")[0] + b"\r\n", DEFAULT_LIMITS) for data in sent]
        assert all(head.status and head.error is None for head in heads)
        return heads

    @property
    def told(self) -> list[InviteArrived]:
        return [
            effect.event
            for effect in self.effects
            if isinstance(effect, Tell) and isinstance(effect.event, InviteArrived)
        ]

    @property
    def verdict(self) -> int | str:
        """The final status sent, ``process`` when an owner of calls was told, ``drop`` when neither."""
        final = [response.status for response in self.answers if response.status >= 200]
        assert len(final) + len(self.told) <= 1
        return final[0] if final else "process" if self.told else "drop"


def case(name: str) -> Case:
    folder = reference_path("torture", "rfc4475")
    index = json.loads((folder / "index.json").read_text())
    entry = next(e for e in index["messages"] if e["name"] == name)
    return Case(entry, (folder / entry["file"]).read_bytes())
