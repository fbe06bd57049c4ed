"""How many descriptors a process may have open: as many as it is allowed to ask for."""

from __future__ import annotations

import contextlib
import resource


def allow_all() -> int:
    """Raise the soft limit to the hard one; returns what holds now.

    A recorded call has eight sockets of media; the usual soft limit of 1024 is kept low for programs that
    use select(2), which is not used here.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
