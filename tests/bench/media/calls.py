"""How many calls a second one engine thread sets up and tears down, told through its Python door."""

from __future__ import annotations

import dataclasses
import select
import time
from collections.abc import Iterable, Sequence

from siprec_src.media.engine import Engine
from siprec_src.media.model import Endpoint, PortId
from siprec_src.media.plane import (
    Answer,
    AttachReader,
    BridgePorts,
    ClosePorts,
    Command,
    ConnectPort,
    OpenPorts,
    PortsOpen,
    ReaderAttached,
)

HOST, LOW, HIGH = "127.0.0.1", 10000, 60000
BATCH = 500  #: calls, whose commands are under way at once
BATCHES = 8
PARTY, SRS = Endpoint(HOST, 2000), Endpoint(HOST, 3000)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Of calls, all commands of a call counted: five, or seven with a fork of both tracks."""

    set_up: float  #: a second
    tear_down: float


def measure(*, forked: bool) -> Rates:
    """All of ``BATCHES`` in turn; ports do not rest, else the range would be the limit."""
    engine = Engine(threads=1, port_rest_ms=0, receive_buffer_bytes=0)
    up_s = down_s = 0.0
    try:
        for _ in range(BATCHES):
            begun_s = time.monotonic()
            calls = _set_up(engine, forked=forked)
            up_s += time.monotonic() - begun_s
            begun_s = time.monotonic()
            _all(engine, [ClosePorts(tag=n, ports=ports) for n, ports in enumerate(calls)])
            down_s += time.monotonic() - begun_s
    finally:
        engine.close()
    return Rates(set_up=BATCH * BATCHES / up_s, tear_down=BATCH * BATCHES / down_s)


def _set_up(engine: Engine, *, forked: bool) -> list[tuple[PortId, ...]]:
    opening = OpenPorts(tag=0, host=HOST, low=LOW, high=HIGH, count=4 if forked else 2)
    opened = _all(engine, [dataclasses.replace(opening, tag=n) for n in range(BATCH)])
    calls = [tuple(port.port for port in answer.ports) for answer in opened if isinstance(answer, PortsOpen)]
    commands: list[Command] = []
    for ports in calls:
        commands += [ConnectPort(tag=0, port=port, remote=PARTY) for port in ports[:2]]
        commands.append(BridgePorts(tag=0, a=ports[0], b=ports[1]))
        commands += [_fork(ports[side], ports[2 + side]) for side in range(2 if forked else 0)]
    answers = _all(engine, [dataclasses.replace(command, tag=n) for n, command in enumerate(commands)])
    attached = sum(isinstance(answer, ReaderAttached) for answer in answers)
    assert (len(calls), attached) == (BATCH, 2 * BATCH * forked)
    return calls


def _fork(stream: PortId, via: PortId) -> AttachReader:
    return AttachReader(
        tag=0, stream=stream, via=via, remote=SRS, no_rtcp=True, ssrc=1, cname="bench",
        first_sequence=1, first_timestamp=0, payload_types=((0, 0),), live=True,
    )  # fmt: skip


def _all(engine: Engine, commands: Sequence[Command]) -> Iterable[Answer]:
    """The answers to all of them, in any order."""
    for command in commands:
        engine.submit(command)
    answers: list[Answer] = []
    while len(answers) < len(commands):
        select.select([engine], [], [])
        answers += [message for message in engine.drain() if hasattr(message, "tag")]  # type: ignore[misc]
    return answers


def show() -> None:
    """Print a table, as Markdown."""
    print("\n| calls a second, one engine thread | set up | torn down |\n|---|---|---|")
    for forked in (False, True):
        rates = measure(forked=forked)
        name = "relay + fork of both tracks" if forked else "relay"
        print(f"| {name} | {rates.set_up:,.0f} | {rates.tear_down:,.0f} |", flush=True)
