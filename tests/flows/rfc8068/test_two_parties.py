"""The flows of RFC 8068 3.2 played through the B2BUA, and what the SRS is told beside the RFC's documents.

The RFC sends partial documents where ours are complete, so what is compared is what they mean: who is
there, and how many streams each sends and receives (two each way, audio and video, as in the RFC).
"""

from __future__ import annotations

import pytest

from siprec_src.recording.srs import SrsConfig
from siprec_src.sip.message import Headers
from tests.flows.recording.stage import ONE
from tests.support.descriptions import audio, sdp
from tests.support.metadata import Told
from tests.support.phone import ALICE as ALICE_AT
from tests.support.phone import BOB as BOB_AT
from tests.support.recorded import Recorded
from tests.support.reference import reference_path

ALICE, BOB, CAROL = "sip:alice@atlanta.com", "sip:bob@biloxy.com", "sip:carol@example.com"
UUID_A, UUID_B = "ab30317f1a784dc48ff824d0d3715d86", "47755a9de7794ba387653f2099600ef2"
UUID_C, UUID_D = "3363127f0d084c10876dddd4f8e5eeb9", "2272bb7e70fe41dba0025ae9a26d54cf"


def av(host: str, port: int, direction: str = "sendrecv", version: int = 1) -> bytes:
    """Audio and video."""
    video = f"video {port + 10} RTP/AVP 96\na=rtpmap:96 H264/90000\na={direction}"
    return sdp(host, f"audio {port} RTP/AVP 0\na={direction}", video, version=version)


def rfc(name: str) -> Told:
    """A document of the RFC; partial ones refer to its basic call."""
    basic = Told(reference_path("examples", "rfc8068", "s3.2.1-basic-call.xml").read_bytes())
    return Told(reference_path("examples", "rfc8068", name).read_bytes(), basic)


def talking(srs: SrsConfig | None = None) -> Recorded:
    """Alice and Bob of the RFC, with its Session-ID."""
    call = Recorded(srs)
    alice, bob = call.world.alice, call.world.bob
    alice.call_headers = Headers((("From", f"Alice <{ALICE}>"), ("To", f"Bob <{BOB}>")))
    alice.call(av(ALICE_AT, 4000), ("Session-ID", f"{UUID_A};remote={'0' * 32}"))
    bob.reply(200, av(BOB_AT, 5000), ("Session-ID", f"{UUID_B};remote={UUID_A}"))
    alice.ack()
    return call


@pytest.mark.rfc("8068", "3.2.1")
@pytest.mark.req("MD-40")
def test_basic_call() -> None:
    call, wanted = Told(talking().documents[-1]), rfc("s3.2.1-basic-call.xml")
    assert len(call.sessions) == len(wanted.sessions) == len(call.groups) == 1
    assert call.people.keys() == wanted.people.keys()
    assert call.present == wanted.present
    assert call.flows == wanted.flows == {ALICE: (2, 2), BOB: (2, 2)}
    assert call.sip_session_ids == wanted.sip_session_ids
    assert call.labels == ["1", "2"]  # video is described, not forked


@pytest.mark.rfc("8068", "3.2.2")
@pytest.mark.req("MD-50", "MD-51", "MD-52")
def test_hold_and_resume() -> None:
    call = talking()
    alice, bob = call.world.alice, call.world.bob
    bob.request("INVITE", av(BOB_AT, 5000, "sendonly", 2))
    alice.reply(200, av(ALICE_AT, 4000, "recvonly", 2))
    bob.ack()
    held, wanted = Told(call.documents[-1]), rfc("s3.2.2-hold.xml")
    assert held.flows == wanted.flows == {ALICE: (0, 2), BOB: (2, 0)}
    bob.request("INVITE", av(BOB_AT, 5000, version=3))
    alice.reply(200, av(ALICE_AT, 4000, version=3))
    bob.ack()
    resumed, wanted = Told(call.documents[-1]), rfc("s3.2.2-resume.xml")
    assert resumed.flows == wanted.flows
    assert [Told(d).sent(BOB) for d in call.documents].count(held.sent(BOB)) == len(call.documents) == 3
    assert held.labels == resumed.labels == ["1", "2"]


