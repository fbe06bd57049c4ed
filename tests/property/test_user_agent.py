"""Whatever peers, owners, resolvers and time do, in any order: nothing is raised and nothing is left over."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.parser import Malformed, parse_datagram
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.vocabulary import (
    CancelInvite,
    Command,
    Effect,
    InviteArrived,
    Received,
    RequestArrived,
    Resolve,
    Resolved,
    Respond,
    ResponseArrived,
    SendAck,
    SendRequest,
    Tell,
    Transmit,
    TransmitFailed,
)
from siprec_src.sip.writer import write_message
from tests.support.sip import SDP, SDP_TYPE, Agent, answer, message, request, start_invite

METHODS = ("INVITE", "UPDATE", "PRACK", "BYE", "INFO", "OPTIONS", "ACK", "CANCEL", "FOO")
STATUSES = (100, 180, 183, 183, 200, 200, 200, 202, 302, 408, 481, 486, 491, 503)
BITS = st.integers(0, 7)
STEP = st.one_of(
    st.tuples(st.just("start"), BITS, BITS, BITS),
    st.tuples(st.just("peer answers"), BITS, st.sampled_from(STATUSES), BITS),
    st.tuples(st.just("peer asks"), st.sampled_from(METHODS), BITS, BITS),
    st.tuples(st.just("owner answers"), BITS, st.sampled_from(STATUSES), BITS),
    st.tuples(st.just("owner asks"), st.sampled_from(METHODS[:6]), BITS, BITS),
    st.tuples(st.just("owner acks"), BITS, BITS, BITS),
    st.tuples(st.just("owner cancels"), BITS, BITS, BITS),
    st.tuples(st.just("breaks"), BITS, BITS, BITS),
    st.tuples(st.just("resolves"), BITS, BITS, BITS),
    st.tuples(st.just("time"), st.sampled_from((0, 1, 3, 16, 40)), BITS, BITS),
)
FLOWS = tuple(Flow(Transport.UDP, Address(f"192.0.2.{n}", 5060), "e") for n in (9, 10, 11))
ALLOWED = AgentLimits(unanswered_s=100, max_usages=6, max_dialogs_per_usage=3, max_requests_per_dialog=3)


class Chaos:
    """An agent, and everything seen of it so far, from which the next step picks."""

    def __init__(self) -> None:
        self.agent = Agent(limits=ALLOWED)
        self.requests: list[Request] = []  #: that the agent sent
        self.received: list[Request] = []
        self.tags: list[tuple[str, str, str]] = [("pc1", "", "p1")]
        self.tokens: list[tuple[int, int]] = []
        self.dialogs: list[tuple[int, str]] = []
        self.invites: list[tuple[int, str, int]] = []
        self.queries: list[int] = []
        self.keys: list[str] = []
        self.counter = 0

    def step(self, what: str, a: object, b: object, c: int) -> None:
        getattr(self, what.replace(" ", "_"))(a, b, c)
        self._look()

    def next(self) -> int:
        self.counter += 1
        return self.counter

    def start(self, a: int, b: int, c: int) -> None:
        usage = 1000 + self.next()
        uri = "sip:x@name.example" if a % 3 == 0 else "sip:peer@192.0.2.9"
        if b % 3 == 0:
            uri += ";transport=tcp"
        timeout_s = 20.0 if c == 0 else None
        self.do(start_invite(usage, usage, uri, answer_timeout_s=timeout_s, body=SDP if c % 2 else b""))

    def peer_answers(self, a: int, status: int, c: int) -> None:
        if self.requests:
            asked = self.requests[-1 - a % min(4, len(self.requests))]
            headers: list[tuple[str, str]] = [SDP_TYPE] if c % 2 else []
            if status in {180, 183} and c > 3:
                headers += [("Require", "100rel"), ("RSeq", str(c))]
            body = SDP if c % 2 else b""
            self.get(answer(asked, status, tag=f"p{c % 3}", headers=tuple(headers), body=body))

    def peer_asks(self, method: str, b: int, c: int) -> None:
        inside = [known for known in self.tags if known[1]] if b < 6 else []
        known = inside or self.tags
        call_id, ours, theirs = known[-1 - b % min(3, len(known))]
        if method in {"CANCEL", "ACK"} and self.received and c % 2:
            last = self.received[-1 - b % len(self.received)]
            head = last.headers.replaced("CSeq", f"{last.cseq.number} {method}")
            self.get(Request(method=method, uri=last.uri, headers=head))
            return
        headers = [SDP_TYPE] if c % 2 else []
        headers += [("Supported", "100rel")] if c > 3 else []
        headers += [("RAck", f"{c + 100} 1 INVITE")] if method == "PRACK" else []
        n = self.next()
        asked = request(
            method,
            branch=f"z9hG4bK-{n}",
            call_id=call_id,
            from_tag=theirs,
            to_tag=ours,
            cseq=n if c else 1,
            headers=tuple(headers),
            body=SDP if c % 2 else b"",
        )
        self.received.append(asked)
        self.get(asked)
        if c == 5:
            self.get(asked)
        if not ours:
            self.tags.append((f"pc{n}", "", "p1"))

    def owner_answers(self, a: int, status: int, c: int) -> None:
        if self.tokens:
            usage, token = self.tokens[-1 - a % min(3, len(self.tokens))]
            headers = Headers([SDP_TYPE] if c % 2 else [])
            body = SDP if c % 2 else b""
            self.do(
                Respond(
                    usage=usage,
                    token=token,
                    status=status,
                    headers=headers,
                    body=body,
                    dialog="ab"[c % 2],
                    reliable=c > 2,
                )
            )

    def owner_asks(self, method: str, b: int, c: int) -> None:
        if self.dialogs:
            usage, dialog = self.dialogs[-1 - b % min(4, len(self.dialogs))]
            headers = Headers([SDP_TYPE] if c % 2 else [])
            body = SDP if c % 2 else b""
            token = 5000 + self.next()
            self.invites.append((usage, dialog, token))
            self.do(
                SendRequest(
                    usage=usage, dialog=dialog, token=token, method=method, headers=headers, body=body
                )
            )

    def owner_acks(self, a: int, _b: int, _c: int) -> None:
        if self.invites:
            usage, dialog, token = self.invites[-1 - a % len(self.invites)]
            self.do(SendAck(usage=usage, dialog=dialog, token=token))

    def owner_cancels(self, a: int, _b: int, _c: int) -> None:
        if self.invites:
            usage, _, token = self.invites[-1 - a % len(self.invites)]
            self.do(CancelInvite(usage=usage, token=token))

    def breaks(self, a: int, _b: int, _c: int) -> None:
        if self.keys:
            key = self.keys[-1 - a % len(self.keys)]
            self.agent.effects += self.agent.ua.receive(TransmitFailed(key=key), self.agent.now)

    def resolves(self, a: int, _b: int, _c: int) -> None:
        if self.queries:
            fact = Resolved(query=self.queries.pop(), flows=FLOWS[: a % 4])
            self.agent.effects += self.agent.ua.receive(fact, self.agent.now)

    def time(self, seconds: int, _b: int, _c: int) -> None:
        self.agent.run(seconds)

    def get(self, received: Request | Response) -> None:
        self.agent.get(received)

    def do(self, command: Command) -> None:
        self.agent.do(command)

    def finish(self) -> None:
        """Everybody lets go: names resolve to nothing, owners hang up and answer, and time passes."""
        while self.queries:
            self.resolves(0, 0, 0)
            self._look()
        for _ in range(3):
            for usage, dialog in self.dialogs:
                self.do(SendRequest(usage=usage, dialog=dialog, token=1, method="BYE", headers=Headers()))
            for usage, token in self.tokens:
                self.do(Respond(usage=usage, token=token, status=500))
            self._look()
            self.agent.run(300)
            self._look()
            while self.queries:
                self.resolves(0, 0, 0)
                self._look()

    def _look(self) -> None:
        effects, self.agent.effects = self.agent.effects, []
        for effect in effects:
            self._see(effect)

    def _see(self, effect: Effect) -> None:
        match effect:
            case Transmit(data=data, key=key):
                self.keys += [key] if key else []
                sent = message(data)
                if isinstance(sent, Request):
                    self.requests.append(sent)
                elif sent.to.tag and sent.cseq.method == "INVITE":
                    self.tags.append((sent.call_id, sent.to.tag, sent.from_.tag or ""))
            case Resolve(query=query):
                self.queries.append(query)
            case Tell(event=InviteArrived() as event):
                self.tokens.append((event.usage, event.token))
                self.dialogs += [(event.usage, "a"), (event.usage, "b")]
            case Tell(event=RequestArrived() as event):
                self.tokens.append((event.usage, event.token))
            case Tell(event=ResponseArrived() as event):
                if event.dialog and event.response.status < 300:
                    self.dialogs.append((event.usage, event.dialog))
                self.invites.append((event.usage, event.dialog, event.token))
                if self.requests and event.dialog:
                    first = next((r for r in reversed(self.requests) if r.method == "INVITE"), None)
                    self.tags += [(first.call_id, first.from_.tag or "", event.dialog)] if first else []
            case _:
                pass


@pytest.mark.rfc("3261", "17")
@settings(max_examples=200)
@given(st.lists(STEP, max_size=40))
def test_any_order_of_events_raises_nothing_and_leaves_nothing(
    steps: list[tuple[str, object, object, int]],
) -> None:
    chaos = Chaos()
    for step in steps:
        chaos.step(*step)
    chaos.finish()
    assert chaos.agent.ua.idle


SEEDS = [
    write_message(request("INVITE", headers=(SDP_TYPE, ("Require", "timer"), ("Accept", "*/*")), body=SDP)),
    write_message(request("OPTIONS", to_tag="x")),
    write_message(request("CANCEL")),
    write_message(answer(request(branch="z9hG4bK-1", call_id="c1"), 200, headers=(("RSeq", "1"),))),
]


@pytest.mark.rfc("3261", "8.2")
@settings(max_examples=200)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 5), st.binary(max_size=6)), max_size=6),
)
def test_no_octets_make_it_raise(seed: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    agent = Agent()
    agent.do(dataclasses.replace(start_invite()))
    for at, length, octets in cuts:
        seed = seed[:at] + octets + seed[at + length :]
    parsed = parse_datagram(seed)
    if isinstance(parsed, Malformed):
        agent.ua.refuse(parsed, agent.peer, 0.0)
    elif parsed is not None:
        agent.ua.receive(Received(flow=agent.peer, message=parsed), 0.0)
        agent.ua.receive(Received(flow=agent.peer, message=parsed), 0.1)
