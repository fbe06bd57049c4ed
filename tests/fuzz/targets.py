"""What is fuzzed: each target takes any octets and raises only when a promise is broken.

The promise is always that a peer's octets become a value or the one exception of their parser; where a
value can be written, also that it reads back as the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from siprec_src.errors import InstructionError, RemoteProtocolError
from siprec_src.instructions.svaml import parse_manage_call, parse_svaml
from siprec_src.instructions.twiml import parse_twiml
from siprec_src.metadata import model
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.validate import check_metadata
from siprec_src.metadata.writer import write_recording
from siprec_src.sdp.crypto import format_crypto, parse_crypto
from siprec_src.sdp.offer_answer import check_answer, next_offer
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import digest
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import split_body, split_parts
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import KeepAlive, Malformed, Parsed, StreamParser, parse_datagram
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.writer import write_message
from tests.support.identity import CountingIdentity

CORPUS: Final = Path(__file__).with_name("corpus")

_LIMITS: Final = SipLimits(head_bytes=8192, body_bytes=8192)
_US: Final = Edge(
    name="e",
    sip_bind=Address("192.0.2.1", 5060),
    sip_advertised=Address("192.0.2.1", 5060),
    transports=(Transport.UDP, Transport.TCP),
    rtp_bind="192.0.2.1",
    rtp_advertised="192.0.2.1",
)
_PEER: Final = Flow(Transport.TCP, Address("192.0.2.9", 5060), "e", connection=1)
_FIELDS: Final = (
    "vias", "from_", "to", "cseq", "call_id", "contacts", "routes", "record_routes", "content_type",
    "max_forwards", "target",
)  # fmt: skip


def sip_datagram(data: bytes) -> None:
    """A datagram; what can be read of it is written and read again as the same."""
    parsed = parse_datagram(data)
    if not isinstance(parsed, Request | Response):
        return
    for name in _FIELDS:
        with contextlib.suppress(RemoteProtocolError):
            repr(getattr(parsed, name, None))
    with contextlib.suppress(RemoteProtocolError):
        split_body(parsed)
    again = parse_datagram(write_message(parsed))
    assert isinstance(again, Request | Response)
    assert parse_datagram(write_message(again)) == again


def sip_stream(data: bytes) -> None:
    """Octets of a connection are told alike, however they are cut; the first one says where."""
    step = data[0] + 1 if data else 1
    whole, cut = StreamParser(_LIMITS), StreamParser(_LIMITS)
    expected = _messages(whole.feed(data[1:]))
    pieces = [data[at : at + step] for at in range(1, len(data), step)]
    told = [item for piece in pieces for item in _messages(cut.feed(piece))]
    assert [type(item) for item in told] == [type(item) for item in expected]
    assert (cut.closed, cut.pending) == (whole.closed, whole.pending)


def sip_agent(data: bytes) -> None:
    """A user agent that takes every call: no sequence of messages makes it raise, now or by its timers."""
    agent = UserAgent(CountingIdentity(), {"e": _US})
    now = 0.0
    for item in StreamParser(_LIMITS).feed(data):
        if isinstance(item, Malformed):
            agent.refuse(item, _PEER, now)
        elif not isinstance(item, KeepAlive):
            _serve(agent, agent.receive(sip.Received(flow=_PEER, message=item), now), now)
        now += 0.1
    while (due := agent.deadline) is not None and now < 4000.0:
        now = max(now, due)
        _serve(agent, agent.wake(now), now)


def sdp(data: bytes) -> None:
    """A description; it is offered and answered by itself, and written and read again."""
    with contextlib.suppress(RemoteProtocolError):
        description = parse_sdp(data)
        assert parse_sdp(write_sdp(description)) == description
        for media in description.media:
            repr((media.rtp_formats, media.label, media.packet_time_ms, description.rtcp(media)))
            for crypto in media.crypto:
                assert parse_crypto(format_crypto(crypto)) == crypto
        check_answer(description, description)
        next_offer(description, description)


def multipart(data: bytes) -> None:
    """A body; the first line is its Content-Type."""
    kind, _, body = data.partition(b"\n")
    with contextlib.suppress(RemoteProtocolError):
        split_parts(kind.decode("utf-8", "surrogateescape"), body)


def metadata(data: bytes) -> None:
    """An XML document: a recording's, or a request for a snapshot; what was read can be written, validly."""
    with contextlib.suppress(RemoteProtocolError):
        check_metadata(data)
    try:
        document = read_metadata(data)
    except RemoteProtocolError:
        return
    if isinstance(document, model.Recording):
        write_recording(document)


def challenges(data: bytes) -> None:
    """A WWW-Authenticate, Authorization or Authentication-Info; every challenge in it is answered."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(RemoteProtocolError):
        digest.parse_info(text)
    try:
        schemes = digest.parse_schemes(text)
    except RemoteProtocolError:
        return
    for scheme in schemes:
        challenge = digest.read_challenge(scheme, allow_md5=True)
        if challenge is not None:
            proof = digest.Proof(username="u", password="p", method="INVITE", uri="sip:a", client_nonce="c")
            (again,) = digest.parse_schemes(digest.write_credentials(challenge, proof))
            assert again.parameters["realm"] == challenge.realm


def twiml(data: bytes) -> None:
    """What a voice URL answers, in XML."""
    with contextlib.suppress(InstructionError):
        repr(parse_twiml(data))


def svaml(data: bytes) -> None:
    """What a voice URL answers, in JSON, or a Manage Call request holds."""
    for read in (parse_svaml, parse_manage_call):
        with contextlib.suppress(InstructionError):
            repr(read(data))


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (sip_datagram, sip_stream, sip_agent, sdp, multipart, metadata, challenges, twiml, svaml)
}


def _messages(told: list[Parsed | KeepAlive]) -> list[Parsed]:
    return [item for item in told if not isinstance(item, KeepAlive)]


def _serve(agent: UserAgent, effects: list[sip.Effect], now: float) -> None:
    """Take what comes as a simple callee does."""
    for effect in effects:
        if not isinstance(effect, sip.Tell):
            continue
        event = effect.event
        if isinstance(event, sip.InviteArrived | sip.RequestArrived):
            answer = sip.Respond(usage=event.usage, token=event.token, status=200)
            _serve(agent, agent.command(answer, now), now)
