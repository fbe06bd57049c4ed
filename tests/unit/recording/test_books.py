"""The last line of a recording says what became of every packet, and calls nothing recorded that is not."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.media import plane
from siprec_src.media.model import ReaderCounters
from siprec_src.recording.commands import Pause
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import Play, two_party_call

ENDED = dataclasses.replace(two_party_call(), ended=9.0)
GOOD = ReaderCounters(offered=100, delivered=100)


def recorded(*books: ReaderCounters) -> Play:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    for reader, counters in zip(play.media.readers.values(), books or (GOOD, GOOD), strict=True):
        reader.counters = counters
    play.now = 9.0
    return play


def last_line(play: Play) -> tuple[str, dict[str, object]]:
    """Hang up; the level and the fields of the last line."""
    play.publish(ENDED)
    if play.newest.method == "UPDATE":  # type: ignore[union-attr]
        play.say(200)
    (line,) = [line for line in play.logs if line.event == "recording.end"]
    return line.level, dict(line.fields)


@pytest.mark.req("PER-06")
def test_a_session_that_lost_nothing_is_recorded() -> None:
    play = recorded(GOOD, ReaderCounters(offered=12, delivered=9, skipped_event=2, dropped_stale=1))
    level, end = last_line(play)
    assert (level, end["result"], end["reason"]) == ("info", "recorded", "call-ended")


def test_a_call_without_a_packet_lost_none() -> None:
    level, end = last_line(recorded(ReaderCounters(), ReaderCounters()))
    assert (level, end["result"]) == ("info", "recorded")


@pytest.mark.parametrize(
    ("books", "reason"),
    [
        (ReaderCounters(offered=50, skipped_format=50), "format"),
        (ReaderCounters(offered=50, dropped_send=49, dropped_overrun=1), "send"),
        (ReaderCounters(offered=50, skipped_paused=50), "paused"),
        (ReaderCounters(offered=50, skipped_event=50), "event"),
        (ReaderCounters(offered=50, skipped_comfort_noise=50), "comfort-noise"),
    ],
)
def test_a_session_of_which_no_packet_arrived_is_empty_and_says_why(
    books: ReaderCounters, reason: str
) -> None:
    play = recorded(books, books)
    level, end = last_line(play)
    assert (level, end["result"], end["reason"]) == ("warning", "empty", reason)
    assert end["detail"] == "call-ended"
    assert play.counted("recordings_total") == [(("outcome", "empty"), ("reason", reason))]


@pytest.mark.parametrize(
    ("books", "reason"),
    [
        (ReaderCounters(offered=50, skipped_format=50), "format"),
        (ReaderCounters(offered=50, delivered=49, dropped_overrun=1), "overrun"),
        (ReaderCounters(offered=50, delivered=40, dropped_send=10), "send"),
        (ReaderCounters(offered=50, delivered=40, dropped_full=6, dropped_send=4), "full"),
    ],
)
def test_a_session_that_lost_some_is_partly_recorded(books: ReaderCounters, reason: str) -> None:
    level, end = last_line(recorded(GOOD, books))
    assert (level, end["result"], end["reason"]) == ("warning", "partly", reason)


def test_a_pause_that_was_wanted_is_no_loss() -> None:
    level, end = last_line(recorded(GOOD, ReaderCounters(offered=50, delivered=40, skipped_paused=10)))
    assert (level, end["result"]) == ("info", "recorded")


@pytest.mark.rfc("3389", "4")
def test_comfort_noise_that_the_srs_did_not_accept_is_no_loss() -> None:
    level, end = last_line(recorded(GOOD, ReaderCounters(offered=50, delivered=40, skipped_comfort_noise=10)))
    assert (level, end["result"], end["skipped_comfort_noise"]) == ("info", "recorded", 10)


@pytest.mark.req("SDP-07")
def test_a_track_that_the_srs_refused_is_named() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept(lambda i, m: m.with_port(0) if i == 1 else m)
    next(iter(play.media.readers.values())).counters = GOOD
    _, end = last_line(play)
    assert (end["result"], end["reason"]) == ("partly", "track-refused")


def test_tracks_that_the_media_plane_refused_are_named() -> None:
    play = Play()
    play.media.refuse(plane.AttachReader, "no-room")
    play.media.refuse(plane.AttachReader, "no-room")
    play.publish(two_party_call())
    play.accept()
    _, end = last_line(play)
    assert (end["result"], end["reason"]) == ("empty", "no-room")


def test_books_that_did_not_come_in_time_are_missing_not_zero() -> None:
    play = recorded()
    play.hold_media()
    play.publish(ENDED)
    play.until(20.0)
    (end,) = play.log("recording.end")
    assert end["unaccounted"] == "1,2"
    assert (end["result"], end["reason"]) == ("partly", "unaccounted")


@pytest.mark.req("PER-06")
@pytest.mark.parametrize("label", ["", "_1", "_2"])
def test_offered_is_delivered_and_what_is_named(label: str) -> None:
    one = ReaderCounters(
        offered=45, delivered=1, skipped_paused=2, skipped_event=3, skipped_format=4,
        skipped_comfort_noise=8, dropped_stale=5, dropped_overrun=6, dropped_send=7, dropped_full=9,
    )  # fmt: skip
    _, end = last_line(recorded(one, dataclasses.replace(one, offered=46, delivered=2)))
    names = (
        "skipped_paused",
        "skipped_event",
        "skipped_comfort_noise",
        "skipped_format",
        "dropped_stale",
        "dropped_overrun",
        "dropped_full",
        "dropped_send",
    )
    named = sum(int(str(end[name + label])) for name in names)
    assert end["offered" + label] == int(str(end["delivered" + label])) + named


def test_an_end_that_the_srs_does_not_answer_is_unconfirmed() -> None:
    play = recorded()
    play.publish(ENDED)
    play.until(12.0)
    (line,) = [line for line in play.logs if line.event == "recording.end"]
    assert line.level == "warning"
    assert dict(line.fields)["result"] == "unconfirmed"


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.parametrize("told", ["dialog", "response"])
def test_an_srs_that_knows_the_dialog_no_more_at_the_end_is_not_trusted(told: str) -> None:
    play = recorded()
    play.publish(ENDED)
    if told == "dialog":
        play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="481"))
    else:
        play.say(481)
    (end,) = play.log("recording.end")
    assert (end["result"], end["reason"]) == ("unconfirmed", "srs-dialog-lost")


def test_a_pause_until_the_end_is_empty_by_that_name() -> None:
    play = Play()
    play.publish(two_party_call())
    play.command(Pause(7))
    play.accept()
    for reader in play.media.readers.values():
        reader.counters = ReaderCounters(offered=50, skipped_paused=50)
    play.accept()
    play.now = 9.0
    _, end = last_line(play)
    assert (end["result"], end["reason"]) == ("empty", "paused")
