"""Ports of a dead control process relay on, and are closed when nobody speaks on them any more."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.app.custody import ORPHAN_CHECK_S, ORPHAN_SILENCE_S, Custody
from siprec_src.media import plane
from siprec_src.media.keeping import Resumed
from siprec_src.media.model import PortCounters, PortId, ReaderCounters, ReaderId
from tests.support.media import attach_reader

A, B, VIA, OTHER = PortId(11), PortId(12), PortId(13), PortId(14)


def open_ports(tag: int, count: int) -> plane.OpenPorts:
    return plane.OpenPorts(tag=tag, host="127.0.0.1", low=10000, high=20000, count=count)


def opened(tag: int, *ports: PortId) -> plane.PortsOpen:
    return plane.PortsOpen(
        tag=tag, ports=tuple(plane.OpenPort(port=port, rtp_port=10000 + 2 * port) for port in ports)
    )


def passed_on(custody: Custody, command: plane.Command) -> plane.Command:
    """What the engine is commanded."""
    made = custody.command(command)
    assert isinstance(made, plane.Command)
    return made


@pytest.fixture
def custody() -> Custody:
    """A control process that has a recorded call: A and B bridged, A recorded through VIA."""
    custody = Custody()
    custody.message(opened(passed_on(custody, open_ports(1, 3)).tag, A, B, VIA), 0.0)
    custody.message(plane.Done(tag=passed_on(custody, plane.BridgePorts(tag=2, a=A, b=B)).tag), 0.0)
    attached = plane.ReaderAttached(tag=passed_on(custody, attach_reader(3, A, VIA)).tag, reader=ReaderId(5))
    custody.message(attached, 0.0)
    return custody


def counters(commands: list[plane.Command], received: int) -> list[plane.Counters]:
    """Answers to the look at the books: each port has got ``received`` packets."""
    books = PortCounters(received=received)
    return [
        plane.Counters(tag=command.tag, ports=tuple((port, books) for port in command.ports), readers=())
        for command in commands
        if isinstance(command, plane.ReadCounters)
    ]


def test_an_answer_comes_back_under_the_tag_of_control_and_only_once() -> None:
    custody = Custody()
    command = passed_on(custody, open_ports(7, 1))
    assert custody.message(opened(command.tag, A), 0.0) == opened(7, A)
    assert custody.message(opened(command.tag, A), 0.0) is None


def test_events_of_its_ports_and_readers_are_told_and_no_others(custody: Custody) -> None:
    silent = plane.SilenceChanged(port=A, silent=True)
    unreachable = plane.ReaderUnreachable(reader=ReaderId(5))
    assert custody.message(silent, 0.0) == silent
    assert custody.message(unreachable, 0.0) == unreachable
    assert custody.message(plane.SilenceChanged(port=OTHER, silent=True), 0.0) is None
    assert custody.message(plane.ReaderUnreachable(reader=ReaderId(6)), 0.0) is None


def test_a_successor_is_told_nothing_of_its_predecessor(custody: Custody) -> None:
    pending = passed_on(custody, plane.ReadCounters(tag=9, ports=(A,)))
    custody.release(1.0)
    assert custody.message(plane.Counters(tag=pending.tag, ports=(), readers=()), 1.0) is None
    assert custody.message(plane.SilenceChanged(port=A, silent=True), 1.0) is None
    assert custody.orphaned_ports == 3


def test_orphans_stay_while_anything_comes_in_on_any_of_them(custody: Custody) -> None:
    custody.release(0.0)
    now, packets = 0.0, 0
    while now < 10 * ORPHAN_SILENCE_S:
        now += ORPHAN_CHECK_S
        packets += 1
        commands = custody.wake(now)
        assert not any(isinstance(command, plane.ClosePorts) for command in commands)
        for answer in counters(commands, packets):
            assert custody.message(answer, now) is None


def test_silent_orphans_are_closed_together(custody: Custody) -> None:
    custody.release(0.0)
    now = 0.0
    closed: list[plane.Command] = []
    while not closed and now < 10 * ORPHAN_SILENCE_S:
        now += ORPHAN_CHECK_S
        commands = custody.wake(now)
        closed = [command for command in commands if isinstance(command, plane.ClosePorts)]
        for answer in counters(commands, 100):
            custody.message(answer, now)
    assert [set(command.ports) for command in closed if isinstance(command, plane.ClosePorts)] == [
        {A, B, VIA}
    ]
    assert now == pytest.approx(ORPHAN_SILENCE_S, abs=2 * ORPHAN_CHECK_S)
    assert custody.orphaned_ports == 0
    assert custody.deadline is None


def test_ports_that_open_after_their_control_died_are_orphans_too() -> None:
    custody = Custody()
    command = passed_on(custody, open_ports(1, 2))
    custody.release(0.0)
    assert custody.message(opened(command.tag, A, B), 1.0) is None
    assert custody.orphaned_ports == 2


def test_orphans_that_are_gone_are_forgotten(custody: Custody) -> None:
    custody.release(0.0)
    for command in custody.wake(ORPHAN_CHECK_S):
        custody.message(plane.Refused(tag=command.tag, reason="gone"), ORPHAN_CHECK_S)
    assert custody.orphaned_ports == 0


LEFT = Resumed(
    resumed=True, refused=False, ports={A: B, B: A, VIA: None, OTHER: None}, readers={ReaderId(5): (A, VIA)}
)
MINE = plane.ResumePorts(tag=7, ports=(A, B, VIA), readers=(ReaderId(5),))


def test_a_control_that_lives_takes_its_ports_up_again_in_a_new_media_process() -> None:
    custody = Custody()
    custody.inherit(LEFT, 0.0)
    assert custody.orphaned_ports == 4
    assert custody.command(MINE) == plane.Done(tag=7)
    assert custody.orphaned_ports == 1
    silent = plane.SilenceChanged(port=A, silent=True)
    unreachable = plane.ReaderUnreachable(reader=ReaderId(5))
    assert [custody.message(event, 0.0) for event in (silent, unreachable)] == [silent, unreachable]
    assert custody.command(MINE) == plane.Refused(tag=7, reason="gone")
    custody.release(1.0)
    assert custody.command(MINE) == plane.Done(tag=7)


@pytest.mark.parametrize(
    "left",
    [
        dataclasses.replace(LEFT, readers={}),
        dataclasses.replace(LEFT, ports={A: None, VIA: None, OTHER: None}),
    ],
    ids=["without its reader", "without a port"],
)
def test_when_something_is_missing_the_rest_is_closed_before_control_is_told(left: Resumed) -> None:
    custody = Custody()
    custody.inherit(left, 0.0)
    closing = custody.command(MINE)
    assert isinstance(closing, plane.ClosePorts)
    assert closing.again
    assert set(closing.ports) == left.ports.keys() - {OTHER}
    assert custody.orphaned_ports == 1
    books = tuple((port, PortCounters()) for port in closing.ports)
    closed = plane.PortsClosed(tag=closing.tag, counters=books)
    assert custody.message(closed, 0.0) == plane.Refused(tag=7, reason="gone")


def test_a_reader_whose_answer_was_lost_is_found_and_not_made_again() -> None:
    custody = Custody()
    custody.inherit(LEFT, 0.0)
    assert custody.command(dataclasses.replace(MINE, readers=())) == plane.Done(tag=7)
    assert custody.command(attach_reader(8, A, VIA)) == plane.ReaderAttached(tag=8, reader=ReaderId(5))
    unreachable = plane.ReaderUnreachable(reader=ReaderId(5))
    assert custody.message(unreachable, 0.0) == unreachable
    refused = custody.command(attach_reader(9, A, VIA))
    assert isinstance(refused, plane.Refused)
    assert refused.reason == "bad-argument"


@pytest.mark.rfc("3711", "9.1")
def test_a_reader_whose_answer_was_lost_with_the_connection_is_not_made_again(custody: Custody) -> None:
    custody.release(0.0)
    assert custody.command(dataclasses.replace(MINE, readers=())) == plane.Done(tag=7)
    assert custody.wake(ORPHAN_CHECK_S) == []
    assert custody.command(attach_reader(3, A, VIA)) == plane.ReaderAttached(tag=3, reader=ReaderId(5))


def test_what_ends_though_no_control_has_taken_it_up_is_nobodys_and_no_answer_to_another() -> None:
    custody = Custody()
    custody.inherit(LEFT, 0.0)
    assert custody.command(dataclasses.replace(MINE, ports=(A, B), readers=())) == plane.Done(tag=7)
    ended = passed_on(custody, plane.DetachReader(tag=8, reader=ReaderId(5)))
    books = ReaderCounters(delivered=9)
    answer = plane.ReaderDetached(tag=ended.tag, reader=ReaderId(5), counters=books)
    assert custody.message(answer, 0.0) == dataclasses.replace(answer, tag=8)
    assert isinstance(custody.command(attach_reader(9, A, VIA)), plane.AttachReader)
    closing = passed_on(custody, plane.ClosePorts(tag=10, ports=(VIA,)))
    closed = plane.PortsClosed(tag=closing.tag, counters=((VIA, PortCounters()),))
    assert custody.message(closed, 0.0) == dataclasses.replace(closed, tag=10)
    assert custody.orphaned_ports == 1


@pytest.mark.rfc("3711", "9.1")
def test_where_a_reader_is_no_other_is_made_until_it_has_ended() -> None:
    custody = Custody()
    custody.inherit(LEFT, 0.0)
    assert custody.command(MINE) == plane.Done(tag=7)
    assert isinstance(custody.command(attach_reader(8, A, VIA)), plane.Refused)
    ended = passed_on(custody, plane.DetachReader(tag=9, reader=ReaderId(5)))
    custody.message(plane.Refused(tag=ended.tag, reason="gone"), 0.0)
    assert isinstance(custody.command(attach_reader(10, A, VIA)), plane.AttachReader)
    assert isinstance(custody.command(attach_reader(11, A, VIA)), plane.Refused)


@pytest.mark.rfc("3711", "9.1")
def test_a_reader_that_is_still_being_made_is_awaited_by_the_connection_that_follows() -> None:
    custody = Custody()
    custody.inherit(dataclasses.replace(LEFT, readers={}), 0.0)
    assert custody.command(dataclasses.replace(MINE, readers=())) == plane.Done(tag=7)
    pending = passed_on(custody, attach_reader(1, A, VIA))
    for now in (1.0, 2.0):
        custody.release(now)
        assert custody.command(attach_reader(1, A, VIA)) is None
    attached = plane.ReaderAttached(tag=pending.tag, reader=ReaderId(6))
    assert custody.message(attached, 2.0) == plane.ReaderAttached(tag=1, reader=ReaderId(6))
    assert custody.message(attached, 2.0) is None


def test_a_reader_that_is_made_while_no_control_is_there_waits_for_the_one_that_asked() -> None:
    custody = Custody()
    custody.inherit(dataclasses.replace(LEFT, readers={}), 0.0)
    pending = passed_on(custody, attach_reader(1, A, VIA))
    custody.release(1.0)
    assert custody.message(plane.ReaderAttached(tag=pending.tag, reader=ReaderId(6)), 1.0) is None
    assert custody.command(attach_reader(1, A, VIA)) == plane.ReaderAttached(tag=1, reader=ReaderId(6))


@pytest.mark.parametrize("port", [A, VIA])
def test_a_reader_ends_with_a_port_of_its(custody: Custody, port: PortId) -> None:
    unreachable = plane.ReaderUnreachable(reader=ReaderId(5))
    assert custody.message(unreachable, 0.0) == unreachable
    closing = passed_on(custody, plane.ClosePorts(tag=4, ports=(port,)))
    custody.message(plane.PortsClosed(tag=closing.tag, counters=((port, PortCounters()),)), 0.0)
    assert custody.message(unreachable, 0.0) is None


def test_ports_that_no_control_takes_up_are_closed_when_they_are_silent() -> None:
    custody = Custody()
    custody.inherit(LEFT, 0.0)
    custody.wake(ORPHAN_CHECK_S)
    closing = [c for c in custody.wake(ORPHAN_SILENCE_S) if isinstance(c, plane.ClosePorts)]
    assert {frozenset(command.ports) for command in closing} == {frozenset({A, B, VIA}), frozenset({OTHER})}


def test_closed_ports_and_detached_readers_are_nobodys(custody: Custody) -> None:
    detached = passed_on(custody, plane.DetachReader(tag=4, reader=ReaderId(5)))
    custody.message(
        plane.ReaderDetached(tag=detached.tag, reader=ReaderId(5), counters=ReaderCounters()), 0.0
    )
    closing = passed_on(custody, plane.ClosePorts(tag=5, ports=(A, B, VIA)))
    books = tuple((port, PortCounters()) for port in (A, B, VIA))
    custody.message(plane.PortsClosed(tag=closing.tag, counters=books), 0.0)
    custody.release(1.0)
    assert custody.orphaned_ports == 0
    assert custody.message(plane.ReaderUnreachable(reader=ReaderId(5)), 1.0) is None
