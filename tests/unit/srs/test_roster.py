"""Who spoke on which track."""

from __future__ import annotations

import pytest

from siprec_src.metadata import model as m
from siprec_src.srs.roster import Roster

ALICE, BOB = b"a" * 16, b"b" * 16
FIRST, SECOND = b"1" * 16, b"2" * 16
PEOPLE = (
    m.Participant(participant_id=ALICE, names=(m.NameId(aor="sip:a@x", name="Al"),)),
    m.Participant(participant_id=BOB, names=(m.NameId(aor="sip:b@x"),)),
)


def document(
    *labels: str | None, sends: tuple[tuple[bytes, ...], ...] = ((FIRST,), (SECOND,))
) -> m.Recording:
    return m.Recording(
        sessions=(m.Session(session_id=b"s" * 16),),
        participants=PEOPLE,
        streams=tuple(
            m.Stream(stream_id=stream, label=label)
            for stream, label in zip((FIRST, SECOND), labels, strict=True)
        ),
        participant_streams=tuple(
            m.ParticipantStream(participant_id=person, sends=streams)
            for person, streams in zip((ALICE, BOB), sends, strict=True)
        ),
    )


def labels(roster: Roster) -> list[object]:
    return [person["labels"] for person in roster.participants()]


@pytest.mark.rfc("7865", "6.7.1")
def test_labels_that_the_last_document_does_not_have_stay_known() -> None:
    roster = Roster()
    roster.learn(document("1", "2"))
    roster.learn(document(None, None, sends=((), ())))
    assert labels(roster) == [["1"], ["2"]]
    assert roster.participants()[0]["names"] == [{"aor": "sip:a@x", "name": "Al"}]
    assert roster.session_id == (b"s" * 16).hex()


def test_the_newest_label_of_a_stream_counts() -> None:
    roster = Roster()
    roster.learn(document("1", "2"))
    roster.learn(document("3", None))
    assert labels(roster) == [["3"], ["2"]]


def test_without_a_document_there_is_nobody() -> None:
    assert (Roster().participants(), Roster().session_id) == ([], None)
