"""The questions in their order. It ends in bounded time, whatever the SRS does, and never without a BYE."""

from __future__ import annotations

import asyncio
from typing import Final

from siprec_src.communication import Format
from siprec_src.config import Config, read_tls
from siprec_src.probe import changes, finding, hearing, session
from siprec_src.probe.bench import Bench
from siprec_src.probe.report import Report
from siprec_src.recording.srs import SrsTarget
from siprec_src.sip.flow import Flow, Transport
from siprec_src.telemetry import advice

GOODBYE_S: Final = 3.0  #: for the BYE of a session that time or a fault has cut short
STEPS: Final = (
    "dns", "reach", "tls", "options", "invite", "answer", "srtp", "timer", "media", "pause", "resume",
    "metadata", "snapshot", "bye", "books",
)  # fmt: skip


async def run(config: Config, target: SrsTarget, report: Report, timeout_s: float) -> None:
    """Ask the SRS everything.

    Raises:
        BindError: the edge's address is not one of this machine.
        NoRoom: there are no ports left.
        ConfigurationError: the files of ``[tls]`` cannot be used.
    """
    secured = any(Transport.TLS in edge.transports for edge in config.edges.values())
    tls = await asyncio.to_thread(read_tls, config) if secured else None
    bench = Bench(config, target.config, tls)
    await bench.open()
    conversation: session.Conversation | None = None
    flows: tuple[Flow, ...] = ()
    try:
        async with asyncio.timeout(timeout_s):
            flows = await finding.find(bench, target, report)
            if flows and await finding.reach(bench, target, flows, report):
                bench.driver.start()
                await session.ask_options(bench, report)
                if formats := _spoken(target, report):
                    conversation = await session.make_call(bench, target, formats)
                    await _record(bench, target, conversation, report)
    except TimeoutError:
        report.failed(
            "time",
            f"the probe was not over after {timeout_s:g} s",
            "see which step took so long; a longer --timeout-s lets it go on",
        )
    finally:
        if conversation is not None:
            await _leave(bench, conversation)
        await bench.close()
    for name in STEPS:
        if not report.has(name) and (name != "tls" or any(f.transport is Transport.TLS for f in flows)):
            report.not_asked(name, "an earlier step stands in the way")


def _spoken(target: SrsTarget, report: Report) -> tuple[Format, ...]:
    formats = session.spoken(target.config)
    if not formats:
        report.failed(
            "invite",
            f"the probe speaks PCMU and PCMA only, and codecs has {', '.join(target.config.codecs)}",
            "add PCMU or PCMA to the entry's codecs for the probe",
        )
    return formats


async def _record(
    bench: Bench, target: SrsTarget, conversation: session.Conversation, report: Report
) -> None:
    answered = await session.invite(bench, target, conversation, report)
    if answered is None:
        return
    session.examine(bench, target, conversation, answered[1], report)
    await hearing.talk(bench, conversation, report)
    for step in (changes.pause, changes.resume, changes.update):
        if session.unexpected(bench) is not None:
            break
        await step(bench, conversation, report)
    changes.asked_by_srs(bench, report)
    if session.unexpected(bench) is not None:
        await bench.until(lambda: bench.line("recording.end") is not None, GOODBYE_S)
        line = session.unexpected(bench)
        assert line is not None  # noqa: S101 lines stay
        what, todo = advice.reason(str(line.fields.get("reason", "")))
        after_s = line.fields.get("duration_s", 0)
        report.failed("session", f"the session ended by itself after {after_s} s: {what}", todo)
    else:
        await changes.end(bench, conversation, report)


async def _leave(bench: Bench, conversation: session.Conversation) -> None:
    """End what is still up, so that the SRS is not left with a session that nobody has."""
    bench.give_up(conversation.session)
    await bench.until(lambda: not bench.driver.living and not bench.waits_for_bye, GOODBYE_S)
    conversation.stop()
