"""The SDP offer of a recording session: one ``sendonly`` m-line with its label per track (RFC 7866 7.1.1).

Explicit `sendonly` (RFC 3264 5.1), rtpmap also for static payload types, the call's codec first and no
telephone-event unless it is wanted; RTP/SAVP with keys of its own per m-line where the SRS is secure.
RTCP is on the next port always, so ``a=rtcp`` is never needed (RFC 3550 11).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from siprec_src.communication import Direction, Format, MediaStream
from siprec_src.recording.line import RecordedLine
from siprec_src.recording.srs import SrsConfig
from siprec_src.sdp import codecs, dtls
from siprec_src.sdp.model import Media, Origin, SessionDescription, new_session


def offerable(stream: MediaStream, config: SrsConfig) -> tuple[Format, ...]:
    """What of the call's formats may be offered to the SRS, in the call's order; empty: it cannot be forked.

    Only what the party may send: nothing is transcoded (RFC 3264 5.1).
    """
    if stream.medium != "audio" or stream.source is None:
        return ()
    return _offerable(stream.formats, config.codecs, config.events)


def describe(
    lines: Sequence[RecordedLine], config: SrsConfig, *, origin: Origin, paused: bool
) -> SessionDescription:
    """Our description of the recording session as it should be now, under the version of ``origin``."""
    direction = Direction.INACTIVE if paused else Direction.SENDONLY
    return new_session(origin, *(_media(line, config, direction) for line in lines))


@lru_cache(maxsize=128)  # asked for each track at each step of a recording; most calls offer the same
def _offerable(formats: tuple[Format, ...], names: tuple[str, ...], events: bool) -> tuple[Format, ...]:
    wanted = {name.lower() for name in names}
    forms = [form for form in formats if _may_offer(form, wanted, events=events)]
    return tuple(forms) if any(codecs.is_primary(form) for form in forms) else ()


def _may_offer(form: Format, wanted: set[str], *, events: bool) -> bool:
    if codecs.is_event(form):
        return events
    if codecs.is_primary(form):
        return not wanted or form.encoding.lower() in wanted
    return codecs.is_comfort_noise(form)


def _media(line: RecordedLine, config: SrsConfig, direction: Direction) -> Media:
    forms = offerable(line.stream, config)
    if forms and not (line.removed and line.offered):  # an m-line has formats, port 0 or not (RFC 8866 5.14)
        line.offered = line.numbers.numbered(forms)
    media = Media(
        medium=line.stream.medium,
        port=line.port.rtp_port,
        protocol=_protocol(line, config),
        formats=(),
    ).with_formats(line.offered)
    if line.stream.packet_time_ms is not None:
        media = media.with_packet_time(line.stream.packet_time_ms)
    if config.rtcp_mux:
        media = media.with_attribute("rtcp-mux", "")
    if line.cryptos:
        media = media.with_crypto(*line.cryptos)
    if line.dtls is not None:
        media = media.with_attribute("fingerprint", line.dtls.fingerprint)
        media = media.with_attribute("setup", dtls.Setup.ACTPASS.value)
        media = media.with_attribute("tls-id", line.dtls.tls_id)
    if line.stream.content:
        media = media.with_attribute("content", line.stream.content)
    if config.source_attributes:
        media = media.with_attribute("ssrc", f"{line.fork.ssrc} cname:{line.fork.cname}")
    media = media.with_label(line.label).with_direction(direction)
    return media.with_port(0) if line.removed or not forms else media


def _protocol(line: RecordedLine, config: SrsConfig) -> str:
    """The profile, with F where feedback is offered (RFC 4585 4, RFC 5124 3.1)."""
    secured = "RTP/SAVP" if line.cryptos else "RTP/AVP"
    return (dtls.PROTOCOL if line.dtls is not None else secured) + ("F" if config.feedback else "")
