"""Every metadata document that code in a test's process writes is a valid one, whoever looks (RFC 7865 9).

What the daemon writes in integration tests is looked at where it arrives: `tests.support.recorder`,
`tests.support.sipp` and `tests.support.bad_srs`.
"""

from __future__ import annotations

from siprec_src.metadata import writer
from siprec_src.metadata.model import Recording
from tests.support.schema import assert_valid

_write = writer.write_recording


def _checked(recording: Recording) -> bytes:
    document = _write(recording)
    assert_valid(document)
    return document


writer.write_recording = _checked  # before any module that imports the function by its name is loaded
