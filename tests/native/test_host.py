"""Programs of a control group that would not see what passes by sockets are found."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from siprec_src.media.engine import cgroup_programs

_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine(), -1)
_PROG_LOAD, _PROG_ATTACH = 5, 8
_CGROUP_SKB, _EGRESS = 8, 1
_LET_PASS = struct.pack("=BBhi", 0xB7, 0, 0, 1) + struct.pack("=BBhi", 0x95, 0, 0, 0)  #: return 1


def bpf(command: int, attributes: bytes) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(_BPF, command, attributes, len(attributes))
    if result < 0:
        pytest.skip(f"bpf(2): {os.strerror(ctypes.get_errno())}")
    return result


@pytest.fixture
def group() -> Iterator[int]:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    roots = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not roots or not os.access(roots[0], os.W_OK):
        pytest.skip("no control groups of version 2 to make one in")
    directory = roots[0] / f"siprec{os.getpid()}"
    directory.mkdir()
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)
    directory.rmdir()


def test_a_program_that_looks_at_what_is_sent_is_found(group: int) -> None:
    assert cgroup_programs(group) == 0
    code, licence = ctypes.create_string_buffer(_LET_PASS), ctypes.create_string_buffer(b"GPL")
    load = struct.pack("=IIQQIIQII16sII", _CGROUP_SKB, 2, ctypes.addressof(code), ctypes.addressof(licence),
                       0, 0, 0, 0, 0, b"", 0, _EGRESS)  # fmt: skip
    program = bpf(_PROG_LOAD, load)
    bpf(_PROG_ATTACH, struct.pack("=IIII", group, program, _EGRESS, 0))
    os.close(program)
    assert cgroup_programs(group) == 1


def test_what_is_no_control_group_has_none() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        cgroup_programs(-1)
