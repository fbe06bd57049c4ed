"""A thread without capabilities (capabilities(7)), also where the tests are run by root."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

_VERSION_3 = 0x20080522
_PR_GET_SECUREBITS, _PR_SET_SECUREBITS = 27, 28
_NOROOT = 1  #: a program that root starts is given no capability for that
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("thread", ctypes.c_int))


class _Sets(ctypes.Structure):
    """Of the lower or the upper 32 capabilities."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextlib.contextmanager
def dropped() -> Iterator[None]:
    """No capability is in effect in this thread meanwhile, nor ever in a thread or program that it starts."""
    before, none = (_Sets * 2)(), (_Sets * 2)()
    header = _Header(_VERSION_3, 0)
    _call("capget", header, before)
    ctypes.memmove(none, before, ctypes.sizeof(before))
    for half in none:
        half.effective = 0
    bits = _LIBC.prctl(_PR_GET_SECUREBITS)
    privileged = _LIBC.prctl(_PR_SET_SECUREBITS, bits | _NOROOT) == 0
    _call("capset", header, none)
    try:
        yield
    finally:
        _call("capset", header, before)
        if privileged:
            _LIBC.prctl(_PR_SET_SECUREBITS, bits)


def _call(name: str, header: _Header, sets: ctypes.Array[_Sets]) -> None:
    if getattr(_LIBC, name)(ctypes.byref(header), ctypes.byref(sets)) != 0:
        raise OSError(ctypes.get_errno(), name)
