"""Messages to octets (RFC 3261 7). What leaves is framed as meant: no value adds a line of its own."""

from __future__ import annotations

from siprec_src.errors import LocalError
from siprec_src.remembered import remembered
from siprec_src.sip.lines import has_bare_nul
from siprec_src.sip.message import Headers, Message, Request, Response, header_key
from siprec_src.sip.parameters import is_token


def write_message(message: Message) -> bytes:
    """The octets of a message: its fields in order, and Content-Length last, counted from the body.

    Raises:
        LocalError: a part holds CR, LF or NUL, or is no text; nothing may be sent then.
    """
    lines = [_start_line(message)]
    lines += [f"{name}: {value}" for name, value in message.headers if _leaves(name)]
    lines.append(f"Content-Length: {len(message.body)}\r\n\r\n")
    return encode_lines(lines) + message.body


@remembered  # the names of the same dozen header fields, again and again
def _leaves(name: str) -> bool:
    """Whether a header field of this name is written: all but Content-Length, which is counted."""
    if not is_token(name):
        raise LocalError(f"no name of a header field: {name[:40]!r}", section="RFC 3261 7.3.1")
    return header_key(name) != "content-length"


def write_fields(headers: Headers) -> bytes:
    """Header fields and the empty line behind them, as a body part begins (RFC 2046 5.1)."""
    return encode_lines([*(f"{name}: {value}" for name, value in headers), "\r\n"])


def encode_lines(lines: list[str]) -> bytes:
    """``lines`` joined by CRLF; only the last may hold line ends of its own."""
    text = "\r\n".join(lines)
    between, last = len(lines) - 1, lines[-1]
    sound = text.count("\r") == between + last.count("\r") and text.count("\n") == between + last.count("\n")
    if "\0" in text or not sound:
        _refuse_broken(lines[:-1])
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LocalError("text that UTF-8 cannot hold", section="RFC 3261 7.3.1") from None


def _refuse_broken(lines: list[str]) -> None:
    for line in lines:
        if "\r" in line or "\n" in line or has_bare_nul(line):
            raise LocalError(
                f"line end or NUL inside {line.partition(':')[0][:40]!r}", section="RFC 3261 25.1"
            )


def _start_line(message: Message) -> str:
    if isinstance(message, Request):
        uri = message.uri
        if not is_token(message.method) or not uri or " " in uri or "\t" in uri:
            raise LocalError("malformed request line", section="RFC 3261 7.1")
        return f"{message.method} {uri} SIP/2.0"
    if isinstance(message, Response):
        if not 100 <= message.status <= 699:
            raise LocalError(f"status {message.status} is none of SIP's", section="RFC 3261 7.2")
        return f"SIP/2.0 {message.status} {message.reason}"
    raise LocalError("neither request nor response")
