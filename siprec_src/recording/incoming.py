"""What comes from the SRS: answers, refusals, and requests inside the dialog (RFC 7866 7.2, 9.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata.model import SnapshotRequest
from siprec_src.metadata.reader import read_metadata
from siprec_src.recording.line import RecordedLine
from siprec_src.recording.outcome import Outcome, Result
from siprec_src.recording.redirect import contacts
from siprec_src.recording.refusal import remedy, warnings_of
from siprec_src.recording.request import ACCEPT, Fields, capabilities
from siprec_src.recording.srs import MetadataType, SrsTarget
from siprec_src.recording.talks import Talks
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sip.body import find, not_understood, split_body
from siprec_src.sip.holddown import retry_after_s
from siprec_src.sip.message import Message, Request, Response
from siprec_src.sip.session_timer import SessionTimer
from siprec_src.values import immutable


@immutable
class Reply:
    """How a request of the SRS is answered."""

    status: int
    headers: Fields = ()
    description: SessionDescription | None = None  #: our SDP in the answer
    is_offer: bool = False  #: that SDP is an offer; its answer comes in the ACK
    snapshot: bool = False  #: a complete document is to follow at once (RFC 7866 9.2)


def answer_in(message: Message) -> SessionDescription:
    """The SDP of a message that must have one.

    Raises:
        RemoteProtocolError: it has none, or one that cannot be read.
    """
    if (description := _description(message)) is None:
        raise RemoteProtocolError("no SDP answer", section="RFC 3261 13.2.1")
    return description


def early_answer(response: Response) -> SessionDescription | None:
    """The SDP of a 1xx, where it has one that can be read."""
    try:
        return _description(response)
    except RemoteProtocolError:
        return None


def is_recorder(response: Response) -> bool:
    """Whether the peer says that it is an SRS (RFC 7866 6.2). Many that are do not."""
    try:
        return any(contact.parameter("+sip.srs") is not None for contact in response.contacts)
    except RemoteProtocolError:
        return False


def refusal(response: Response, target: SrsTarget, *, made_here: bool) -> Outcome:
    """What a final answer other than 2xx to our INVITE means.

    A 420 says that the peer knows no siprec: it is never asked again without, since a call without it
    would be an ordinary call that carries the media (RFC 7866 6.1.1).
    """
    status = response.status
    again = status not in target.config.final_statuses
    if made_here:
        reason = "srs-timeout" if status == 408 else "srs-unreachable"
        return Outcome(result=Result.FAILED, reason=reason, status=status)
    found = contacts(response)
    return Outcome(
        result=Result.FAILED,
        reason="srs-redirected" if found else _REASONS.get(status, "srs-refused"),
        detail="; ".join(text for text in (response.reason[:80], warnings_of(response)) if text),
        status=status,
        wait_s=retry_after_s(response),
        again=again,
        unusable=status == 420,
        remedy=remedy(response, target) if again else None,
        contacts=found,
    )


def reply_to(
    request: Request,
    talks: Talks,
    lines: Sequence[RecordedLine],
    timer: SessionTimer,
    now: float,
    *,
    paused: bool,
) -> Reply:
    """Answer a request inside the dialog, BYE apart. INVITE and UPDATE refresh the session (RFC 4028 9)."""
    try:
        match request.method:
            case "INVITE" | "UPDATE":
                if (too_small := timer.refusal(request)) is not None:
                    return Reply(status=422, headers=too_small)
                reply = _reply_to_offer(request, talks, lines, paused=paused)
                return dataclasses.replace(reply, headers=(*reply.headers, *timer.grant(request, now)))
            case "OPTIONS":
                return Reply(status=200, headers=capabilities())
            case "INFO":
                return _reply_to_info(request)
            case other:
                return _REFUSALS.get(other, Reply(status=405, headers=capabilities()))
    except RemoteProtocolError as error:
        return Reply(status=error.status, headers=(("Accept", ACCEPT),) if error.status == 415 else ())


_REASONS: Final = {401: "srs-auth-failed", 407: "srs-auth-failed", 420: "srs-no-siprec"}
_METADATA: Final = (MetadataType.CURRENT.value, MetadataType.OLD.value)
_UNDERSTOOD: Final = ("application/sdp", *_METADATA)
_REFUSALS: Final = {
    "REFER": Reply(status=603),
    "SUBSCRIBE": Reply(status=489),
    "NOTIFY": Reply(status=481),  # of no subscription of ours (RFC 6665 4.1.3)
    "PRACK": Reply(status=481),  # no reliable provisional answer was sent (RFC 3262 3)
}


def _reply_to_offer(request: Request, talks: Talks, lines: Sequence[RecordedLine], *, paused: bool) -> Reply:
    """RFC 3261 14.2, RFC 3311 5.2. Without an offer an INVITE gets ours, an UPDATE none."""
    snapshot = _wants_snapshot(request)
    offer = _description(request)
    if offer is not None:
        answer = talks.offered(lines, offer, paused=paused)
        return Reply(status=200, headers=capabilities(), description=answer, snapshot=snapshot)
    if request.method == "INVITE":
        ours = talks.offer(lines, paused=paused, asked_for=True)
        return Reply(status=200, headers=capabilities(), description=ours, is_offer=True, snapshot=snapshot)
    return Reply(status=200, headers=capabilities(), snapshot=snapshot)


def _reply_to_info(request: Request) -> Reply:
    """No Info-Package is known (RFC 6086 4.2.2); a snapshot request in an INFO is served all the same."""
    if "info-package" in request.headers:
        return Reply(status=469, headers=(("Recv-Info", ""),))
    return Reply(status=200, snapshot=_wants_snapshot(request))


def _description(message: Message) -> SessionDescription | None:
    parts = split_body(message)
    if not_understood(parts, _UNDERSTOOD) and isinstance(message, Request):
        raise RemoteProtocolError(
            "a required body part is of no known type", status=415, section="RFC 5621 8.4"
        )
    part = find(parts, "application/sdp")
    return None if part is None else parse_sdp(part.content)


def _wants_snapshot(request: Request) -> bool:
    part = find(split_body(request), *_METADATA)
    return part is not None and isinstance(read_metadata(part.content), SnapshotRequest)
