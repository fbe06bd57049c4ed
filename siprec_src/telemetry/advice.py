"""What the slugs and statuses of recording mean, and what a person can do about each, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def reason(slug: str, status: int | None = None, detail: str = "") -> tuple[str, str]:
    """What happened, as the end of a sentence about the SRS, and what to do; both may be "" when unknown."""
    if slug == "srs-refused" and status is not None:
        return _refusal(status)
    if slug == "srs-bad-answer" and "SAVP" in detail:
        return _REASONS[slug][0], "switch SRTP on at the SRS, or leave secure=true away: it is never weakened"
    return _REASONS.get(slug, (slug.replace("-", " "), ""))


def complaint(text: str) -> str:
    """What to do about an oddity of an SRS's answer that is lived with."""
    return next((advice for words, advice in _COMPLAINTS.items() if words in text), _TELL_VENDOR)


def _refusal(status: int) -> tuple[str, str]:
    known = _STATUSES.get(status)
    if known is None:
        kind = {3: "sends us elsewhere", 4: "refuses the request", 5: "failed", 6: "declines everywhere"}
        known = (kind.get(status // 100, "refused"), "look at the SRS's own log for this Call-ID")
    return f"it {known[0]} ({status})", known[1]


_TELL_VENDOR: Final = "nothing has to be done; tell the SRS's vendor"

_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "srs-timeout": (
        "it did not answer the INVITE in time",
        "see that the SRS runs, that it can reach us at our address in Via and Contact, and that no firewall "
        "drops SIP; a slow one may need a longer answer_timeout_s",
    ),
    "srs-unreachable": (
        "it could not be reached",
        "see that the name and port are right, that the SRS listens there, and that no firewall rejects us",
    ),
    "srs-auth-failed": (
        "it wants credentials that it did not get, or refused those it got",
        "set username and password_file (or headers) of this [[srs]]; allow_md5 where it knows MD5 alone",
    ),
    "srs-no-siprec": (
        "it does not know SIPREC (420)",
        "this is not a recording server, or SIPREC is switched off in it: check the URI's user and port",
    ),
    "srs-bad-answer": (
        "its answer could not be used",
        "the SRS breaks RFC 3264 or RFC 7866; tell its vendor the detail",
    ),
    "srs-no-media": (
        "it took no track",
        "see that it has recording channels and takes PCMU or PCMA, or what codecs of this [[srs]] says",
    ),
    "srs-dtls-failed": (
        "the DTLS handshake between the media ports failed",
        "see that UDP passes both ways, that no SBC changes a=fingerprint, and what the detail says",
    ),
    "srs-not-secure": (
        "the call is encrypted and the SRS is not",
        "add secure=true to its URI, or allow clear_copy_of_encrypted",
    ),
    "srs-busy": (
        "it asked to be left alone for a while (Retry-After)",
        "give it more capacity, or add an SRS",
    ),
    "srs-down": ("it was known to be down", "see its srs.down line for the cause"),
    "srs-bye": (
        "it ended the session itself",
        'look at its log; on_srs_bye = "restart" begins another session',
    ),
    "srs-dialog-lost": ("it does not know the session any more", "the SRS was restarted or lost its state"),
    "srs-session-expired": ("its session timer ran out", "the SRS or a proxy loses refreshes of the session"),
    "dtls-failed": (
        "the DTLS handshake of a track failed",
        "see that UDP passes between the media ports in both directions",
    ),
    "dtls-lost": (
        "the media process died, and the DTLS handshake of a track with it",
        "see the log of the media process; a new session has begun",
    ),
    "options-timeout": ("it did not answer OPTIONS", "let it answer, or set options_interval_s = 0"),
    "options-unreachable": ("it could not be reached", "see that it runs and that no firewall is between"),
    "options-503": ("it answered OPTIONS with 503", "see that it has capacity and licences"),
    "on-command": ("nobody has asked for it to be recorded", ""),
    "rule": ("a rule does not want it to be recorded", ""),
    "track-missing": ("the SRS takes a call only with both tracks", "see late_track of this [[srs]]"),
    "srs-silent": ("it did not confirm the end", "the recording may lack its last metadata; look at the SRS"),
    "no-track": ("the call has no track that it may get", "see track and codecs of this [[srs]]"),
    "no-srs": ("no SRS is configured", "give --srs, or an [[srs]]"),
    "call-ended": ("the call ended first", ""),
    "stopped": ("recording was stopped by command", ""),
    "shutdown": ("the daemon was shut down", ""),
    "media-restart": ("the media process died and another went on", "see the log of the media process"),
    "media-down": ("the media process was down", "see the log of the media process"),
    "ports-exhausted": ("there was no RTP port left", "widen rtp_low to rtp_high"),
    "no-room": ("the media engine was full", "see max_calls and the engine's limits"),
    "internal-error": ("a fault of ours ended the recording", "report the machine.failed line of the log"),
    "track-refused": ("it refused a whole track", "see that it has a channel for each track"),
    "track-not-agreed": ("a track was never agreed on", "see the update-refused lines"),
    "unreachable": (
        "its media port was closed",
        "see that the SRS's media part runs and no firewall is between",
    ),
    "unaccounted": ("nobody knows how much of a track was sent", "the media process died; see its log"),
    "send": ("packets could not be sent", "see the network between us and the SRS"),
    "full": ("the system took no more packets for it", "see the interface towards the SRS, and its queue"),
    "overrun": ("packets came faster than they were sent on", "this machine is overloaded"),
    "format": (
        "a party used a codec that the SRS did not accept",
        "let the SRS take all codecs of the calls",
    ),
    "paused": ("nothing was sent while recording was paused, or the SRS wanted nothing (inactive)", ""),
}

_STATUSES: Final[Mapping[int, tuple[str, str]]] = {
    403: ("forbids it", "allow this client's address, or its domain, at the SRS"),
    404: ("does not know the user of the URI", "correct the part of the URI before the @"),
    405: ("does not allow INVITE", "this is not the recording port of the SRS: check the URI"),
    408: ("timed out inside", "look at the SRS or the proxy before it"),
    413: ("finds the request too large", "let the SRS or its proxy take larger requests"),
    415: (
        "does not take a part of the body",
        'try metadata_type = "application/rs-metadata", or metadata_required = false',
    ),
    480: ("is not available now", "see that the SRS has a free, active recorder"),
    481: ("does not know the session", "the SRS has lost its state"),
    482: ("sees a loop", "a proxy sends our request in a circle: check the URI and its routing"),
    483: ("has seen too many hops", "a proxy sends our request in a circle: check the URI and its routing"),
    486: ("is busy", "it has no free channel or licence: give it more, or add an SRS"),
    488: (
        "does not accept the media of the offer",
        "see that it takes two streams, a codec of the offer, and RTP or SRTP as secure says",
    ),
    500: ("had an internal error", "look at the SRS's own log for this Call-ID"),
    501: ("does not implement it", "this is not the recording port of the SRS: check the URI"),
    503: ("is overloaded or not in service", "see that it has capacity and licences, or add another [[srs]]"),
    603: ("declines", "allow this client at the SRS"),
}

_COMPLAINTS: Final[Mapping[str, str]] = {  # the first whose words are in the complaint
    "no +sip.srs": f"{_TELL_VENDOR} (RFC 7866 6.2)",
    "port 0": "this track is not recorded: see that the SRS has a channel for each of the two tracks",
    "inactive": "the SRS does not listen: see why it answers inactive",
    "sendonly answered with": f"it is taken for recvonly; {_TELL_VENDOR} (RFC 3264 6.1)",
    "format": "let the SRS take the codecs of the calls",
    "crypto": "see that the SRS takes one of srtp_suites, with a key of its own",
    "address": "let the SRS answer with numeric addresses",
    "answered with": f"streams are matched by their order; {_TELL_VENDOR} (RFC 7866 7.2)",
}
