"""Every error code that the API, callbacks and alerts use: what it means, what causes it, what to do.

`docs/errors.md` is made from this table. Where the platform's public dictionary of errors has a code for the
case, that one is used; where it has none, the nearest; and a few are our own.
"""

from __future__ import annotations

import enum
import sys
from typing import Final

from siprec_src.values import immutable


class Source(enum.Enum):
    """Where a code is from."""

    DICTIONARY = "dictionary"  #: it means there what it means here
    NEAREST = "nearest"
    OURS = "ours"


@immutable(kw_only=False)
class Code:
    """One of them."""

    number: int
    status: int | None  #: of HTTP that it comes with; None: it comes in callbacks and alerts alone
    text: str
    cause: str
    remedy: str
    source: Source = Source.DICTIONARY


CODES: Final = (
    Code(
        11200,
        None,
        "HTTP retrieval failure",
        (
            "A callback, or a voice URL, got no answer, another one than 2xx, or leads to an address "
            "that is not asked."
        ),
        (
            "See what `error` of the alert says. `siprec-src callbacks list --dead` shows callbacks "
            "that were given up, `siprec-src callbacks retry` sends them again; [callbacks] "
            "allow_private names networks that are asked though they are private."
        ),
    ),
    Code(
        11750,
        None,
        "Response body too large",
        "A voice URL answered more than 64 KiB.",
        "Let the application answer the instructions alone.",
    ),
    Code(
        12100,
        400,
        "Document parse failure",
        "TwiML is no XML, or larger or deeper than the limit.",
        "Let the application answer XML alone, without a DTD, in UTF-8.",
    ),
    Code(
        12102,
        400,
        "Root is no Response",
        "The root element of TwiML is another.",
        "Begin with <Response>.",
    ),
    Code(
        12200,
        400,
        "Schema validation",
        ("A value or a nesting in TwiML is not allowed; as an alert: something in it was passed over."),
        "The text names the element and the attribute.",
    ),
    Code(
        13224,
        None,
        "Dial: invalid number",
        (
            "What a voice application dials is no address, is one of our own, or lies behind a transport "
            "that the edge does not have."
        ),
        "The text says which; voice_default has been done with the call.",
    ),
    Code(
        20001,
        400,
        "Unknown parameters",
        ("A parameter is missing or has a value that is not allowed; or the form cannot be read."),
        "The text names the parameter.",
    ),
    Code(
        20003,
        401,
        "Authenticate",
        "No credentials, or wrong ones; or there is no account at all.",
        (
            "Send HTTP Basic with the SID of an account or API key and its secret; `siprec-src "
            "account new` makes one."
        ),
    ),
    Code(
        20004,
        405,
        "Method not allowed",
        "The resource does not have the method.",
        "`Allow` of the answer names those it has.",
    ),
    Code(
        20007,
        400,
        "Page size too large",
        "PageSize is above 1000.",
        "Ask for less, and follow next_page_uri.",
    ),
    Code(
        20403,
        403,
        "Forbidden",
        "A web page of another site made a browser send the request.",
        "Send it from a server.",
    ),
    Code(
        20404,
        404,
        "Not found",
        "There is no such resource, or it is another account's, or has been forgotten.",
        "Check the SIDs; a call is known from its INVITE until 10 minutes after its end.",
    ),
    Code(
        20409,
        400,
        "Conflict",
        "A Siprec of the call that is in progress has the name.",
        "Stop it, or choose another name.",
        Source.NEAREST,
    ),
    Code(
        20429,
        429,
        "Too many requests",
        "Too many failed tries to authenticate, or too many requests at once.",
        "Wait as long as Retry-After says.",
    ),
    Code(
        20500,
        500,
        "Internal error",
        "A fault of ours.",
        "Report the line of the log; the call went on.",
    ),
    Code(
        20503,
        None,
        "Service unavailable",
        "The media engine had no port or no room left, or was down.",
        "See rtp_low to rtp_high, max_calls, and the log of the media process.",
    ),
    Code(
        21205,
        400,
        "Invalid URL",
        "The Url for a live call is no absolute http or https URL, or longer than 4000 characters.",
        "Give an absolute URL, or the TwiML itself as Twiml.",
    ),
    Code(
        21209,
        400,
        "Invalid StatusCallbackMethod",
        "It is another than GET or POST.",
        "Use GET or POST.",
    ),
    Code(
        21220,
        400,
        "Invalid call state",
        "The call is not in progress; or it was to be recorded by the daemon itself.",
        (
            "Only a call that has been answered and has not ended can be changed. Record it to the SRS "
            "of a connector."
        ),
    ),
    Code(
        21609,
        400,
        "Invalid StatusCallback URL",
        "It is no absolute http or https URL, or longer than 4000 characters.",
        "Give an absolute URL.",
    ),
    Code(
        31940,
        400,
        "Unknown connector",
        (
            "No connector has the name that ConnectorName gives, or none is called Default where it "
            "gives none."
        ),
        "`siprec-src connector list` shows those there are.",
    ),
    Code(
        31941,
        400,
        "Invalid track",
        "Track is none of the three, or the call has no such track.",
        "Use inbound_track, outbound_track or both_tracks.",
        Source.NEAREST,
    ),
    Code(
        31942,
        400,
        "Connector misconfigured",
        "The connector may not be used for this, or has no usable SRS.",
        "`siprec-src connector test` says what is wrong.",
    ),
    Code(
        31945,
        400,
        "Too many forked streams",
        "With this request the call would have more streams than it may; both tracks are two.",
        "Stop a Siprec of the call first; the limit is configured.",
        Source.OURS,
    ),
    Code(
        31946,
        400,
        "Recording is ruled out",
        "A rule of the configuration says that this call is never recorded.",
        "Change the [[rule]] that the text names.",
        Source.OURS,
    ),
    Code(
        32011,
        None,
        "The SRS gave no answer, or refused",
        (
            "No SRS of the connector answered in time, could be reached or agreed; or it ended the "
            "session itself."
        ),
        "The text says what it was and what to do; `siprec-src explain` shows every message.",
        Source.NEAREST,
    ),
    Code(
        32102,
        None,
        "The SRS's SDP cannot be used",
        ("Its answer has no SDP, breaks RFC 3264 or takes no track; or it refused our offer's media."),
        "See that it takes two audio streams and a codec of the offer.",
        Source.NEAREST,
    ),
    Code(
        32207,
        None,
        "The SRS refused SRTP",
        (
            "The connector says secure=true and the SRS does not agree to it, or its keys or DTLS "
            "handshake failed."
        ),
        "Switch SRTP on at the SRS; recordings are never sent in clear instead.",
        Source.NEAREST,
    ),
    Code(
        32222,
        None,
        "No TLS connection to the SRS",
        "Its TLS port could not be reached, or one side does not trust the other's certificate.",
        "`siprec-src connector test` says which.",
        Source.NEAREST,
    ),
    Code(
        40001,
        400,
        "Invalid parameter",
        "A value in SVAML is not allowed.",
        "The text names its place.",
        Source.NEAREST,
    ),
    Code(
        40002,
        400,
        "Missing parameter",
        "A value that SVAML needs is not there.",
        "The text names its place.",
        Source.NEAREST,
    ),
    Code(
        40003,
        400,
        "Invalid request",
        "SVAML is no JSON object, or larger or deeper than the limit.",
        "Answer one JSON object in UTF-8.",
        Source.NEAREST,
    ),
)

BY_NUMBER: Final = {code.number: code for code in CODES}


def page() -> str:
    """The text of ``docs/errors.md``."""
    lines = [_HEAD, "| code | HTTP | meaning | cause | remedy | from |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {c.number} | {c.status or '–'} | {c.text} | {c.cause} | {c.remedy} | {c.source.value} |"
        for c in CODES
    ]
    return "\n".join(lines) + "\n"


_HEAD: Final = """# Error codes

Made from the table in `siprec_src/api/codes.py` by `make docs`. A code comes in the JSON of a refusal
(`code`), in `SiprecErrorCode` of a status callback, and in alerts (`code` of the log line and of
`GET /v1/alerts`). From "dictionary": the public error dictionary has it for the same case; "nearest": it has
none for the case, and this one is closest; "ours": it is not in the dictionary.
"""


if __name__ == "__main__":
    sys.stdout.write(page())
