"""What the kernel says of a process: CPU time and memory."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_s(pid: int) -> float:
    """User and system time of all its threads since it started, seconds."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kernel_s(pid: int) -> float:
    """The system time alone, seconds."""
    return int(_stat(pid)[12]) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Its resident set."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    """Its `/proc/PID/stat` from the state on (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
