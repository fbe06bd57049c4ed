"""The calls of one run: which ports the parties and the SRS have; JSON of it goes to the engines."""

from __future__ import annotations

import dataclasses
import enum
import json
import resource
from typing import Self

from siprec_src.media.model import MediaIo

FIRST_PARTY, FIRST_COPY = 2000, 26000  #: ports; two to a party, as for RTP and RTCP
MAX_CALLS = 6000  #: for which there are ports
FORKS_OF_MANY = 4
SPARE_DESCRIPTORS = 500  #: what an engine's process opens besides sockets of calls


class Mode(enum.Enum):
    """What is done for each call."""

    RELAY = "relay"
    FORK = "relay + RTP fork of both tracks"
    SRTP = "relay + SRTP fork of both tracks, AES-CM with HMAC-SHA1-80"
    GCM = "relay + SRTP fork of both tracks, AES-128-GCM"
    MANY = f"relay + {FORKS_OF_MANY} RTP forks of both tracks"

    @property
    def forks(self) -> int:
        """How many SRSs get both tracks."""
        match self:
            case Mode.RELAY:
                return 0
            case Mode.MANY:
                return FORKS_OF_MANY
        return 1

    @property
    def max_calls(self) -> int:
        """For which there are ports, and sockets: one for RTP and one for RTCP of each party and copy."""
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_DESCRIPTORS
        return min(MAX_CALLS // max(1, self.forks), descriptors // (4 + 4 * self.forks))


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """The load's side of one duplex call."""

    host: str
    parties: tuple[int, int]  #: ports of caller and callee
    copies: tuple[tuple[int, int], ...]  #: of each SRS: where what each says is to come


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
                tuple(
                    (FIRST_COPY + 4 * at, FIRST_COPY + 4 * at + 2)
                    for at in range(self.mode.forks * n, self.mode.forks * (n + 1))
                ),
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
            for side, port in enumerate((to_caller, to_callee)):
                copies = "".join(f" {call.host} {copy[side]}" for copy in call.copies)
                lines.append(f"{call.host} {call.parties[side]} {self.host} {port}{copies}")
        return "\n".join(lines) + "\n"
