"""`make siege`: calls that run while strangers send what they may, and while the engine is frozen."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import operator
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from siprec_src.media.model import MediaIo
from tests.bench.media.arena import FIRST
from tests.bench.media.plan import Mode, Plan
from tests.bench.media.rounds import LOAD, build_load
from tests.load.strangers import Raid
from tests.native.site import ENGINES
from tests.support.namespaces import Wire

ROOT = Path(__file__).resolve().parents[2]
MOST_MS = 2.0  #: by which strangers may delay the slowest hundredth of the packets
TURN_S = 10.0  #: more than the hundred packets by which RTP may be out of order (RFC 3550 A.1)
COUNTED = ("sent", "lost", "copies_lost", "intruders", "late")
BEGUN_S = 1.0  #: by when the account has begun
WARM_S = 0.2  #: a source that begins anew is believed with its second packet (RFC 3550 A.1)


@dataclasses.dataclass(frozen=True, slots=True)
class Ledger:
    """What came of every packet of the calls."""

    sent: int
    lost: int  #: in the relay
    copies_lost: int
    intruders: int  #: packets that the parties heard and that no party had said, at all or to them
    late: int  #: by more than 100 ms
    p99_ms: float

    @property
    def whole(self) -> bool:
        return self.lost == self.copies_lost == self.intruders == 0


class Besieged:
    """An engine in a process of its own at the near end of a wire, its calls recorded at the far end."""

    def __init__(self, wire: Wire, io: MediaIo, calls: int) -> None:
        self.raided = 0  #: datagrams of strangers so far
        self._wire = wire
        self._plan = Plan(mode=Mode.FORK, host=wire.near_host, load_host=wire.far_host, count=calls, io=io)
        self._engine = self._start(sys.executable, "-m", "tests.bench.media.ours")
        assert self._engine.stdin
        assert self._engine.stdout
        self._engine.stdin.write(self._plan.write() + "\n")
        self._engine.stdin.flush()
        self._ports: list[list[int]] = json.loads(self._engine.stdout.readline())["ports"]

    def talk(self, seconds: float, *, strangers: int = 0, raid_s: float = 0, frozen_s: float = 0) -> Ledger:
        """Let all parties speak for so long.

        Meanwhile ``strangers`` datagrams a second come for ``raid_s``, then the engine is stopped.
        """
        with self._start(str(LOAD), "-w", str(WARM_S), "-s", str(seconds), far=True) as load:
            _say(load, self._plan.table(self._ports))
            time.sleep(BEGUN_S)
            if raid_s:
                self._raid(strangers, raid_s)
            if frozen_s:
                self._engine.send_signal(signal.SIGSTOP)
                time.sleep(frozen_s)
                self._engine.send_signal(signal.SIGCONT)
            assert load.stdout
            account = json.loads(load.stdout.read())
        return Ledger(
            sent=account["sent"],
            lost=account["sent"] - account["relayed"],
            copies_lost=account["copies_wanted"] - account["copied"],
            intruders=account["foreign"] + account["misrouted"] + account["copies_duplicate"],
            late=account["late"],
            p99_ms=account["p99_ms"],
        )

    def books(self) -> dict[str, int]:
        """End the engine; the sums of its books over all ports of parties and all readers."""
        assert self._engine.stdin
        assert self._engine.stdout
        self._engine.stdin.close()
        totals: dict[str, int] = json.loads(self._engine.stdout.read())
        return totals

    def close(self) -> None:
        with self._engine:
            self._engine.kill()

    def _raid(self, rate: int, seconds: float) -> None:
        raid = Raid(
            host=self._plan.host,
            ports=[port for both in self._ports for port in both],
            parties=[port for call in self._plan.calls for port in call.parties],
            party_host=self._plan.load_host,
            rate=rate,
            seconds=seconds,
        )
        with self._start(sys.executable, "-m", "tests.load.strangers", far=True) as strangers:
            said, _ = strangers.communicate(json.dumps(dataclasses.asdict(raid)))
        self.raided += int(said)

    def _start(self, *command: str, far: bool = False) -> subprocess.Popen[str]:
        with self._wire.inside(far=far):
            return subprocess.Popen(
                ("sh", "-c", FIRST, "sh", *command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                start_new_session=True,
            )


def _say(process: subprocess.Popen[str], text: str) -> None:
    """All that it is told."""
    assert process.stdin
    with process.stdin as told:
        told.write(text)


def main() -> int:
    """0 when no packet of a call was lost, delayed or joined by another, and all ports were served again."""
    parser = argparse.ArgumentParser(prog="make siege", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rate", type=int, default=10_000, help="datagrams of strangers a second")
    parser.add_argument("--frozen", type=float, default=10, help="seconds for which the engine is stopped")
    arguments = parser.parse_args()
    build_load()
    return max([_besiege(io, arguments) for io in ENGINES])


def _besiege(io: MediaIo, arguments: argparse.Namespace) -> int:
    """With and without strangers in turns, then frozen, then thawed; each is a stream of its own."""
    frozen_s = arguments.frozen
    peace: list[Ledger] = []
    raided: list[Ledger] = []
    with Wire() as wire, contextlib.closing(Besieged(wire, io, arguments.calls)) as engine:
        for _ in range(max(1, round(arguments.seconds / TURN_S))):
            peace.append(engine.talk(TURN_S))
            raided.append(engine.talk(TURN_S + BEGUN_S, strangers=arguments.rate, raid_s=TURN_S))
        frozen = engine.talk(frozen_s + 5, frozen_s=frozen_s)
        thawed = engine.talk(TURN_S)
        books = engine.books()
    _show(io, "in peace", peace)
    _show(io, "with strangers", raided)
    _show(io, f"frozen for {frozen_s:g} s", [frozen])
    _show(io, "thawed", [thawed])
    dropped = books["port.dropped_foreign"] + books["port.dropped_malformed"]
    print(f"{io.value}: {dropped} of {engine.raided} datagrams of strangers are dropped by name, "
          f"{books['port.lost']} packets of the calls named as lost")  # fmt: skip
    held = (
        all(ledger.whole for ledger in (*peace, *raided, thawed))
        and _p99_ms(raided) <= _p99_ms(peace) + MOST_MS
        and books["port.lost"] == frozen.lost
        and books["reader.offered"] == books["port.received"]
    )
    print(f"{io.value}: {'held' if held else 'FELL'}", flush=True)
    return 0 if held else 1


def _p99_ms(ledgers: list[Ledger]) -> float:
    """That of the median round: others work on this machine too."""
    return statistics.median(ledger.p99_ms for ledger in ledgers)


def _show(io: MediaIo, when: str, ledgers: list[Ledger]) -> None:
    sums = [sum(map(operator.attrgetter(name), ledgers)) for name in COUNTED]
    p99s = [ledger.p99_ms for ledger in ledgers]
    print(
        f"{io.value} {when}: " + ", ".join(f"{n} {name}" for n, name in zip(sums, COUNTED, strict=True)),
        f"p99 {_p99_ms(ledgers):.2f} ms ({min(p99s):.2f} to {max(p99s):.2f})",
        sep=", ",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
