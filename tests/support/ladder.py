"""Whole call flows as text, one line a message: what a person would draw is what the test compares."""

from __future__ import annotations

from siprec_src.sip.message import Request, Response


class Ladder:
    """Collects messages in the order in which they are sent."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, str]] = []

    def note(
        self, now: float, source: str, to: str, message: Request | Response, *, lost: bool = False
    ) -> None:
        """Add one message; ``lost``: it never arrives."""
        arrow = "-x" if lost else "->"
        self._lines.append((now, f"{source} {arrow} {to}: {summary(message)}"))

    def text(self, *, times: bool = False) -> str:
        """Every line so far; with the time of sending in seconds where ``times``."""
        return "\n".join(f"{now:.2f} {line}" if times else line for now, line in self._lines)

    def clear(self) -> None:
        self._lines.clear()


def summary(message: Request | Response) -> str:
    """``INVITE 1 sdp`` or ``180 (INVITE 1)``; ``to=`` names the To tag where there is one."""
    cseq = message.cseq
    head = (
        f"{cseq.method} {cseq.number}"
        if isinstance(message, Request)
        else f"{message.status} ({cseq.method} {cseq.number})"
    )
    tag = f" to={message.to.tag}" if message.to.tag else ""
    reliable = f" rseq={message.headers.get('rseq')}" if "rseq" in message.headers else ""
    return f"{head}{tag}{reliable}{' sdp' if message.body else ''}"


def drawn(text: str) -> str:
    """A ladder written in a test: blank lines and indentation do not count."""
    return "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())
