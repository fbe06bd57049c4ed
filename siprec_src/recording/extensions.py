"""Extension data: what one SRS wants to find in the metadata beyond the standard (RFC 7865 9).

Elements of a foreign namespace, filled in from the call, at the end of the element that they belong to:
nowhere else does the schema take them.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from siprec_src.communication import CommunicationSession, Participant
from siprec_src.errors import ConfigurationError
from siprec_src.metadata import model as m
from siprec_src.recording.templates import Facts, Template, constants_of, fill, parse_template
from siprec_src.values import immutable

MAX_EXTENSIONS: Final = 32
PARAMETERS: Final = "urn:x-siprec-src:parameters"  #: namespace of the custom parameters of a copy


class At(enum.Enum):
    """The element that an extension stands in."""

    SESSION = "session"
    GROUP = "group"
    PARTICIPANT = "participant"  #: in each of them, with ``{party.…}`` of that one
    RECORDING = "recording"


@immutable
class ExtensionConfig:
    """One element. What has nothing to say is left out: a field, and an element without any."""

    at: At
    namespace: str  #: a URI, not that of RFC 7865
    element: str
    prefix: str = ""
    text: str = ""  #: a template; or else
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)  #: names and templates, in order

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 -- read by pydantic, never changed

    def __post_init__(self) -> None:
        foreign = bool(_URI.fullmatch(self.namespace)) and not self.namespace.startswith(_OWN)
        _require(foreign, "namespace: expected a URI of your own or of your recorder")
        for name in (self.element, *self.fields, *([self.prefix] if self.prefix else [])):
            sound = _NAME.fullmatch(name) is not None and not name.lower().startswith("xml")
            _require(sound, f"{name[:64]!r} is no name of an XML element or prefix")
        _require(bool(self.text) != bool(self.fields), "expected either text or fields")
        for template in (self.text, *self.fields.values()):
            self.template(template)

    def template(self, text: str) -> Template:
        return parse_template(text, of_party=self.at is At.PARTICIPANT)

    @property
    def constants(self) -> frozenset[str]:
        """The operator's own values that it needs."""
        return frozenset().union(
            *(constants_of(self.template(t)) for t in (self.text, *self.fields.values()))
        )


Entry = str | ExtensionConfig  #: the name of a set, or an element


def configured(entries: Iterable[Entry]) -> tuple[ExtensionConfig, ...]:
    """The elements, with those of the sets that are named.

    Raises:
        ConfigurationError: there is no such set, or there are too many elements.
    """
    found: list[ExtensionConfig] = []
    for entry in entries:
        if isinstance(entry, ExtensionConfig):
            found.append(entry)
        elif entry in SETS:
            found.extend(SETS[entry])
        else:
            raise ConfigurationError(
                f"unknown set {entry[:64]!r}; expected a table, or one of {', '.join(SETS)}"
            )
    _require(len(found) <= MAX_EXTENSIONS, f"more than {MAX_EXTENSIONS} elements")
    return tuple(found)


def check_texts(
    headers: Iterable[tuple[str, str]], entries: Iterable[Entry], values: Mapping[str, str]
) -> None:
    """Every placeholder of an SRS is known, and has a value where the operator must give it.

    Raises:
        ConfigurationError: its text begins with the key.
    """
    wanted: dict[str, str] = {}
    for name, text in headers:
        try:
            wanted.update(dict.fromkeys(constants_of(parse_template(text)), "headers"))
        except ConfigurationError as error:
            raise ConfigurationError(f"headers: {name}: {error}") from error
    try:
        for element in configured(entries):
            wanted.update(dict.fromkeys(element.constants, "extensions"))
    except ConfigurationError as error:
        raise ConfigurationError(f"extensions: {error}") from error
    for name, key in wanted.items():
        _require(bool(values.get(name)), f"values: {name!r} is missing; {key} asks for it")


