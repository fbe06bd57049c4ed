"""What the values of a request may be, alike for the REST resource, TwiML and SVAML.

Each rule takes the text as it came and gives the value, or an `InstructionError` with the code of the
platform's dictionary. No error holds a URL or the value of a parameter.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import urlsplit

from siprec_src.errors import InstructionError
from siprec_src.instructions.model import Method, Track
from siprec_src.values import SecretText

MAX_NAME_CHARS: Final = 256  #: of a Siprec, of a connector
MAX_URL_CHARS: Final = 4000
MAX_PARAMETERS: Final = 99
MAX_PARAMETER_NAME_CHARS: Final = 128
MAX_PARAMETER_VALUE_CHARS: Final = 2048
MAX_PARAMETERS_BYTES: Final = 32_768  #: all names and values of one Siprec

INVALID: Final = 20001
INVALID_CALLBACK: Final = 21609
INVALID_METHOD: Final = 21209
INVALID_TRACK: Final = 31941

EnumT = TypeVar("EnumT", bound=enum.Enum)


def siprec_name(text: str) -> str:
    """The name of a Siprec: it is one segment of a path, and can be taken for no SID."""
    if not _PLAIN.fullmatch(text) or len(text) > MAX_NAME_CHARS:
        raise InstructionError(
            f"a name has 1 to {MAX_NAME_CHARS} characters, none a control character", code=INVALID
        )
    if _SID.fullmatch(text):
        raise InstructionError("a name must not look like the SID of a Siprec", code=INVALID)
    if set(text) & set("/?#") or text in (".", "..") or text.lower().endswith(".json"):
        raise InstructionError(
            "a name has to fit into a path: no slash, question mark or number sign, no .json at its end",
            code=INVALID,
        )
    return text


def connector_name(text: str) -> str:
    """The name of a connector, as it was given to it."""
    if not _PLAIN.fullmatch(text) or len(text) > MAX_NAME_CHARS:
        raise InstructionError(
            f"a connector's name has 1 to {MAX_NAME_CHARS} characters, none a control character", code=INVALID
        )
    return text


def track(text: str) -> Track:
    """Which side a Siprec sends."""
    return one_of(Track, text, code=INVALID_TRACK)


def method(text: str) -> Method:
    """How a callback is sent."""
    match text:
        case "GET" | "POST":
            return text
        case _:
            raise InstructionError(f"{shown(text)} is neither GET nor POST", code=INVALID_METHOD)


def callback_url(text: str) -> SecretText:
    """An absolute http or https URL."""
    url = reference(text)
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise InstructionError("expected an absolute http or https URL", code=INVALID_CALLBACK)
    return url


def reference(text: str) -> SecretText:
    """A URL that may be relative to the one of the document it stands in."""
    if len(text) > MAX_URL_CHARS or not _URL_CHARACTERS.fullmatch(text):
        raise InstructionError(f"expected a URL of at most {MAX_URL_CHARS} characters", code=INVALID_CALLBACK)
    return SecretText(text)


def parameters(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What is handed to the SRS besides: kept as it is, in order; names may repeat."""
    if len(pairs) > MAX_PARAMETERS:
        raise InstructionError(f"more than {MAX_PARAMETERS} parameters", code=INVALID)
    for name, value in pairs:
        if not _PLAIN.fullmatch(name) or len(name) > MAX_PARAMETER_NAME_CHARS:
            raise InstructionError(
                f"a parameter's name has 1 to {MAX_PARAMETER_NAME_CHARS} characters, "
                "none a control character",
                code=INVALID,
            )
        if (value and not _PLAIN.fullmatch(value)) or len(value) > MAX_PARAMETER_VALUE_CHARS:
            raise InstructionError(
                f"the value of parameter {shown(name)} has a control character, or more than "
                f"{MAX_PARAMETER_VALUE_CHARS} characters",
                code=INVALID,
            )
    if sum(len(name.encode()) + len(value.encode()) for name, value in pairs) > MAX_PARAMETERS_BYTES:
        raise InstructionError(
            f"all parameters together have more than {MAX_PARAMETERS_BYTES} bytes", code=INVALID
        )
    return tuple(pairs)


def phone_number(text: str) -> str:
    """A telephone number or what stands for one in a dial plan, without what people write between digits."""
    digits = re.sub(r"[\s().-]", "", text)
    if not re.fullmatch(r"\+?[0-9*#]{1,32}", digits):
        raise InstructionError("expected a telephone number", code=INVALID)
    return digits


def sip_uri(text: str) -> str:
    """What looks like a SIP URI; its grammar is checked by whoever dials it."""
    if not re.fullmatch(r"(?i:sips?):[!-~]{1,1024}", text):
        raise InstructionError("expected a sip: or sips: URI", code=INVALID)
    return text


def caller_id(text: str) -> str:
    """Who a call says that it is from: a number, or what may stand before the @ of a SIP URI."""
    if not re.fullmatch(r"[A-Za-z0-9_.!~*'()&=+$,;?/%:@-]{1,255}", text):
        raise InstructionError("expected a number or a user's name", code=INVALID)
    return text


def one_of(kind: type[EnumT], text: str, *, code: int = INVALID) -> EnumT:
    """The member of that value, written exactly so."""
    for member in kind:
        if member.value == text:
            return member
    values = ", ".join(str(member.value) for member in kind)
    raise InstructionError(f"{shown(text)} is none of {values}", code=code)


def shown(text: str) -> str:
    """Somebody else's text in an error: bounded, and without what a terminal would obey."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def bare(name: str) -> str:
    """The same of a name, which needs no quotes."""
    return shown(name)[1:-1]


_SHOWN: Final = 64
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")  # XML and SIP can say it
_SID: Final = re.compile(r"SR[0-9a-fA-F]{32}")
_URL_CHARACTERS: Final = re.compile(r"[^\x00-\x20\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
