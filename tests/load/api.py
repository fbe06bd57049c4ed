"""`make api-load`: Siprecs started and stopped on live calls with media, whose every packet is counted.

Every call speaks both ways for the whole run; `rtpload` counts what each party hears. The requests come at
their rate however long answers take; SIPp is the recorder.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import dataclasses
import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.media.rounds import LOAD, build_load
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.exchange import Dialog, Exchange
from tests.support.processes import cpu_s
from tests.support.sipp import Sipp

ACCOUNT, TOKEN = "AC" + "0" * 32, "a token of the load"
SPEAKERS = "127.0.0.2"  #: where the parties' media is
FIRST_PORT = 20_000  #: and two up, a party
CALLS_A_SECOND = 50  #: while they are placed
HELD_S = 1.0  #: from the start of a Siprec to its stop
WARM_S = 1.0
MARGIN_S = 3.0  #: of speech before the first request and behind the last one
TOO_SLOW_S = 0.020  #: for the answer that 99 of 100 are faster than


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it."""

    answers_s: Sequence[float]  #: how long each took, sorted
    refused: int  #: requests that were not answered with 200
    media: dict[str, Any]  #: what `rtpload` counted
    begun: int  #: recording sessions
    busy: float  #: share of a core that the control process took meanwhile

    @property
    def lost(self) -> int:
        """Packets of the calls that did not come, also for want of room in the load's own sockets."""
        return int(self.media["sent"] + self.media["unsent"] - self.media["relayed"])

    def answered_within_s(self, share: float) -> float:
        """The time that this share of the answers has kept."""
        return self.answers_s[max(0, math.ceil(share * len(self.answers_s)) - 1)]


def perform(calls: int, siprecs: int, rate: int) -> Report:
    """``siprecs`` started and stopped on ``calls`` calls, at ``rate`` requests a second."""
    build_load()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        via, bob_at, srs_at = ((LOOPBACK, free_port()) for _ in range(3))
        srs = Sipp("srs", directory, "-t", "t1", address=srs_at, media_port=44_000)
        stack.callback(srs.stop)
        daemon = stack.enter_context(_daemon(directory, via, bob_at, srs_at))
        exchange = stack.enter_context(Exchange(via, bob_at, media_host=SPEAKERS))
        legs = _placed(exchange, calls)
        lasts_s = 2 * siprecs / rate + HELD_S + 2 * MARGIN_S
        speech = _speech(legs, lasts_s)
        time.sleep(WARM_S + MARGIN_S)
        control = daemon.pid_of("control")
        spent_s, asked_at = cpu_s(control), time.monotonic()
        answers_s, refused = asyncio.run(_ask(daemon, siprecs, rate))
        busy = (cpu_s(control) - spent_s) / (time.monotonic() - asked_at)
        media, _ = speech.communicate(timeout=lasts_s + 60)
        begun = len(daemon.events("recording.begin"))
        return Report(
            answers_s=sorted(answers_s), refused=refused, media=json.loads(media), begun=begun, busy=busy
        )


@contextlib.contextmanager
def _daemon(directory: Path, via: Any, bob_at: Any, srs_at: Any) -> Iterator[Daemon]:
    token = directory / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    config = (
        f'[daemon]\nstate_directory = "{directory}"\n[media]\nrtp_low = 10000\nrtp_high = 19999\n'
        f'[[account]]\nsid = "{ACCOUNT}"\nauth_token_file = "{token}"\n'
        f'[[connector]]\nname = "Default"\nuri = "sip:srs@{srs_at[0]}:{srs_at[1]};transport=tcp"\n'
    )
    route = f"sip:{bob_at[0]}:{bob_at[1]}"
    with running(directory, route=route, listen=via[1], config=config) as daemon:
        yield daemon


def _placed(exchange: Exchange, calls: int) -> list[tuple[Dialog, Dialog]]:
    """So many calls, all answered."""
    numbers = [f"+1415{index:07}" for index in range(calls)]
    for index, number in enumerate(numbers):
        first = FIRST_PORT + 4 * index
        exchange.invite(number, caller="+14150000000", ports=(first, first + 2))
        time.sleep(1 / CALLS_A_SECOND)
    until(lambda: all(exchange.answered(number) for number in numbers), 10, "all calls are answered")
    return [legs for number in numbers if (legs := exchange.answered(number)) is not None]


def _speech(legs: Sequence[tuple[Dialog, Dialog]], seconds: float) -> subprocess.Popen[str]:
    """Every party speaks from now on, for so long after the warm-up."""
    lines = []
    for index, pair in enumerate(legs):
        for side, dialog in enumerate(pair):
            own = FIRST_PORT + 4 * index + 2 * side
            lines.append(f"{SPEAKERS} {own} {dialog.media[0]} {dialog.media[1]}\n")
    speech = subprocess.Popen(
        [str(LOAD), "-s", str(seconds), "-w", str(WARM_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert speech.stdin
    speech.stdin.write("".join(lines))
    speech.stdin.close()
    speech.stdin = None
    return speech


async def _ask(daemon: Daemon, siprecs: int, rate: int) -> tuple[list[float], int]:
    """How long each answer took, and how many were refusals."""
    base = f"http://{LOOPBACK}:{daemon.http}/2010-04-01/Accounts/{ACCOUNT}/Calls"
    answers_s: list[float] = []
    refused = 0

    async def post(session: aiohttp.ClientSession, url: str, form: dict[str, str]) -> dict[str, Any]:
        nonlocal refused
        begun = time.monotonic()
        async with session.post(url, data=form) as answer:
            said = await answer.json()
        answers_s.append(time.monotonic() - begun)
        refused += answer.status != 200
        return dict(said)

    async def one(session: aiohttp.ClientSession, call: str) -> None:
        begun = await post(session, f"{base}/{call}/Siprec.json", {})
        await asyncio.sleep(HELD_S)
        await post(session, f"{base}/{call}/Siprec/{begun.get('sid', 'none')}.json", {"Status": "stopped"})

    credentials = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {credentials}"}) as session:
        async with session.get(f"{base}.json?PageSize=1000") as listed:
            sids = [call["sid"] for call in (await listed.json())["calls"]]
        first = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number, call in enumerate(itertools.islice(itertools.cycle(sids), siprecs)):
                await asyncio.sleep(max(0.0, first + 2 * number / rate - asyncio.get_running_loop().time()))
                group.create_task(one(session, call))
    return answers_s, refused


def main() -> int:
    """0 when no packet was lost, nothing refused, and the answers came in time."""
    parser = argparse.ArgumentParser(prog="make api-load", description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--siprecs", type=int, default=1000, help="each is started, and stopped")
    parser.add_argument("--rate", type=int, default=100, help="requests a second")
    arguments = parser.parse_args()
    report = perform(arguments.calls, arguments.siprecs, arguments.rate)
    p50_s, p99_s = report.answered_within_s(0.5), report.answered_within_s(0.99)
    print(f"  calls, each with media both ways    {report.media['calls']}")
    print(f"  requests: answered / refused        {len(report.answers_s)} / {report.refused}")
    print(f"  recording sessions begun            {report.begun}")
    print(f"  answer: p50, p99, worst             {_ms(p50_s)}, {_ms(p99_s)}, {_ms(report.answers_s[-1])}")
    print(f"  the control process meanwhile       {report.busy:.0%} of a core")
    print(f"  packets: sent / lost                {report.media['sent']} / {report.lost}")
    print(f"  of these for want of the load's own room: {report.media['unread'] + report.media['unsent']}")
    return 1 if report.refused or report.lost or p99_s > TOO_SLOW_S else 0


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
