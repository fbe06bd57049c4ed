"""What is answered below ``/v1``: the types of which the OpenAPI document is made.

They are typed dictionaries: mypy proves that they are made as they say, so nothing is checked again when they
are sent.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict


class Copy(TypedDict):
    """One copy of a call."""

    copy: Annotated[str, Field(description='its name, "" where there is one alone')]
    srs: Annotated[str, Field(description='the newest SRS that was asked; "" when none was')]
    state: Annotated[str, Field(description="setting-up, recording, waiting or ending")]
    copying: Annotated[bool, Field(description="packets may be on their way to the SRS")]


class Call(TypedDict):
    """One call and its recordings."""

    call: Annotated[int, Field(description="its number in the log")]
    session: Annotated[str, Field(description="its session id, as metadata has it")]
    sid: Annotated[str, Field(description="CA…, its name below /2010-04-01")]
    account: Annotated[str | None, Field(description="AC…, whose it is")]
    trunk: str
    started: str
    ended: Annotated[str | None, Field(description="null: it goes on")]
    caller: str
    callee: str
    paused: bool
    rule: Annotated[
        str | None,
        Field(description='the rule that decided on its recording; "" when none did; null: it is over'),
    ]
    record: Annotated[
        str | None, Field(description="what it says: force, yes, dont-care (none decided), no, never")
    ]
    recordings: list[Copy]
    recorded: Annotated[
        str | None,
        Field(description="yes, partly, no, running or undecided; null: nothing is kept to tell by"),
    ]
    verdict: Annotated[str | None, Field(description="why, in plain words")]


class Calls(TypedDict):
    """Calls, the oldest first."""

    calls: list[Call]
    more: Annotated[int, Field(description="how many there are beyond those")]


class Stream(TypedDict):
    """One track of a recording session."""

    label: Annotated[str, Field(description="a=label")]
    track: Annotated[str | None, Field(description="inbound: what the caller says; outbound: the callee")]
    accepted: Annotated[bool, Field(description="the SRS takes it")]
    copying: Annotated[bool, Field(description="packets may be on their way")]
    failure: Annotated[str, Field(description='why it is not sent; "" while all is well')]


class Recording(TypedDict):
    """One recording session: one dialog with one SRS."""

    id: Annotated[str, Field(description="the call's number and its own in the log")]
    call: int
    sid: Annotated[str, Field(description="CA…, of the call")]
    copy: Annotated[str, Field(description='which copy of the call, "" where there is one alone')]
    siprec: Annotated[str | None, Field(description="SR…, the Siprec that it belongs to")]
    srs: str
    secure: Annotated[bool, Field(description="its media is encrypted")]
    state: Annotated[str, Field(description="setting-up, recording, paused, ending or ended")]
    began: Annotated[str | None, Field(description="when the SRS agreed")]
    duration_s: float | None
    streams: list[Stream]
    result: Annotated[str | None, Field(description="of one that has ended")]
    reason: str | None
    packets: Annotated[
        dict[str, int], Field(description="the books of one that has ended, in all and by label")
    ]


class Recordings(TypedDict):
    """Recording sessions of calls that go on, call by call."""

    recordings: list[Recording]
    next: Annotated[int | None, Field(description="for `after`, where there are more")]


class RecordingLadder(TypedDict):
    """One recording session, with what was said to its SRS and decided on it."""

    recording: Recording
    ladder: list[dict[str, Any]]


class Change(TypedDict):
    """What has become of one copy of a call."""

    call: int
    session: str
    sid: str
    copy: str
    srs: str
    result: Annotated[str | None, Field(description="of what has ended")]
    reason: str | None


class SrsLine(TypedDict):
    """One SRS."""

    name: str
    up: Annotated[bool, Field(description="false: it is held down, and asked last")]


class SrsList(TypedDict):
    """In the order in which they are configured."""

    srs: list[SrsLine]


class Explained(TypedDict):
    """One kept call with its verdict, and its ladder of messages and decisions."""

    format: int
    call: int | None
    session: str
    call_ids: list[str]
    began: str
    recorded: str
    verdict: str
    lanes: list[str]
    left_out: int
    entries: list[dict[str, Any]]


class ExplainedLine(TypedDict):
    """One kept call in a line."""

    call: int | None
    session: str
    call_id: str
    began: str
    recorded: str
    verdict: str


class ExplainedList(TypedDict):
    """The calls that are kept, the newest first."""

    format: int
    calls: list[ExplainedLine]


class KeptCallback(TypedDict):
    """A status callback that has not been delivered."""

    id: Annotated[str, Field(description="CB…, I-Twilio-Idempotency-Token of each of its requests")]
    account: str
    call: Annotated[str, Field(description="CA…, the call's SID")]
    resource: Annotated[str, Field(description="SID of what it tells of")]
    event: str
    url: Annotated[str, Field(description="without credentials and the values of its query")]
    dead: Annotated[bool, Field(description="it is tried no more")]
    since: str
    tries: int
    next_try: str | None
    error: Annotated[str, Field(description="why the last try failed")]


class KeptCallbacks(TypedDict):
    """Callbacks in the order in which they came."""

    callbacks: list[KeptCallback]
    more: Annotated[int, Field(description="how many there are beyond those")]


class Retried(TypedDict):
    """What is tried again."""

    retried: int


class ShownAlert(TypedDict):
    """Something that went wrong, for an operator or the account whose it is."""

    at: str
    event: str
    code: Annotated[int, Field(description="docs/errors.md says what it means and what to do")]
    error: str
    fields: dict[str, Any]


class ShownAlerts(TypedDict):
    """The newest first."""

    alerts: list[ShownAlert]
