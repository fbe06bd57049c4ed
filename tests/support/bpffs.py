"""A bpffs of the test's own: not every host has one mounted. It needs root."""

from __future__ import annotations

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(directory: Path) -> Iterator[Path]:
    """A directory in it for pins, which is made by whoever pins something."""
    place = directory / "bpffs"
    place.mkdir()
    if subprocess.run(["mount", "-t", "bpf", "bpf", place], check=False, capture_output=True).returncode:
        pytest.skip("a bpffs cannot be mounted here")
    try:
        yield place / "siprec-src"
    finally:
        subprocess.run(["umount", place], check=True)


@contextlib.contextmanager
def built() -> Iterator[None]:
    """What is asked of a relay in the kernel meanwhile is passed over where none is built."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        pytest.skip("the relay in the kernel is not built here: it needs clang and libbpf")
