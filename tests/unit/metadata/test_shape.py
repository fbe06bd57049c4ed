"""What may be told of a metadata document."""

from __future__ import annotations

from siprec_src.metadata.shape import shape_of


def test_elements_are_counted_and_nothing_of_their_content_is_told() -> None:
    document = (
        b'<?xml version="1.0"?><recording xmlns="urn:x"><participant participant_id="secret">'
        b'<nameID aor="sip:alice@x"><name>Alice &lt;b></name></nameID></participant><participant/>'
        b'<ac:ext xmlns:ac="y">4111</ac:ext></recording>'
    )
    told = f"{len(document)} bytes: recording 1, participant 2, nameID 1, name 1, ac:ext 1"
    assert shape_of(document) == told