def extended(
    recording: m.Recording,
    entries: Iterable[Entry],
    call: CommunicationSession,
    values: Mapping[str, str],
) -> m.Recording:
    """The document with its extension data."""
    elements = configured(entries)
    if not elements:
        return recording
    parties = {party.participant_id: party for party in call.participants}

    def of(at: At, party: Participant | None = None) -> tuple[m.Extension, ...]:
        facts = Facts(call=call, values=values, party=party)
        return tuple(_written(elements, at, facts))

    return dataclasses.replace(
        recording,
        groups=tuple(dataclasses.replace(g, extensions=of(At.GROUP)) for g in recording.groups),
        sessions=tuple(dataclasses.replace(s, extensions=of(At.SESSION)) for s in recording.sessions),
        participants=tuple(
            dataclasses.replace(p, extensions=of(At.PARTICIPANT, parties.get(p.participant_id)))
            for p in recording.participants
        ),
        extensions=of(At.RECORDING),
    )


def with_parameters(recording: m.Recording, parameters: tuple[tuple[str, str], ...]) -> m.Recording:
    """The document with the custom parameters of its copy, in each session that it tells of."""
    if not parameters:
        return recording
    element = m.Extension(namespace=PARAMETERS, name="parameters", parameters=parameters)
    sessions = (dataclasses.replace(s, extensions=(*s.extensions, element)) for s in recording.sessions)
    return dataclasses.replace(recording, sessions=tuple(sessions))


def _written(elements: Iterable[ExtensionConfig], at: At, facts: Facts) -> Iterator[m.Extension]:
    for element in elements:
        if element.at is not at:
            continue
        text = fill(element.template(element.text), facts)
        filled = ((name, fill(element.template(value), facts)) for name, value in element.fields.items())
        fields = tuple((name, value) for name, value in filled if value)
        if text or fields:
            yield m.Extension(
                namespace=element.namespace,
                name=element.element,
                prefix=element.prefix,
                text=text,
                fields=fields,
            )


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigurationError(what)


_OWN: Final = "urn:ietf:params:xml:ns:recording"
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]{1,200}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_APKT: Final = "http://acmepacket.com/siprec/extensiondata"
_AMAZON: Final = "urn:x-siprec-src:amazon-connect"  # AWS documents the names alone

SETS: Final[Mapping[str, tuple[ExtensionConfig, ...]]] = {
    "apkt": (  # Oracle, "Sample Metadata"
        ExtensionConfig(
            at=At.SESSION,
            namespace=_APKT,
            prefix="apkt",
            element="extensiondata",
            fields={"ucid": "{header:User-to-User}"},
        ),
        ExtensionConfig(
            at=At.PARTICIPANT,
            namespace=_APKT,
            prefix="apkt",
            element="extensiondata",
            fields={"callingParty": "{party.is_caller}"},
        ),
    ),
    "callData": (  # Ribbon, "SIPREC Metadata Profile"
        ExtensionConfig(
            at=At.GROUP,
            namespace="urn:ietf:params:xml:ns:callData",
            element="callData",
            fields={"fromhdr": "{header:From}", "tohdr": "{header:To}", "callid": "{call_id}"},
        ),
    ),
    "audiocodes": (  # AudioCodes, "SIPREC with Avaya Equipment", "… with Genesys Equipment"
        ExtensionConfig(
            at=At.SESSION,
            namespace="urn:ietf:params:xml:ns:Avaya",
            prefix="ac",
            element="AvayaUCID",
            text="{ucid}",
        ),
        ExtensionConfig(
            at=At.SESSION,
            namespace="urn:ietf:params:xml:ns:Genesys",
            prefix="ac",
            element="GenesysUUID",
            text="{header:X-Genesys-CallUUID}",
        ),
    ),
    "amazon-connect": tuple(  # AWS, "Provide call metadata for Contact Lens integration"
        ExtensionConfig(
            at=At.SESSION, namespace=_AMAZON, prefix="amzn", element=name, text=f"{{header:X-{name}}}"
        )
        for name in ("AmznConnectAgentUserId", "AmznConnectQueueId", "AmznConnectParticipantOrder")
    ),
}
"""Sets of elements that recorders know, by the name under which configuration asks for them."""
