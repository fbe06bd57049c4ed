"""What a store that cannot be used says."""

from __future__ import annotations

from siprec_src.errors import LocalError


class StoreFailed(LocalError):
    """Nothing was read or written; the text says why, and never what."""

    reason = "store-failed"
