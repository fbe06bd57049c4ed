"""What a media process opens and closes, the supervisor keeps and closes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from siprec_src.app import keeping
from siprec_src.app.keeping import PORTS_A_MESSAGE, Keeper, Leaving
from siprec_src.media.keeping import PortSockets
from siprec_src.media.model import PortId


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close()


class Ends:
    """A channel, and sockets to be kept."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(self.ours)
        stack.enter_context(theirs)
        self.ours.setblocking(False)
        theirs.setblocking(False)
        self.theirs = theirs
        self.leaving = Leaving(theirs)
        self.sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.bind(("127.0.0.1", 0))

    def sockets(self, *ports: int) -> tuple[PortSockets, ...]:
        fd = self.sock.fileno()
        return tuple(PortSockets(port=PortId(port), rtp=fd, rtcp=fd) for port in ports)


@pytest.fixture
def ends() -> Iterator[Ends]:
    with contextlib.ExitStack() as stack:
        yield Ends(stack)


def test_the_next_process_gets_the_sockets_that_were_not_closed(keeper: Keeper, ends: Ends) -> None:
    many = 2 * PORTS_A_MESSAGE + 1
    ends.leaving.opened(ends.sockets(*range(1, many + 1)))
    ends.leaving.closed([PortId(port) for port in range(1, many)])
    assert keeper.hear(ends.ours)
    assert keeper.ports == 1
    with contextlib.ExitStack() as stack:
        following = Ends(stack)
        keeper.hand_over(following.ours)
        kept = following.leaving.begin()
    assert kept is not None
    (left,) = kept
    assert left.port == many
    with socket.socket(fileno=left.rtp) as same, socket.socket(fileno=left.rtcp):
        assert same.getsockname() == ends.sock.getsockname()


def test_a_port_that_closes_before_there_was_room_for_it_is_never_kept(keeper: Keeper, ends: Ends) -> None:
    port = 0
    while not ends.leaving.behind:
        port += 1
        ends.leaving.opened(ends.sockets(port))
    ends.leaving.closed([PortId(port)])
    while ends.leaving.behind:
        assert keeper.hear(ends.ours)
        ends.leaving.flush()
    keeper.hear(ends.ours)
    assert keeper.ports == port - 1


def test_what_a_process_said_is_heard_although_it_died_over_what_it_was_told(
    keeper: Keeper, ends: Ends
) -> None:
    keeper.hand_over(ends.ours)
    ends.leaving.opened(ends.sockets(1))
    ends.theirs.close()
    assert not keeper.hear(ends.ours)
    assert keeper.ports == 1


def test_what_is_closed_is_closed_there_too_when_it_is_settled(keeper: Keeper, ends: Ends) -> None:
    ends.leaving.opened(ends.sockets(1))
    assert keeper.hear(ends.ours)
    ends.leaving.closed([PortId(1)])
    settled = threading.Thread(target=ends.leaving.settle)
    settled.start()
    while settled.is_alive():
        keeper.hear(ends.ours)
    assert keeper.ports == 0


def test_a_port_that_is_closed_already_takes_no_other_with_it(keeper: Keeper, ends: Ends) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        gone = PortSockets(port=PortId(3), rtp=ends.sock.fileno(), rtcp=closed.fileno())
    ends.leaving.opened((*ends.sockets(1, 2), gone, *ends.sockets(4)))
    assert keeper.hear(ends.ours)
    assert not ends.leaving.behind
    assert keeper.ports == 3


def test_what_is_settled_too_late_is_not_taken_for_what_is_settled_next(
    keeper: Keeper, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(keeping, "SETTLE_S", 0.001)
        ends.leaving.settle()
    ends.leaving.opened(ends.sockets(1))
    assert keeper.hear(ends.ours)
    ends.leaving.closed([PortId(1)])
    settled = threading.Thread(target=ends.leaving.settle, daemon=True)
    settled.start()
    while settled.is_alive():
        keeper.hear(ends.ours)
    assert keeper.ports == 0
    keeper.hear(ends.ours)
    with pytest.raises(BlockingIOError):
        ends.theirs.recv(1)


def test_nothing_is_left_when_it_is_dropped(keeper: Keeper, ends: Ends) -> None:
    ends.leaving.opened(ends.sockets(1, 2))
    assert keeper.hear(ends.ours)
    os.write(keeper.memory, b"keys")
    keeper.drop()
    assert keeper.ports == 0
    assert os.fstat(keeper.memory).st_size == 0


def test_a_process_that_is_never_needed_ends_with_the_supervisor(ends: Ends) -> None:
    ends.ours.close()
    assert ends.leaving.begin() is None
