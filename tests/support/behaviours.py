"""The behaviours of the platform that the API is compatible with, by the ids of the project's list of them.

A row is proved by a test with its id in ``@pytest.mark.feature``, or `NOT_TESTED` says why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ROWS: Final[Mapping[str, str]] = {
    "F001": "started by REST; stopped by REST whoever started it",
    "F002": "we are the recording client, the recorder is the server",
    "F003": "a recorder of one's own, by a connector",
    "F004": "audio is forked while the call runs",
    "F005": "at most four forked streams a call",
    "F006": "DTMF does not reach the recorder",
    "F007": "faults of a stream are reported",
    "F008": "sid of the resource",
    "F009": "account_sid",
    "F010": "call_sid",
    "F011": "name, or null",
    "F012": "status is in-progress or stopped",
    "F013": "date_updated as RFC 2822, GMT",
    "F014": "uri of the resource",
    "F015": "connectors are configured apart from the API",
    "F016": "a partner that is not listed",
    "F017": "a connector has an id of its own",
    "F018": "a connector has a unique name",
    "F019": "a connector is for voice",
    "F020": "the recorder is a SIP URI",
    "F021": "name of the header field with the credential",
    "F022": "the credential is sent, and shown nowhere",
    "F023": "secure=true means SRTP",
    "F024": "edge chooses where SIP and media leave",
    "F025": "secure and edge parted by an ampersand",
    "F026": "edge alone, behind a port",
    "F027": "edges have names of their own",
    "F028": "POST …/Siprec.json",
    "F029": "AccountSid in the path",
    "F030": "CallSid in the path",
    "F031": "Name, unique in its call",
    "F032": "ConnectorName, else Default",
    "F033": "Track, else both",
    "F034": "StatusCallback is an absolute URL",
    "F035": "StatusCallbackMethod is GET or POST",
    "F036": "Parameter1 to Parameter99",
    "F037": "the curl example",
    "F038": "a callback tells of an interruption",
    "F039": "callbacks asked for in TwiML",
    "F040": "callbacks asked for by REST",
    "F041": "the standard parameters are in the callback",
    "F042": "AccountSid in the callback",
    "F043": "CallSid in the callback",
    "F044": "SiprecSid in the callback",
    "F045": "SiprecName in the callback",
    "F046": "SiprecEvent: started, stopped, error",
    "F047": "Timestamp in the callback",
    "F048": "SiprecError and SiprecErrorCode, with an error alone",
    "F049": "a GET callback keeps the URL's own query",
    "F050": "POST …/Siprec/{Sid}.json",
    "F051": "stopped by SID or by name",
    "F052": "Status is required, and is stopped",
    "F053": "stopped through the client library",
    "F054": "the answer has the real SID, however it was named",
    "F055": "Start with Siprec, the least",
    "F056": "the next instruction does not wait; without one the call ends",
    "F057": "name in TwiML",
    "F058": "Stop with Siprec, by name",
    "F059": "connectorName in TwiML, else Default; an unknown one is reported",
    "F060": "track in TwiML, else both",
    "F061": "inbound is received from the call, outbound is sent to it",
    "F062": "statusCallback and its method in TwiML",
    "F063": "Parameter children, in order",
    "F064": "names of parameters stay as they are",
    "F065": "what the client library writes",
    "F066": "the allow-list of the edges",
    "F067": "edge ashburn",
    "F068": "edge umatilla",
    "F069": "edge dublin",
    "F070": "edge frankfurt",
    "F071": "edge tokyo",
    "F072": "edge singapore",
    "F073": "edge sydney",
    "F074": "edge sao-paulo",
    "F075": "SIP at 5060 by UDP and TCP, at 5061 by TLS",
    "F076": "media ports of an edge; what happens when they are used up",
    "F186": "recording controlled by the answer to a callback",
    "F187": "record asks for recordingOptions",
    "F188": "options come with the answer, for a call or conference",
    "F189": "destinationUrl",
    "F190": "credentials",
    "F191": "format, else mp3",
    "F192": "notificationEvents, else true",
    "F193": "transcriptionOptions",
    "F194": "the example of an ICE answer",
}
"""Of the list, the rows that are built; in words of our own."""

NOT_TESTED: Final[Mapping[str, str]] = {
    "F016": "advice about a support desk; there is nothing to be built",
}
"""Rows without a test, and why."""

PAGE_HEAD: Final = """# Which behaviours of the platform are proved

Generated from the markers of the tests by `make docs`. The API is shaped after Twilio's Siprec resource and
after Sinch's recording options; each row is a statement of their documents, under a number of the project.

| row | behaviour | tests |
|---|---|---|
"""


def render(proved: Mapping[str, set[str]]) -> str:
    """The page; ``proved`` has the names of the tests of each row."""
    lines = [PAGE_HEAD.rstrip("\n")]
    for row, title in ROWS.items():
        tests = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in sorted(proved.get(row, ())))
        lines.append(f"| {row} | {title} | {tests or 'none: ' + NOT_TESTED.get(row, '?')} |")
    return "\n".join(lines) + "\n"


def at_odds(proved: Mapping[str, set[str]]) -> list[str]:
    """What is wrong between the rows and the tests, a line each."""
    found = [f"{row}: neither a test nor a reason" for row in ROWS if row not in {*proved, *NOT_TESTED}]
    found += [f"{row}: has a test, and a reason for none" for row in NOT_TESTED if row in proved]
    return found
