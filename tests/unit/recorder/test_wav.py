"""WAV files: valid at any moment, whatever order samples come in."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from siprec_src.errors import NoRoom
from siprec_src.recorder import wav as wav_module
from siprec_src.recorder.g711 import SILENCE, decode
from siprec_src.recorder.wav import HEADER_BYTES, PATCH_INTERVAL_BYTES, WavEncoding, WavFile


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getsampwidth()) == (8000, 2)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, file.getnchannels())


def test_channels_are_placed_independently_and_the_rest_is_silence(tmp_path: Path) -> None:
    with WavFile(tmp_path / "a.wav", channels=2) as file:
        file.place(0, 3, np.array([1, 2, 3], dtype=np.int16))
        file.place(1, 0, np.array([9], dtype=np.int16))
        file.place(1, 4, np.array([7, 8, 9], dtype=np.int16))
        file.place(0, 0, np.array([], dtype=np.int16))
    assert samples_of(tmp_path / "a.wav").tolist() == [
        [0, 9], [0, 0], [0, 0], [1, 0], [2, 7], [3, 8], [0, 9],
    ]  # fmt: skip


def test_a_file_that_was_never_closed_can_be_read(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", channels=2)
    assert len(samples_of(tmp_path / "a.wav")) == 0
    file.place(0, 0, np.ones(PATCH_INTERVAL_BYTES // 4, dtype=np.int16))
    file.place(0, PATCH_INTERVAL_BYTES // 4, np.ones(10, dtype=np.int16))
    assert len(samples_of(tmp_path / "a.wav")) == PATCH_INTERVAL_BYTES // 4
    file.close()
    file.close()
    assert len(samples_of(tmp_path / "a.wav")) == PATCH_INTERVAL_BYTES // 4 + 10


@pytest.mark.parametrize(("encoding", "silence"), [(WavEncoding.MULAW, 0xFF), (WavEncoding.ALAW, 0xD5)])
def test_holes_in_g711_are_its_own_silence(tmp_path: Path, encoding: WavEncoding, silence: int) -> None:
    with WavFile(tmp_path / "a.wav", channels=2, encoding=encoding) as file:
        file.place(1, 2, np.array([1], dtype=np.uint8))
    data = (tmp_path / "a.wav").read_bytes()
    assert data[20] == encoding.value
    assert data[HEADER_BYTES:] == bytes([silence] * 5 + [1])


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        WavFile(tmp_path / "a.wav", channels=1)


def test_a_full_file_says_so_and_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav_module, "MAX_DATA_BYTES", 8)
    with WavFile(tmp_path / "a.wav", channels=1) as file:
        file.place(0, 0, np.array([1, 2, 3, 4], dtype=np.int16))
        with pytest.raises(NoRoom):
            file.place(0, 4, np.array([5], dtype=np.int16))
    assert len(samples_of(tmp_path / "a.wav")) == 4


@pytest.mark.rfc("3551", "4.5.14")
def test_g711_decodes_to_the_values_of_its_tables() -> None:
    assert decode("PCMU", bytes([0x00, 0x7F, 0x80, 0xFF, 0xF0])).tolist() == [-32124, 0, 32124, 0, 120]
    assert decode("PCMA", bytes([0x2A, 0xAA, 0xD5, 0x55, 0x80])).tolist() == [-32256, 32256, 8, -8, 5504]
    for encoding, octet in SILENCE.items():
        assert abs(int(decode(encoding, bytes([octet]))[0])) <= 8
