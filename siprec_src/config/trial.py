"""Which rule would decide on a call that somebody describes: ``siprec-src check --call``."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

from siprec_src.communication import (
    CallDirection,
    CommunicationSession,
    Name,
    Participant,
    Preference,
    Side,
)
from siprec_src.config.checks import Config
from siprec_src.config.example import assignment
from siprec_src.errors import ConfigurationError, RemoteProtocolError
from siprec_src.machine import WallClock
from siprec_src.recording.copies import TRACKS, copies_of
from siprec_src.recording.rules import CallFacts, Verdict, decided, facts_of, judge
from siprec_src.sip.parameters import is_token
from siprec_src.sip.uri import parse_uri
from siprec_src.values import immutable

KEYS: Final = ("from", "to", "trunk", "direction", "at", "session")
_HEADER: Final = "header."
_SESSION_OCTETS: Final = 16
_TRACKS: Final = {track: name.value for name, track in TRACKS.items()}


@immutable
class Described:
    """A call that does not exist."""

    call: CommunicationSession
    facts: CallFacts


def described(words: Iterable[str], config: Config, now: dt.datetime) -> Described:
    """The call of ``from=… to=… trunk=… direction=… at=… session=… header.NAME=…``, each where it is said.

    Raises:
        ConfigurationError: a word that is none of these, or has an unusable value.
    """
    said: dict[str, str] = {}
    fields: list[tuple[str, str]] = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key.startswith(_HEADER) and is_token(key.removeprefix(_HEADER)):
            fields.append((key.removeprefix(_HEADER), value))
        elif equals and key in KEYS and key not in said:
            said[key] = value
        else:
            expected = ", ".join(f"{known}=" for known in KEYS)
            raise ConfigurationError(
                f"{word[:64]!r}: expected each of {expected} once at most, or {_HEADER}NAME="
            )
    trunk, direction = _trunk(said, config)
    parties = {Side.CALLER: _uri(said.get("from")), Side.CALLEE: _uri(said.get("to"))}
    call = CommunicationSession(
        call=0,
        session_id=_session(said.get("session")),
        group_id=bytes(_SESSION_OCTETS),
        participants=tuple(
            Participant(participant_id=uri.encode(), side=side, names=(Name(aor=uri),), joined=0.0)
            for side, uri in parties.items()
        ),
        streams=(),
        started=0.0,
        trunk=trunk,
        direction=direction,
        headers=(
            ("From", f"<{parties[Side.CALLER]}>"),
            ("To", f"<{parties[Side.CALLEE]}>"),
            *fields,
        ),
    )
    at = _at(said["at"]) if "at" in said else now
    facts = dataclasses.replace(facts_of(call, WallClock(at.timestamp())), at=at)
    if "session" not in said:
        facts = dataclasses.replace(facts, share=None)
    return Described(call=call, facts=facts)


def tried(described: Described, config: Config) -> dict[str, Any]:
    """Every rule with what becomes of it, and what would be recorded where."""
    call, facts = described.call, described.facts
    verdict = judge(config.rules, facts)
    decision = decided(verdict.winner, call, config.targets)
    obstacle = decision.unrecorded(Preference.NONE, automatic=config.recording.automatic)
    distribution = decision.distribution or config.recording.distribution
    copies = copies_of(decision.targets, distribution, 0)
    return {
        "call": {
            "from": str(facts.caller[0]),
            "to": str(facts.callee[0]),
            "trunk": facts.trunk,
            "direction": facts.direction.value,
            "at": facts.at.isoformat(),
        },
        "rules": _rules(verdict, facts),
        "rule": decision.rule,
        "record": decision.record.value,
        "recorded": not obstacle,
        "reason": obstacle,
        "policy": "required" if decision.required else "best-effort",
        "connector": verdict.winner.connector if verdict.winner is not None else "",
        "parameters": dict(next((target.config.parameters for target in decision.targets), ())),
        "copies": [
            {
                "copy": copy.name,
                "srs": [target.name for target in copy.targets],
                "tracks": [_TRACKS[target.config.track] for target in copy.targets],
            }
            for copy in (() if obstacle else copies)
        ],
    }


def as_text(trial: dict[str, Any]) -> str:
    """The same for a person."""
    call = trial["call"]
    lines = [
        f"from {call['from']} to {call['to']} by trunk {call['trunk'] or '(none)'}, {call['direction']}, "
        f"at {call['at']}"
    ]
    for rule in trial["rules"]:
        mark = "*" if rule["name"] == trial["rule"] else " "
        condition = f": {rule['condition']}" if rule["condition"] else ""
        lines.append(f"{mark} {rule['name']} ({rule['record']}): {rule['why']}{condition}")
    if not trial["rule"]:
        lines.append("  no rule decides: automatic of [recording] does")
    if not trial["recorded"]:
        return "\n".join([*lines, f"not recorded: {trial['reason']}"])
    for copy in trial["copies"]:
        asked = ", else ".join(
            f"{srs} ({tracks})" for srs, tracks in zip(copy["srs"], copy["tracks"], strict=True)
        )
        via = f", connector {trial['connector']}" if trial["connector"] else ""
        own = f", copy {copy['copy']}" if copy["copy"] and not via else ""
        lines.append(f"recorded at {asked}{via or own}")
    told = ", ".join(f"{name}={value}" for name, value in trial["parameters"].items())
    lines.append(f"policy {trial['policy']}" + (f", parameters {told}" if told else ""))
    return "\n".join(lines)


def _rules(verdict: Verdict, facts: CallFacts) -> list[dict[str, Any]]:
    found = []
    for rule, failed in zip(verdict.rules, verdict.failed, strict=True):
        why, condition = verdict.why(rule), assignment(failed, getattr(rule, failed)) if failed else ""
        if failed == "time":
            condition += f" ({rule.time_zone})"
        if not failed and facts.share is None and 0 < rule.percentage < 100:
            why += f"; holds for {rule.percentage:g} % of such calls"
        found.append(
            {
                "name": rule.name,
                "record": rule.record.value,
                "holds": not failed,
                "why": why,
                "condition": condition,
            }
        )
    return found


def _trunk(said: dict[str, str], config: Config) -> tuple[str, CallDirection]:
    """By which trunk the call comes, the only one where it is not said, and which way it goes."""
    named = said.get("trunk", config.trunks[0].name if len(config.trunks) == 1 else "")
    known = {trunk.name: trunk.direction for trunk in config.trunks}
    if named and named not in known:
        raise ConfigurationError(f"trunk={named}: expected one of {', '.join(known)}")
    if "direction" not in said:
        return named, known.get(named, CallDirection.INBOUND)
    try:
        return named, CallDirection(said["direction"])
    except ValueError:
        raise ConfigurationError(f"direction={said['direction']}: expected inbound or outbound") from None


def _uri(text: str | None) -> str:
    """A URI, user and host, or a number or user alone; without one nobody knows who it is."""
    text = text or "anonymous@anonymous.invalid"
    uri = text if text.lower().startswith(("sip:", "sips:", "tel:")) else f"sip:{text}"
    if ":" not in text and "@" not in text:
        uri += "@unknown.invalid"
    try:
        return str(parse_uri(uri))
    except RemoteProtocolError as error:
        raise ConfigurationError(f"{text[:64]!r}: {error}") from error


def _at(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not dt.MINYEAR < at.year < dt.MAXYEAR:  # other zones are near
        raise ConfigurationError(f"at={text[:64]}: expected a time such as 2026-11-21T10:00+01:00")
    return at


def _session(text: str | None) -> bytes:
    """The id as metadata and log say it."""
    try:
        octets = base64.b64decode(text or "", validate=True) or bytes(_SESSION_OCTETS)
    except binascii.Error:
        octets = b""
    if len(octets) != _SESSION_OCTETS:
        raise ConfigurationError("session=: expected the session id of a call as the log says it")
    return octets
