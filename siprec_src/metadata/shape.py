"""What a metadata document is made of, without anything that it says: names of people are none of a log's."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_START: Final = re.compile(rb"<([A-Za-z_][A-Za-z0-9_.:-]{0,63})[\s/>]")


def shape_of(document: bytes) -> str:
    """Its size and how often each element stands in it, in the order in which they first come."""
    names = Counter(name.decode("ascii") for name in _START.findall(document))
    elements = ", ".join(f"{name} {count}" for name, count in names.items())
    return f"{len(document)} bytes: {elements}"
