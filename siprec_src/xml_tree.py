"""XML from the network as a small tree: bounded, without DTD, entities or anything external."""

from __future__ import annotations

import dataclasses
from typing import Any, Final
from xml.parsers import expat

from siprec_src.errors import RemoteProtocolError
from siprec_src.values import immutable

_BOM: Final = b"\xef\xbb\xbf"


@immutable
class XmlLimits:
    """What one kind of document may be at most, and how its errors name it."""

    kind: str  #: begins the text of an error
    section: str  #: of the document that defines this kind
    document_bytes: int
    depth: int
    elements: int
    attributes: int = 32  #: of one element


@dataclasses.dataclass(slots=True, eq=False)
class Element:
    """One element; ``namespace`` is "" where it has none."""

    namespace: str
    name: str
    attributes: dict[str, str]  #: ``namespace name`` where one is prefixed, else the bare name
    children: list[Element] = dataclasses.field(default_factory=list)
    text: str = ""  #: its own character data, without that of its children


def parse_tree(data: bytes | str, limits: XmlLimits) -> Element:
    """Read one document; a BOM and blank lines before it are forgiven, of text any encoding it declares.

    Raises:
        RemoteProtocolError: 400; not well-formed, with a DTD, or beyond a limit.
    """
    builder = _Builder(limits)
    encoding = None
    if isinstance(data, str):
        data, encoding = data.encode("utf-8", "replace"), "utf-8"
    if len(data) > limits.document_bytes:
        raise builder.error(f"longer than {limits.document_bytes} bytes")
    try:
        builder.parser(encoding).Parse(data.lstrip().removeprefix(_BOM).lstrip(), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise builder.error("not well-formed XML") from error
    if builder.root is None:
        raise builder.error("no root element")
    return builder.root


class _Builder:
    """Receives expat's events."""

    def __init__(self, limits: XmlLimits) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self._elements = 0
        self._limits = limits

    def parser(self, encoding: str | None) -> expat.XMLParserType:
        """A parser that calls this builder, which knows nothing of it: the two are no circle."""
        parser = expat.ParserCreate(encoding, namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        return parser

    def _start(self, full_name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        limits = self._limits
        over = self._elements > limits.elements or len(self._open) >= limits.depth
        if over or len(attributes) > limits.attributes:
            raise self.error("too many or too deep elements")
        namespace, _, name = full_name.rpartition(" ")
        element = Element(namespace, name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.append([])

    def _end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._text.pop())

    def _characters(self, text: str) -> None:
        self._text[-1].append(text)

    def _doctype(self, *_: Any) -> None:
        raise self.error("document type declarations are refused")

    def error(self, what: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"{self._limits.kind}: {what}", status=400, section=self._limits.section)
