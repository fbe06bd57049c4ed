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


class Told:
    """One document by the names of its participants, whether it is one of ours or an RFC's."""

    def __init__(self, document: bytes, known: Told | None = None) -> None:
        """``known``: the complete document that a partial one refers to."""
        self._tree = ElementTree.fromstring(document)
        self._names: dict[str, str] = dict(known._names) if known is not None else {}
        for person in self._tree.iter(f"{NS}participant"):
            name = person.find(f"{NS}nameID")
            assert name is not None
            self._names[person.attrib["participant_id"]] = name.attrib["aor"].lower()

    @property
    def sessions(self) -> list[str]:
        return [item.attrib["session_id"] for item in self._tree.iter(f"{NS}session")]

    @property
    def groups(self) -> list[str]:
        return [item.attrib["group_id"] for item in self._tree.iter(f"{NS}group")]

    @property
    def sip_session_ids(self) -> list[str]:
        found = (item.text or "" for item in self._tree.iter(f"{NS}sipSessionID"))
        return ["".join(text.split()) for text in found]

    @property
    def people(self) -> dict[str, str]:
        """Address of record → participant id."""
        return {name: participant_id for participant_id, name in self._names.items()}

    @property
    def labels(self) -> list[str]:
        """Of the streams that have one."""
        found = (stream.findtext(f"{NS}label") for stream in self._tree.iter(f"{NS}stream"))
        return [label for label in found if label]

    @property
    def stopped(self) -> bool:
        return self._tree.find(f".//{NS}session/{NS}stop-time") is not None

    @property
    def present(self) -> dict[str, bool]:
        """Address of record → whether that participant is in the session still."""
        return {
            self._names[item.attrib["participant_id"]]: item.find(f"{NS}disassociate-time") is None
            for item in self._tree.iter(f"{NS}participantsessionassoc")
        }

    @property
    def parameters(self) -> dict[str, list[tuple[str, str]]]:
        """Address of record → capabilities (RFC 7865 6.6.1)."""
        return {
            self._names[item.attrib["participant_id"]]: [
                (param.attrib["pname"], param.attrib["pval"]) for param in item.iter(f"{NS}param")
            ]
            for item in self._tree.iter(f"{NS}participantsessionassoc")
        }

    @property
    def flows(self) -> dict[str, tuple[int, int]]:
        """Address of record → how many streams that participant sends and receives."""
        return {
            self._names[item.attrib["participant_id"]]: (
                len(item.findall(f"{NS}send")),
                len(item.findall(f"{NS}recv")),
            )
            for item in self._tree.iter(f"{NS}participantstreamassoc")
        }

    def sent(self, name: str) -> list[str]:
        """Ids of the streams that a participant sends."""
        return [
            stream.text or ""
            for item in self._tree.iter(f"{NS}participantstreamassoc")
            if self._names[item.attrib["participant_id"]] == name
            for stream in item.findall(f"{NS}send")
        ]

    def time(self, element: str, name: str, which: str) -> str | None:
        """``associate-time`` or ``disassociate-time`` of a participant in ``element``."""
        items = (
            i for i in self._tree.iter(f"{NS}{element}") if self._names[i.attrib["participant_id"]] == name
        )
        return next(items).findtext(f"{NS}{which}")
