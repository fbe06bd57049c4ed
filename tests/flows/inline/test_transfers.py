"""Transfers of every kind: what crosses, where the new call goes, and which group it belongs to."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Name, Side
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.message import Headers, Message
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB, SRC, Phone
from tests.support.world import World, connected

CAROL = "sip:carol@pbx.example"


@dataclasses.dataclass(slots=True)
class Line:
    """One of several calls of a phone, to be taken up again."""

    phone: Phone
    usage: int
    dialog: str

    @classmethod
    def of(cls, phone: Phone) -> Line:
        return cls(phone, phone.usage, phone.dialog)

    def take_up(self) -> Phone:
        self.phone.usage, self.phone.dialog = self.usage, self.dialog
        return self.phone


def dialog_id(message: Message, *, own: str, peer: str) -> str:
    """As Replaces says it to the one whose tag is ``own``."""
    return f"{message.call_id};to-tag={own};from-tag={peer}"


def escaped(dialog: str) -> str:
    return dialog.replace("@", "%40").replace(";", "%3B").replace("=", "%3D")


def calls_of(world: World) -> list[CommunicationSession]:
    """The newest state of every call, in the order in which they were answered."""
    return list({session.call: session for session in world.src.published}.values())


def consulted() -> tuple[World, Line, str, str]:
    """Alice talks with Bob, and on a second line with Carol, who is behind the carrier as well.

    Returns her line to Bob, and the dialog with Carol: as Alice knows it, and as Carol does.
    """
    world = connected()
    first = Line.of(world.alice)
    world.alice.call_headers = Headers((("From", "<sip:alice@pbx.example>"), ("To", f"<{CAROL}>")))
    world.alice.call(audio(ALICE, 4200), uri=f"sip:carol@{SRC}")
    world.bob.reply(200, audio(BOB, 5200))
    world.alice.ack()
    to_alice = world.alice.response_seen
    seen_by_alice = dialog_id(to_alice, own=to_alice.to.tag or "", peer=to_alice.from_.tag or "")
    at_carol = world.bob.last(sip.AckArrived).request
    seen_by_carol = dialog_id(at_carol, own=at_carol.to.tag or "", peer=at_carol.from_.tag or "")
    return world, first, seen_by_alice, seen_by_carol


@pytest.mark.rfc("3515", "2.4.4")
@pytest.mark.rfc("4488", "4")
@pytest.mark.rfc("3892", "2.1")
def test_a_refer_and_the_notifications_of_its_progress_cross() -> None:
    world = connected()
    fields = (("Refer-To", f"<{CAROL}>"), ("Referred-By", "<sip:alice@x>"), ("Refer-Sub", "false"))
    world.alice.request("REFER", b"", *fields)
    seen = world.bob.request_seen
    assert [seen.headers.get(name) for name, _ in fields] == [value for _, value in fields]
    world.bob.reply(202, b"", ("Refer-Sub", "false"))
    assert world.alice.response_seen.headers.get("refer-sub") == "false"
    progress = (("Event", "refer;id=2"), ("Subscription-State", "active;expires=60"))
    world.bob.request("NOTIFY", b"SIP/2.0 180 Ringing", *progress, ("Content-Type", "message/sipfrag"))
    told = world.alice.request_seen
    assert (told.body, told.headers.get("event")) == (b"SIP/2.0 180 Ringing", "refer;id=2")
    assert told.headers.get("subscription-state") == "active;expires=60"


@pytest.mark.rfc("3891", "3")
@pytest.mark.rfc("3515", "2.4.1")
@pytest.mark.rfc("7865", "6.2.2")
@pytest.mark.req("MD-20", "MD-55")
def test_an_attended_transfer_reaches_the_party_whose_call_is_replaced() -> None:
    world, with_bob, seen_by_alice, seen_by_carol = consulted()
    with_bob.take_up().request("REFER", b"", ("Refer-To", f"<sip:{SRC}?Replaces={escaped(seen_by_alice)}>"))
    told = world.bob.request_seen.headers.get("refer-to")
    assert told == f"<sip:{SRC}?Replaces={escaped(seen_by_carol)}>"
    world.bob.reply(202)
    world.bob.call_headers = Headers((("From", "<sip:bob@pbx.example>"), ("To", f"<{CAROL}>")))
    world.ladder_lines.clear()
    world.bob.call(audio(BOB, 5300), ("Replaces", seen_by_carol), ("Require", "replaces"), uri=f"sip:{SRC}")
    arrived = world.bob.last(sip.InviteArrived).request  # the carrier, for Carol
    assert (arrived.uri, arrived.headers.get("replaces")) == (f"sip:{BOB}:5060", seen_by_carol)
    assert arrived.headers.get("require") == "replaces"
    world.bob.usage = world.bob.last(sip.InviteArrived).usage
    world.bob.reply(200, audio(BOB, 5400), ("P-Asserted-Identity", f"<{CAROL}>"))
    world.bob.usage = world.bob.last(sip.ResponseArrived).usage
    world.bob.ack()
    first, second, third = calls_of(world)
    assert third.group_id == first.group_id != second.group_id
    assert third.participants[0].participant_id == first.participants[1].participant_id  # Bob
    assert third.session_id not in (first.session_id, second.session_id)
    assert third.group_formed == first.started


@pytest.mark.rfc("3891", "3")
@pytest.mark.rfc("8068", "3.2.3")
def test_a_call_that_moves_to_a_new_leg_goes_on_in_the_same_group() -> None:
    world = connected()
    old = Line.of(world.bob)
    answer, invite = world.alice.response_seen, world.bob.last(sip.AckArrived).request
    own = dialog_id(answer, own=answer.to.tag or "", peer=answer.from_.tag or "")
    world.wait(9)
    world.alice.call(audio(ALICE, 4800), ("Replaces", own))
    arrived = world.bob.last(sip.InviteArrived).request
    expected = dialog_id(invite, own=invite.to.tag or "", peer=invite.from_.tag or "")
    assert arrived.headers.get("replaces") == expected
    world.bob.reply(200, audio(BOB, 5800))
    world.alice.ack()
    old.take_up().request("BYE")
    before, after = calls_of(world)
    assert before.ended == after.started == world.now
    assert before.group_id == after.group_id
    assert [p.participant_id for p in before.participants] == [p.participant_id for p in after.participants]
    assert {p.joined for p in after.participants} == {after.started}


@pytest.mark.rfc("3891", "3", "7.2")
def test_a_call_that_rings_is_picked_up_by_who_replaces_its_early_dialog() -> None:
    world = World()
    world.bob.call(audio(BOB, 5000), uri=f"sip:alice@{SRC}")  # somebody calls the PBX
    for phone in ("desk", "mobile"):
        world.alice.reply(180, label=phone)
    invite = world.alice.last(sip.InviteArrived)
    ringing = world.bob.response_seen  # of the mobile
    at_bob = dialog_id(ringing, own=ringing.from_.tag or "", peer=ringing.to.tag or "")
    named = f"{invite.request.call_id};to-tag={invite.request.from_.tag};from-tag=at2;early-only"
    world.alice.call_headers = Headers((("From", "<sip:next@pbx.example>"), ("To", "<sip:bob@pbx.example>")))
    world.alice.call(audio(ALICE, 4800), ("Replaces", named))
    arrived = world.bob.last(sip.InviteArrived).request
    assert arrived.headers.get("replaces") == f"{at_bob};early-only"
    world.bob.reply(200, audio(BOB, 5800), token=world.bob.last(sip.InviteArrived).token)
    world.alice.ack()
    picked_up = Line.of(world.alice)
    (usage,) = {e.usage for e in world.bob.events if isinstance(e, sip.ResponseArrived)}
    world.bob.usage, world.bob.invite = usage, world.bob.last(sip.ResponseArrived).token
    world.bob.cancel()
    world.alice.usage = invite.usage
    assert world.alice.last(sip.CancelArrived).token == invite.token
    assert len(world.src.calls) == 1
    picked_up.take_up().request("BYE")
    world.alice.call(audio(ALICE, 4900), ("Replaces", named))  # what is over is forgotten
    assert world.bob.request_seen.headers.get("replaces") == named


@pytest.mark.rfc("3911", "4")
def test_a_call_that_joins_another_belongs_to_its_group_and_goes_to_its_party() -> None:
    world = connected()
    answer = world.alice.response_seen
    own = dialog_id(answer, own=answer.to.tag or "", peer=answer.from_.tag or "")
    world.alice.call(audio(ALICE, 4800), ("Join", own))
    assert f"{world.bob.request_seen.headers.get('join')};".count("tag=bt") == 1
    world.bob.reply(200, audio(BOB, 5800))
    world.alice.ack()
    before, after = calls_of(world)
    assert before.group_id == after.group_id
    assert before.ended is None


@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.parametrize(
    ("caller", "target", "wait_s", "status", "same"),
    [
        ("bob", "carol", 0, 202, True),
        ("bob", "carol", 59, 202, True),
        ("bob", "carol", 61, 202, False),
        ("bob", "carol", 0, 603, False),
        ("bob", "dave", 0, 202, False),
        ("eve", "carol", 0, 202, False),
    ],
    ids=["at once", "after some ringing", "too late", "refused", "to another", "from another"],
)
def test_a_call_is_taken_for_the_one_that_a_refer_asked_for_only_when_that_is_known(
    caller: str, target: str, wait_s: float, status: int, same: bool
) -> None:
    world = connected()
    world.alice.request("REFER", b"", ("Refer-To", f"<{CAROL}>"))
    world.bob.reply(status)
    world.wait(wait_s)
    for _ in range(2):  # the second one is another matter in any case
        world.bob.call_headers = Headers(
            (("From", f"<sip:{caller}@pbx.example>"), ("To", f"<sip:{target}@x>"))
        )
        world.bob.call(audio(BOB, 5100), uri=f"sip:{target}@{SRC}")
        world.alice.reply(200, audio(ALICE, 4100))
        world.bob.ack()
    first, second, third = calls_of(world)
    assert (second.group_id == first.group_id) is same
    assert third.group_id not in (first.group_id, second.group_id)


@pytest.mark.rfc("8068", "3.2.3")
def test_a_call_that_overtakes_the_answer_to_its_refer_belongs_to_the_group() -> None:
    world = connected()
    world.alice.request("REFER", b"", ("Refer-To", f"<{CAROL}>"))
    refer = world.bob.last(sip.RequestArrived)
    world.bob.call_headers = Headers((("From", "<sip:bob@pbx.example>"), ("To", f"<{CAROL}>")))
    world.bob.call(audio(BOB, 5100), uri=f"sip:carol@{SRC}")
    new = world.bob.usage
    world.bob.usage = refer.usage
    world.bob.reply(202, token=refer.token)
    world.alice.reply(200, audio(ALICE, 4100), token=world.alice.last(sip.InviteArrived).token)
    world.bob.usage = new
    world.bob.ack()
    first, second = calls_of(world)
    assert second.group_id == first.group_id


@pytest.mark.rfc("3261", "22.1")
@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.parametrize("status", [401, 486])
def test_a_call_that_a_refer_asked_for_may_be_tried_again(status: int) -> None:
    world = connected()
    world.alice.request("REFER", b"", ("Refer-To", f"<{CAROL}>"))
    world.bob.reply(202)
    world.bob.call_headers = Headers((("From", "<sip:bob@pbx.example>"), ("To", f"<{CAROL}>")))
    world.bob.call(audio(BOB, 5100), uri=f"sip:carol@{SRC}")
    world.alice.reply(status)
    world.bob.call(audio(BOB, 5100), uri=f"sip:carol@{SRC}")
    world.alice.reply(200, audio(ALICE, 4100))
    world.bob.ack()
    first, second = calls_of(world)
    assert second.group_id == first.group_id


@pytest.mark.rfc("3892", "3")
@pytest.mark.parametrize(("referrer", "same"), [("alice", True), ("mallory", False)])
def test_who_says_by_whom_he_was_referred_is_believed_before_his_name(referrer: str, same: bool) -> None:
    world = connected()
    world.alice.request("REFER", b"", ("Refer-To", f"<{CAROL}>"), ("Referred-By", "<sip:alice@pbx.example>"))
    world.bob.reply(202)
    name = "anybody" if same else "bob"
    world.bob.call_headers = Headers((("From", f"<sip:{name}@pbx.example>"), ("To", f"<{CAROL}>")))
    referred_by = ("Referred-By", f"<sip:{referrer}@pbx.example>;cid=7")
    world.bob.call(audio(BOB, 5100), referred_by, uri=f"sip:carol@{SRC}")
    world.alice.reply(200, audio(ALICE, 4100))
    world.bob.ack()
    first, second = calls_of(world)
    assert (second.group_id == first.group_id) is same
    assert second.participants[0].names == (Name(aor=f"sip:{name}@pbx.example"),)
    assert second.participants[0].side is Side.CALLER


@pytest.mark.rfc("3892", "3")
def test_nobody_behind_another_trunk_writes_himself_into_a_group() -> None:
    world = connected()
    referred_by = ("Referred-By", "<sip:alice@pbx.example>")
    world.alice.request("REFER", b"", ("Refer-To", f"<{CAROL}>"), referred_by)
    world.bob.reply(202)
    world.alice.call_headers = Headers((("From", "<sip:bob@pbx.example>"), ("To", f"<{CAROL}>")))
    world.alice.call(audio(ALICE, 4100), referred_by, uri=f"sip:carol@{SRC}")
    world.bob.reply(200, audio(BOB, 5100))
    world.alice.ack()
    first, second = calls_of(world)
    assert second.group_id != first.group_id
