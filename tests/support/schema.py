"""Metadata documents against the schema of RFC 7865 9."""

from __future__ import annotations

import functools

from lxml import etree  # type: ignore[import-untyped]

from tests.support.reference import reference_path


def assert_valid(document: bytes) -> None:
    """Fail with the schema's words unless the document is valid; skips where the schema is absent."""
    reference_path("schema", "rs-metadata.xsd")
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
