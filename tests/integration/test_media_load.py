"""New calls are refused by how busy the media threads are, before a call that runs loses a packet."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, free_port, patient, running, until

CONFIG = "[daemon]\nmax_load = 0.3\n[media]\nthreads = 1\n"
BUSY = 0.35  #: above this limit, so that some are refused
UDP_SEGMENT = 103  # linux/udp.h
RECEIVER_REPORT = bytes.fromhex("80c90001 000a11ce 81ca0003 000a11ce 010361406200 0000")
REPORTS = 50  #: that leave together


@contextlib.contextmanager
def chatter(from_port: int, to: tuple[str, int]) -> Iterator[None]:
    """RTCP of a party, to be relayed, more than a thread has time for; it has a socket of its own."""
    over = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((LOOPBACK, from_port))
            sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(RECEIVER_REPORT))
            while not over.is_set():
                sock.sendto(RECEIVER_REPORT * REPORTS, to)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Carol:
    """Calls again and again, with an INVITE that may go no further: nobody is rung when it is taken."""

    def __init__(self, port: int) -> None:
        self._to = (LOOPBACK, port)
        self._numbers = itertools.count()

    def status(self) -> tuple[int, bool]:
        """Of the final response, and whether it says when to come back."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(patient(5))
            sock.bind((LOOPBACK, 0))
            number, mine = next(self._numbers), sock.getsockname()[1]
            head = (
                f"INVITE sip:bob@{LOOPBACK}:{self._to[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {LOOPBACK}:{mine};branch=z9hG4bK-carol-{number}\r\n"
                f"From: <sip:carol@{LOOPBACK}>;tag=1\r\nTo: <sip:bob@{LOOPBACK}>\r\n"
                f"Call-ID: carol-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:{LOOPBACK}:{mine}>\r\n"
                "Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n"
            )
            sock.sendto(head.encode(), self._to)
            while (response := sock.recv(65535)).startswith(b"SIP/2.0 1"):
                continue
            return int(response.split(b" ")[1]), b"\r\nRetry-After: " in response


@pytest.mark.rfc("3261", "21.5.4", "20.33")
def test_calls_are_refused_while_media_is_busy_and_the_one_that_runs_is_heard(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    nobody = f'[[srs]]\nuri = "sip:{LOOPBACK}:{free_port()};transport=tcp"\n'
    carol = Carol(port)
    with (
        running(tmp_path, route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=CONFIG + nobody) as daemon,
        Conversation(tmp_path, via=(LOOPBACK, port), bob_at=bob_at, seconds=2.0) as call,
    ):
        call.talk()
        host, rtp_port = call.alice_sends_to
        with chatter(call.alice_voice.port + 1, (host, rtp_port + 1)):
            until(lambda: daemon.metric("media_load", thread="0") > BUSY, 5, "media is busy")
            until(lambda: carol.status() == (503, True), 1, "a call is refused")
        until(lambda: carol.status()[0] == 483, 5, "a call is taken again")
        call.assert_heard()
        call.hang_up()
        end = daemon.event("call.end")
        assert end["caller_lost"] == end["callee_lost"] == 0
