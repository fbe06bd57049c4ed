"""What must be there before the first callback."""

from __future__ import annotations

import ssl

from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.config.sources import Problems


def check_callback_files(callbacks: CallbackSettings, problems: Problems) -> None:
    """The authorities of ``trusted_ca`` can be read."""
    if callbacks.trusted_ca is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(callbacks.trusted_ca)
    except ssl.SSLError:
        problems.add(("callbacks", "trusted_ca"), f"{callbacks.trusted_ca}: no certificates in PEM")
    except OSError as error:
        problems.add(("callbacks", "trusted_ca"), f"{callbacks.trusted_ca}: {error.strerror}")
