"""Test speech, made here: two voices that nobody takes for each other, as G.711.

A vowel is the harmonics of a pitch, weighted by three formants (Klatt 1980); syllables with pauses
between make it sound like somebody talking, and let codecs, levels and voice detection behave as with people.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from siprec_src.recorder import g711

RATE: Final = 8000
PACKET: Final = 160  #: samples, 20 ms
PITCHES_HZ: Final = (110.0, 205.0)  #: of the caller's and of the callee's voice
SYLLABLE_S: Final = 0.18
GAP_S: Final = 0.06
LEVEL: Final = 9000  #: of the loudest sample
_VOWELS: Final = (  # formants of a, e, i, o, u, Hz
    (730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240),
)  # fmt: skip
_WORDS: Final = ((0, 2, 3, 1, -1), (4, 1, 0, -1, 2, 0, -1))  # vowels of either voice; -1: it breathes


def speech(voice: int, seconds: float, encoding: str) -> tuple[bytes, ...]:
    """The RTP payloads of ``seconds`` of one voice (0 or 1), 20 ms each; ``encoding`` PCMU or PCMA."""
    samples = _voice(voice, seconds)
    coded = _encoded(samples, encoding)
    return tuple(coded[at : at + PACKET] for at in range(0, len(coded) - PACKET + 1, PACKET))


def _voice(voice: int, seconds: float) -> NDArray[np.int16]:
    word = _WORDS[voice]
    count = int(seconds / (SYLLABLE_S + GAP_S)) + 1
    spoken = np.concatenate([_syllable(word[n % len(word)], voice, n) for n in range(count)])
    return spoken[: int(seconds * RATE)]


def _syllable(vowel: int, voice: int, number: int) -> NDArray[np.int16]:
    gap = np.zeros(int(GAP_S * RATE), dtype=np.int16)
    length = int(SYLLABLE_S * RATE)
    if vowel < 0:
        return np.concatenate([np.zeros(length, dtype=np.int16), gap])
    time = np.arange(length) / RATE
    pitch_hz = PITCHES_HZ[voice] * (1 + 0.12 * np.sin(0.9 * number)) * (1 - 0.1 * time / SYLLABLE_S)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    sound = np.zeros(length)
    for harmonic in range(1, int(3400 / PITCHES_HZ[voice])):
        sound += _weight(harmonic * PITCHES_HZ[voice], _VOWELS[vowel]) * np.sin(harmonic * phase)
    envelope = np.minimum(1, np.minimum(time, SYLLABLE_S - time) / 0.03)
    loud = sound * envelope
    return np.concatenate([(LEVEL * loud / np.max(np.abs(loud))).astype(np.int16), gap])


def _weight(frequency_hz: float, formants: tuple[int, int, int]) -> float:
    return sum(1 / (n + ((frequency_hz - formant) / 80) ** 2) for n, formant in enumerate(formants, 1))


def _encoded(samples: NDArray[np.int16], encoding: str) -> bytes:
    """Each sample as the code whose level is nearest."""
    levels = g711.decode(encoding, bytes(range(256)))
    order = np.argsort(levels, kind="stable")
    borders = (levels[order][1:].astype(int) + levels[order][:-1]) / 2
    return bytes(order[np.searchsorted(borders, samples)].astype(np.uint8).tobytes())
