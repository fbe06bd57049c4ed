"""Whatever happens in whatever order: no machine raises, and every call ends with nothing left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.communication import CommunicationSession, Direction
from siprec_src.media import plane
from siprec_src.metadata.model import SnapshotRequest
from siprec_src.metadata.writer import write_snapshot_request
from siprec_src.recording.commands import Pause, Resume, Start, Stop
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    CALLER,
    PCMA,
    VOICE_A,
    VOICE_B,
    Play,
    answer_to,
    offer_of,
    track,
    two_party_call,
    with_stream,
)

CALL = two_party_call()
VARIANTS: tuple[CommunicationSession, ...] = (
    CALL,
    with_stream(CALL, VOICE_A, direction=Direction.RECVONLY),
    with_stream(CALL, VOICE_B, formats=(PCMA,)),
    with_stream(CALL, VOICE_A, encrypted=True),
    dataclasses.replace(CALL, streams=CALL.streams[1:]),
    dataclasses.replace(CALL, streams=(*CALL.streams, track(b"c" * 16, CALLER, 1))),
    dataclasses.replace(CALL, streams=()),
)
BODIES = (
    b"",
    b"v=0\r\n",
    write_snapshot_request(SnapshotRequest()),
    b"\xff\x00<",
)
TYPES = ("application/sdp", "application/rs-metadata+xml", "multipart/mixed;boundary=b", "x/y")


class Disorder(Play):
    """A play whose SRS answers any request of ours at any time, or never."""

    def __init__(self) -> None:
        super().__init__("sip:one.example", "sip:two.example;secure=true;transport=tcp")
        self.answered: set[int] = set()
        self.paused = False

    def command(self, event: object) -> None:
        self.paused = isinstance(event, Pause) or (self.paused and isinstance(event, Start))
        super().command(event)

    @property
    def open(self) -> list[sip.StartInvite | sip.SendRequest]:
        asked = [c for c in self.sent if isinstance(c, sip.StartInvite | sip.SendRequest)]
        return [c for c in asked if c.token not in self.answered]

    def answer(self, which: int, status: int, shape: int) -> None:
        if not self.open:
            return
        command = self.open[which % len(self.open)]
        if any(isinstance(c, sip.CancelInvite) and c.token == command.token for c in self.sent):
            status = 487  # what the user agent makes of a 2xx that crosses the CANCEL
        if status >= 200:
            self.answered.add(command.token)
        sdp: Any = None
        if status == 200 and b"application/sdp" in command.body:
            good = answer_to(offer_of(command))
            sdp = (good, good.with_media(*good.media[:1]), b"nonsense", None)[shape % 4]
            if shape % 8 == 4:
                sdp = answer_to(offer_of(command), lambda i, m: m.with_port(0) if i else m)
        self.say(status, command, sdp, made_here=status in (408, 503) and shape % 2 == 0)

    def request(self, method: str, shape: int) -> None:
        if not self.invites or self.owners[self.invites[-1].usage] not in self.machines:
            return
        direction = list(Direction)[shape % 4]
        offer = answer_to(offer_of(self.invites[-1]), lambda _i, m: m.with_direction(direction))
        body = write_sdp(offer) if shape % 2 else BODIES[shape // 2 % 4]
        answer = self.ask(method, body, TYPES[shape // 3 % 4] if shape % 5 == 0 else "application/sdp")
        if method == "INVITE" and answer.status == 200 and shape % 3:
            self.ack(answer, write_sdp(offer) if shape % 3 == 1 else b"")

    def lose(self, cause: str) -> None:
        if self.invites:
            self.tell(sip.DialogEnded(usage=self.invites[-1].usage, dialog="srs", cause=cause))

    def close_port(self) -> None:
        for reader in list(self.media.readers)[:1]:
            self.tell(plane.ReaderUnreachable(reader=reader))

    def swap_media(self) -> None:
        if self.media.down:
            self.tell(self.media.serve())
            self.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=20000, high=20003, count=2))
        else:
            self.tell(self.media.lose())

    def finish(self) -> None:
        """The call ends; everything that is open is answered in the end."""
        if self.held is not None:
            self.release_media()
        self.publish(dataclasses.replace(CALL, ended=self.now))
        for _ in range(50):
            if not self.machines:
                return
            if self.open:
                self.answer(0, 487 if isinstance(self.open[0], sip.StartInvite) else 408, 0)
            self.until(self.now + 3.0)


STATUSES = st.sampled_from((180, 200, 200, 200, 200, 302, 404, 405, 408, 415, 420, 481, 488, 491, 500, 503))
METHODS = st.sampled_from(("INVITE", "UPDATE", "BYE", "OPTIONS", "INFO", "REFER", "PRACK"))
SHAPE = st.integers(0, 30)
Step = Callable[[Disorder], None]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda i: lambda p: p.publish(VARIANTS[i]), st.integers(0, len(VARIANTS) - 1)),
    st.builds(lambda w, s, f: lambda p: p.answer(w, s, f), st.integers(0, 3), STATUSES, SHAPE),
    st.builds(lambda w, f: lambda p: p.answer(w, 200, f), st.integers(0, 3), st.just(0)),
    st.builds(lambda m, f: lambda p: p.request(m, f), METHODS, SHAPE),
    st.builds(lambda s: lambda p: p.until(p.now + s), st.sampled_from((0.1, 2.1, 3.0, 40.0))),
    st.builds(lambda c: lambda p: p.command(c), st.sampled_from((Pause(7), Resume(7), Stop(7), Start(7)))),
    st.builds(lambda c: lambda p: p.lose(c), st.sampled_from(("408", "481", "no-ack"))),
    st.just(lambda p: p.hold_media() if p.held is None else p.release_media()),
    st.just(lambda p: p.swap_media()),
    st.just(lambda p: p.close_port()),
    st.just(lambda p: p.media.refuse(plane.AttachReader, "no-room")),
    st.just(lambda p: p.media.refuse(plane.OpenPorts, "ports-exhausted")),
)


@pytest.mark.req("ERR-13", "DLG-12")
@settings(max_examples=250)
@given(st.lists(STEPS, max_size=25))
def test_no_order_of_events_raises_or_leaves_anything_behind(steps: list[Step]) -> None:
    play = Disorder()
    play.publish(CALL)
    for step in steps:
        step(play)
        if play.paused and play.held is None:
            assert not any(reader.live for reader in play.media.readers.values())
    play.finish()
    assert play.machines == []
    assert play.pool.live == 0
    assert len(play.log("recording.none")) == (not play.log("recording.begin"))
    assert len(play.media.ports) <= 2  # the call's own, which are not ours to close
    assert not play.media.readers
    assert len(play.log("recording.begin")) == len(play.log("recording.end"))
    began = {line["rs"] for line in play.log("recording.begin")}
    assert began == {line["rs"] for line in play.log("recording.end")}
