"""The directory of one running service, for its media socket; nobody else can enter it.

It is locked as long as the service lives, so that what a killed one left behind is known for what it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CONVENTIONAL: Final = Path("/run/siprec-src")
MEDIA_SOCKET: Final = "media.sock"
_PREFIX: Final = "siprec-src-"


def parent_directory(configured: Path | None) -> Path:
    """Where services put their directories: as configured, as systemd says, /run, the session's, /tmp."""
    if configured is not None:
        return configured
    of_service, of_session = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")
    for candidate in map(Path, filter(None, (of_service, str(CONVENTIONAL), of_session))):
        if candidate.is_dir() and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    return Path(tempfile.gettempdir())


@contextlib.contextmanager
def runtime_directory(parent: Path) -> Iterator[Path]:
    """A new directory in ``parent``, removed at the end.

    Raises:
        OSError: it cannot be made.
    """
    _sweep(parent)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove what services left that did not end by themselves."""
    for left in parent.glob(f"{_PREFIX}*/{MEDIA_SOCKET}"):  # one without the socket may be about to be locked
        with contextlib.suppress(OSError):
            lock = os.open(left.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left.parent, ignore_errors=True)
            finally:
                os.close(lock)
