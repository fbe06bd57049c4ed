"""How much XML a metadata document may be (RFC 7865 5.1)."""

from __future__ import annotations

from typing import Final

from siprec_src.xml_tree import Element, XmlLimits, parse_tree

MAX_DOCUMENT_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 20_000

_LIMITS: Final = XmlLimits(
    kind="metadata",
    section="RFC 7865 5.1",
    document_bytes=MAX_DOCUMENT_BYTES,
    depth=MAX_DEPTH,
    elements=MAX_ELEMENTS,
)


def metadata_tree(data: bytes) -> Element:
    """The document as a tree. Raises RemoteProtocolError."""
    return parse_tree(data, _LIMITS)
