"""The files of one recording."""

from __future__ import annotations

import json
import os
import wave
from pathlib import Path

from siprec_src.srs.archive import Archive
from siprec_src.srs.track import Chunk


def test_tracks_metadata_and_summary_are_written_side_by_side(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "new", "id")
    archive.open()
    archive.metadata(b"<one/>")
    archive.metadata(b"<two/>")
    archive.media(0, "1", [Chunk("PCMU", 0, 0, b"\x00" * 2), Chunk("PCMU", 2, 2, b"\x80")])
    archive.media(1, "b/../leg", [Chunk("PCMA", 1, 0, b"\x2a")])
    archive.media(2, "third", [Chunk("PCMU", 0, 0, b"x")])
    assert not (tmp_path / "new" / "id.json").exists()
    archive.finish({"name": "\udce4 ü"})
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == [
        "id.1.ulaw", "id.b____leg.alaw", "id.json", "id.metadata-1.xml", "id.metadata-2.xml",
        "id.metadata.xml", "id.third.ulaw", "id.wav",
    ]  # fmt: skip
    assert (tmp_path / "new" / "id.1.ulaw").read_bytes() == b"\x00\x00\xff\xff\x80"
    assert (tmp_path / "new" / "id.metadata.xml").read_bytes() == b"<two/>"
    assert json.loads((tmp_path / "new" / "id.json").read_text()) == {"name": "? ü"}
    with wave.open(str(tmp_path / "new" / "id.wav")) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 3)


def test_only_owner_and_group_may_read_the_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        archive = Archive(tmp_path, "id")
        archive.open()
        archive.metadata(b"<one/>")
        archive.media(0, "1", [Chunk("PCMU", 0, 0, b"a")])
        archive.finish({})
    finally:
        os.umask(before)
    assert {path.suffix: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == dict.fromkeys(
        (".wav", ".xml", ".ulaw", ".json"), 0o640
    )


def test_a_second_recording_of_the_same_session_gets_a_name_of_its_own(tmp_path: Path) -> None:
    first, second = Archive(tmp_path, "id"), Archive(tmp_path, "id")
    first.open()
    second.open()
    assert (first.name, second.name) == ("id", "id-2")


def test_two_tracks_with_one_label_do_not_share_a_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "id")
    archive.open()
    archive.media(0, "x", [Chunk("PCMU", 0, 0, b"a")])
    archive.media(1, "x", [Chunk("PCMU", 0, 0, b"b")])
    archive.finish({})
    assert (tmp_path / "id.x.ulaw").read_bytes() == b"a"
    assert (tmp_path / "id.x.2.ulaw").read_bytes() == b"b"
