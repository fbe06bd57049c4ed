"""Reading what recording clients really send, and refusing what is hostile or wrong."""

from __future__ import annotations

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.metadata import model as m
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.tree import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS
from siprec_src.metadata.validate import check_metadata
from siprec_src.sip.body import find, split_body
from siprec_src.sip.message import Request
from siprec_src.sip.parser import parse_datagram
from tests.support.reference import reference_files
from tests.support.schema import is_valid

HEAD = b'<recording xmlns="urn:ietf:params:xml:ns:recording:1">'
ID = "AQEBAQEBAQEBAQEBAQEBAQ=="


def recording_of(data: bytes) -> m.Recording:
    found = read_metadata(data)
    assert isinstance(found, m.Recording)
    return found


@pytest.mark.rfc("7865", "9")
@pytest.mark.req("MD-35")
def test_every_example_of_the_rfcs_and_of_vendors_is_read() -> None:
    for path in reference_files("examples", pattern="**/*.xml"):
        assert isinstance(read_metadata(path.read_bytes()), m.Recording | m.SnapshotRequest), path


@pytest.mark.rfc("7866", "9")
@pytest.mark.req("MD-35", "BOD-02", "BOD-07")
def test_the_metadata_of_every_example_message_is_found_and_read() -> None:
    for path in reference_files("examples", "wire", pattern="*.sip"):
        message = parse_datagram(path.read_bytes())
        assert isinstance(message, Request), path
        part = find(split_body(message), "application/rs-metadata+xml", "application/rs-metadata")
        assert (part is None) == (
            b"<recording" not in message.body and b"<requestsnapshot" not in message.body
        )
        if part is not None:
            assert isinstance(read_metadata(part.content), m.Recording | m.SnapshotRequest), path
            check_metadata(part.content)


@pytest.mark.rfc("7865", "9")
@pytest.mark.req("MD-05", "MD-06", "MD-09", "MD-16", "MD-21")
def test_wrong_documents_are_refused_by_the_own_check_as_by_the_schema() -> None:
    for path in reference_files("examples", "negative", pattern="*.xml"):
        assert not is_valid(path.read_bytes()), path
        with pytest.raises(RemoteProtocolError) as caught:
            check_metadata(path.read_bytes())
        assert caught.value.section.startswith("RFC 7865"), path


@pytest.mark.rfc("7865", "9")
def test_own_check_and_schema_agree_on_every_example_of_the_rfcs() -> None:
    for folder in ("rfc7865", "rfc8068"):
        for path in reference_files("examples", folder, pattern="*.xml"):
            assert is_valid(path.read_bytes()), path
            check_metadata(path.read_bytes())


@pytest.mark.rfc("7865", "9")
def test_own_check_accepts_no_vendor_document_that_the_schema_refuses() -> None:
    for path in reference_files("examples", "vendor", pattern="*.xml"):
        if not is_valid(path.read_bytes()):
            with pytest.raises(RemoteProtocolError):
                check_metadata(path.read_bytes())


@pytest.mark.req("MD-04")
@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", m.DataMode.COMPLETE),
        ("<datamode>partial</datamode>", m.DataMode.PARTIAL),
        ("<dataMode> partial </dataMode>", m.DataMode.PARTIAL),
        ("<datamode>complete</datamode>", m.DataMode.COMPLETE),
        ("<datamode>other</datamode>", m.DataMode.COMPLETE),
    ],
)
def test_absent_data_mode_means_complete(text: str, mode: m.DataMode) -> None:
    assert recording_of(HEAD + text.encode() + b"</recording>").mode is mode


@pytest.mark.req("BOD-11")
def test_bom_blank_lines_and_declared_encodings_are_read() -> None:
    body = HEAD + b"</recording>"
    for data in (
        b"\xef\xbb\xbf" + body,
        b"\r\n\r\n" + body,
        b'\n\xef\xbb\xbf<?xml version="1.0"?>\r\n' + body,
    ):
        assert recording_of(data) == m.Recording()


@pytest.mark.req("MD-61")
@pytest.mark.parametrize("label", ["1", "96", "16777227", "a_leg", "ä"])
def test_labels_are_opaque(label: str) -> None:
    data = HEAD + f'<stream stream_id="{ID}"><label> {label}\n</label></stream></recording>'.encode()
    assert recording_of(data).streams[0].label == label


@pytest.mark.req("MD-29")
def test_empty_recording_is_valid() -> None:
    check_metadata(HEAD + b"</recording>")


@pytest.mark.rfc("7865", "5.1")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 40,
        b"<recording",
        b"<html/>",
        b'<!DOCTYPE r [<!ENTITY a "b">]><recording>&a;</recording>',
        b'<!DOCTYPE recording SYSTEM "http://evil.example/x.dtd"><recording/>',
        b'<?xml version="1.0" encoding="no-such"?><recording/>',
        b'<?xml version="1.0" encoding="big5"?><recording/>',
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<recording>" + b"<a/>" * (MAX_ELEMENTS + 1) + b"</recording>",
        b"<recording " + b" ".join(b'a%d=""' % n for n in range(40)) + b"/>",
        b"<recording>" + b" " * MAX_DOCUMENT_BYTES + b"</recording>",
    ],
)
def test_hostile_xml_is_refused_with_400(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_metadata(data)
    assert caught.value.status == 400


@pytest.mark.rfc("7865", "6.10")
@pytest.mark.req("MD-16", "MD-19", "MD-25")
@pytest.mark.parametrize(
    "inner",
    [
        f'<stream stream_id="{ID}"><label>1</label></stream><stream stream_id="x"/>',
        '<stream stream_id=""/>',
        "<stream/>",
        f'<stream stream_id="{ID}" session_id="{ID}"/>',
        f'<session session_id="{ID}"/><participant participant_id="{ID}"><nameID aor="sip:a"/></participant>',
        f'<participant participant_id="{ID}"/>',
        f'<participant participant_id="{ID}"><nameID/></participant>',
        f'<sessionrecordingassoc session_id="{ID}"/>',
        f'<stream stream_id="{ID}"/><session session_id="{ID}"/>',
        f'<session session_id="{ID}"><start-time>2026-01-01T00:00:00</start-time></session>',
        f'<session session_id="{ID}"><reason cause="99999"/></session>',
        f'<session session_id="{ID}">text</session>',
        '<x xmlns=""/>',
    ],
)
def test_own_check_refuses(inner: str) -> None:
    with pytest.raises(RemoteProtocolError):
        check_metadata(HEAD + inner.encode() + b"</recording>")


@pytest.mark.rfc("7865", "6.7.1")
@pytest.mark.req("BOD-12", "MD-25")
def test_labels_are_unique_and_defined_in_the_same_message() -> None:
    other = "AgICAgICAgICAgICAgICAg=="
    one = f'<stream stream_id="{ID}"><label>1</label></stream>'
    same = f'<stream stream_id="{other}"><label>1</label></stream>'
    check_metadata(HEAD + one.encode() + b"</recording>", labels={"1", "2"})
    for inner, labels in ((one, {"2"}), (one + same, {"1"})):
        with pytest.raises(RemoteProtocolError):
            check_metadata(HEAD + inner.encode() + b"</recording>", labels=labels)
