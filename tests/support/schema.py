"""Metadata documents against the schema of RFC 7865 9."""

from __future__ import annotations

import functools

from lxml import etree  # type: ignore[import-untyped]

from siprec_src.metadata.validate import check_metadata
from tests.support.reference import REFERENCE, reference_path


def assert_valid(document: bytes) -> None:
    """Fail unless the document is valid: by our own check, and by the schema where that is at hand."""
    check_metadata(document)
    if not (REFERENCE / "schema" / "rs-metadata.xsd").exists():
        return
    schema = _schema()
    valid = schema.validate(etree.fromstring(document))
    assert valid, f"{schema.error_log}\n{document.decode()}"


def is_valid(document: bytes) -> bool:
    """Whether the schema accepts the document."""
    reference_path("schema", "rs-metadata.xsd")
    return bool(_schema().validate(etree.fromstring(document)))


@functools.cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(reference_path("schema", "rs-metadata.xsd"))))
