"""What holds in every test.

Every metadata document that code in a test's process writes is a valid one, whoever looks (RFC 7865 9);
what the daemon writes in integration tests is looked at where it arrives: `tests.support.recorder`,
`tests.support.sipp` and `tests.support.bad_srs`. Property tests are judged by what they find and not by how
long a busy machine takes for it.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from siprec_src.metadata import writer
from siprec_src.metadata.model import Recording
from tests.support.schema import assert_valid

_write = writer.write_recording


def _checked(recording: Recording) -> bytes:
    document = _write(recording)
    assert_valid(document)
    return document


writer.write_recording = _checked  # before any module that imports the function by its name is loaded

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
