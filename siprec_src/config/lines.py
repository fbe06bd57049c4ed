"""On which line of a TOML file each key stands, so that every error can say it.

`tomllib` reads the values; this only finds where they are, and is right for what people write: dotted and
quoted keys, tables, arrays of tables, values over several lines.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*')


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each table and key; entries of arrays of tables count from 0."""
    found: dict[KeyPath, int] = {}
    entries: Counter[str] = Counter()
    table: KeyPath = ()
    depth = 0
    quotes = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quotes:
            quotes = "" if quotes in line else quotes
            continue
        if depth == 0:
            if header := _HEADER.match(line):
                table = _parts(header[2])
                if header[1] == "[[":
                    name = header[2]
                    table = (*table, entries[name])
                    entries[name] += 1
                elif table[0] in entries:  # of the entry above it
                    table = (table[0], entries[str(table[0])] - 1, *table[1:])
                found.setdefault(table, number)
                continue
            if key := _KEY.match(line):
                found.setdefault((*table, *_parts(key[1])), number)
        quotes = next((q for q in ('"""', "'''") if line.count(q) % 2), "")
        bare = _STRING.sub("", line)
        depth = max(0, depth + bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}"))
    return found


def _parts(text: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
