"""Packet threads: where they run, how urgently, how busy they are, and which one gets the next call."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from siprec_src.media.engine import Engine
from siprec_src.media.model import ThreadPriority
from siprec_src.media.plane import BridgePorts, Done, OpenPort
from tests.native.engine_support import HOST, Peer, Plane, rtp

NORMAL_POLICY, FIFO_POLICY = 0, 1
_COMM, _NICE, _POLICY = 1, 18, 40  # fields of proc_pid_stat(5), counted from 0


class Thread:
    """What the kernel says of one."""

    def __init__(self, tid: int) -> None:
        stat = Path(f"/proc/self/task/{tid}/stat").read_text()
        name, _, rest = stat.partition("(")[2].rpartition(")")
        fields = [str(tid), name, *rest.split()]
        self.name = name
        self.nice = int(fields[_NICE])
        self.policy = int(fields[_POLICY])
        self.cpus = os.sched_getaffinity(tid)


def packet_threads() -> list[Thread]:
    found = [Thread(int(task.name)) for task in Path("/proc/self/task").iterdir()]
    return [thread for thread in found if thread.name == "rtpfork"]


def may_raise() -> bool:
    """Whether this process may be more urgent than others."""
    bounding = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
    return bool(int(bounding, 16) & 1 << 23)


@pytest.fixture
def allowed() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def test_each_thread_runs_on_one_of_the_cpus_and_their_maker_where_it_did(allowed: list[int]) -> None:
    engine = Engine(threads=3, cpus=allowed)
    expected = [allowed[number % len(allowed)] for number in range(3)]
    assert sorted(min(thread.cpus) for thread in packet_threads()) == sorted(expected)
    assert all(len(thread.cpus) == 1 for thread in packet_threads())
    assert sorted(os.sched_getaffinity(0)) == allowed
    engine.close()


def test_there_are_as_many_threads_as_cpus_were_named(allowed: list[int]) -> None:
    engine = Engine(cpus=allowed[:1])
    assert len(engine.stats()) == 1
    engine.close()
    engine = Engine()
    assert len(engine.stats()) == len(allowed)
    assert all(thread.cpus == set(allowed) for thread in packet_threads())
    engine.close()


def test_a_cpu_that_is_not_there_is_refused(allowed: list[int]) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        Engine(threads=1, cpus=[1023])
    assert sorted(os.sched_getaffinity(0)) == allowed
    assert packet_threads() == []


@pytest.mark.parametrize(
    ("wanted", "nice", "policy"),
    [
        (ThreadPriority.NORMAL, os.nice(0), NORMAL_POLICY),
        (ThreadPriority.RAISED, -11, NORMAL_POLICY),
        (ThreadPriority.REALTIME, os.nice(0), FIFO_POLICY),
    ],
)
def test_threads_are_as_urgent_as_wanted_and_their_maker_is_not(
    wanted: ThreadPriority, nice: int, policy: int
) -> None:
    if wanted is not ThreadPriority.NORMAL and not may_raise():
        pytest.skip("it needs CAP_SYS_NICE")
    before = Thread(threading.get_native_id())
    engine = Engine(threads=2, priority=wanted)
    after = Thread(threading.get_native_id())
    if engine.priority() is not wanted:
        assert wanted is ThreadPriority.REALTIME, "only real-time groups refuse it to root"
        nice, policy = -11, NORMAL_POLICY
    assert {(thread.nice, thread.policy) for thread in packet_threads()} == {(nice, policy)}
    assert (after.nice, after.policy) == (before.nice, before.policy)
    engine.close()


def test_without_permission_threads_are_as_urgent_as_others_and_it_says_so() -> None:
    program = (
        "from siprec_src.media.engine import Engine; from siprec_src.media.model import ThreadPriority;"
        " print(*(Engine(threads=1, priority=wanted).priority().value for wanted in ThreadPriority))"
    )
    command = ["prlimit", "--nice=0", "--rtprio=0", sys.executable, "-c", program]
    if may_raise():
        command = ["setpriv", "--bounding-set=-sys_nice", *command]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.split() == ["normal", "normal", "normal"]


@pytest.fixture
def two_threads() -> Iterator[Plane]:
    engine = Engine(threads=2, port_rest_ms=0)
    yield Plane(engine)
    engine.close()


def share_a_thread(plane: Plane, a: OpenPort, b: OpenPort) -> bool:
    """Ports of two threads cannot be bridged."""
    answer = plane.ask(BridgePorts(tag=plane.next_tag(), a=a.port, b=b.port))
    return isinstance(answer, Done)


def test_a_call_keeps_off_the_busy_thread_although_there_are_fewer_calls(two_threads: Plane) -> None:
    plane, engine = two_threads, two_threads.engine
    assert [thread.load for thread in engine.stats()] == [0.0, 0.0]
    busy, other = plane.open(1)[0], plane.open(1)[0]
    assert not share_a_thread(plane, busy, other)
    peer, packet = Peer(socket.AF_INET, HOST, HOST), rtp(1)

    def is_busy() -> bool:
        for _ in range(2000):
            peer.send(packet, busy)
        low, high = sorted(thread.load for thread in engine.stats())
        return high > 0.1 and low < high / 4

    plane.until(is_busy)
    for _ in range(5):
        plane.open_near(other)
    assert share_a_thread(plane, plane.open(1)[0], other)
    peer.close()


def test_calls_of_an_idle_engine_are_spread(two_threads: Plane) -> None:
    first, *more = [two_threads.open(4)[0] for _ in range(10)]
    assert sum(share_a_thread(two_threads, first, port) for port in more) == 4
