"""The daemon's configuration: flag > environment > file > default, checked as a whole at start."""

from __future__ import annotations

from siprec_src.config.checks import Config, InvalidConfiguration, from_values, load, read_tls

__all__ = ["Config", "InvalidConfiguration", "from_values", "load", "read_tls"]
