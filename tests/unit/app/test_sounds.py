"""Sounds as samples: level, pitch and length of a tone, and which files will do."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from siprec_src.app.sounds import render
from siprec_src.media.model import Sound


def wav(path: Path, samples: bytes, *, channels: int = 1, width: int = 2, rate: int = 8000) -> Sound:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)
    return Sound(file=str(path))


def test_a_tone_has_the_pitch_the_level_and_the_length_that_were_asked_for() -> None:
    samples = np.frombuffer(render(Sound(frequency_hz=1000, length_ms=500, level_dbfs=-12.0)), np.int16)
    assert len(samples) == 4000
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * 8000 / len(samples) == 1000
    assert np.max(np.abs(samples)) == pytest.approx(32767 * 10 ** (-12 / 20), rel=0.01)
    assert abs(samples[0]) < 10 > abs(samples[-1])  # no click


def test_a_file_is_heard_sample_by_sample(tmp_path: Path) -> None:
    samples = np.arange(-500, 500, dtype="<i2").tobytes()
    assert render(wav(tmp_path / "a.wav", samples)) == samples


@pytest.mark.parametrize(
    "shape", [{"channels": 2}, {"width": 1}, {"rate": 16000}], ids=["stereo", "8 bits", "16 kHz"]
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, shape: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected one channel of 16 bits at 8000 Hz"):
        render(wav(tmp_path / "a.wav", bytes(400), **shape))


def test_what_is_no_wav_or_empty_or_endless_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    for sound in (
        Sound(file=str(tmp_path / "text.wav")),
        wav(tmp_path / "empty.wav", b""),
        wav(tmp_path / "long.wav", bytes(2 * 8000 * 61)),
    ):
        with pytest.raises(ValueError, match=sound.file):
            render(sound)
    with pytest.raises(FileNotFoundError):
        render(Sound(file=str(tmp_path / "nowhere.wav")))


@pytest.mark.parametrize("length_ms", [0, -1, 20_001, 10**15])
def test_a_tone_that_lasts_for_ever_or_not_at_all_is_refused(length_ms: int) -> None:
    with pytest.raises(ValueError, match="at most"):
        render(Sound(length_ms=length_ms))
