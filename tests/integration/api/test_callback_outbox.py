"""Callbacks of the real daemon: what a killed one has left, a damaged store, the dead by the command line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from siprec_src.store.letter import Letter
from siprec_src.store.letters import Letters
from siprec_src.store.store import FILE, Store
from tests.support.customer import Customer, Reply, customer
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.log import Log

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "the token of the tests"


def left_behind(directory: Path, them: Customer, *events: str) -> None:
    """A process before has written these and was killed."""

    async def write() -> None:
        store = Store(directory, Log())
        letters = [_letter(number, event, them.url) for number, event in enumerate(events)]
        await Letters(store).save({letter.id: letter for letter in letters})
        await store.close()

    asyncio.run(write())


def _letter(number: int, event: str, url: str) -> Letter:
    now = time.time()
    return Letter(
        id=f"CB{number:032x}",
        number=number,
        account_sid=ACCOUNT,
        resource="SR" + "0" * 32,
        call_sid="CA" + "0" * 32,
        url=url,
        method="POST",
        fields=(("SiprecEvent", event),),
        since=now,
        due=now,
    )


@contextlib.contextmanager
def daemon(directory: Path, settings: Sequence[str] = ()) -> Iterator[Daemon]:
    token = directory / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    config = "\n".join(
        [
            f'[daemon]\nstate_directory = "{directory / "state"}"',
            '[callbacks]\nallow_private = ["127.0.0.0/8"]\nfirst_retry_s = 0.1',
            *settings,
            f'[[account]]\nsid = "{ACCOUNT}"\nauth_token_file = "{token}"',
            f'[[srs]]\nuri = "sip:{LOOPBACK}:{free_port()}"\n',
        ]
    )
    with running(
        directory, listen=free_port(), route=f"sip:{LOOPBACK}:{free_port()}", config=config
    ) as started:
        yield started


def kept(on: Daemon, *, dead: bool = False) -> int:
    """How many callbacks are not delivered."""
    return len(json.loads(on.get(f"/v1/callbacks?dead={str(dead).lower()}")[1])["callbacks"])


def command(on: Daemon, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "siprec_src", "callbacks", *arguments, "--http", f"{LOOPBACK}:{on.http}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def test_what_a_killed_daemon_has_left_is_delivered_in_order_by_the_next(tmp_path: Path) -> None:
    with customer() as them:
        them.replies.append(Reply(silent=True))  # it has come, and nobody learns of it
        left_behind(tmp_path / "state", them, "siprec-started", "siprec-stopped")
        with daemon(tmp_path) as first:
            them.wait(1)
            os.kill(first.pid_of("control"), signal.SIGKILL)
            told = them.wait(3, timeout_s=10)
            until(lambda: kept(first) == 0, 5, "all delivered")
    assert them.events() == ["siprec-started", "siprec-started", "siprec-stopped"]
    assert all(one.is_signed_with(TOKEN) for one in told)
    once, again, other = (one.headers["i-twilio-idempotency-token"] for one in told)
    assert once == again != other


def test_dead_ones_are_listed_tried_again_and_dropped_by_the_command_line(tmp_path: Path) -> None:
    with customer() as them:
        them.replies.extend([Reply(404), Reply(410), Reply(404)])
        left_behind(tmp_path / "state", them, "siprec-started", "siprec-stopped")
        with daemon(tmp_path) as one:
            until(lambda: kept(one, dead=True) == 2, 5, "two dead ones")
            started, stopped = re.findall(
                r"^(CB\w+) .* HTTP status 4", command(one, "list", "--dead"), re.MULTILINE
            )
            assert command(one, "retry", started).startswith(started)
            them.wait(3)
            until(lambda: kept(one, dead=True) == 2, 5, "dead again")
            assert command(one, "drop", stopped).startswith(stopped)
            assert command(one, "retry", "--all") == "1 are tried again\n"
            them.wait(4)
            until(lambda: kept(one) == 0, 5, "nothing is left")
            assert command(one, "list") == "none\n"
            assert one.metric("callbacks_total", result="dead") == 3
            assert one.metric("callbacks_total", result="delivered") == 1
            assert one.metric("callbacks_pending") == 0
            assert TOKEN not in one.log


def test_a_damaged_store_is_put_aside_and_the_daemon_serves(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / FILE).write_bytes(b"no database" * 1000)
    with daemon(tmp_path) as one:
        assert one.event("store.corrupt")["kept_as"].startswith(f"{FILE}.corrupt-")
        assert one.event("store.failed")["level"] == "warning"
        assert one.ready
    assert len(list(state.glob(f"{FILE}.corrupt-*"))) == 1
