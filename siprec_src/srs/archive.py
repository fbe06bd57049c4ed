"""The files of one recording. Everything here blocks and runs in the writer's thread.

``<id>.wav`` stereo, first label left; ``<id>.<label>.ulaw`` or ``.alaw`` the payload octets as they came,
holes filled with silence; ``<id>.metadata-1.xml`` … in order of arrival and ``<id>.metadata.xml`` the newest;
``<id>.json`` the summary, written last. They hold conversations: nobody but owner and group may read them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from siprec_src.errors import NoRoom
from siprec_src.recorder.g711 import SILENCE, decode
from siprec_src.recorder.wav import FILE_MODE, WavFile
from siprec_src.srs.track import Chunk, join

CHANNELS: Final = 2
MAX_METADATA_DOCUMENTS: Final = 1000  #: kept of one recording; later ones only replace the newest
MAX_HOLE_OCTETS: Final = 480_000  #: of silence for one hole, a minute of G.711
_SUFFIXES: Final = {"PCMU": "ulaw", "PCMA": "alaw"}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_LABEL_CHARACTERS: Final = 32


class Archive:
    """Writes one recording."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._base = name
        self._wav: WavFile | None = None
        self._raw: dict[tuple[int, str], BinaryIO] = {}
        self._documents = 0
        self.name = name

    def open(self) -> None:
        """Take a name that no recording has yet, and make its WAV file."""
        self._directory.mkdir(parents=True, exist_ok=True)
        count = 1
        while self._wav is None:
            self.name = self._base if count == 1 else f"{self._base}-{count}"
            try:
                self._wav = WavFile(self._path("wav"), channels=CHANNELS)
            except FileExistsError:
                count += 1

    def metadata(self, document: bytes) -> None:
        """Keep a document as it came; whoever watches the folder sees whole ones only."""
        if self._documents < MAX_METADATA_DOCUMENTS:
            self._documents += 1
            self._replace(f"metadata-{self._documents}.xml", document)
        self._replace("metadata.xml", document)

    def media(self, track: int, label: str, chunks: Iterable[Chunk]) -> None:
        """Add to a track; tracks beyond the second have no channel in the WAV file."""
        for chunk in join(chunks):
            raw = self._raw_file(track, label, chunk.encoding)
            if chunk.hole:
                raw.write(bytes([SILENCE[chunk.encoding]]) * min(chunk.hole, MAX_HOLE_OCTETS))
            raw.write(chunk.payload)
            if self._wav is not None and track < CHANNELS:
                self._place(self._wav, track, chunk)

    def finish(self, summary: Mapping[str, object]) -> None:
        """Close every file, then write the summary: where it is, the recording is whole."""
        for file in self._raw.values():
            file.close()
        self._raw.clear()
        if self._wav is not None:
            self._wav.close()
            self._wav = None
        self._replace(
            "json", (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        )

    def _place(self, wav: WavFile, channel: int, chunk: Chunk) -> None:
        try:
            wav.place(channel, chunk.position, decode(chunk.encoding, chunk.payload))
        except NoRoom:
            # A RIFF file ends at 4 GiB; the raw tracks go on.
            wav.close()
            self._wav = None

    def _raw_file(self, track: int, label: str, encoding: str) -> BinaryIO:
        file = self._raw.get((track, encoding))
        if file is None:
            safe = _UNSAFE.sub("_", label)[:_LABEL_CHARACTERS] or str(track + 1)
            path = self._path(f"{safe}.{_SUFFIXES[encoding]}")
            if path.exists():
                path = self._path(f"{safe}.{track + 1}.{_SUFFIXES[encoding]}")
            file = self._raw[track, encoding] = _create(path)
        return file

    def _replace(self, suffix: str, content: bytes) -> None:
        temporary = self._path(suffix + ".part")
        _write(temporary, content)
        temporary.replace(self._path(suffix))

    def _path(self, suffix: str) -> Path:
        return self._directory / f"{self.name}.{suffix}"


def _write(path: Path, content: bytes) -> None:
    with _create(path) as file:
        file.write(content)


def _create(path: Path) -> BinaryIO:
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, FILE_MODE))
