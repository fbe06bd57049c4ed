"""Writes the seed inputs of the fuzz targets: small valid packets of every shape."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
RECORDED = HERE.parent / "tests" / "netlink_messages.h"

RTP = {
    "plain": "80000001000000a000000009" + "55" * 20,
    "marker": "80880002000000a000000009" + "55" * 20,
    "csrc": "82000003000000a0000000090000000a0000000b" + "55" * 20,
    "extension": "90000004000000a000000009bede000110ff0000" + "55" * 20,
    "padding": "a0000005000000a000000009555555550000000" + "4",
    "everything": "b1800006000000a0000000090000000abede000110ff0000" + "55" * 4 + "00000004",
    "event": "80e50007000000a000000009050a00a0",
    "event-end": "80650008000000a000000009058a01e0",
    "stun": "000100002112a442" + "00" * 12,
    "dtls": "16feff0000000000000000000000",
}
REPORT = "80c9000100000009"
BLOCK = "0000000a40fffffe0001ffff000000070304050600010000"
SENDER = "0102030405060708112233440000000500000320"
RTCP = {
    "rr": REPORT,
    "rr-block": "81c9000700000009" + BLOCK,
    "sr": "80c8000600000009" + SENDER,
    "sr-blocks": "82c8001200000009" + SENDER + BLOCK * 2,
    "sdes": REPORT + "81ca0003000000090104616263640000",
    "bye": REPORT + "81cb000100000009",
    "bye-reason": REPORT + "81cb00030000000903627965" + "00000000",
    "app": REPORT + "80cc000200000009" + "74657374",
    "padded": REPORT + "a0cb000100000004",
}


# Datagrams of a call: where each arrives and from whom (fuzz_core.c), its length, its octets.
CALLER, CALLEE_RTCP, SRS, SRS_RTCP, STRANGER = 0x00, 0x99, 0x20, 0xAA, 0x38
CORE = {
    "talk": [(CALLER, RTP["plain"]), (CALLER, RTP["marker"]), (CALLER, RTP["everything"])],
    "key-press": [(CALLER, RTP["event"]), (CALLER, RTP["event-end"]), (CALLER, RTP["event-end"])],
    "reports": [(CALLER, RTCP["sr-blocks"]), (SRS_RTCP, RTCP["rr-block"].replace("0000000a", "00000001"))],
    "strangers": [(CALLER, RTP["plain"]), (STRANGER, RTP["marker"]), (CALLEE_RTCP, RTCP["bye"])],
    "handshake": [(CALLER, RTP["stun"]), (CALLER, RTP["dtls"]), (SRS, RTP["dtls"])],
    "tone": [(CALLER, RTP["plain"].replace("8000", "8008", 1)), (CALLER, RTP["plain"])],
}

# Steps of fuzz_states.c: what, of which port or reader, how; a datagram has octets.
(
    OPEN,
    CONNECT,
    BRIDGE,
    ATTACH,
    UPDATE,
    LIVE,
    DETACH,
    CLOSE,
    TONE,
    ANNOUNCE,
    TAKE_DTLS,
    SEND_DTLS,
    WAIT,
    ICMP,
    SAY,
    RELAYED,
) = range(16)
PLAIN_CALL = [(CONNECT, 0, 1), (CONNECT, 1, 0x41), (BRIDGE, 0, 1), (ATTACH, 0, 2), (LIVE, 0, 1)]
STATES = {
    "call": [*PLAIN_CALL, (SAY, 0, 0, RTP["plain"]), (SAY, 0, 0, RTP["marker"]), (CLOSE, 0, 0)],
    "pause": [*PLAIN_CALL, (SAY, 0, 0, RTP["plain"]), (LIVE, 0, 0), (SAY, 0, 0, RTP["marker"]), (LIVE, 0, 1)],
    "key-press": [*PLAIN_CALL, (SAY, 0, 0, RTP["event"]), (SAY, 0, 0, RTP["event-end"]), (DETACH, 0, 0)],
    "failing": [*PLAIN_CALL, (SAY, 0, 0x80, RTP["plain"]), (ICMP, 2, 0), (WAIT, 0, 255), (UPDATE, 0, 8)],
    "again": [
        *PLAIN_CALL,
        (CLOSE, 0, 0),
        (OPEN, 0, 0),
        (CONNECT, 0, 3),
        (BRIDGE, 0, 1),
        (SAY, 0, 0, RTP["csrc"]),
    ],
    "tone": [*PLAIN_CALL, (TONE, 1, 3), (ANNOUNCE, 0, 1), (SAY, 0, 0, RTP["plain"]), (WAIT, 0, 50)],
    "handshake": [(TAKE_DTLS, 2, 0), *PLAIN_CALL, (SAY, 2, 8, RTP["dtls"]), (SEND_DTLS, 2, 8)],
    "relayed": [
        (CONNECT, 0, 1),
        (CONNECT, 1, 1),
        (BRIDGE, 0, 1),
        (RELAYED, 0, 0, RTP["plain"]),
        (ATTACH, 0, 2),
        (LIVE, 0, 1),
        (RELAYED, 0, 4, RTP["marker"]),
        (RELAYED, 0, 1, RTP["event"]),
        (LIVE, 0, 0),
        (RELAYED, 0, 0, RTP["event-end"]),
    ],
    "reports": [*PLAIN_CALL, (SAY, 0, 1, RTCP["sr-blocks"]), (SAY, 2, 9, RTCP["rr-block"]), (WAIT, 0, 100)],
}


def steps(several: Sequence[tuple[int | str, ...]]) -> bytes:
    octets = b""
    for what, which, how, *said in several:
        octets += bytes([int(what) | int(which) << 5, int(how)])
        for data in map(bytes.fromhex, map(str, said)):
            octets += bytes([len(data)]) + data
    return octets


def recorded() -> dict[str, bytes]:
    """What the kernel said, by its name in the tests; each is an answer about the path of its family."""
    text = RECORDED.read_text(encoding="ascii").replace("\\\n", " ")
    messages = {}
    for name, parts in re.findall(r"^#define ([A-Z0-9_]+)\s+(\".*)$", text, re.MULTILINE):
        octets = bytearray.fromhex("".join(re.findall(r'"([0-9a-f]+)"', parts)))
        octets[8:12] = struct.pack("=I", 0 if name.startswith("NEWS") else 1 + ("6" in name))
        messages[name.lower()] = bytes(octets)
    return messages


def write(folder: str, name: str, data: bytes) -> None:
    path = CORPUS / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> None:
    for name, text in RTP.items():
        write("rtp", name, bytes.fromhex(text))
    for name, text in RTCP.items():
        write("rtcp", name, bytes.fromhex(text))
    for suite in range(8):
        write("srtp", f"rtp-{suite}", struct.pack("!B", suite) + bytes.fromhex(RTP["everything"]))
        write("srtp", f"rtcp-{suite}", struct.pack("!B", 0x80 | suite) + bytes.fromhex(RTCP["sdes"]))
    messages = recorded()
    for name, octets in messages.items():
        write("netlink", name, octets)
    for six in ("", "6"):
        way = [
            bytearray(messages[name])
            for name in (f"route{six}_on_link", "link_of_ethernet", f"neighbour{six}")
        ]
        for message in way:
            message[8] = 2 if six else 1
        write("netlink", f"way{six}", b"".join(way))
    for name, several in STATES.items():
        write("states", name, steps(several))
    write("resume", "nothing_of_it", bytes(4))
    for name, datagrams in CORE.items():
        octets = [(where, bytes.fromhex(text)) for where, text in datagrams]
        write("core", name, b"".join(bytes([where, len(data)]) + data for where, data in octets))


if __name__ == "__main__":
    main()
