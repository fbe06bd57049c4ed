"""A name server that a test plays: answers from a table over UDP, or fails as it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.support.daemon import LOOPBACK, patient

SILENCE: Final = "silence"
SERVFAIL: Final = "servfail"
POISON: Final = "poison"  #: an answer with another id goes before the true one
FORGED: Final = "192.0.2.66"

Zone = dict[tuple[str, str], list[str]]


class NameServer:
    """The table may be changed at any time; a name that it does not have does not exist."""

    def __init__(self) -> None:
        self.zone: Zone = {}
        self.ttl_s = 60
        self.fault = ""  #: of all answers
        self.questions: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.sendto(b"", (LOOPBACK, self.port))
        self._thread.join(patient(5))
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            asked = (question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name)
            self.questions.append(asked)
            if self.fault == SILENCE:
                continue
            if self.fault == POISON:
                forged = dns.message.make_response(query)
                forged.id ^= 1
                forged.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", FORGED))
                self._socket.sendto(forged.to_wire(), peer)
            self._socket.sendto(self._answer(query, asked).to_wire(max_size=65535), peer)

    def _answer(self, query: dns.message.Message, asked: tuple[str, str]) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        name, kind = asked
        if self.fault == SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        for _ in range(20):
            alias = self.zone.get((name, "CNAME"))
            if alias is None:
                break
            response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl_s, "IN", "CNAME", *alias))
            name = alias[0].rstrip(".")
        if records := self.zone.get((name, kind)):
            response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl_s, "IN", kind, *records))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


@contextlib.contextmanager
def name_server() -> Iterator[NameServer]:
    """Serving until the block is left."""
    server = NameServer()
    try:
        yield server
    finally:
        server.close()
