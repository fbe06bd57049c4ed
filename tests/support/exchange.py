"""Two UDP sockets that place and answer calls through a daemon, in one thread, within milliseconds.

For tests that are not about the call: every message is the plainest there is, nothing is sent again, and
what else comes inside a dialog is answered with 200.
"""

from __future__ import annotations

import dataclasses
import re
import selectors
import socket
import threading
import uuid
from types import TracebackType
from typing import Self

from tests.support.daemon import LOOPBACK, free_port, until
from tests.support.script import sdp

Address = tuple[str, int]


@dataclasses.dataclass(slots=True, eq=False)
class Dialog:
    """One leg of a call, as its phone knows it."""

    call_id: str
    own: str  #: From, or To where it was called
    peer: str
    target: str  #: the daemon's Contact
    media: Address  #: where the daemon receives
    sequence: int = 1
    ended: bool = False


class Exchange:
    """Callers behind one socket, callees behind the other; numbers are parties.

    Args:
        via: where the daemon takes calls.
        bob_at: where it sends them on.
        media_host: where the parties' media is.
    """

    def __init__(self, via: Address, bob_at: Address, *, media_host: str = LOOPBACK) -> None:
        self._via = via
        self._media_host = media_host
        self._caller, self._callee = (_bound((LOOPBACK, free_port())), _bound(bob_at))
        self._ports: dict[str, int] = {}  #: media port of whom a call is placed to, by number
        self._numbers: dict[str, str] = {}  #: Call-ID of the newest call, by the number it is placed to
        self._placed: dict[str, str] = {}  #: our From, by Call-ID
        self.statuses: dict[str, int] = {}  #: final answer to each call, by Call-ID
        self.callers: dict[str, Dialog] = {}  #: by Call-ID
        self.callees: dict[str, Dialog] = {}  #: by number that was called
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._caller.close()
        self._callee.close()

    def place(
        self, number: str, *, caller: str, ports: tuple[int, int], fields: tuple[str, ...] = ()
    ) -> tuple[Dialog, Dialog]:
        """A call from ``caller`` to ``number``, answered; ``ports``: of their media. Both legs."""
        self.invite(number, caller=caller, ports=ports, fields=fields)
        until(lambda: self.answered(number) is not None, 5, f"the call to {number} is answered")
        legs = self.answered(number)
        assert legs is not None
        return legs

    def invite(
        self, number: str, *, caller: str, ports: tuple[int, int], fields: tuple[str, ...] = ()
    ) -> None:
        """Begin such a call."""
        call_id = uuid.uuid4().hex
        host, port = self._caller.getsockname()
        own = f"<sip:{caller}@{host}:{port}>;tag={uuid.uuid4().hex[:8]}"
        target = f"sip:{number}@{self._via[0]}:{self._via[1]}"
        head = [f"From: {own}", f"To: <{target}>", *fields, f"Contact: <sip:{caller}@{host}:{port}>"]
        with self._lock:
            self._ports[number] = ports[1]
            self._placed[call_id] = own
            self._numbers[number] = call_id
        self._request("INVITE", target, call_id, 1, head, sdp(ports[0], host=self._media_host))

    def answered(self, number: str) -> tuple[Dialog, Dialog] | None:
        """Both legs of the newest call to ``number``; None as long as it is not answered."""
        legs = self.callers.get(self._numbers[number]), self.callees.get(number)
        return (legs[0], legs[1]) if legs[0] is not None and legs[1] is not None else None

    def hang_up(self, dialog: Dialog) -> None:
        """The caller says BYE; returns when the callee has it too."""
        dialog.sequence += 1
        self._request(
            "BYE",
            dialog.target,
            dialog.call_id,
            dialog.sequence,
            [f"From: {dialog.own}", f"To: {dialog.peer}"],
        )
        until(lambda: dialog.ended, 5, "the BYE is answered")

    def info(self, dialog: Dialog, body: str, kind: str) -> None:
        """The caller sends an INFO."""
        dialog.sequence += 1
        head = [f"From: {dialog.own}", f"To: {dialog.peer}", f"Content-Type: {kind}"]
        self._request("INFO", dialog.target, dialog.call_id, dialog.sequence, head, body, typed=True)

    # what goes out

    def _request(
        self,
        method: str,
        target: str,
        call_id: str,
        sequence: int,
        head: list[str],
        body: str = "",
        *,
        typed: bool = False,
    ) -> None:
        host, port = self._caller.getsockname()
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{uuid.uuid4().hex}",
            "Max-Forwards: 70",
            f"Call-ID: {call_id}",
            f"CSeq: {sequence} {method}",
            *head,
            *(["Content-Type: application/sdp"] if body and not typed else []),
            f"Content-Length: {len(body)}",
        ]
        self._caller.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self._via)

    def _answer(self, by: socket.socket, to: Address, request: str, tagged: str, body: str = "") -> None:
        host, port = by.getsockname()
        kept = [line for line in request.split("\r\n") if _COPIED.match(line)]
        head = [
            "SIP/2.0 200 OK",
            *(f"To: {tagged}" if line.lower().startswith("to:") else line for line in kept),
            f"Contact: <sip:{host}:{port}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        by.sendto(("\r\n".join(head) + "\r\n\r\n" + body).encode(), to)

    # what comes in

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for side in (self._caller, self._callee):
                selector.register(side, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in selector.select(0.05):
                    side = self._caller if key.fileobj is self._caller else self._callee
                    data, source = side.recvfrom(65536)
                    if data.strip():
                        self._take(side, data.decode(), source[:2])

    def _take(self, side: socket.socket, text: str, source: Address) -> None:
        first = text.partition("\r\n")[0]
        if first.startswith("SIP/2.0 "):
            self._response(text, int(first.split()[1]))
            return
        method, to = first.split()[0], _field(text, "To")
        if method == "ACK":
            return
        if method == "INVITE" and side is self._callee and ";tag=" not in to:
            self._called(text, to, source)
            return
        if method == "BYE":
            self._over(_field(text, "Call-ID"))
        self._answer(side, source, text, to)

    def _called(self, text: str, to: str, source: Address) -> None:
        number = re.search(r"sips?:([^@>]+)@", to)
        name = number[1] if number else ""
        own = f"{to};tag={uuid.uuid4().hex[:8]}"
        with self._lock:
            port = self._ports[name]
        self._answer(self._callee, source, text, own, sdp(port, host=self._media_host))
        self.callees[name] = Dialog(
            _field(text, "Call-ID"), own, _field(text, "From"), _uri(_field(text, "Contact")), _media(text)
        )

    def _response(self, text: str, status: int) -> None:
        call_id, (number, method) = _field(text, "Call-ID"), _field(text, "CSeq").split()
        if method == "BYE":
            self._over(call_id)
        if method != "INVITE" or status < 200:
            return
        own = self._placed[call_id]
        self.statuses[call_id] = status
        dialog = Dialog(call_id, own, _field(text, "To"), _uri(_field(text, "Contact")), _media(text))
        self._request("ACK", dialog.target, call_id, int(number), [f"From: {own}", f"To: {dialog.peer}"])
        self.callers[call_id] = dialog

    def _over(self, call_id: str) -> None:
        for dialog in (*self.callers.values(), *self.callees.values()):
            if dialog.call_id == call_id:
                dialog.ended = True


_COPIED = re.compile(r"(?:Via|From|To|Call-ID|CSeq|Record-Route):", re.IGNORECASE)


def _bound(address: Address) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(address)
    return made


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*?)\r$", text, re.IGNORECASE | re.MULTILINE)
    assert found, f"no {name} in {text}"
    return found[1]


def _uri(contact: str) -> str:
    found = re.search(r"<([^>]+)>", contact)
    return found[1] if found else contact.partition(";")[0]


def _media(text: str) -> Address:
    host, port = (
        re.search(r"^c=IN IP4 (\S+)", text, re.MULTILINE),
        re.search(r"^m=audio (\d+)", text, re.MULTILINE),
    )
    assert host, f"no address in {text}"
    assert port, f"no audio in {text}"
    return host[1], int(port[1])
