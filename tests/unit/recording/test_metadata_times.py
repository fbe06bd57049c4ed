"""The times that one SRS is told over the life of a recording session."""

from __future__ import annotations

import dataclasses
import datetime as dt
from xml.etree import ElementTree

import pytest

from siprec_src.communication import Direction
from siprec_src.machine import WallClock
from siprec_src.recording.srs import SrsConfig
from tests.support.metadata import NS
from tests.unit.recording.play import VOICE_A, Play, metadata_of, two_party_call, with_stream

BEGAN = WallClock(1_767_312_000.0)  # as the stage has it


def times(document: bytes) -> dict[tuple[str, ...], dt.datetime]:
    """Every time in the document by where it stands: element, ids, name."""
    found = {}
    for parent in ElementTree.fromstring(document):
        for child in parent:
            if child.tag.endswith("-time"):
                place = (parent.tag, *sorted(parent.attrib.values()), child.tag.removeprefix(NS))
                found[place] = dt.datetime.fromisoformat(child.text or "")
    return found


@pytest.mark.rfc("7865", "6.9")
@pytest.mark.req("MD-22")
@pytest.mark.parametrize("partial", [False, True])
def test_times_are_of_one_clock_and_never_go_back_within_a_session(partial: bool) -> None:
    play = Play(SrsConfig(uri="sip:srs.example", partial_updates=partial))
    call = two_party_call()
    play.publish(call)
    documents = [(play.now, metadata_of(play.invites[0]))]
    play.accept()
    for now, state in (
        (5.0, with_stream(call, VOICE_A, direction=Direction.RECVONLY)),
        (9.0, call),
        (12.5, dataclasses.replace(call, ended=12.25)),
    ):
        play.until(now)
        play.publish(state)
        documents.append((now, metadata_of(play.requests[-1])))
        play.say(200)
    known: dict[tuple[str, ...], dt.datetime] = {}
    for sent, document in documents:
        found = times(document)
        assert found or partial
        for place, at in found.items():
            assert BEGAN.at(0.0) <= at <= BEGAN.at(sent)
            assert known.setdefault(place, at) == at
            ended = found.get((*place[:-1], "disassociate-time"), found.get((*place[:-1], "stop-time"), at))
            assert at <= ended
    assert max(known.values()) == BEGAN.at(12.25)
