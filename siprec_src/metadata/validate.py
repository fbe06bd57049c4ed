"""What the schema asks of a document, and what it cannot say: ids of a UUID, references that resolve.

RFC 7865 9 is the schema; 6.10 the ids, 6.9 the times, 6.7.1 the labels.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata.model import NAMESPACE
from siprec_src.metadata.tree import metadata_tree
from siprec_src.values import immutable
from siprec_src.xml_tree import Element

_ID_OCTETS: Final = 16
_UNBOUNDED: Final = 1 << 30
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance "
_XML: Final = "http://www.w3.org/XML/1998/namespace "
_TIME: Final = re.compile(  # RFC 3339 5.6, zone required by RFC 7865 6.9
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_SHORT: Final = re.compile(r"[+-]?[0-9]{1,5}")


@immutable(kw_only=False)
class _Shape:
    """An element type: its attributes, its children in order as (name, least, most), its text."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    children: tuple[tuple[str, int, int], ...] = ()
    text: Callable[[str], bool] | None = None  #: None: no text but white space
    open_ended: bool = True  #: elements of other namespaces may follow


def _is_id(text: str) -> bool:
    try:
        return len(base64.b64decode("".join(text.split()), validate=True)) == _ID_OCTETS
    except (binascii.Error, ValueError):
        return False


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text.strip()) is not None


def _is_mode(text: str) -> bool:
    return text in ("complete", "partial")


def _is_any(_text: str) -> bool:
    return True


_TIMES: Final = (("associate-time", 0, 1), ("disassociate-time", 0, 1))
_MANY: Final = _UNBOUNDED
_TIME_SHAPE: Final = _Shape(text=_is_time, open_ended=False)
_ID_SHAPE: Final = _Shape(text=_is_id, open_ended=False)
_SHAPES: Final[Mapping[str, _Shape]] = {
    "recording": _Shape(
        children=(
            ("datamode", 0, 1),
            ("group", 0, _MANY),
            ("session", 0, _MANY),
            ("participant", 0, _MANY),
            ("stream", 0, _MANY),
            ("sessionrecordingassoc", 0, _MANY),
            ("participantsessionassoc", 0, _MANY),
            ("participantstreamassoc", 0, _MANY),
        )
    ),
    "datamode": _Shape(text=_is_mode, open_ended=False),
    "group": _Shape(("group_id",), (), _TIMES),
    "session": _Shape(
        ("session_id",),
        (),
        (
            ("sipSessionID", 0, _MANY),
            ("reason", 0, _MANY),
            ("group-ref", 0, 1),
            ("start-time", 0, 1),
            ("stop-time", 0, 1),
        ),
    ),
    "sipSessionID": _Shape(text=_is_any, open_ended=False),
    "reason": _Shape(("cause",), ("protocol",), text=_is_any, open_ended=False),
    "participant": _Shape(("participant_id",), (), (("nameID", 1, _MANY),)),
    "nameID": _Shape(("aor",), (), (("name", 0, 1),), open_ended=False),
    "name": _Shape((), (_XML + "lang",), text=_is_any, open_ended=False),
    "stream": _Shape(("stream_id",), ("session_id",), (("label", 0, 1),)),
    "label": _Shape(text=_is_any, open_ended=False),
    "sessionrecordingassoc": _Shape(("session_id",), (), _TIMES),
    "participantsessionassoc": _Shape(("participant_id", "session_id"), (), (*_TIMES, ("param", 0, _MANY))),
    "param": _Shape(("pname", "pval"), open_ended=False),
    "participantstreamassoc": _Shape(
        ("participant_id",), (), (("send", 0, _MANY), ("recv", 0, _MANY), *_TIMES)
    ),
    "send": _ID_SHAPE,
    "recv": _ID_SHAPE,
    "group-ref": _ID_SHAPE,
    "associate-time": _TIME_SHAPE,
    "disassociate-time": _TIME_SHAPE,
    "start-time": _TIME_SHAPE,
    "stop-time": _TIME_SHAPE,
    "requestsnapshot": _Shape(children=(("requestreason", 0, 1),)),
    "requestreason": _Shape((), (_XML + "lang",), text=_is_any, open_ended=False),
}
_ID_ATTRIBUTES: Final = ("group_id", "session_id", "participant_id", "stream_id")


