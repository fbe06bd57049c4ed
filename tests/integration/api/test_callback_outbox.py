"""Callbacks of the real daemon: what a killed one has left, and the dead by the command line."""

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
from collections.abc import Iterator
from pathlib import Path

import pytest
from twilio.rest import Client

from siprec_src.store.letter import Letter
from siprec_src.store.letters import Letters
from siprec_src.store.store import Store
from tests.support.api import ToDaemon
from tests.support.customer import Customer, Reply, customer
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.exchange import Exchange
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
def daemon(directory: Path, *, listen: int = 0, callee: int = 0) -> Iterator[Daemon]:
    """One whose only connector is an SRS that nobody runs."""
    token = directory / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    config = "\n".join(
        [
            f'[daemon]\nstate_directory = "{directory / "state"}"',
            '[callbacks]\nallow_private = ["127.0.0.0/8"]\nfirst_retry_s = 0.1',
            f'[[account]]\nsid = "{ACCOUNT}"\nauth_token_file = "{token}"',
            f'[[connector]]\nname = "Default"\nuri = "sip:{LOOPBACK}:{free_port()};transport=tcp"\n',
        ]
    )
    route = f"sip:{LOOPBACK}:{callee or free_port()}"
    with running(directory, listen=listen or free_port(), route=route, config=config) as started:
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


@pytest.mark.feature("F007")
def test_a_daemon_that_is_killed_before_a_callback_is_taken_tells_it_after_its_next_start(
    tmp_path: Path,
) -> None:
    via, bob_at = (LOOPBACK, free_port()), (LOOPBACK, free_port())
    with (
        customer() as them,
        daemon(tmp_path, listen=via[1], callee=bob_at[1]) as one,
        Exchange(via, bob_at) as exchange,
    ):
        client = Client(ACCOUNT, TOKEN, http_client=ToDaemon(f"http://{LOOPBACK}:{one.http}"))
        exchange.place("+14155550001", caller="+14155550000", ports=(free_port(), free_port()))
        (call,) = client.calls.list()
        them.replies.append(Reply(silent=True))
        client.calls(call.sid).siprec.create(name="a&b=c+ü", status_callback=them.url)
        them.wait(1)
        alert = json.loads(one.get("/v1/alerts")[1])["alerts"][0]
        os.kill(one.pid_of("control"), signal.SIGKILL)
        before, after = them.wait(2, timeout_s=10)
    assert before.fields == after.fields
    assert (after.fields["SiprecEvent"], after.fields["SiprecName"]) == ("siprec-error", "a&b=c+ü")
    assert after.is_signed_with(TOKEN)
    assert alert["code"] == int(after.fields["SiprecErrorCode"]) == 32011
    assert alert["fields"]["call_sid"] == call.sid
    assert alert["error"] == after.fields["SiprecError"]


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
