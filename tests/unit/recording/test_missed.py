"""What was said before its track was copied is in the last line too, for nothing is lost unnamed."""

from __future__ import annotations

import dataclasses

from siprec_src.media import plane
from siprec_src.media.model import Endpoint, PortId, ReaderCounters, ReaderId
from siprec_src.recording.fork import Fork, Sending
from tests.support.identity import CountingIdentity
from tests.unit.recording.play import Play, two_party_call

SENDING = Sending(
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


def read(fork: Fork, sending: Sending, books: ReaderCounters) -> None:
    """Let the fork have a reader, and end it with these books."""
    (attach,) = fork.want(sending)
    assert fork.answered(plane.ReaderAttached(tag=attach.tag, reader=ReaderId(1))) == []
    (detach,) = fork.want(None)
    fork.answered(plane.ReaderDetached(tag=detach.tag, reader=ReaderId(1), counters=books))


def new_fork() -> Fork:
    return Fork(CountingIdentity(), via=PortId(9), cname="c25hbWU", ssrcs=set())


def test_packets_before_the_recording_are_named_for_each_track() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    for index, reader in enumerate(play.media.readers.values()):
        reader.counters = ReaderCounters(before_attach=7 + index, offered=100, delivered=100)
    play.publish(dataclasses.replace(two_party_call(), ended=9.0))
    play.say(200)
    play.say(200)
    (end,) = play.log("recording.end")
    assert (end["before_recording"], end["before_recording_1"], end["before_recording_2"]) == (15, 7, 8)


def test_what_an_earlier_reader_of_the_stream_was_offered_was_not_missed() -> None:
    fork = new_fork()
    read(fork, SENDING, ReaderCounters(before_attach=10, offered=50, delivered=50))
    read(fork, SENDING, ReaderCounters(before_attach=65, offered=20, delivered=20))
    assert fork.counters == ReaderCounters(before_attach=15, offered=70, delivered=70)


def test_what_was_missed_of_another_stream_is_added() -> None:
    fork = new_fork()
    read(fork, SENDING, ReaderCounters(before_attach=10, offered=50, delivered=50))
    elsewhere = dataclasses.replace(SENDING, stream=PortId(2))
    read(fork, elsewhere, ReaderCounters(before_attach=4, offered=20, delivered=20))
    assert fork.counters == ReaderCounters(before_attach=14, offered=70, delivered=70)
