"""Speech for the two parties, as PCMU octets: Debian's Asterisk prompts, without the silence they begin with.

Where the prompts are not installed each party sounds a rising tone of its own.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siprec_src.recorder import g711

PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RATE = 8000
PACKET = 160
QUIET = 1000  #: below this a sample counts as silence


def caller(seconds: float = 4.0) -> bytes:
    """What the party that places the call says; a whole number of 20 ms packets."""
    return _pcmu(_samples("demo-moreinfo", low_hz=300), seconds)


def callee(seconds: float = 4.0) -> bytes:
    """What the party that is called says."""
    return _pcmu(_samples("demo-echotest", low_hz=700), seconds)


def _samples(prompt: str, *, low_hz: int) -> NDArray[np.int16]:
    path = PROMPTS / f"{prompt}.wav"
    if not path.exists():
        time = np.arange(30 * RATE) / RATE
        return (8000 * np.sin(2 * np.pi * time * (low_hz + 10 * time))).astype(np.int16)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples[int(np.argmax(np.abs(samples) > QUIET)) :]


def _pcmu(samples: NDArray[np.int16], seconds: float) -> bytes:
    """Each sample as the code whose level is nearest."""
    levels = g711.decode("PCMU", bytes(range(256)))
    order = np.argsort(levels, kind="stable")
    borders = (levels[order][1:].astype(int) + levels[order][:-1]) / 2
    count = int(seconds * RATE) // PACKET * PACKET
    return bytes(order[np.searchsorted(borders, samples[:count])].astype(np.uint8).tobytes())