def check_metadata(data: bytes, labels: Collection[str] | None = None) -> None:
    """Refuse a document that breaks RFC 7865.

    Args:
        data: the octets of the document.
        labels: every ``a=label`` of the SDP in the same message; None: not compared.

    Raises:
        RemoteProtocolError: 400; says which element is wrong and how.
    """
    root = metadata_tree(data)
    if root.namespace != NAMESPACE or root.name not in ("recording", "requestsnapshot"):
        raise _error(f"root element {root.name[:40]!r} of {root.namespace[:60]!r}", "5.1.2")
    _check_element(root)
    if root.name == "recording":
        _check_labels(root, labels)
        if not _is_partial(root):
            _check_references(root)


def _check_element(element: Element) -> None:
    shape = _SHAPES[element.name]
    _check_attributes(element, shape)
    if not (shape.text(element.text) if shape.text else not element.text.strip()):
        raise _error(f"content of {element.name}", "9")
    _check_children(element, shape)


def _check_attributes(element: Element, shape: _Shape) -> None:
    known = {*shape.required, *shape.optional}
    missing = [name for name in shape.required if name not in element.attributes]
    strange = [n for n in element.attributes if n not in known and not n.startswith(_XSI)]
    if missing or strange:
        raise _error(f"attributes of {element.name}: {(missing or strange)[0][:60]!r}", "9")
    for name, value in element.attributes.items():
        if name in _ID_ATTRIBUTES and not _is_id(value):
            raise _error(f"{name} of {element.name} is not 16 octets in base64", "6.10")
    cause = element.attributes.get("cause", "0").strip()
    if not _SHORT.fullmatch(cause) or not -32768 <= int(cause) <= 32767:
        raise _error("cause is not a short integer", "9")


def _check_children(element: Element, shape: _Shape) -> None:
    names = [child.name for child in element.children if child.namespace == NAMESPACE]
    order = [name for name, _, _ in shape.children]
    last = -1
    foreign = False
    for child in element.children:
        if child.namespace != NAMESPACE:
            if not shape.open_ended or not child.namespace:
                raise _error(f"{child.name[:40]!r} in {element.name}", "9")
            foreign = True
            continue
        if foreign or child.name not in order or order.index(child.name) < last:
            raise _error(f"{child.name[:40]!r} at this place in {element.name}", "9")
        last = order.index(child.name)
        _check_element(child)
    for name, least, most in shape.children:
        if not least <= names.count(name) <= most:
            raise _error(f"number of {name} in {element.name}", "9")


def _check_labels(root: Element, allowed: Collection[str] | None) -> None:
    labels = [child.text for stream in _named(root, "stream") for child in _named(stream, "label")]
    if len(labels) != len(set(labels)):
        raise _error("two streams share a label", "6.7.1")
    if allowed is not None and not set(labels) <= set(allowed):
        raise _error("a label that no m-line of the message has", "6.7.1")


def _check_references(root: Element) -> None:
    """Every id that a complete document refers to is declared in it, once."""
    declared = {
        kind: _ids(root, kind, f"{kind}_id") for kind in ("group", "session", "participant", "stream")
    }
    every = [value for values in declared.values() for value in values]
    if len(every) != len(set(every)):
        raise _error("one id names two elements", "6.10")
    references = [
        *(("group", ref.text) for session in _named(root, "session") for ref in _named(session, "group-ref")),
        *(("session", value) for value in _ids(root, "stream", "session_id")),
        *(("session", value) for value in _ids(root, "sessionrecordingassoc", "session_id")),
        *(("session", value) for value in _ids(root, "participantsessionassoc", "session_id")),
        *(("participant", value) for value in _ids(root, "participantsessionassoc", "participant_id")),
        *(("participant", value) for value in _ids(root, "participantstreamassoc", "participant_id")),
        *(
            ("stream", reference.text)
            for assoc in _named(root, "participantstreamassoc")
            for kind in ("send", "recv")
            for reference in _named(assoc, kind)
        ),
    ]
    for kind, value in references:
        if value.strip() not in declared[kind]:
            raise _error(f"reference to an undeclared {kind}", "6.10")


def _is_partial(root: Element) -> bool:
    return any(child.text == "partial" for child in _named(root, "datamode"))


def _named(element: Element, name: str) -> list[Element]:
    return [child for child in element.children if child.name == name and child.namespace == NAMESPACE]


def _ids(root: Element, element: str, attribute: str) -> list[str]:
    found = [child.attributes.get(attribute, "").strip() for child in _named(root, element)]
    return [value for value in found if value]


def _error(what: str, section: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"metadata: {what}", status=400, section=f"RFC 7865 {section}")
