"""SVAML: the JSON in which a voice application of the other kind says what becomes of its call.

A document has ``instructions``, which are carried out in order, and one ``action``. Names are compared
without case, as its own libraries and documents write them in more than one way. What the daemon does not
carry out is reported, as with TwiML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from siprec_src.errors import InstructionError
from siprec_src.instructions import model as m
from siprec_src.instructions import rules
from siprec_src.instructions.json_values import INVALID_PARAMETER, MISSING_PARAMETER, Object, parse_object
from siprec_src.instructions.recording_options import RecordingOptions, read_recording_options
from siprec_src.instructions.remarks import Remarks

MAX_INSTRUCTIONS: Final = 50


def parse_svaml(octets: bytes) -> m.Script:
    """Read the answer to the event that a call has come in.

    Raises:
        InstructionError: 40003 it is no JSON object or beyond a limit, 40001 a value is wrong, 40002 one is
            missing; the text names its key, and holds no credentials.
    """
    return _Reader(_INCOMING).script(parse_object(octets))


def parse_manage_call(octets: bytes) -> m.Script:
    """Read the body of a Manage Call request. Raises InstructionError, as `parse_svaml`."""
    return _Reader(_LIVE).script(parse_object(octets))


class _Reader:
    """One pass through one document."""

    def __init__(self, actions: frozenset[str]) -> None:
        self._actions = actions
        self._remarks = Remarks(INVALID_PARAMETER)

    def script(self, document: Object) -> m.Script:
        self._unknown(document, "", {"instructions", "action"})
        listed = document.get("instructions") or []
        if not isinstance(listed, list) or len(listed) > MAX_INSTRUCTIONS:
            raise _wrong("instructions", f"expected at most {MAX_INSTRUCTIONS} objects")
        instructions = [self._instruction(value, f"instructions[{at}]") for at, value in enumerate(listed)]
        action = document.get("action")
        instructions.append(m.Continue() if action is None else self._action(action))
        return m.Script(instructions=tuple(instructions), warnings=self._remarks.all())

    def _instruction(self, value: object, path: str) -> m.Instruction:
        given = _object(value, path)
        match _name(given, path):
            case "startrecording":
                self._unknown(given, f"{path}.", {"name", "options"})
                options = self._options(given.get("options"), f"{path}.options")
                return m.StartRecording(recording=m.Recording(options=options))
            case "stoprecording":
                self._unknown(given, f"{path}.", {"name"})
                return m.StopRecording()
            case _:
                return m.Unsupported(verb=rules.bare(given["name"]), why=_NOT_HERE)

    def _action(self, value: object) -> m.Instruction:
        given = _object(value, "action")
        name = _name(given, "action")
        if name not in self._actions:
            return m.Unsupported(verb=rules.bare(given["name"]), why=_NOT_HERE)
        match name:
            case "hangup" | "continue":
                self._unknown(given, "action.", {"name"})
                return m.Hangup() if name == "hangup" else m.Continue()
            case "connectpstn":
                return self._connect(given, _number(given), {"number", "dialTimeout"})
            case "connectmxp":
                return self._connect(given, _user(given), {"destination"})
            case _:
                return self._connect(given, _sip(given), {"destination"})

    def _connect(self, given: Object, target: m.Target | None, more: set[str]) -> m.Dial:
        self._unknown(given, "action.", {"name", "cli", "maxDuration", "record", "recordingOptions"} | more)
        return m.Dial(
            targets=() if target is None else (target,),
            caller_id=_checked(_text(given, "cli", "action"), "action.cli", rules.caller_id),
            timeout_s=_whole(given, "dialTimeout", "action", 1, 600, 30),
            time_limit_s=_whole(given, "maxDuration", "action", 1, 14_400, 14_400),
            recording=self._recording(given),
        )

    def _recording(self, given: Object) -> m.Recording | None:
        record = given.get("record", False)
        if not isinstance(record, bool):
            raise _wrong("action.record", "expected true or false")
        if "recordingOptions" not in given:
            if record:
                raise InstructionError(
                    "action.recordingOptions: missing; required with record", code=MISSING_PARAMETER
                )
            return None
        options = self._options(given["recordingOptions"], "action.recordingOptions")
        return m.Recording(options=options) if record else None

    def _options(self, value: object, path: str) -> RecordingOptions:
        if value is None:
            raise InstructionError(f"{path}: missing", code=MISSING_PARAMETER)
        options, unknown = read_recording_options(value)
        for key in unknown:
            self._warn(f"{path}.{rules.bare(key)}")
        if options.transcription is not None and options.transcription.enabled:
            self._warn(f"{path}.transcriptionOptions")
        return options

    def _unknown(self, given: Object, path: str, known: set[str]) -> None:
        for key in sorted(set(given) - known):
            self._warn(path + rules.bare(key))

    def _warn(self, path: str) -> None:
        self._remarks.add(f"{path}: {_NOT_HERE}")


def _number(given: Object) -> m.Number | None:
    digits = _checked(_text(given, "number", "action"), "action.number", rules.phone_number)
    return m.Number(digits=digits) if digits else None


def _user(given: Object) -> m.User | None:
    if given.get("destination") is None:
        return None
    name = _checked(_endpoint(given), _ENDPOINT, rules.caller_id)
    if name is None:
        raise _wrong(_ENDPOINT, "missing")
    return m.User(name=name)


def _sip(given: Object) -> m.SipTarget:
    endpoint = _endpoint(given)
    uri = endpoint if re.match(r"(?i:sips?):", endpoint) else f"sip:{endpoint}"
    return m.SipTarget(uri=_checked(uri, _ENDPOINT, rules.sip_uri) or "")


def _checked(text: str, path: str, rule: Callable[[str], str]) -> str | None:
    """What the rule makes of it; None when there is nothing."""
    if not text:
        return None
    try:
        return rule(text)
    except InstructionError as error:
        raise _wrong(path, str(error)) from None


def _endpoint(given: Object) -> str:
    destination = _object(given.get("destination"), "action.destination")
    return _text(destination, "endpoint", "action.destination")


def _object(value: object, path: str) -> Object:
    if not isinstance(value, Mapping):
        raise _wrong(path, "expected an object")
    return value


def _name(given: Object, path: str) -> str:
    name: Any = given.get("name")
    if not isinstance(name, str) or not name:
        raise _wrong(f"{path}.name", "expected a name")
    return name.lower()


def _text(given: Object, key: str, path: str) -> str:
    value = given.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{path}.{key}", "expected a string")
    return value


def _whole(given: Object, key: str, path: str, low: int, high: int, default: int) -> int:
    value = given.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(f"{path}.{key}", f"expected a whole number from {low} to {high}")
    return value


def _wrong(path: str, what: str) -> InstructionError:
    return InstructionError(f"{path}: {what}", code=INVALID_PARAMETER)


_LIVE: Final = frozenset({"hangup", "continue"})
_INCOMING: Final = _LIVE | {"connectpstn", "connectmxp", "connectsip"}
_NOT_HERE: Final = "not carried out by this daemon"
_ENDPOINT: Final = "action.destination.endpoint"
