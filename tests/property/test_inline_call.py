"""Whatever the parties do and in whatever order, a call never raises, and ends when it is told to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.ingest.inline.call import Call
from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.ingest.inline.routing import RoutingTable
from siprec_src.machine import Finished, Forward
from siprec_src.media import plane
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from tests.support.descriptions import audio, sdp
from tests.support.identity import CountingIdentity
from tests.support.media import FakeMedia
from tests.support.phone import ALICE, BOB, SRC, edge
from tests.support.world import two_trunks

FLOW = Flow(Transport.UDP, Address(ALICE, 5060), "default")
BODIES = (
    b"",
    audio(ALICE, 4000),
    audio(BOB, 5000, "a=sendonly"),
    audio("0.0.0.0", 0),
    sdp(ALICE, "audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40),
    sdp(ALICE, "audio 0 RTP/AVP 0", "image 9 udptl t38", "video 7 TCP/X 1"),
    audio("host.example", 4000),
    b"v=0\r\nrubbish",
)
METHODS = ("INVITE", "UPDATE", "PRACK", "INFO", "BYE", "REFER", "\udcff")
HEADERS = (
    (),
    (("Require", "100rel"), ("RSeq", "1")),
    (("Content-Type", "text/plain"),),
    (("Content-Type", ";"),),
    (("Reason", ";;"), ("P-Asserted-Identity", "<"), ("Session-ID", "=")),
    (
        ("Refer-To", "<sip:c@x?Replaces=%3B%3Bto-tag>"),
        ("Referred-By", "<"),
        ("Replaces", ";to-tag=;from-tag"),
    ),
    (("Refer-To", "sip:c@x"), ("P-Asserted-Identity", "<tel:+1>, <sip:%00@x>"), ("Join", "c;to-tag=t1")),
)

numbers = st.integers(1, 8)  # tokens and usages, most of them real
names = st.sampled_from(("", "t1", "t2"))


def fields(extra: tuple[tuple[str, str], ...]) -> Headers:
    typed = any(name == "Content-Type" for name, _ in extra)
    sdp_type = () if typed else (("Content-Type", "application/sdp"),)
    return Headers((("From", "<sip:a@x>;tag=f"), ("To", "<sip:b@x>"), ("Call-ID", "c"), *sdp_type, *extra))


requests = st.builds(
    lambda method, extra, body: Request(method=method, uri="sip:b@x", headers=fields(extra), body=body),
    st.sampled_from(METHODS),
    st.sampled_from(HEADERS),
    st.sampled_from(BODIES),
)
responses = st.builds(
    lambda status, extra, body: Response(status=status, reason="", headers=fields(extra), body=body),
    st.sampled_from((180, 183, 200, 200, 202, 302, 408, 481, 486, 503)),
    st.sampled_from(HEADERS),
    st.sampled_from(BODIES),
)
events = st.one_of(
    st.builds(
        lambda u, d, t, r: sip.RequestArrived(usage=u, dialog=d, token=t, request=r, flow=FLOW),
        numbers,
        names,
        numbers,
        requests,
    ),
    st.builds(
        lambda u, d, t, r: sip.ResponseArrived(usage=u, dialog=d, token=t, response=r),
        numbers,
        names,
        numbers,
        responses,
    ),
    st.builds(
        lambda u, d, t, r: sip.AckArrived(usage=u, dialog=d, token=t, request=r),
        numbers,
        names,
        numbers,
        requests,
    ),
    st.builds(lambda u, t, r: sip.CancelArrived(usage=u, token=t, request=r), numbers, numbers, requests),
    st.builds(
        lambda u, d, c: sip.DialogEnded(usage=u, dialog=d, cause=c),
        numbers,
        names,
        st.sampled_from(("481", "no-ack", "no-prack")),
    ),
    st.builds(plane.MediaDown),
    st.builds(plane.MediaUp),
    st.builds(lambda t: plane.Refused(tag=t, reason="ports-exhausted"), numbers),
)


class Bench:
    """One call with a media plane that answers at once, unless it is down."""

    def __init__(self, invite: Request) -> None:
        edges = {"default": edge(SRC)}
        identity = CountingIdentity()
        ingest = InlineIngest(identity=identity, routing=RoutingTable(two_trunks(), edges), edges=edges)
        arrived = sip.InviteArrived(usage=1, token=1, request=invite, flow=FLOW)
        (forward,) = [e for e in ingest.receive(arrived, 0.0) if isinstance(e, Forward)]
        assert isinstance(forward.machine, Call)
        self.call = forward.machine
        self.media = FakeMedia()
        self.finished = 0
        self.feed(arrived)

    def feed(self, event: object) -> None:
        if isinstance(event, plane.MediaDown):
            self.media.lose()
        if isinstance(event, plane.MediaUp):
            self.media.serve()
        todo = [event]
        while todo:
            for effect in self.call.receive(todo.pop(0), 1.0):
                if isinstance(effect, plane.Command):
                    todo.append(self.media.answer(effect))
                self.finished += isinstance(effect, Finished)


@settings(max_examples=300)
@given(st.sampled_from(BODIES), st.sampled_from(HEADERS), st.lists(events, max_size=25))
def test_a_call_takes_anything_and_leaves_no_port_behind(
    body: bytes, extra: tuple[tuple[str, str], ...], happening: list[object]
) -> None:
    bench = Bench(Request(method="INVITE", uri="sip:b@x", headers=fields(extra), body=body))
    for event in happening:
        bench.feed(event)
    if not bench.call.finished:
        bench.feed(plane.MediaUp())
        cancel = Request(method="CANCEL", uri="sip:b@x", headers=fields(()))
        bench.feed(sip.CancelArrived(usage=1, token=1, request=cancel))
        for dialog in ("", "t1", "t2"):
            bench.feed(sip.DialogEnded(usage=1, dialog=dialog, cause="481"))
    assert bench.call.finished
    assert bench.finished == 1
    assert bench.call.deadline is None
    assert bench.media.down or bench.media.ports == {}
