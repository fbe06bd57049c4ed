"""Status callbacks: what becomes of a resource, told to a customer's server, in order, at least once."""

from __future__ import annotations

from siprec_src.api.callbacks.callback import Callback
from siprec_src.api.callbacks.service import Callbacks

__all__ = ["Callback", "Callbacks"]
