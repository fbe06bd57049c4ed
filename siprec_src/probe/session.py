"""OPTIONS, and the INVITE with two streams: is it a recorder, and what does it answer (RFC 7866 6, 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from siprec_src.communication import (
    CommunicationSession,
    Direction,
    Format,
    MediaStream,
    Name,
    Participant,
    Side,
)
from siprec_src.errors import NoRoom
from siprec_src.media import plane
from siprec_src.media.model import PortId
from siprec_src.probe.bench import Bench, Said, Seen
from siprec_src.probe.report import Report
from siprec_src.probe.talker import PAYLOAD_TYPES, Talker
from siprec_src.recording.incoming import answer_in
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import SrsConfig, SrsTarget
from siprec_src.sdp.model import Media, SessionDescription
from siprec_src.sip.message import Message, Response
from siprec_src.telemetry import advice
from siprec_src.values import immutable

OPTIONS_S: Final = 5.5  #: the check's own 4 s, and the second before it leaves
ENDED: Final = ("recording.attempt-failed", "recording.end", "recording.failed", "recording.none")
LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}
_RANGE: Final = (16_384, 32_766)  #: of the ports at which the two parties are heard, on loopback alone


@immutable
class Conversation:
    """The call that is made up: two parties on loopback, heard at ports of the engine."""

    session: CommunicationSession
    talkers: tuple[Talker, Talker]
    ports: tuple[plane.OpenPort, plane.OpenPort]  #: where the caller and the callee are heard
    labels: tuple[str, str]

    def stop(self) -> None:
        for talker in self.talkers:
            talker.close()

    def label(self, port: PortId) -> str:
        return self.labels[[opened.port for opened in self.ports].index(port)]


async def ask_options(bench: Bench, report: Report) -> None:
    """The health check of the daemon, which leaves by itself; its answer."""

    def over() -> bool:
        request = bench.request("OPTIONS", ours=True)
        asked = request is not None and bench.answer(request) is not None
        return asked or (request is not None and not bench.user_agent.transactions)

    await bench.until(over, OPTIONS_S)
    bench.stop_checking()
    request = bench.request("OPTIONS", ours=True)
    answered = bench.answer(request) if request is not None else None
    if answered is None:
        report.warning(
            "options",
            "it does not answer OPTIONS",
            "let it answer, so that it is known to be up before a call needs it, "
            "or set recording.options_interval_s = 0",
        )
        return
    response = answered[1]
    facts = {
        "status": response.status,
        **{name: ", ".join(response.headers.all(name)) for name in ("Allow", "Accept", "Supported")},
    }
    shown = "; ".join(f"{name}: {value}" for name, value in facts.items() if value and name != "status")
    if response.status == 503:
        report.warning(
            "options",
            "it answers OPTIONS with 503, and so counts as down",
            advice.reason("srs-refused", 503)[1],
            **facts,
        )
    else:
        said = f"{response.status} {response.reason}" + (f"; {shown}" if shown else "")
        report.ok("options", f"it is there: {said}", **facts)


def spoken(config: SrsConfig) -> tuple[Format, ...]:
    """What the probe can speak of the codecs that the entry takes."""
    wanted = {name.lower() for name in config.codecs}
    return tuple(
        Format(payload_type=number, encoding=name, clock_rate=8000)
        for name, number in PAYLOAD_TYPES.items()
        if not wanted or name.lower() in wanted
    )


async def make_call(bench: Bench, target: SrsTarget, formats: tuple[Format, ...]) -> Conversation:
    """Two parties that are connected and silent.

    Raises:
        NoRoom: there are no two ports left on loopback.
    """
    host = LOOPBACK[6 if ":" in bench.edges[target.edge].rtp_bind else 4]
    low, high = _RANGE
    tag = bench.identity.number()
    opened = await bench.media.ask(plane.OpenPorts(tag=tag, host=host, low=low, high=high, count=2))
    if not isinstance(opened, plane.PortsOpen):
        raise NoRoom("no two RTP ports are free on loopback")
    ports = (opened.ports[0], opened.ports[1])
    talkers = (Talker(0, host, bench.identity), Talker(1, host, bench.identity))
    for port, talker in zip(ports, talkers, strict=True):
        connect = plane.ConnectPort(tag=bench.identity.number(), port=port.port, remote=talker.endpoint)
        await bench.media.ask(connect)
    session = _session(bench, ports, formats)
    return Conversation(session=session, talkers=talkers, ports=ports, labels=target.config.labels)


async def invite(
    bench: Bench, target: SrsTarget, conversation: Conversation, report: Report
) -> tuple[Seen, Response] | None:
    """The INVITE with both tracks and their metadata; the answer when there is a session now."""
    began = bench.now
    bench.record(conversation.session)
    patience_s = 2 * target.config.answer_timeout_s + 4
    await bench.until(lambda: bench.line("recording.begin", *ENDED) is not None, patience_s)
    request = bench.request("INVITE", ours=True)
    answered = bench.answer(request) if request is not None else None
    begun = bench.line("recording.begin")
    if begun is None or request is None or answered is None:
        _invite_failed(bench, bench.line(*ENDED), answered, report)
        return None
    seen, response = answered
    took_ms = round(1000 * (seen.at - request.at), 1)
    size = f"by {request.flow.transport.value} to {request.flow.remote}"
    tries = "" if request.at - began < 1 else f", {request.at - began:.1f} s after the first try"
    report.ok(
        "invite",
        f"{response.status} {response.reason} after {took_ms} ms, {size}{tries}",
        status=response.status,
        took_ms=took_ms,
        transport=request.flow.transport.value,
        address=str(request.flow.remote),
    )
    return seen, response


def examine(
    bench: Bench, target: SrsTarget, conversation: Conversation, response: Response, report: Report
) -> None:
    """What the answer says, and what is odd about it."""
    description = answer_in(response)
    lines = [_line(description, media) for media in description.media]
    shown = "; ".join(_shown(facts) for facts in lines)
    report.ok("answer", shown, streams=lines)
    for said in bench.said:
        if said.event == "recording.answer":
            what = str(said.fields.get("what", ""))
            failed = "port 0" in what or "accepted" in what or "inactive" in what
            tell = report.failed if failed else report.warning
            tell("answer", what, advice.complaint(what))
    for facts in lines:
        if facts["direction"] == Direction.INACTIVE.value and facts["port"]:
            report.failed(
                "answer",
                f"label {facts['label']}: answered inactive, so nothing is sent",
                advice.complaint("inactive"),
            )
    _examine_security(target, description, report)
    _examine_timer(target, response, report)


def unexpected(bench: Bench) -> Said | None:
    """The line with which the session has ended, if it has."""
    return bench.line("recording.end") or bench.line(*ENDED)


def _invite_failed(
    bench: Bench, line: Said | None, answered: tuple[Seen, Response] | None, report: Report
) -> None:
    fields = line.fields if line is not None else {}
    slug = str(fields.get("reason", "srs-timeout"))
    status = fields.get("status")
    why = str(fields.get("detail") or "")
    what, todo = advice.reason(slug, status if isinstance(status, int) else None, why)
    detail = f": {why}" if why else ""
    facts: dict[str, object] = {"reason": slug}
    if answered is not None:
        facts["status"] = answered[1].status
        warning = ", ".join(answered[1].headers.all("warning"))
        detail += f" ({warning})" if warning else ""
    if bench.broken:
        detail += f"; it sent what is no SIP: {bench.broken[0]}"
    report.failed("invite", f"{what}{detail}", todo, **facts)


def _line(description: SessionDescription, media: Media) -> dict[str, object]:
    connection = description.connection(media)
    return {
        "label": media.label or "",
        "direction": description.direction(media).value if not media.rejected else "inactive",
        "host": connection.host if connection is not None else "",
        "port": media.port,
        "protocol": media.protocol,
        "codecs": [f"{form.encoding}/{form.clock_rate}" for form in media.rtp_formats],
        "ptime_ms": media.packet_time_ms,
        "rtcp_mux": media.rtcp_mux,
        "suite": [line.suite for line in media.crypto],
    }


def _shown(facts: dict[str, object]) -> str:
    codecs = facts["codecs"]
    names = ", ".join(codecs) if isinstance(codecs, list) else ""
    label = facts["label"] or "(none)"
    mux = ", rtcp-mux" if facts["rtcp_mux"] else ""
    ptime = f", ptime {facts['ptime_ms']}" if facts["ptime_ms"] else ""
    return f"label {label} {facts['direction']} at {facts['host']}:{facts['port']}, {names}{ptime}{mux}"


def _examine_security(target: SrsTarget, description: SessionDescription, report: Report) -> None:
    if not target.secure:
        report.not_asked("srtp", "the media goes as RTP in clear; add secure=true to the URI to ask for SRTP")
        return
    suites = ", ".join(sorted({line.suite for media in description.media for line in media.crypto}))
    how = "keys by DTLS" if target.security is MediaSecurity.DTLS else suites
    if target.warning:
        report.warning("srtp", f"SRTP with {how}, but {target.warning}", "leave transport=tcp away, for TLS")
    else:
        report.ok("srtp", f"SRTP with {how}, keys of its own for each track", suites=suites)


def _examine_timer(target: SrsTarget, response: Message, report: Report) -> None:
    said = response.headers.get("session-expires")
    if said:
        report.ok("timer", f"Session-Expires: {said}", session_expires=said)
    elif target.config.session_expires_s:
        report.ok(
            "timer",
            "no session timer is agreed on: that the SRS has vanished is seen "
            "when it does not answer any more",
        )
    else:
        report.not_asked("timer", "session_expires_s is 0")


def _session(
    bench: Bench, ports: Sequence[plane.OpenPort], formats: tuple[Format, ...]
) -> CommunicationSession:
    identity, now = bench.identity, bench.now
    parties = [
        Participant(
            participant_id=identity.uuid(),
            side=side,
            names=(Name(aor=f"sip:probe-{side.value}@siprec-src.invalid", display=f"Probe {side.value}"),),
            joined=now,
        )
        for side in (Side.CALLER, Side.CALLEE)
    ]
    streams = [
        MediaStream(
            stream_id=identity.uuid(),
            sender=party.participant_id,
            medium="audio",
            source=port.port,
            formats=formats,
            packet_time_ms=20,
        )
        for party, port in zip(parties, ports, strict=True)
    ]
    return CommunicationSession(
        call=identity.number(),
        session_id=identity.uuid(),
        group_id=identity.uuid(),
        participants=tuple(parties),
        streams=tuple(streams),
        started=now,
    )
