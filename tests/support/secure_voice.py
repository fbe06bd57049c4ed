"""A voice that speaks SRTP under keys of SDES, and what SIPp's messages say of keys."""

from __future__ import annotations

import base64
import os
import re
from typing import Final

import pylibsrtp

from tests.support.sipp import Message
from tests.support.voice import Voice

SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
KEY_OCTETS: Final = 30  #: master key and salt


class SecureVoice(Voice):
    """A voice that protects what it sends by its own key and opens what it hears by its peer's."""

    def __init__(self, *, ssrc: int) -> None:
        self.key = os.urandom(KEY_OCTETS)
        self._out = _session(self.key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._in: pylibsrtp.Session | None = None
        super().__init__(ssrc=ssrc, first_sequence=500)

    @property
    def line(self) -> str:
        """The voice's ``a=crypto``."""
        return f"a=crypto:1 {SUITE} inline:{base64.b64encode(self.key).decode()}"

    def trust(self, key: bytes) -> None:
        """What comes is protected by ``key``."""
        self._in = _session(key, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def sealed(self, packet: bytes) -> bytes:
        return self._out.protect(packet)

    def opened(self, packet: bytes) -> bytes:
        assert self._in is not None
        return self._in.unprotect(packet)


def key_in(message: Message) -> bytes:
    """The key of the only ``a=crypto`` of a message."""
    found = re.search(rf"^a=crypto:1 {SUITE} inline:([A-Za-z0-9+/=]+)", message.body, re.MULTILINE)
    assert found
    return base64.b64decode(found[1])


def _session(key: bytes, ssrc_type: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(pylibsrtp.Policy(key=key, ssrc_type=ssrc_type))
