"""Where the state of the daemon stands that outlives it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CONVENTIONAL: Final = Path("/var/lib/siprec-src")
NAME: Final = "siprec-src"


def state_directory(configured: Path | None, environment: Mapping[str, str]) -> Path:
    """As configured, as systemd says, /var/lib/siprec-src where we may write, else the user's own."""
    if configured is not None:
        return configured
    if of_service := environment.get("STATE_DIRECTORY"):
        return Path(of_service.partition(":")[0])  # systemd.exec(5): several are parted by colons
    if os.access(CONVENTIONAL if CONVENTIONAL.exists() else CONVENTIONAL.parent, os.W_OK | os.X_OK):
        return CONVENTIONAL
    of_user = environment.get("XDG_STATE_HOME")
    return (Path(of_user) if of_user else Path.home() / ".local" / "state") / NAME
