"""Exit codes of the processes (sysexits.h where it has a word)."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1  #: a fault of ours, or a child that does not stay up
USAGE: Final = 64  #: the command line is wrong
UNAVAILABLE: Final = 69  #: a child cannot have what it needs, e.g. its port: starting it again does not help
CONFIG: Final = 78  #: the configuration cannot be used
