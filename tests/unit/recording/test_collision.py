"""SSRCs of a recording session: each once, and another where the SRS has the same (RFC 3550 8)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.media import plane
from siprec_src.media.model import Endpoint, PortId, ReaderCounters, ReaderId
from siprec_src.recording.fork import Fork, Sending
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import SrsConfig
from tests.support.identity import CountingIdentity
from tests.unit.recording.play import PCMU, VOICE_A, Play, offer_of, two_party_call, with_stream

SECURE = SrsConfig(uri="sip:srs.example;transport=tcp", media_security=MediaSecurity.SDES)


class Repeating(CountingIdentity):
    """Draws every SSRC twice, one after the other."""

    def ssrc(self) -> int:
        return (super().ssrc() - 1) // 2


def started(config: SrsConfig) -> Play:
    play = Play(config)
    play.publish(two_party_call())
    play.accept()
    return play


def attached(play: Play) -> list[plane.AttachReader]:
    return [command for command in play.commands if isinstance(command, plane.AttachReader)]


@pytest.mark.rfc("3550", "8.2")
@pytest.mark.rfc("3711", "9.1")
@pytest.mark.req("RTP-22", "KEY-20")
def test_a_track_whose_ssrc_the_srs_has_too_says_bye_and_goes_on_under_another() -> None:
    play = started(SECURE)
    first, second = play.media.readers.values()
    before = len(play.commands)
    play.tell(plane.ReaderCollision(reader=second.reader))
    detach, attach = play.commands[before:]
    assert isinstance(detach, plane.DetachReader)
    assert detach.reader == second.reader
    assert isinstance(attach, plane.AttachReader)
    was = second.attached
    assert attach.ssrc not in (was.ssrc, first.attached.ssrc)
    assert (attach.stream, attach.remote, attach.cname, attach.live) == (
        was.stream,
        was.remote,
        was.cname,
        True,
    )
    assert attach.send_key == was.send_key  # another SSRC is another key stream
    assert first.reader in play.media.readers
    assert [line["label"] for line in play.log("recording.ssrc-collision")] == ["2"]
    assert play.methods() == []


@pytest.mark.rfc("3550", "8.2")
@pytest.mark.req("RTP-22")
def test_our_own_packets_that_an_srs_sends_back_change_the_ssrc_once_and_no_more() -> None:
    play = started(SECURE)
    for _ in range(4):
        newest = list(play.media.readers)[-1]
        play.tell(plane.ReaderCollision(reader=newest))
    assert len(attached(play)) == 3
    assert len(play.log("recording.ssrc-collision")) == 1
    assert len(play.log("recording.rtcp-looped")) == 3


@pytest.mark.rfc("5576", "4.1")
@pytest.mark.req("RTP-22")
def test_an_srs_that_is_told_the_ssrc_is_told_the_new_one() -> None:
    play = started(dataclasses.replace(SECURE, source_attributes=True))
    play.tell(plane.ReaderCollision(reader=list(play.media.readers)[-1]))
    assert play.methods() == ["INVITE"]
    said = [media.attribute("ssrc") for media in offer_of(play.newest).media]
    newest = {command.cname: command for command in attached(play)}
    assert said == [f"{command.ssrc} cname:{cname}" for cname, command in newest.items()]


@pytest.mark.rfc("3550", "8.1")
@pytest.mark.req("RTP-22", "KEY-20")
def test_no_ssrc_is_used_twice_in_a_session_whatever_is_drawn() -> None:
    play = Play(SECURE)
    play.identity.ssrc = Repeating().ssrc  # type: ignore[method-assign]
    call = two_party_call()
    play.publish(call)
    play.accept()
    wide = dataclasses.replace(PCMU, payload_type=9, encoding="G722", clock_rate=16000)
    play.publish(with_stream(call, VOICE_A, formats=(wide,)))
    play.accept()
    used = [command.ssrc for command in attached(play)]
    assert len(used) == len(set(used)) == 3


def test_a_collision_while_a_command_is_under_way_waits_for_its_answer() -> None:
    sending = Sending(
        stream=PortId(1),
        remote=Endpoint("192.0.2.9", 30000),
        remote_rtcp=None,
        rtcp_mux=False,
        no_rtcp=False,
        payload_types=((0, 0),),
        clock_rate=8000,
        events=False,
        send_key=None,
        receive_key=None,
        dtls=None,
        live=True,
    )
    fork = Fork(CountingIdentity(), via=PortId(9), cname="c25hbWU", ssrcs=set())
    (attach,) = fork.want(sending)
    fork.answered(plane.ReaderAttached(tag=attach.tag, reader=ReaderId(1)))
    (pause,) = fork.want(dataclasses.replace(sending, live=False))
    assert fork.collided() == []
    (detach,) = fork.answered(plane.Done(tag=pause.tag))
    assert isinstance(detach, plane.DetachReader)
    gone = plane.ReaderDetached(tag=detach.tag, reader=ReaderId(1), counters=ReaderCounters())
    (again,) = fork.answered(gone)
    assert isinstance(again, plane.AttachReader)
    assert not again.live
    assert isinstance(attach, plane.AttachReader)
    assert again.ssrc != attach.ssrc
    assert fork.answered(plane.ReaderAttached(tag=again.tag, reader=ReaderId(2))) == []
