"""Sounds as samples: tones that are computed, and WAV files."""

from __future__ import annotations

import math
import wave
from array import array
from pathlib import Path
from typing import Final

from siprec_src.media.model import Sound

RATE_HZ: Final = 8000
MAX_SOUND_S: Final = 20.0  #: a callee repeats its 2xx for 32 s while its caller listens
_FULL: Final = 32767
_RAMP_S: Final = 0.005  #: a tone that begins and ends softly does not click


def render(sound: Sound) -> bytes:
    """The sound as 16-bit samples at `RATE_HZ`.

    Raises:
        OSError: its file cannot be read.
        ValueError: it lasts longer than `MAX_SOUND_S`, or the file is no WAV, 8000 Hz, one channel, 16 bits.
    """
    return _file(Path(sound.file)) if sound.file else _tone(sound)


def _tone(sound: Sound) -> bytes:
    if not 0 < sound.length_ms <= MAX_SOUND_S * 1000:
        raise ValueError(f"expected a tone of at most {MAX_SOUND_S:.0f} s")
    count = RATE_HZ * sound.length_ms // 1000
    level = _FULL * 10 ** (sound.level_dbfs / 20)
    step, ramp = 2 * math.pi * sound.frequency_hz / RATE_HZ, RATE_HZ * _RAMP_S
    loud = (level * min(1.0, at / ramp, (count - 1 - at) / ramp) for at in range(count))
    return array("h", (int(much * math.sin(step * at)) for at, much in enumerate(loud))).tobytes()


def _file(path: Path) -> bytes:
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if shape != (1, 2, RATE_HZ):
                raise ValueError(f"{path}: expected one channel of 16 bits at {RATE_HZ} Hz")
            if not 0 < file.getnframes() <= MAX_SOUND_S * RATE_HZ:
                raise ValueError(f"{path}: expected at most {MAX_SOUND_S:.0f} s, and not nothing")
            return file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error