@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.rfc("4916", "4.3")
@pytest.mark.req("MD-53", "MD-54")
def test_transfer_by_re_invite() -> None:
    call = talking()
    alice, bob = call.world.alice, call.world.bob
    before = Told(call.documents[-1])
    call.world.wait(60)
    alice.request(
        "INVITE",
        av(ALICE_AT, 6000, version=2),
        ("P-Asserted-Identity", f"Carol <{CAROL}>"),
        ("Session-ID", f"{UUID_C};remote={UUID_B}"),
    )
    bob.reply(200, av(BOB_AT, 5000, version=2), ("Session-ID", f"{UUID_D};remote={UUID_C}"))
    alice.ack()
    now, wanted = Told(call.documents[-1]), rfc("s3.2.3-transfer-reinvite.xml")
    assert now.present == {BOB: True} | wanted.present == {ALICE: False, BOB: True, CAROL: True}
    assert now.flows == wanted.flows == {BOB: (2, 2), CAROL: (2, 2)}
    assert now.sip_session_ids == wanted.sip_session_ids
    assert now.sessions == before.sessions
    assert now.sent(CAROL) == before.sent(ALICE)  # the same streams of the same recording session
    assert now.labels == before.labels
    left = now.time("participantsessionassoc", ALICE, "disassociate-time")
    joined = now.time("participantsessionassoc", CAROL, "associate-time")
    assert left == joined != now.time("participantsessionassoc", BOB, "associate-time")


@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.rfc("3515", "2.4.4")
@pytest.mark.req("MD-55")
def test_transfer_by_refer_is_a_new_session_of_the_same_group() -> None:
    call = talking()
    alice, bob, old = call.world.alice, call.world.bob, Told(call.documents[-1])
    alice.request("REFER", b"", ("Refer-To", f"<{CAROL}>"), ("Referred-By", f"<{ALICE}>"))
    bob.reply(202)
    bob.request("NOTIFY", b"SIP/2.0 100 Trying", ("Event", "refer"), ("Content-Type", "message/sipfrag"))
    alice.reply(200)
    alice.request("BYE")
    bob.reply(200)
    ended = Told(call.documents[-1])
    wanted = rfc("s3.2.3-transfer-refer-1-old-cs-ends.xml")
    assert ended.sessions == old.sessions
    assert ended.stopped
    assert wanted.stopped
    assert ended.present == wanted.present == {ALICE: False, BOB: False}
    bob.call_headers = Headers((("From", f"Bob <{BOB}>"), ("To", f"<{CAROL}>")))
    bob.call(
        av(BOB_AT, 5100), ("Referred-By", f"<{ALICE}>"), ("Session-ID", UUID_C), uri="sip:carol@10.0.0.9"
    )
    alice.reply(200, av(ALICE_AT, 4100), ("Session-ID", f"{UUID_D};remote={UUID_C}"))  # the PBX, for Carol
    bob.ack()
    new, wanted = Told(call.documents[-1]), rfc("s3.2.3-transfer-refer-2-new-cs.xml")
    assert new.present == wanted.present == {BOB: True, CAROL: True}
    assert new.flows == wanted.flows == {BOB: (2, 2), CAROL: (2, 2)}
    assert new.sip_session_ids == wanted.sip_session_ids
    assert new.sessions != old.sessions
    assert new.groups == old.groups
    assert new.people[BOB] == old.people[BOB]


@pytest.mark.rfc("8068", "3.2.4")
def test_disconnect() -> None:
    call = talking()
    call.world.wait(5)
    call.world.alice.request("BYE")
    call.world.bob.reply(200)
    last, wanted = Told(call.documents[-1]), rfc("s3.2.4-disconnect-bye.xml")
    assert last.sessions == Told(call.documents[0]).sessions
    assert last.stopped is wanted.stopped is True
    assert last.present == wanted.present == {ALICE: False, BOB: False}
    assert last.flows == wanted.flows == {}
    left = [last.time("participantsessionassoc", name, "disassociate-time") for name in (ALICE, BOB)]
    assert len(set(left)) == 1


