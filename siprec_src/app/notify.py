"""What systemd is told of the service (sd_notify(3)); nothing happens outside systemd."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

PATIENCE_S: Final = 1.0  #: with a manager whose queue is full


def notify(state: str) -> None:
    """Send e.g. ``READY=1``; a manager that is not there or does not listen is no error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.send(state.encode())


def watchdog_interval_s() -> float | None:
    """How often ``WATCHDOG=1`` must be sent: half of what the manager waits; None: it does not wait."""
    text = os.environ.get("WATCHDOG_USEC", "")
    if not text.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(text) / 2_000_000
