"""Header fields beside ours that requests to an SRS carry: those of the operator, and custom parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.sip.message import header_key
from siprec_src.sip.parameters import is_token

MAX_NAME: Final = 64  #: characters


def may_be_set(name: str) -> bool:
    """Whether a field of this name is neither the protocol's nor one that says what we do."""
    return is_token(name) and len(name) <= MAX_NAME and header_key(name) not in _NOT_TO_BE_SET


def check_headers(headers: Mapping[str, str | Mapping[str, str]]) -> None:
    """Check the key ``headers`` of an SRS.

    Raises:
        ConfigurationError: a name that may not be set, or a value that is neither text nor says where it is.
    """
    for name, source in headers.items():
        if not may_be_set(name):
            raise ConfigurationError(f"headers: {name[:MAX_NAME]!r} is no name of a field that may be set")
        if not (isinstance(source, str) or (len(source) == 1 and set(source) <= {"file", "env"})):
            what = 'expected a text, { file = "…" } or { env = "…" }'
            raise ConfigurationError(f"headers: {name}: {what}")


def parameter_fields(
    parameters: Iterable[tuple[str, str]], others: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """Custom parameters as fields ``X-NAME``, in their order, beside the ``others``.

    Raises:
        ConfigurationError: a name or a value that no field can have, or a field that there would be twice.
    """
    taken = {header_key(name) for name in others}
    fields = []
    for name, value in parameters:
        field = f"X-{name}"
        if not may_be_set(field):
            raise ConfigurationError(
                f"parameters: {name[:MAX_NAME]!r} cannot be in the name of a header field"
            )
        if header_key(field) in taken:
            raise ConfigurationError(f"parameters: {name!r}: there is a header field {field} already")
        if _UNFIT.search(value):
            raise ConfigurationError(f"parameters: {name!r}: its value holds control characters")
        taken.add(header_key(field))
        fields.append((field, value))
    return tuple(fields)


_UNFIT: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # RFC 3261 25.1, TEXT-UTF8
_NOT_TO_BE_SET: Final = frozenset({  # the user agent's, the dialog's, and those that say what we do
    "accept", "allow", "authorization", "call-id", "contact", "content-disposition", "content-encoding",
    "content-length", "content-type", "cseq", "date", "from", "max-forwards", "mime-version",
    "proxy-authorization", "proxy-require", "rack", "record-route", "require", "route", "rseq", "supported",
    "to", "via",
})  # fmt: skip