@pytest.mark.rfc("8068", "3.2.2", "3.2.3", "3.2.4")
@pytest.mark.req("MD-41", "MD-53")
def test_partial_documents_say_what_those_of_the_rfc_say() -> None:
    call = talking(SrsConfig(uri=ONE, partial_updates=True))
    alice, bob, basic = call.world.alice, call.world.bob, Told(call.documents[0])

    def newest(name: str) -> tuple[Told, Told]:
        document = call.documents[-1]
        assert b"<datamode>partial</datamode>" in document
        return Told(document, basic), rfc(name)

    for version, directions, name in (
        (2, ("sendonly", "recvonly"), "s3.2.2-hold.xml"),
        (3, ("sendrecv", "sendrecv"), "s3.2.2-resume.xml"),
    ):
        bob.request("INVITE", av(BOB_AT, 5000, directions[0], version))
        alice.reply(200, av(ALICE_AT, 4000, directions[1], version))
        bob.ack()
        told, wanted = newest(name)
        assert (told.flows, told.present) == (wanted.flows, wanted.present)
    alice.request(
        "INVITE",
        av(ALICE_AT, 6000, version=4),
        ("P-Asserted-Identity", f"Carol <{CAROL}>"),
        ("Session-ID", f"{UUID_C};remote={UUID_B}"),
    )
    bob.reply(200, av(BOB_AT, 5000, version=4), ("Session-ID", f"{UUID_D};remote={UUID_C}"))
    alice.ack()
    told, wanted = newest("s3.2.3-transfer-reinvite.xml")
    assert told.present == wanted.present == {CAROL: True, ALICE: False}
    assert told.flows == {CAROL: wanted.flows[CAROL]}  # what Bob sends and receives has not changed
    assert told.sip_session_ids == wanted.sip_session_ids


@pytest.mark.rfc("8068", "3.2.1")
@pytest.mark.rfc("3261", "13.2.2.4")
def test_of_a_forked_call_only_who_answered_is_told_and_only_then() -> None:
    call = Recorded()
    alice, bob = call.world.alice, call.world.bob
    alice.call(audio(ALICE_AT, 4000))
    for label, port in (("desk", 5000), ("mobile", 6000)):
        bob.reply(183, audio(BOB_AT, port), ("P-Asserted-Identity", f"<sip:{label}@x>"), label=label)
    assert call.documents == []  # early media is no call yet
    bob.reply(200, audio(BOB_AT, 5000), ("P-Asserted-Identity", "<sip:desk@x>"), label="desk")
    alice.ack()
    (document,) = call.documents
    assert Told(document).present == {"sip:alice@pbx.example": True, "sip:desk@x": True}
    assert Told(document).labels == ["1", "2"]


@pytest.mark.rfc("7865", "6.6.1")
@pytest.mark.rfc("4579", "5.1")
@pytest.mark.req("MD-30")
def test_a_conference_is_told_as_a_participant_with_a_focus() -> None:
    call = Recorded()
    alice, bob = call.world.alice, call.world.bob
    alice.call(audio(ALICE_AT, 4000), contact_parameters=";isfocus;audio")
    bob.reply(200, audio(BOB_AT, 5000))
    alice.ack()
    parameters = Told(call.documents[-1]).parameters
    assert parameters == {"sip:alice@pbx.example": [("isfocus", "true")], "sip:bob@pbx.example": []}
    alice.request("INVITE", audio(ALICE_AT, 4000))  # Bob makes his side of it a conference too
    bob.reply(200, audio(BOB_AT, 5000), contact_parameters=";isfocus")
    alice.ack()
    assert Told(call.documents[-1]).parameters["sip:bob@pbx.example"] == [("isfocus", "true")]
