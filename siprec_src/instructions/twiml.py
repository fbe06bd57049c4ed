"""TwiML: the XML in which a voice application says what becomes of its call.

Whatever the daemon carries out is checked in full before anything is done: the whole document is refused
for one bad value (12200). What it does not carry out is said: a verb by an `Unsupported` in its place, an
attribute by a warning. Names are compared with case, as the platform does; an empty attribute is as none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from siprec_src.errors import InstructionError, RemoteProtocolError
from siprec_src.instructions import model as m
from siprec_src.instructions import rules
from siprec_src.instructions.remarks import Remarks
from siprec_src.xml_tree import Element, XmlLimits, parse_tree

MAX_DOCUMENT_BYTES: Final = 65_536
MAX_DEPTH: Final = 8
MAX_ELEMENTS: Final = 500
MAX_ATTRIBUTE_CHARS: Final = 4096
MAX_PAUSE_S: Final = 86_400
MAX_INSTRUCTIONS: Final = 50
MAX_TARGETS: Final = 10  #: of one ``<Dial>``

NOT_XML: Final = 12100
NOT_RESPONSE: Final = 12102
BAD_VALUE: Final = 12200

T = TypeVar("T")


def parse_twiml(document: bytes | str) -> m.Script:
    """Read one document, as it came or as the text it has already been found to be.

    Raises:
        InstructionError: 12100 it is no XML or beyond a limit, 12102 its root is another, 12200 a value is
            wrong; the text names verb, attribute and what is allowed.
    """
    try:
        root = parse_tree(document, _LIMITS)
    except RemoteProtocolError as error:
        raise InstructionError(str(error), code=NOT_XML) from None
    if root.name != "Response":
        raise InstructionError(
            f"the root element is <{rules.bare(root.name)}>; expected <Response>", code=NOT_RESPONSE
        )
    reader = _Reader()
    reader.attributes(root, "Response").end()
    instructions = tuple(found for element in root.children for found in reader.verb(element))
    if len(instructions) > MAX_INSTRUCTIONS:
        raise InstructionError(f"TwiML: more than {MAX_INSTRUCTIONS} instructions", code=NOT_XML)
    if root.text.strip():
        reader.warn("text between the verbs of <Response> means nothing")
    return m.Script(instructions=instructions, warnings=reader.remarks.all())


class _Attributes:
    """The attributes of one element; each is asked for once, and what nobody asked for is told."""

    def __init__(self, element: Element, where: str, warn: Callable[[str], None]) -> None:
        self._where = where
        self._warn = warn
        self._left = {name: text for name, text in element.attributes.items() if " " not in name}
        for name, text in self._left.items():
            if len(text) > MAX_ATTRIBUTE_CHARS:
                raise self.wrong(name, f"longer than {MAX_ATTRIBUTE_CHARS} characters")

    def get(self, name: str, read: Callable[[str], T], default: T) -> T:
        text = self._left.pop(name, "")
        if not text:
            return default
        try:
            return read(text)
        except InstructionError as error:
            raise self.wrong(name, str(error)) from None

    def callback(self, prefix: str) -> m.StatusCallback | None:
        """Of ``statusCallback`` or ``recordingStatusCallback``, with the method beside it."""
        method = self.get(f"{prefix}Method", rules.method, _POST)
        url = self.get(prefix, rules.callback_url, None)
        return None if url is None else m.StatusCallback(url=url, method=method)

    def end(self) -> None:
        for name in self._left:
            self._warn(f"{self._where}: attribute {rules.shown(name)} is not acted on")

    def wrong(self, name: str, what: str) -> InstructionError:
        return InstructionError(f"{self._where} {rules.bare(name)}: {what}", code=BAD_VALUE)


class _Reader:
    """One pass through one document."""

    def __init__(self) -> None:
        self.remarks = Remarks(BAD_VALUE)
        self.warn = self.remarks.add

    def attributes(self, element: Element, where: str) -> _Attributes:
        return _Attributes(element, f"<{where}>", self.warn)

    def verb(self, element: Element) -> Iterator[m.Instruction]:
        """What one child of ``<Response>`` asks for."""
        match element.name:
            case "Start" | "Stop":
                yield from self._start_or_stop(element)
            case "Dial":
                yield self._dial(element)
            case "Pause":
                given = self._alone(element)
                yield m.Pause(length_s=given.get("length", _whole(0, MAX_PAUSE_S), 1))
                given.end()
            case "Reject":
                given = self._alone(element)
                read = _enum(m.RejectReason)
                yield m.Reject(reason=given.get("reason", read, m.RejectReason.REJECTED))
                given.end()
            case "Hangup":
                self._alone(element).end()
                yield m.Hangup()
            case name:
                yield _unsupported(name, name)

    def _alone(self, element: Element) -> _Attributes:
        """The attributes of a verb that holds nothing."""
        if element.children or element.text.strip():
            self.warn(f"<{element.name}>: what stands in it means nothing")
        return self.attributes(element, element.name)

    def _start_or_stop(self, element: Element) -> Iterator[m.Instruction]:
        self.attributes(element, element.name).end()
        if not element.children:
            raise InstructionError(
                f"<{element.name}>: expected <Siprec> or <Recording> in it", code=BAD_VALUE
            )
        for noun in element.children:
            where = f"{element.name}><{noun.name}"
            match element.name, noun.name:
                case "Start", "Siprec":
                    yield self._siprec(noun, where)
                case "Stop", "Siprec":
                    given = self.attributes(noun, where)
                    name = given.get("name", str, "")
                    if not name:
                        raise given.wrong("name", "missing: which of them is to stop")
                    given.end()
                    yield m.StopSiprec(name=name)
                case "Start", "Recording":
                    given = self.attributes(noun, where)
                    yield m.StartRecording(recording=_recording(given, "track", "channels"))
                    given.end()
                case "Stop", "Recording":
                    self.attributes(noun, where).end()
                    yield m.StopRecording()
                case _:
                    yield _unsupported(noun.name, f"{element.name}/{noun.name}")

    def _siprec(self, element: Element, where: str) -> m.StartSiprec:
        given = self.attributes(element, where)
        siprec = m.StartSiprec(
            name=given.get("name", rules.siprec_name, None),
            connector=given.get("connectorName", rules.connector_name, m.DEFAULT_CONNECTOR),
            track=given.get("track", rules.track, m.Track.BOTH),
            callback=given.callback("statusCallback"),
            parameters=self._parameters(element, where),
        )
        given.end()
        return siprec

    def _parameters(self, element: Element, where: str) -> tuple[tuple[str, str], ...]:
        pairs = []
        for child in element.children:
            if child.name != "Parameter":
                self.warn(f"<{where}>: <{_unsupported(child.name, child.name).verb}> in it: {_NOT_HERE}")
                continue
            given = self.attributes(child, f"{where}><Parameter")
            pairs.append((given.get("name", str, ""), given.get("value", str, "")))
            given.end()
        try:
            return rules.parameters(pairs)
        except InstructionError as error:
            raise InstructionError(f"<{where}><Parameter>: {error}", code=BAD_VALUE) from None

    def _dial(self, element: Element) -> m.Instruction:
        given = self.attributes(element, "Dial")
        begin = given.get("record", _record, None)
        recording = _recording(given, "recordingTrack", None)
        dial = m.Dial(
            targets=self._targets(element),
            timeout_s=given.get("timeout", _whole(1, 600), 30),
            caller_id=given.get("callerId", rules.caller_id, None),
            time_limit_s=given.get("timeLimit", _whole(1, 86_400), 14_400),
            action=given.get("action", rules.reference, None),
            method=given.get("method", rules.method, _POST),
            hang_up_on_star=given.get("hangupOnStar", _flag, default=False),
            ring_tone=given.get("ringTone", _ring_tone, ""),
            answer_on_bridge=given.get("answerOnBridge", _flag, default=False),
            recording=begin and dataclasses.replace(recording, from_ringing=begin[0], channels=begin[1]),
        )
        given.end()
        if not dial.targets:
            return m.Unsupported(verb="Dial", why="nothing in it that can be dialled here: a number or SIP")
        return dial

    def _targets(self, element: Element) -> tuple[m.Target, ...]:
        targets: list[m.Target] = []
        if element.text.strip():
            targets.append(m.Number(digits=_content(element.text, "Dial", rules.phone_number)))
        elif not element.children:
            raise InstructionError("<Dial>: expected a number, <Number> or <Sip> in it", code=BAD_VALUE)
        for noun in element.children:
            where = f"Dial><{noun.name}"
            match noun.name:
                case "Number":
                    targets.append(m.Number(digits=_content(noun.text, where, rules.phone_number)))
                case "Sip":
                    targets.append(m.SipTarget(uri=_content(noun.text, where, rules.sip_uri)))
                case _:
                    self.warn(f"<{_unsupported(noun.name, where).verb}>: {_NOT_HERE}")
                    continue
            self.attributes(noun, where).end()
        if len(targets) > MAX_TARGETS:
            raise InstructionError(f"<Dial>: more than {MAX_TARGETS} to dial", code=BAD_VALUE)
        return tuple(targets)


def _unsupported(name: str, where: str) -> m.Unsupported:
    """A verb or noun that is not carried out; a known one in other case is a mistake instead."""
    known = _KNOWN.get(name.lower(), name)
    if known != name:
        raise InstructionError(
            f"<{rules.bare(name)}>: names are written with case, expected <{known}>", code=BAD_VALUE
        )
    return m.Unsupported(verb=rules.bare(where), why=_NOT_HERE)


def _recording(given: _Attributes, track: str, channels: str | None) -> m.Recording:
    return m.Recording(
        track=given.get(track, _enum(m.RecordedTrack), m.RecordedTrack.BOTH),
        channels=m.Channels.DUAL if channels is None else given.get(channels, _enum(m.Channels), _DUAL),
        trim=given.get("trim", _trim, default=False),
        events=given.get("recordingStatusCallbackEvent", _events, _COMPLETED),
        callback=given.callback("recordingStatusCallback"),
    )


def _record(text: str) -> tuple[bool, m.Channels] | None:
    """Of ``<Dial record>``: whether from ringing on, and the channels."""
    if text not in _RECORD:
        raise _bad(f"{rules.shown(text)} is none of {', '.join(_RECORD)}")
    return _RECORD[text]


def _content(text: str, where: str, rule: Callable[[str], str]) -> str:
    """What stands in an element, by a rule."""
    try:
        return rule(text.strip())
    except InstructionError as error:
        raise _bad(f"<{where}>: {error}") from None


def _events(text: str) -> frozenset[m.RecordingEvent]:
    return frozenset(rules.one_of(m.RecordingEvent, word) for word in text.split())


def _trim(text: str) -> bool:
    if text not in ("trim-silence", "do-not-trim"):
        raise _bad(f"{rules.shown(text)} is neither trim-silence nor do-not-trim")
    return text == "trim-silence"


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise _bad(f"{rules.shown(text)} is neither true nor false")
    return text == "true"


def _enum(kind: type[rules.EnumT]) -> Callable[[str], rules.EnumT]:
    return lambda text: rules.one_of(kind, text)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or not low <= int(text) <= high:
            raise _bad(f"{rules.shown(text)} is no whole number from {low} to {high}")
        return int(text)

    return read


def _ring_tone(text: str) -> str:
    if not _RING_TONE.fullmatch(text):
        raise _bad(f"{rules.shown(text)} is neither automatic nor a country")
    return text


def _bad(what: str) -> InstructionError:
    return InstructionError(what, code=BAD_VALUE)


_LIMITS: Final = XmlLimits(
    kind="TwiML",
    section="",
    document_bytes=MAX_DOCUMENT_BYTES,
    depth=MAX_DEPTH,
    elements=MAX_ELEMENTS,
)
_NOT_HERE: Final = "not carried out by this daemon"
_POST: Final[m.Method] = "POST"
_DUAL: Final = m.Channels.DUAL
_COMPLETED: Final = frozenset({m.RecordingEvent.COMPLETED})
_RECORD: Final[Mapping[str, tuple[bool, m.Channels] | None]] = {
    "do-not-record": None,
    "record-from-answer": (False, m.Channels.MONO),
    "record-from-ringing": (True, m.Channels.MONO),
    "record-from-answer-dual": (False, m.Channels.DUAL),
    "record-from-ringing-dual": (True, m.Channels.DUAL),
    "true": (False, m.Channels.MONO),
    "false": None,
}
_RING_TONE: Final = re.compile(r"automatic|[a-z]{2}(?:-old)?")
_KNOWN: Final[Mapping[str, str]] = {
    name.lower(): name
    for name in (
        "Start", "Stop", "Siprec", "Recording", "Parameter", "Dial", "Number", "Sip", "Pause", "Reject",
        "Hangup", "Say", "Play", "Gather", "Record", "Redirect", "Conference", "Client", "Queue", "Enqueue",
        "Leave", "Stream", "Transcription", "Connect", "Refer", "Pay", "Prompt", "Sms", "Echo", "Sim",
    )
}  # fmt: skip
