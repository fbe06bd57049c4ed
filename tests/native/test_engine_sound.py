"""What parties are let hear by the engine, in each law of G.711, against a table of our own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from siprec_src.media.model import Sound, Tone
from siprec_src.media.plane import Announce, Announced, PlayTone
from siprec_src.recorder import g711
from tests.native.engine_support import Call, read_rtp, rtp
from tests.native.site import Site

LAWS = [("PCMU", 0), ("PCMA", 8)]
EVERY_CODE = bytes(range(256))
SAMPLES: NDArray[np.int16] = np.tile(np.array([0, 20000, -20000, 300], dtype=np.int16), 80)


@pytest.fixture
def call(site: Site) -> Iterator[Call]:
    with site.engine(render=lambda _: SAMPLES.tobytes()) as engine:
        made = site.call(site.plane(engine))
        yield made
        made.close()


def check(law: str, heard: bytes, expected: NDArray[np.int32]) -> None:
    """Each sample is within half a step of G.711; what is beyond its loudest is that."""
    loudest = int(np.max(g711.decode(law, EVERY_CODE)))
    clipped = np.clip(expected, -loudest, loudest)
    off = np.abs(g711.decode(law, heard).astype(int) - clipped)
    assert np.all(off <= 8 + np.abs(clipped) / 32)


@pytest.mark.rfc("6341", "REQ-018")
@pytest.mark.parametrize(("law", "payload_type"), LAWS)
def test_a_tone_is_added_in_the_law_of_the_packet(call: Call, law: str, payload_type: int) -> None:
    tone = Tone(Sound(), 60_000, recorded=False)
    command = PlayTone(
        tag=call.plane.next_tag(),
        port=call.callee_port.port,
        tone=tone,
        payload_types=tuple((number, name) for name, number in LAWS),
    )
    call.plane.do(command)
    call.attach(payload_types=((payload_type, payload_type),))
    call.caller.send(rtp(1, payload_type=payload_type, payload=EVERY_CODE), call.caller_port)
    voice = g711.decode(law, EVERY_CODE).astype(np.int32)
    check(law, read_rtp(call.callee.receive()).payload, voice + SAMPLES[:256])
    assert read_rtp(call.srs.receive()).payload == EVERY_CODE


@pytest.mark.parametrize(("law", "payload_type"), LAWS)
def test_an_announcement_is_spoken_in_the_law_that_was_asked_for(
    call: Call, law: str, payload_type: int
) -> None:
    command = Announce(
        tag=call.plane.next_tag(),
        port=call.caller_port.port,
        sound=Sound(file="recorded.wav"),
        payload_type=payload_type,
        encoding=law,
        ssrc=7,
        first_sequence=1,
        first_timestamp=160,
    )
    call.attach(payload_types=((payload_type, payload_type),))
    call.plane.do(command)
    packets = [read_rtp(call.caller.receive()) for _ in range(2)]
    assert [(packet.payload_type, packet.ssrc) for packet in packets] == [(payload_type, 7)] * 2
    check(law, b"".join(packet.payload for packet in packets), SAMPLES.astype(np.int32))
    assert call.plane.event(Announced).port == call.caller_port.port
    assert call.callee.is_quiet()
    assert call.srs.is_quiet()
