"""What a metadata document says of who sends and receives what, read without the code under test."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

NS = "{urn:ietf:params:xml:ns:recording:1}"

Labels = Mapping[str, list[str]]  #: address of record → labels


def directions(document: bytes) -> tuple[Labels, Labels]:
    """Labels that each participant sends, and receives (RFC 7865 6.8)."""
    tree = ElementTree.fromstring(document)
    labels = {s.get("stream_id"): s.findtext(f"{NS}label") or "" for s in tree.iter(f"{NS}stream")}
    names = {p.get("participant_id"): p.find(f"{NS}nameID") for p in tree.iter(f"{NS}participant")}
    sends: dict[str, list[str]] = {}
    receives: dict[str, list[str]] = {}
    for association in tree.iter(f"{NS}participantstreamassoc"):
        name = names[association.get("participant_id")]
        assert name is not None
        sends[name.attrib["aor"]] = [labels[e.text] for e in association.iter(f"{NS}send")]
        receives[name.attrib["aor"]] = [labels[e.text] for e in association.iter(f"{NS}recv")]
    return sends, receives
