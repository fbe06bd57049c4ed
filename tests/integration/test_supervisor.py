"""What the supervisor does when the system denies it something, or a child cannot have what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siprec_src.app import exits, supervisor
from siprec_src.app.supervisor import ChildSpec, Supervisor
from tests.support.log import Log

PATIENCE_S = 30.0
FOR_EVER = ("sh", "-c", "exec sleep 600")
#: Leaves a socket behind as the media process does, and ends as it is told.
LEAVING = """
import socket, sys
from siprec_src.app.keeping import Leaving
from siprec_src.media.keeping import PortSockets
from siprec_src.media.model import PortId
code, channel = int(sys.argv[1]), int(sys.argv[5])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
    kept = PortSockets(port=PortId(1), rtp=port.fileno(), rtcp=port.fileno())
    Leaving(socket.socket(fileno=channel)).opened([kept])
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """They are the supervisor's to the end of a process, and here the test's."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SPAWN_RETRY_S", 0.02)
    monkeypatch.setattr(supervisor, "STOP_PATIENCE_S", 0.1)


async def supervise(log: Log, *, media: tuple[str, ...], control: tuple[str, ...] = FOR_EVER) -> int:
    """The exit code of a service of these two."""
    status, unused = os.pipe()
    with contextlib.closing(os.fdopen(status)), contextlib.closing(os.fdopen(unused)):
        made = Supervisor(
            media=ChildSpec(name="media", command=media, descriptors=()),
            control=ChildSpec(name="control", command=control, descriptors=()),
            status=status,
            hang_limit_s=0.0,
            reload=lambda: False,
            log=log,
        )
        async with asyncio.timeout(PATIENCE_S):
            return await made.run()


def deaths(log: Log, child: str) -> list[object]:
    return [
        fields["code"]
        for _, event, fields in log.lines
        if event == "supervisor.died" and fields["child"] == child
    ]


async def test_media_that_dies_while_control_cannot_be_started_does_not_end_the_service_in_silence() -> None:
    log = Log()
    assert await supervise(log, media=("sh", "-c", "exit 3"), control=("/nonexistent",)) == exits.FAILED
    assert len(deaths(log, "media")) > 1


async def test_what_media_left_is_kept_while_the_system_has_no_process_to_give(tmp_path: Path) -> None:
    log, program = Log(), tmp_path / "media"
    program.write_text(f"#!/bin/sh\nrm {program}\nexec {sys.executable} -c '{LEAVING}' 3 \"$@\"\n")
    program.chmod(0o755)
    assert await supervise(log, media=(str(program),)) == exits.FAILED
    assert deaths(log, "media") == [3, *[None] * (supervisor.MAX_MEDIA_DEATHS - 1)]
    assert not any(event == "supervisor.media-forgotten" for _, event, _ in log.lines)


async def test_a_successor_that_lacks_something_is_tried_again_for_the_calls_that_wait(
    tmp_path: Path,
) -> None:
    log = Log()
    media = (sys.executable, "-c", LEAVING, str(exits.UNAVAILABLE))
    assert await supervise(log, media=media) == exits.FAILED
    assert deaths(log, "media") == [exits.UNAVAILABLE] * 2
    assert ("error", "supervisor.media-forgotten", {"ports": 1}) in log.lines


async def test_a_first_media_process_that_lacks_something_ends_the_service_at_once() -> None:
    log = Log()
    assert await supervise(log, media=("sh", "-c", f"exit {exits.UNAVAILABLE}")) == exits.FAILED
    assert not deaths(log, "media")


async def test_a_spare_that_dies_is_replaced_and_the_next_takes_the_place_of_media(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "SPARE_DELAY_S", 0.02)
    log = Log()
    service = asyncio.create_task(supervise(log, media=FOR_EVER))
    for count in (1, 2):
        await until(lambda n=count: len(started(log, "spare")) == n)  # type: ignore[misc]
        if count == 1:
            os.kill(started(log, "spare")[0], signal.SIGKILL)
    os.kill(started(log, "media")[0], signal.SIGKILL)
    await until(lambda: len(started(log, "media")) == 2)
    assert started(log, "media")[1] == started(log, "spare")[1]
    for phase in ("supervisor.draining", "supervisor.ending"):
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda event=phase: any(line[1] == event for line in log.lines))  # type: ignore[misc]
    await service
    assert deaths(log, "spare") == [-signal.SIGKILL]


def started(log: Log, child: str) -> list[int]:
    """The process ids, in order."""
    return [
        int(str(fields["pid"]))
        for _, event, fields in log.lines
        if event == "supervisor.started" and fields["child"] == child
    ]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)
