"""The calls of one run: which ports the parties and the SRS have; JSON of it goes to the engines."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Self

from siprec_src.media.model import MediaIo

FIRST_PARTY, FIRST_COPY = 2000, 32000  #: ports; two to a party, as for RTP and RTCP
MAX_CALLS = 7000  #: for which there are ports


class Mode(enum.Enum):
    """What is done for each call."""

    RELAY = "relay"
    FORK = "relay + RTP fork of both tracks"
    SRTP = "relay + SRTP fork of both tracks, AES-CM with HMAC-SHA1-80"
    GCM = "relay + SRTP fork of both tracks, AES-128-GCM"


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """The load's side of one duplex call."""

    host: str
    parties: tuple[int, int]  #: ports of caller and callee
    copies: tuple[int, int]  #: where what each says is to come


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an engine is told at its start."""

    mode: Mode
    host: str  #: the engine's address
    load_host: str
    count: int  #: of calls
    threads: int = 1
    io: MediaIo = MediaIo.SOCKETS  #: of our engine

    @property
    def calls(self) -> list[Call]:
        return [
            Call(
                self.load_host,
                (FIRST_PARTY + 4 * n, FIRST_PARTY + 4 * n + 2),
                (FIRST_COPY + 4 * n, FIRST_COPY + 4 * n + 2),
            )
            for n in range(self.count)
        ]

    def write(self) -> str:
        return json.dumps(dataclasses.asdict(self) | {"mode": self.mode.name, "io": self.io.value})

    @classmethod
    def read(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls(**(fields | {"mode": Mode[fields["mode"]], "io": MediaIo(fields["io"])}))

    def table(self, ports: list[list[int]]) -> str:
        """The input of ``rtpload``, for an engine that relays at these ports."""
        lines = []
        for call, (to_caller, to_callee) in zip(self.calls, ports, strict=True):
            for party, port, copy in zip(call.parties, (to_caller, to_callee), call.copies, strict=True):
                wanted = 0 if self.mode is Mode.RELAY else copy
                lines.append(f"{call.host} {party} {self.host} {port} {call.host} {wanted}")
        return "\n".join(lines) + "\n"
