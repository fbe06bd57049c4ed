"""The exception tree: whose fault it was decides the class, and the class carries the answer.

SiprecError
├── RemoteError            the peer's fault: answered or dropped, never a traceback
│   ├── RemoteProtocolError    bytes that break a rule; `status` is the SIP answer
│   └── InstructionError       a voice application asks for what is not right; `code` says which rule
├── LocalError             our fault or our operator's
│   ├── ConfigurationError     where, which key, what is wrong
│   ├── StateError             a command that the machine's state does not allow
│   └── Gone                   the id names nothing any more
└── NoRoom                 no fault: a named limit was reached
"""

from __future__ import annotations


class SiprecError(Exception):
    """Root of everything this package raises on purpose.

    Attributes:
        reason: short slug, used as a metric label and in API answers.
        status: the SIP status that answers it, where one does.
        section: the rule that was broken, e.g. ``"RFC 3261 8.1.1.5"``.
    """

    reason = "internal-error"

    def __init__(self, message: str, *, status: int = 500, section: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.section = section


class RemoteError(SiprecError):
    """The peer did something it may not."""

    reason = "remote-error"


class RemoteProtocolError(RemoteError):
    """Bytes from the network break a protocol rule. `status` is what to answer, 400 unless given."""

    reason = "protocol-error"

    def __init__(self, message: str, *, status: int = 400, section: str = "") -> None:
        super().__init__(message, status=status, section=section)


class InstructionError(RemoteError):
    """What a voice application asks for breaks a rule; nothing of it is carried out.

    Attributes:
        code: number of the rule, as the platform's error dictionary has it.
    """

    reason = "instruction-error"

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message, status=400)
        self.code = code


class LocalError(SiprecError):
    """Our own fault, or the operator's."""


class ConfigurationError(LocalError):
    """The configuration cannot be used; the message says file, line, key path and what is wrong."""

    reason = "configuration-error"


class StateError(LocalError):
    """A command that the state of its machine does not allow; nothing was changed."""

    reason = "wrong-state"


class Gone(LocalError):
    """The id names something that has ended; nothing was changed."""

    reason = "gone"


class NoRoom(SiprecError):
    """A named limit is reached. Nobody's fault; the newcomer is refused, the rest go on."""

    reason = "no-room"

    def __init__(self, message: str, *, status: int = 503, section: str = "") -> None:
        super().__init__(message, status=status, section=section)
