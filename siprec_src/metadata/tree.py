"""XML from the network as a small tree: bounded, without DTD, entities or anything external."""

from __future__ import annotations

import dataclasses
from typing import Any, Final
from xml.parsers import expat

from siprec_src.errors import RemoteProtocolError

MAX_DOCUMENT_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 20_000
MAX_ATTRIBUTES: Final = 32  #: of one element

_BOM: Final = b"\xef\xbb\xbf"


@dataclasses.dataclass(slots=True, eq=False)
class Element:
    """One element; ``namespace`` is "" where it has none."""

    namespace: str
    name: str
    attributes: dict[str, str]  #: ``namespace name`` where one is prefixed, else the bare name
    children: list[Element] = dataclasses.field(default_factory=list)
    text: str = ""  #: its own character data, without that of its children


def parse_tree(data: bytes) -> Element:
    """Read one document; a BOM and blank lines before it are forgiven.

    Raises:
        RemoteProtocolError: 400; not well-formed, with a DTD, or beyond a limit.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise _error(f"longer than {MAX_DOCUMENT_BYTES} bytes")
    builder = _Builder()
    try:
        builder.parser().Parse(data.lstrip().removeprefix(_BOM).lstrip(), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _error("not well-formed XML") from error
    if builder.root is None:
        raise _error("no root element")
    return builder.root


class _Builder:
    """Receives expat's events."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self._elements = 0

    def parser(self) -> expat.XMLParserType:
        """A parser that calls this builder, which knows nothing of it: the two are no circle."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        return parser

    def _start(self, full_name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        over = self._elements > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH
        if over or len(attributes) > MAX_ATTRIBUTES:
            raise _error("too many or too deep elements")
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
        raise _error("document type declarations are refused")


def _error(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"metadata: {what}", status=400, section="RFC 7865 5.1")
