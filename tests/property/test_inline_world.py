"""Two parties do what they like over a wire that loses messages: in the end nothing of their call is left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.communication import RecordingChanged, RecordingState
from siprec_src.errors import LocalError, StateError
from siprec_src.ingest.inline.settings import IndicationSettings, InlineSettings
from siprec_src.ingest.inline.voice import Answer, Dialled, Voice, VoiceDefault
from siprec_src.instructions.model import StopSiprec
from siprec_src.media import plane
from siprec_src.media.model import PortId
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Message
from siprec_src.sip.uri import parse_uri
from siprec_src.values import SecretText
from tests.support.descriptions import audio, sdp
from tests.support.phone import ALICE, BOB, NAMES, SRC, Phone
from tests.support.world import World, asking

CALLER_USAGE = 1  #: as the counting identity names it

KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
BODIES = (
    b"",
    b"",
    audio(ALICE, 4000),
    audio(BOB, 5000, "a=sendonly"),
    audio("0.0.0.0", 4000),
    sdp(BOB, "audio 5000 RTP/SAVP 0\n" + KEY + "A" * 40),
    sdp(BOB, "audio 5000 RTP/SAVP 0\n" + KEY + "B" * 40),
    sdp(ALICE, "audio 4000 RTP/AVP 0", "image 4002 udptl t38"),
    b"v=0\r\nrubbish",
)
LABELS = ("", "desk", "mobile")
Fields = tuple[tuple[str, str], ...]
AWARE = (("Supported", "record-aware"), ("Allow", "UPDATE"))
TIMERS: tuple[Fields, ...] = (
    (),
    AWARE,
    (*AWARE, ("Session-Expires", "90;refresher=uac")),
    (("Session-Expires", "?"),),
)
INDICATIONS = (
    IndicationSettings(),
    IndicationSettings(caller="tone", callee="tone"),
    IndicationSettings(caller="announcement", callee="announcement", announcement_file="/a.wav"),
)
VOICES = (
    None,
    Voice(url=SecretText("http://app.example/")),
    Voice(url=SecretText("http://app.example/"), default=VoiceDefault.REFUSE, timeout_s=0.1),
)
ANSWERS = (
    None,
    Answer(),
    Answer(pause_s=0.5, begun=(StopSiprec(name="x"),)),
    Answer(refused=486),
    Answer(dialled=Dialled(to="+49", caller_id="1")),
    Answer(dialled=Dialled(to=parse_uri(f"sip:desk@{SRC}"))),
)
STATUSES = (180, 183, 183, 200, 200, 200, 302, 481, 486, 491)

Step = Callable[[World], object]


def _dialog(phone: Phone, pick: int) -> str:
    """One of the dialogs that the phone has heard of."""
    known = [e.dialog for e in phone.events if isinstance(e, sip.ResponseArrived | sip.RequestArrived)]
    return known[pick % len(known)] if known else phone.dialog


def _answer(
    phone: Phone, pick: int, status: int, body: bytes, label: str, timer: Fields, *, reliable: bool
) -> None:
    """Answer one of the requests that have come, be it answered before or not."""
    tokens = [e.token for e in phone.events if isinstance(e, sip.InviteArrived | sip.RequestArrived)]
    token = tokens[-1 - pick % len(tokens)] if tokens else 0
    phone.reply(status, body, *timer, label=label, token=token, reliable=reliable)


def _media_process(world: World) -> None:
    """It dies when it is there, and comes back when it is not."""
    media = world.src.media
    world.src.everyone(media.serve() if media.down else media.lose())


phones = st.sampled_from((ALICE, BOB))
bodies = st.sampled_from(BODIES)
picks = st.integers(0, 3)


def _phone(world: World, host: str) -> Phone:
    return world.alice if host == ALICE else world.bob


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        lambda host, pick, status, body, label, timer, reliable: (
            lambda world: _answer(_phone(world, host), pick, status, body, label, timer, reliable=reliable)
        ),
        phones,
        picks,
        st.sampled_from(STATUSES),
        bodies,
        st.sampled_from(LABELS),
        st.sampled_from(TIMERS),
        st.booleans(),
    ),
    st.builds(
        lambda host, method, body, pick: (
            lambda world: _phone(world, host).request(method, body, dialog=_dialog(_phone(world, host), pick))
        ),
        phones,
        st.sampled_from(("INVITE", "INVITE", "UPDATE", "PRACK", "INFO", "BYE")),
        bodies,
        picks,
    ),
    st.builds(lambda host, body: lambda world: _phone(world, host).ack(body), phones, bodies),
    st.builds(lambda host: lambda world: _phone(world, host).cancel(), phones),
    st.builds(lambda hold: lambda world: world.src.release() if not hold else _hold(world), st.booleans()),
    st.builds(lambda seconds: lambda world: world.wait(seconds), st.sampled_from((0.1, 1.0, 40.0, 400.0))),
    st.builds(lambda pick, silent: lambda world: _hear(world, pick, silent=silent), picks, st.booleans()),
    st.builds(lambda loss: lambda world: _lose(world, loss), st.sampled_from(("", "alice", "bob"))),
    st.just(_media_process),
    st.builds(lambda state: lambda world: _record(world, state), st.sampled_from(RecordingState)),
    st.builds(lambda pick: lambda world: _announced(world, pick), picks),
    st.builds(lambda answer: lambda world: world.src.answer_voice(answer), st.sampled_from(ANSWERS)),
    st.just(lambda world: world.src.media.refuse(plane.PlayTone, "bad-argument")),
    st.just(lambda world: world.src.media.refuse(plane.OpenPorts, "ports-exhausted")),
)

BEGINNING: tuple[Step, ...] = (
    lambda world: world.src.answer_voice(Answer()),
    lambda world: world.bob.reply(200, audio(BOB, 5000)),
    lambda world: world.alice.ack(audio(ALICE, 4000)),
)


def _hear(world: World, pick: int, *, silent: bool) -> None:
    """RTP begins, or ends, at one of the ports."""
    ports = [*world.src.media.ports, PortId(999)]
    world.src.everyone(plane.SilenceChanged(port=ports[pick % len(ports)], silent=silent))


def _record(world: World, state: RecordingState) -> None:
    """Recording has changed."""
    for call in list(world.src.calls):
        world.src.feed(call, RecordingChanged(call.call, state, "because"))
    world.run()


def _announced(world: World, pick: int) -> None:
    """A party has heard an announcement to its end."""
    ports = [*world.src.media.ports, PortId(999)]
    world.src.everyone(plane.Announced(port=ports[pick % len(ports)]))


def _hold(world: World) -> None:
    world.src.hold_media = True


def _lose(world: World, loss: str) -> None:
    """From now on nothing comes from this party."""

    def lost(source: str, target: str, message: Message) -> bool:
        return source == loss

    world.lost = lost


@settings(max_examples=150)
@given(
    bodies,
    st.integers(0, 3),
    st.lists(steps, max_size=14),
    st.sampled_from(INDICATIONS),
    st.sampled_from(("100rel", "100rel, record-aware")),
    st.sampled_from(VOICES),
)
def test_whatever_happens_to_a_call_nothing_of_it_is_left(
    body: bytes,
    begun: int,
    happening: list[Step],
    indication: IndicationSettings,
    supported: str,
    voice: Voice | None,
) -> None:
    world = asking(voice, InlineSettings(answer_timeout_s=60, indication=indication))
    world.alice.call(body, ("Supported", supported))
    for step in (*BEGINNING[:begun], *happening):
        with suppress(StopIteration, StateError, LocalError):
            step(world)
    _part(world)
    lines = [line.event for line in world.src.logs]
    assert lines.count("call.begin") == lines.count("call.end") <= 1
    assert len([o for o in world.src.observed if o.name == "calls_total"]) == 1
    assert (world.src.calls, world.src.media.ports) == ([], {})
    assert world.src.agent.idle
    assert [s.ended is None for s in world.src.published].count(False) == bool(world.src.published)


def _part(world: World) -> None:
    """Both fall silent. What nobody will end any more, an answered call, is hung up from here."""
    world.lost = lambda source, target, message: source != NAMES[SRC]
    if world.src.media.down:
        world.src.everyone(world.src.media.serve())
    world.src.release()
    world.wait(1000)
    for call in list(world.src.calls):
        dialog = call._dialog
        assert dialog is not None
        bye = sip.SendRequest(usage=CALLER_USAGE, dialog=dialog, token=0, method="BYE")
        world.perform(SRC, world.src.agent.command(bye, world.now))
        world.src.feed(call, sip.DialogEnded(usage=CALLER_USAGE, dialog=dialog, cause="shutdown"))
    world.wait(1000)
