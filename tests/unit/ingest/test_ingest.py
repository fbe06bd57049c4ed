"""Who may begin a call, and what recording is told of its parties."""

from __future__ import annotations

import pytest

from siprec_src.communication import Name
from siprec_src.ingest.inline.groups import ANONYMOUS
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.machine import Gone
from siprec_src.sip.message import Headers
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB
from tests.support.world import World

UUID_A, UUID_B = "ab30317f1a784dc48ff824d0d3715d86", "47755a9de7794ba387653f2099600ef2"


def names(world: World) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
    caller, callee = world.src.published[0].participants
    return caller.names, callee.names


def answered(*headers: tuple[str, str], answer: tuple[tuple[str, str], ...] = (), sender: str = "") -> World:
    world = World()
    if sender:
        world.alice.call_headers = Headers((("From", sender), ("To", '"Bob" <sip:bob@pbx.example;x=y>')))
    world.alice.call(audio(ALICE, 4000), *headers)
    world.bob.reply(200, audio(BOB, 5000), *answer)
    world.alice.ack()
    return world


@pytest.mark.rfc("7865", "6.5.1")
@pytest.mark.rfc("3325", "9.1")
def test_parties_are_named_by_asserted_identity_before_from_and_to() -> None:
    world = answered(
        ("P-Asserted-Identity", '"Alice A." <sip:100@pbx.example;user=phone>, <tel:+4930100>'),
        answer=(("P-Asserted-Identity", "<sip:201@carrier.example>"),),
    )
    assert names(world) == (
        (Name(aor="sip:100@pbx.example", display="Alice A."), Name(aor="tel:+4930100")),
        (Name(aor="sip:201@carrier.example"),),
    )


@pytest.mark.rfc("7865", "6.5.1")
@pytest.mark.parametrize("asserted", [(), (("P-Asserted-Identity", "<"),)])
def test_without_asserted_identity_remote_party_id_names_a_party(
    asserted: tuple[tuple[str, str], ...],
) -> None:
    """As PBXs write it, with ``party`` by the role in the call or in the request."""
    called = '"Zoe" <sip:201@pbx.example;user=phone>;party=called;screen=yes;privacy=off, <sip:0@x>'
    world = answered(
        ("Remote-Party-ID", '"Alice A." <sip:100@pbx.example>;party=calling;id-type=subscriber;screen=no'),
        *asserted,
        answer=(("Remote-Party-ID", called),),
    )
    assert names(world) == (
        (Name(aor="sip:100@pbx.example", display="Alice A."),),
        (Name(aor="sip:201@pbx.example", display="Zoe"),),
    )


@pytest.mark.rfc("7865", "6.5.1")
def test_without_asserted_identity_from_and_to_name_them() -> None:
    world = answered(sender='"Al" <sip:alice:secret@pbx.example>')
    assert names(world) == (
        (Name(aor="sip:alice@pbx.example", display="Al"),),
        (Name(aor="sip:bob@pbx.example", display="Bob"),),
    )


@pytest.mark.rfc("4796", "5")
@pytest.mark.req("SDP-29")
@pytest.mark.parametrize(("said", "published"), [("speaker", "speaker"), ("sl,alt", "sl,alt"), ("<x>", "")])
def test_what_a_party_says_of_its_stream_is_published_of_that_stream(said: str, published: str) -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000) + f"a=content:{said}\r\n".encode())
    world.alice.ack()
    assert [stream.content for stream in world.src.published[0].streams] == ["", published]


@pytest.mark.rfc("3323", "4.1")
@pytest.mark.req("MD-32")
@pytest.mark.parametrize("sender", ['"Anonymous" <sip:anonymous@anonymous.invalid>', "<data:x>"])
def test_who_is_not_known_is_anonymous(sender: str) -> None:
    assert names(answered(sender=sender))[0] == (ANONYMOUS,)


@pytest.mark.rfc("7989", "5")
@pytest.mark.rfc("7989", "11")
@pytest.mark.req("MD-23")
def test_the_session_ids_of_both_parties_are_published() -> None:
    world = answered(
        ("Session-ID", f"{UUID_A};remote={'0' * 32}"), answer=(("Session-ID", f"{UUID_B};remote={UUID_A}"),)
    )
    assert world.src.published[0].sip_session_ids == (f"{UUID_A};remote={UUID_B}",)
    silent = answered(("Session-ID", UUID_A))
    assert silent.src.published[0].sip_session_ids == (f"{UUID_A};remote={'0' * 32}",)
    echo = answered(("Session-ID", UUID_A), answer=(("Session-ID", UUID_A),))
    assert echo.src.published[0].sip_session_ids == (f"{UUID_A};remote={'0' * 32}",)
    assert answered().src.published[0].sip_session_ids == ()
    assert answered(("Session-ID", "rubbish")).src.published[0].sip_session_ids == ()


def test_the_fields_of_the_invite_are_published_as_received() -> None:
    world = answered(("X-Account", "17"))
    assert ("X-Account", "17") in world.src.published[0].headers


@pytest.mark.rfc("7866", "6.1.1")
@pytest.mark.req("SIP-07", "SIP-18")
@pytest.mark.parametrize(
    ("contact", "require", "status"),
    [(";+sip.srs", "siprec", 501), ("", "timer, SIPREC", 403), (";+sip.srs", None, None)],
)
def test_recording_sessions_that_others_begin_are_refused(
    contact: str, require: str | None, status: int | None
) -> None:
    world = World()
    headers = () if require is None else (("Require", require),)
    world.alice.call(audio(ALICE, 4000), *headers, contact_parameters=contact)
    if status is None:
        assert world.bob.request_seen.method == "INVITE"
    else:
        assert world.alice.response_seen.status == status
        assert world.src.log("call.refused")["status"] == status
        assert world.src.calls == []


@pytest.mark.rfc("3261", "21.5.4")
def test_a_call_beyond_the_limit_or_while_draining_gets_503_and_the_others_go_on() -> None:
    world = World(settings=InlineSettings(max_calls=1, retry_after_s=3))
    world.alice.call(audio(ALICE, 4000))
    first = world.alice.usage
    world.alice.call(audio(ALICE, 4002))
    answer = world.alice.response_seen
    assert (answer.status, answer.headers.get("retry-after")) == (503, "3")
    assert world.src.ingest.calls == 1
    world.alice.usage = first
    world.src.ingest.draining = True
    world.bob.reply(486)
    assert world.src.ingest.calls == 0
    world.alice.call(audio(ALICE, 4004))
    assert world.alice.response_seen.status == 503
    assert world.src.observed[-1].labels == (("outcome", "refused"),)


@pytest.mark.rfc("3261", "12.3")
def test_the_dialogs_of_a_call_that_failed_are_forgotten() -> None:
    world = answered()
    answer = world.alice.response_seen
    dialog = f"{answer.call_id};to-tag={answer.to.tag};from-tag={answer.from_.tag}"
    (failed,) = world.src.calls
    world.src.ingest.receive(Gone(failed), world.now)
    assert world.src.ingest.calls == 0
    world.alice.call(audio(ALICE, 4002), ("Replaces", dialog))
    assert world.bob.request_seen.headers.get("replaces") == dialog


@pytest.mark.rfc("3261", "26.3.2.4")
def test_a_source_that_is_no_trunk_is_refused_with_403_and_not_remembered() -> None:
    world = World(trunks=())
    world.alice.call(audio(ALICE, 4000))
    assert world.alice.response_seen.status == 403
    assert world.src.agent.transactions == 0
    assert world.src.log("call.refused")["source"] == f"{ALICE}:5060"
