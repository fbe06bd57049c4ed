"""The configuration on its way from the supervisor to control: a file in memory that both have open.

A control process that is started again, or told to reload, finds there what was read last.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Final

from siprec_src.config import Config, from_values
from siprec_src.errors import ConfigurationError

TRIES: Final = 20
RETRY_S: Final = 0.01


def write(descriptor: int, config: Config) -> None:
    """Put the values of ``config`` in place of those before."""
    data = json.dumps(config.values, separators=(",", ":"), default=str).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)


def read(descriptor: int) -> Config:
    """The settings as they were written last.

    A reading that falls between the two steps of a writing sees less than a whole document.

    Raises:
        ConfigurationError: they cannot be used, or do not get whole.
    """
    for _ in range(TRIES):
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        with contextlib.suppress(json.JSONDecodeError):
            return from_values(json.loads(data))
        time.sleep(RETRY_S)
    raise ConfigurationError("the settings are not whole")
