"""WAV files that are valid at any moment (Microsoft RIFF; WAVE_FORMAT_PCM, _ALAW, _MULAW).

Samples may be put anywhere in any order, channel by channel; what nobody wrote is silence. The sizes in
the header are brought up to date at intervals, so a process that dies leaves a file that plays.
"""

from __future__ import annotations

import enum
import os
import struct
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from siprec_src.errors import NoRoom
from siprec_src.recorder.g711 import SILENCE

HEADER_BYTES: Final = 58  #: RIFF, fmt with its extension size, fact and data chunk heads
MAX_DATA_BYTES: Final = 2**32 - 1 - HEADER_BYTES
FILE_MODE: Final = 0o640  #: conversations are not for everybody on the machine
PATCH_INTERVAL_BYTES: Final = 65_536  #: of new samples between two updates of the header


class WavEncoding(enum.Enum):
    """How one sample is written; the value is the format tag."""

    PCM16 = 1
    ALAW = 6
    MULAW = 7

    @property
    def sample_bytes(self) -> int:
        return 2 if self is WavEncoding.PCM16 else 1

    @property
    def silence(self) -> int:
        match self:
            case WavEncoding.ALAW:
                return SILENCE["PCMA"]
            case WavEncoding.MULAW:
                return SILENCE["PCMU"]
            case WavEncoding.PCM16:
                return 0


class WavFile:
    """One WAV file open for writing; used by one thread at a time."""

    def __init__(
        self,
        path: Path,
        *,
        channels: int,
        sample_rate_hz: int = 8000,
        encoding: WavEncoding = WavEncoding.PCM16,
    ) -> None:
        self._channels = channels
        self._rate_hz = sample_rate_hz
        self._encoding = encoding
        self._type: np.dtype[Any] = np.dtype("<i2" if encoding is WavEncoding.PCM16 else "u1")
        self._frame_bytes = channels * encoding.sample_bytes
        self._frames = 0
        self._patched_bytes = 0
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        self._patch()

    def place(self, channel: int, position: int, samples: NDArray[Any]) -> None:
        """Put ``samples`` of one channel at frame ``position``; the other channels keep what they have.

        Raises:
            NoRoom: the file would exceed what RIFF can hold; nothing was written.
        """
        if len(samples) == 0:
            return
        frames = self._read(position, len(samples))
        frames[:, channel] = samples
        self._write(position, frames)

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""
        if self._descriptor >= 0:
            self._patch()
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, position: int, count: int) -> NDArray[Any]:
        """A copy of what stands there, silence beyond the end."""
        frames = np.full((count, self._channels), self._encoding.silence, dtype=self._type)
        there = max(0, min(count, self._frames - position))
        if there:
            octets = os.pread(self._descriptor, there * self._frame_bytes, self._offset(position))
            frames[:there] = np.frombuffer(octets, dtype=self._type).reshape(-1, self._channels)
        return frames

    def _write(self, position: int, frames: NDArray[Any]) -> None:
        end = position + len(frames)
        if position < 0 or end * self._frame_bytes > MAX_DATA_BYTES:
            msg = "the WAV file is full"
            raise NoRoom(msg)
        if position > self._frames:
            self._fill(position)
        octets = memoryview(np.ascontiguousarray(frames, dtype=self._type).tobytes())
        self._pwrite(octets, self._offset(position))
        self._frames = max(self._frames, end)
        if self._frames * self._frame_bytes - self._patched_bytes >= PATCH_INTERVAL_BYTES:
            self._patch()

    def _fill(self, position: int) -> None:
        """Silence from the end up to ``position``; zeros are left to the file system."""
        if self._encoding is WavEncoding.PCM16:
            os.ftruncate(self._descriptor, self._offset(position))
        else:
            octet = bytes([self._encoding.silence])
            while self._frames < position:
                count = min(position - self._frames, PATCH_INTERVAL_BYTES)
                self._pwrite(memoryview(octet * (count * self._channels)), self._offset(self._frames))
                self._frames += count
        self._frames = position

    def _pwrite(self, octets: memoryview, offset: int) -> None:
        while octets:
            written = os.pwrite(self._descriptor, octets, offset)
            octets = octets[written:]
            offset += written

    def _offset(self, position: int) -> int:
        return HEADER_BYTES + position * self._frame_bytes

    def _patch(self) -> None:
        data_bytes = self._frames * self._frame_bytes
        header = struct.pack(
            "<4sI4s4sIHHIIHHH4sII4sI",
            b"RIFF",
            HEADER_BYTES - 8 + data_bytes,
            b"WAVE",
            b"fmt ",
            18,
            self._encoding.value,
            self._channels,
            self._rate_hz,
            self._rate_hz * self._frame_bytes,
            self._frame_bytes,
            8 * self._encoding.sample_bytes,
            0,
            b"fact",
            4,
            self._frames,
            b"data",
            data_bytes,
        )
        self._pwrite(memoryview(header), 0)
        self._patched_bytes = data_bytes
