"""Print the file with every key: ``python -m siprec_src.config > configs/siprec-src.full.toml``."""

from __future__ import annotations

import sys

from siprec_src.config.example import full_file

sys.stdout.write(full_file())
