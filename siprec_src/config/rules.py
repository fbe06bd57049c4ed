"""The rules: which calls are recorded, with all that they name looked up."""

from __future__ import annotations

import dataclasses
import datetime as dt
import zoneinfo

from siprec_src.config.lines import KeyPath
from siprec_src.config.sources import Problems, suggestion
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.routing import Trunk
from siprec_src.recording.connector import Connector, Connectors
from siprec_src.recording.copies import tailored
from siprec_src.recording.rule import Rule, listed
from siprec_src.recording.srs import SrsTarget


def build_rules(
    given: tuple[Rule | None, ...],
    trunks: tuple[Trunk, ...],
    targets: tuple[SrsTarget, ...],
    connectors: Connectors,
    problems: Problems,
) -> tuple[Rule, ...]:
    """The rules in their order, each with a name and its time zone; broken ones are left out."""
    rules: list[Rule] = []
    known = [trunk.name for trunk in trunks]
    for number, rule in enumerate(given):
        path: KeyPath = ("rule", number)
        if rule is None:
            continue
        name = rule.name or f"rule {number + 1}"
        if any(name == other.name for other in rules):
            problems.add((*path, "name"), f"rule {name!r} is there already")
        for trunk in listed(rule.trunk):
            if trunk not in known:
                problems.add((*path, "trunk"), f"no trunk {trunk!r}{suggestion(trunk, known)}")
        via = _connector(rule, path, connectors, problems)
        _check_parameters(rule, path, targets if via is None else via.targets, problems)
        if rule.record.wants and not (rule.connector or targets or problems.found):
            problems.add((*path, "connector"), "missing: there is no [[srs]] to record at")
        zone = _zone(rule.time_zone, path, problems)
        rules.append(dataclasses.replace(rule, name=name, zone=zone, via=via))
    return tuple(rules)


def _connector(rule: Rule, path: KeyPath, connectors: Connectors, problems: Problems) -> Connector | None:
    found = connectors.find(rule.connector) if rule.connector else None
    if rule.connector and found is None:
        hint = suggestion(rule.connector, [connector.name for connector in connectors.every])
        problems.add((*path, "connector"), f"no connector {rule.connector!r} that calls may use{hint}")
    return found


def _check_parameters(rule: Rule, path: KeyPath, targets: tuple[SrsTarget, ...], problems: Problems) -> None:
    """Those that an SRS gets as header fields too can be such."""
    try:
        tailored(targets, None, parameters=tuple(rule.parameters.items()))
    except ConfigurationError as error:
        problems.blame(path, error)


def _zone(name: str, path: KeyPath, problems: Problems) -> dt.tzinfo:
    """Read once, so that no call waits for a file."""
    if name == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        problems.add((*path, "time_zone"), f"this system knows no time zone {name[:64]!r}")
        return dt.UTC
