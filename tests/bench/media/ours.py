"""The engine of this project in a process of its own: told of calls on standard input, ends with it."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import sys

from siprec_src.media.engine import Engine
from siprec_src.media.model import Endpoint, ReaderId, SrtpKey
from siprec_src.media.plane import (
    AttachReader,
    BridgePorts,
    ConnectPort,
    Counters,
    OpenPort,
    OpenPorts,
    PortsOpen,
    ReadCounters,
    ReaderAttached,
)
from tests.bench.media.plan import Call, Mode, Plan
from tests.native.engine_support import Plane
from tests.support.processes import resident_bytes

LOW, HIGH = 10000, 60000

_Served = tuple[tuple[OpenPort, ...], list[ReaderId]]  #: the ports of a call's parties, and its readers


def main() -> int:
    """Set up the calls of the plan, print the ports, wait for the end of input, print the books."""
    plan = Plan.read(sys.stdin.readline())
    engine = Engine(threads=plan.threads, io=plan.io)
    plane = Plane(engine)
    before_bytes = resident_bytes(os.getpid())
    calls = [_open(plane, plan, call, n) for n, call in enumerate(plan.calls)]
    grown = resident_bytes(os.getpid()) - before_bytes
    ports = [[port.rtp_port for port in parties] for parties, _ in calls]
    print(json.dumps({"ports": ports, "grown_bytes": grown, "pid": os.getpid()}), flush=True)
    sys.stdin.read()
    print(json.dumps(_books(plane, calls)))
    engine.close()
    return 0


def _open(plane: Plane, plan: Plan, call: Call, number: int) -> _Served:
    opened = _ports(plane, plan, 2 + 2 * plan.mode.forks)
    ports = [port.port for port in opened]
    for port, party in zip(ports, call.parties, strict=False):
        plane.do(ConnectPort(tag=1, port=port, remote=Endpoint(call.host, party)))
    plane.do(BridgePorts(tag=1, a=ports[0], b=ports[1]))
    readers: list[ReaderId] = []
    for fork, copies in enumerate(call.copies):
        for side in range(2):
            attach = AttachReader(
                tag=1,
                stream=ports[side],
                via=ports[2 + 2 * fork + side],
                remote=Endpoint(call.host, copies[side]),
                no_rtcp=True,
                ssrc=2 * (plan.mode.forks * number + fork) + side + 1,
                cname="bench",
                first_sequence=1,
                first_timestamp=0,
                payload_types=((0, 0),),
                send_key=_key(plan.mode),
                live=True,
            )
            answer = plane.ask(attach)
            assert isinstance(answer, ReaderAttached), answer
            readers.append(answer.reader)
    return opened[:2], readers


def _books(plane: Plane, calls: list[_Served]) -> dict[str, int]:
    """Sums over the ports of all parties and over all readers, by the names of `media.model`."""
    totals: collections.Counter[str] = collections.Counter()
    for parties, readers in calls:
        command = ReadCounters(tag=1, ports=tuple(port.port for port in parties), readers=tuple(readers))
        answer = plane.ask(command)
        assert isinstance(answer, Counters), answer
        for kind, books in (("port", answer.ports), ("reader", answer.readers)):
            for _, counters in books:
                totals.update({f"{kind}.{name}": n for name, n in dataclasses.asdict(counters).items()})
    return totals


def _ports(plane: Plane, plan: Plan, count: int) -> tuple[OpenPort, ...]:
    answer = plane.ask(OpenPorts(tag=1, host=plan.host, low=LOW, high=HIGH, count=count))
    assert isinstance(answer, PortsOpen), answer
    return answer.ports


def _key(mode: Mode) -> SrtpKey | None:
    match mode:
        case Mode.SRTP:
            return SrtpKey("AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
        case Mode.GCM:
            return SrtpKey("AEAD_AES_128_GCM", bytes(range(28)))
    return None


if __name__ == "__main__":
    sys.exit(main())
