"""Whatever is put into a document, it is valid and read back; whatever arrives, only one exception leaves."""

from __future__ import annotations

import contextlib
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata import model as m
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.validate import check_metadata
from siprec_src.metadata.writer import write_recording
from tests.support.schema import assert_valid

TEXT = st.text(st.characters(codec=None), max_size=40)
ID = st.binary(min_size=16, max_size=16)
TIME = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2900, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 -- bounds are naive


@given(aor=TEXT, name=TEXT, label=TEXT, session_id=ID, started=TIME, reason=TEXT, cause=st.integers())
def test_any_text_makes_a_valid_document(
    aor: str, name: str, label: str, session_id: bytes, started: dt.datetime, reason: str, cause: int
) -> None:
    other = bytes(16) if session_id != bytes(16) else b"\x01" * 16
    data = write_recording(
        m.Recording(
            sessions=(
                m.Session(
                    session_id=session_id,
                    started=started,
                    sip_session_ids=(name,),
                    reasons=(m.Reason(cause=cause, text=reason, protocol=aor),),
                ),
            ),
            participants=(
                m.Participant(
                    participant_id=other,
                    names=(m.NameId(aor=f"sip:{aor}", name=name), m.NameId(aor=aor)),
                ),
            ),
            streams=(m.Stream(stream_id=b"\x07" * 15 + b"\x08", session_id=session_id, label=label),),
        )
    )
    assert_valid(data)
    check_metadata(data)
    recording = read_metadata(data)
    assert isinstance(recording, m.Recording)
    assert recording.sessions[0].session_id == session_id


@given(
    st.binary(max_size=300) | TEXT.map(lambda text: f"<recording>{text}</recording>".encode(errors="replace"))
)
def test_any_octets_end_in_a_document_or_in_one_exception(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        read_metadata(data)
    with contextlib.suppress(RemoteProtocolError):
        check_metadata(data)
