"""Where the SRS is, and whether its addresses take connections: DNS, TCP, TLS (RFC 3263, RFC 5922)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
from typing import Final

from siprec_src.net.hosts import HOSTS_FILE
from siprec_src.probe.bench import Bench
from siprec_src.probe.handshake import Handshake, shake
from siprec_src.probe.report import Report
from siprec_src.recording.srs import SrsTarget
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Flow, Transport
from siprec_src.sip.locating import Ask, Records, Srv
from siprec_src.sip.locating import Naptr as NaptrRecord
from siprec_src.sip.target import Question, Unreachable, way_to

MAX_ADDRESSES: Final = 6  #: tried; a call tries no more
EXPIRY_NOTE_DAYS: Final = 30


async def find(bench: Bench, target: SrsTarget, report: Report) -> tuple[Flow, ...]:
    """The flows to the SRS, best first."""
    way = way_to(target.uri, bench.edges[target.edge])
    if isinstance(way, Unreachable):
        report.failed(
            "dns",
            f"{target.uri} cannot be reached by edge {target.edge}",
            "give the edge the transport of the URI, or another URI",
        )
        return ()
    if isinstance(way, Question):
        return await _look_up(bench, way, target, report)
    report.ok("dns", f"{way[0].remote} is an address: no name is looked up", addresses=_shown(way))
    return way


async def reach(bench: Bench, target: SrsTarget, flows: tuple[Flow, ...], report: Report) -> bool:
    """Try every address; whether a call could get through to one."""
    usable = False
    only_udp = target.uri.transport == "udp"
    for flow in flows[:MAX_ADDRESSES]:
        if only_udp:
            report.ok("reach", f"{flow.remote} over UDP: whether it is there is seen by what it answers")
            usable = True
        elif flow.transport is Transport.TLS:
            usable |= await _over_tls(bench, flow, report)
        else:
            usable |= await _over_tcp(bench, flow, report)
    return usable


async def _look_up(bench: Bench, way: Question, target: SrsTarget, report: Report) -> tuple[Flow, ...]:
    flows = await bench.locate(
        sip.Resolve(
            query=bench.identity.number(),
            host=way.host,
            port=way.port,
            transport=way.transport,
            secure=way.secure,
            edge=target.edge,
            domain=way.domain,
        )
    )
    known = bench.resolver.known
    said = {f"{ask.kind.value} {ask.name}": _answer(records) for ask, records in known.items()}
    found = "; ".join(f"{ask}: {answer}" for ask, answer in said.items() if answer not in ("none", "silent"))
    heard = found or f"{HOSTS_FILE} has it"
    if flows:
        order = ", then ".join(f"{flow.remote} by {flow.transport.value}" for flow in flows)
        report.ok("dns", f"{heard}; asked in this order: {order}", addresses=_shown(flows), records=said)
    elif known and all(records is None for records in known.values()):
        report.failed(
            "dns",
            f"no name server answered for {way.host}",
            "see whether this machine's name servers, or sip.dns_servers, can be reached",
            records=said,
        )
    else:
        report.failed(
            "dns",
            f"{way.host} has no address that can be used{_why(known)}",
            "correct the name, or give the SRS by its address and port",
            records=said,
        )
    return flows


def _why(known: dict[Ask, Records | None]) -> str:
    absent = any(isinstance(r, Srv) and not r.target for records in known.values() for r in records or ())
    return ": its SRV record says that there is no such service" if absent else ""


def _answer(records: Records | None) -> str:
    if records is None:
        return "silent"
    return ", ".join(map(_record, records)) or "none"


def _record(record: object) -> str:
    match record:
        case Srv():
            return f"{record.target}:{record.port} ({record.priority} {record.weight})"
        case NaptrRecord():
            return f"{record.service} {record.replacement} ({record.order} {record.preference})"
        case _:
            return str(record)


def _shown(flows: tuple[Flow, ...]) -> list[str]:
    return [f"{flow.transport.value} {flow.remote}" for flow in flows]


async def _over_tcp(bench: Bench, flow: Flow, report: Report) -> bool:
    """An INVITE is longer than a datagram may be: it goes over TCP, also where UDP is the default."""
    began = bench.now
    problem = await _connect(flow, bench.config.sip.connect_timeout_s)
    if not problem:
        _takes(flow, "TCP", bench.now - began, report)
        return True
    if flow.transport is Transport.UDP:
        report.warning(
            "reach",
            f"{flow.remote} does not take TCP ({problem}): the INVITE, longer than 1300 bytes, goes over UDP "
            "in fragments, which many firewalls drop",
            "let the SRS listen on TCP, or let the firewall pass it",
            address=str(flow.remote),
        )
        return True
    report.failed(
        "reach",
        f"{flow.remote} does not take TCP: {problem}",
        "see that the SRS runs and listens there, and that no firewall is between",
        address=str(flow.remote),
    )
    return False


def _takes(flow: Flow, what: str, took_s: float, report: Report) -> None:
    took_ms = round(1000 * took_s, 1)
    says = f"{flow.remote} takes {what}, in {took_ms} ms"
    report.ok("reach", says, address=str(flow.remote), took_ms=took_ms)


async def _connect(flow: Flow, patience_s: float) -> str:
    """Why there is no connection; "" when there is one. It is closed at once."""
    try:
        async with asyncio.timeout(patience_s):
            _, writer = await asyncio.open_connection(flow.remote.host, flow.remote.port)
    except TimeoutError:
        return f"silent for {patience_s:g} s"
    except OSError as error:
        return (os.strerror(error.errno) if error.errno else str(error)).lower()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


async def _over_tls(bench: Bench, flow: Flow, report: Report) -> bool:
    if bench.tls is None:
        report.failed("tls", "no edge of the configuration speaks TLS", 'put "tls" into its transports')
        return False
    domain = flow.domain or flow.remote.host
    began = bench.now
    problem = await _connect(flow, bench.config.sip.connect_timeout_s)
    if problem:
        report.failed(
            "reach",
            f"{flow.remote} does not take connections for TLS: {problem}",
            "see that the SRS listens there for TLS, and that no firewall is between",
            address=str(flow.remote),
        )
        return False
    _takes(flow, "connections for TLS", bench.now - began, report)
    tls = bench.tls.towards(domain)
    shaken = await shake(flow.remote, domain, tls)
    facts = {"address": str(flow.remote), **shaken.facts()}
    if shaken.problem:
        report.failed("tls", f"{flow.remote}: {shaken.problem}", _tls_advice(shaken, domain), **facts)
        return False
    says = f"{flow.remote}: {shaken.version}, {shaken.suite}; the certificate {shaken.who}"
    if shaken.asks_certificate and tls.settings.certificate is None:
        report.warning(
            "tls",
            f"{says}; it asks for our certificate and there is none",
            "set tls.certificate where the SRS insists on one",
            **facts,
        )
    elif shaken.days_left is not None and shaken.days_left < EXPIRY_NOTE_DAYS:
        report.warning("tls", says, "renew the SRS's certificate before it ends", **facts)
    else:
        asked = "is shown ours, which it asks for" if shaken.asks_certificate else "asks for none of ours"
        report.ok("tls", f"{says}; it {asked}", **facts)
    return True


def _tls_advice(shaken: Handshake, domain: str) -> str:
    if "it is not of" in shaken.problem:
        at = "its address" if _is_address(domain) else "the name in the URI"
        return f"write the URI with a name that the certificate has, or give the SRS a certificate of {at}"
    if "expired" in shaken.problem or "not yet valid" in shaken.problem:
        return "let the SRS have a new certificate, and see that the clocks of both machines are right"
    if "verify" in shaken.problem or "certificate refused" in shaken.problem:
        return "set tls.trusted_ca to the file of who signed it, or give the SRS a certificate of a known CA"
    if shaken.asks_certificate:
        return "the SRS wants a certificate of ours that it trusts: set tls.certificate and tls.key"
    return (
        "see that this is the SRS's port for TLS, often 5061, and that it speaks TLS 1.2 or 1.3 with ECDHE "
        "and AES-GCM or ChaCha20; an SRS without TLS is reached by a sip: URI with transport=tcp"
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
