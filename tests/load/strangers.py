"""A process that sends what is malformed or foreign to live media ports, at a rate that it is told."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import socket
import struct
import sys
import time
from collections.abc import Iterator

from tests.support.malformed import MALFORMED_RTP

TURN_S = 0.002  #: so often some are sent
KINDS = 20  #: of foreign ones that each port gets

Datagram = tuple[socket.socket, bytes, tuple[str, int]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Raid:
    """Which ports of whom, and how much."""

    host: str  #: the engine's
    ports: list[int]  #: where the engine hears RTP,
    parties: list[int]  #: and from which port of the party each of them does
    party_host: str
    rate: int  #: datagrams a second
    seconds: float


def main() -> int:
    """Do what standard input says; how many were sent goes to standard output."""
    raid = Raid(**json.loads(sys.stdin.readline()))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as forger,
    ):
        for sock in (stranger, forger):
            sock.bind((raid.party_host, 0))
        forged, foreign = _forged(raid, forger), _foreign(raid, stranger)
        datagrams = itertools.chain.from_iterable(zip(forged, foreign, strict=False))
        begun_s = time.monotonic()
        sent = 0
        while (passed_s := time.monotonic() - begun_s) < raid.seconds:
            for sock, data, to in itertools.islice(datagrams, int(passed_s * raid.rate) - sent):
                sock.sendto(data, to)
                sent += 1
            time.sleep(TURN_S)
    print(sent)
    return 0


def _forged(raid: Raid, forger: socket.socket) -> Iterator[Datagram]:
    """In the name of each port's own party (RFC 768; no checksum), malformed RTP."""
    return itertools.cycle(
        [
            (forger, struct.pack("!HHHH", party, port, 8 + len(data), 0) + data, (raid.host, 0))
            for data in MALFORMED_RTP
            for port, party in zip(raid.ports, raid.parties, strict=True)
        ]
    )


def _foreign(raid: Raid, stranger: socket.socket) -> Iterator[Datagram]:
    """Of a stranger, to RTP and RTCP ports: RTP that is good but for its source, RTCP, STUN, DTLS, noise."""
    noise = random.Random(3550)
    kinds = [
        struct.pack("!BBHII", 0x80, 0, 1, 160, 0x0BADCAFE) + b"\x55" * 160,
        struct.pack("!BBHII", 0x80, 201, 1, 1, 2),
        struct.pack("!HHI12s", 0x0001, 0, 0x2112A442, b"transaction!"),
        b"\x16\xfe\xfd" + bytes(100),
        bytes(3000),  # in two fragments, and longer than any datagram that is taken
        *(noise.randbytes(noise.randrange(1, 300)) for _ in range(KINDS - 5)),
    ]
    return itertools.cycle(
        [
            (stranger, data, (raid.host, port + number % 2))
            for number, data in enumerate(kinds)
            for port in raid.ports
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
