"""G.711 to linear samples by table (ITU-T G.711; RFC 3551 4.5.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray


def _mulaw(code: int) -> int:
    inverted = ~code & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84) << ((inverted & 0x70) >> 4)
    return 0x84 - magnitude if inverted & 0x80 else magnitude - 0x84


def _alaw(code: int) -> int:
    toggled = code ^ 0x55
    magnitude = (toggled & 0x0F) << 4
    exponent = (toggled & 0x70) >> 4
    magnitude += 8 if exponent == 0 else 0x108
    if exponent > 1:
        magnitude <<= exponent - 1
    return magnitude if toggled & 0x80 else -magnitude


_TABLES: Final[Mapping[str, NDArray[np.int16]]] = {
    "PCMU": np.array([_mulaw(code) for code in range(256)], dtype=np.int16),
    "PCMA": np.array([_alaw(code) for code in range(256)], dtype=np.int16),
}

SILENCE: Final[Mapping[str, int]] = {"PCMU": 0xFF, "PCMA": 0xD5}  #: the octet that decodes nearest to zero


def decode(encoding: str, payload: bytes) -> NDArray[np.int16]:
    """The samples of G.711 octets; ``encoding`` is ``PCMU`` or ``PCMA``."""
    samples: NDArray[np.int16] = _TABLES[encoding][np.frombuffer(payload, dtype=np.uint8)]
    return samples
