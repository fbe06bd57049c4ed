"""How often a process with many short-lived objects looks for cyclic garbage (Python's `gc`)."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (20_000, 20, 20)  #: new objects; younger collections between two older ones


def collect_seldom() -> None:
    """Collect now, never look again at what lives from the start, and from now on look seldom.

    Calls leave little cyclic garbage behind, and each look at everything that lives delays every call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
