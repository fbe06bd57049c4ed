"""Metadata documents against the schema of RFC 7865 9."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from lxml import etree  # type: ignore[import-untyped]

from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata.validate import check_metadata
from tests.support.metadata import NS
from tests.support.reference import REFERENCE, reference_path


def assert_valid(document: bytes) -> None:
    """Fail unless the document is valid: by our own check, and by the schema where that is at hand."""
    try:
        check_metadata(document)
    except RemoteProtocolError as error:
        raise AssertionError(f"{error}\n{document.decode()}") from error  # which no machine catches
    if not (REFERENCE / "schema" / "rs-metadata.xsd").exists():
        return
    schema = _schema()
    valid = schema.validate(etree.fromstring(document))
    assert valid, f"{schema.error_log}\n{document.decode()}"


def is_valid(document: bytes) -> bool:
    """Whether the schema accepts the document."""
    reference_path("schema", "rs-metadata.xsd")
    return bool(_schema().validate(etree.fromstring(document)))


class History:
    """The documents that one recording session has had, each checked against those before it."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}  #: what each id names

    def take(self, document: bytes) -> None:
        """Fail unless it is valid, first complete, refers to what is declared, and no id means two things."""
        assert_valid(document)
        root = ElementTree.fromstring(document)
        partial = root.findtext(f"{NS}datamode") == "partial"
        assert self._kinds or not partial, "the first document is partial"
        declared = [
            (element.attrib[f"{kind}_id"], kind) for kind in _KINDS for element in root.findall(f"{NS}{kind}")
        ]
        assert len({identifier for identifier, _ in declared}) == len(declared), "an id is declared twice"
        for identifier, kind in declared:
            assert self._kinds.setdefault(identifier, kind) == kind, f"{identifier} named something else"
        known = self._kinds if partial else dict(declared)
        for identifier, kind in _references(root):
            assert known.get(identifier) == kind, f"{identifier} is no {kind} that was declared"


class Sessions:
    """The documents in the messages of several recording sessions, found without the code under test."""

    def __init__(self) -> None:
        self._histories: defaultdict[str, History] = defaultdict(History)

    def take(self, call_id: str, body: bytes) -> None:
        """Fail unless every document in ``body`` is good after those of the same session before it."""
        for document in _DOCUMENT.findall(body):
            self._histories[call_id].take(document)


def _references(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    yield from ((element.text or "", "group") for element in root.iter(f"{NS}group-ref"))
    yield from (
        (element.text or "", "stream") for name in ("send", "recv") for element in root.iter(NS + name)
    )
    for element in root:
        for kind in _KINDS:
            if element.tag != f"{NS}{kind}" and f"{kind}_id" in element.attrib:
                yield element.attrib[f"{kind}_id"], kind


_DOCUMENT: Final = re.compile(rb"<\?xml[^>]*\?>\s*<recording[\s>].*?</recording>", re.DOTALL)
_KINDS: Final = ("group", "session", "participant", "stream")


@functools.cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(reference_path("schema", "rs-metadata.xsd"))))
