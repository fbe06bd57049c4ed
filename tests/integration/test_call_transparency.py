"""What a B2BUA may touch and what it may not: whole calls between two SIPp scripts, read off the wire."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import LOOPBACK, Daemon, free_port, running
from tests.support.script import Script, callee, caller, sdp
from tests.support.sipp import Message, Sipp, party

A_PORT, B_PORT = 41000, 42000
UNTOUCHED = (
    'P-Asserted-Identity: "Alice" <sip:+15551000@pbx.example>',
    "P-Asserted-Identity: <tel:+15551000>",
    "Diversion: <sip:3000@pbx.example>;reason=user-busy;counter=1",
    "History-Info: <sip:3000@pbx.example?Reason=SIP%3Bcause%3D486>;index=1, <sip:2000@pbx.example>;index=1.1",
    "User-to-User: 56a390f3d2b7310023a;encoding=hex;purpose=isdn-uui",
    "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000",
    "X-PBX-Call: a strange value;with=parts, and, commas",
    "X-pbx-call: the second of that name",
    "Privacy: none",
    "Supported: timer, replaces",
    "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=",
)
NEVER_SHOWN = ("Record-Route", "Route")


@dataclasses.dataclass(slots=True)
class Between:
    """Runs two scripts against each other with the daemon between them."""

    daemon: Daemon
    directory: Path
    sip_port: int
    bob_at: tuple[str, int]

    def play(self, alice: Script, bob: Script) -> tuple[Sipp, Sipp]:
        """Both to their ends, which must be reached."""
        with (
            party(bob, self.directory, address=self.bob_at) as called,
            party(
                alice, self.directory, f"{LOOPBACK}:{self.sip_port}", address=(LOOPBACK, free_port())
            ) as calling,
        ):
            for each in (calling, called):
                assert each.wait(20) == 0, each.errors.read_text()
        return calling, called


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    """A daemon whose SRS is not there, which is nothing to the calls."""
    sip_port, bob_at = free_port(), (LOOPBACK, free_port())
    nowhere = f"sip:{LOOPBACK}:{free_port()};transport=tcp"
    directory = tmp_path_factory.mktemp("transparency")
    with running(directory, srs=[nowhere], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=sip_port) as daemon:
        yield Between(daemon, directory, sip_port, bob_at)


@pytest.fixture
def between(shared: Between, tmp_path: Path) -> Iterator[Between]:
    yield dataclasses.replace(shared, directory=tmp_path)
    assert not shared.daemon.events("machine.failed")
    assert not shared.daemon.events("sip.failed")


def media_of(message: Message) -> tuple[str, int, list[str]]:
    """Address, port and attributes of the first m-line."""
    host = re.search(r"^c=IN IP4 (\S+)", message.body, re.MULTILINE)
    port = re.search(r"^m=audio (\d+) ", message.body, re.MULTILINE)
    assert host
    assert port
    return host[1], int(port[1]), re.findall(r"^a=(\S+)", message.body, re.MULTILINE)


def crossed(message: Message) -> list[tuple[str, str]]:
    """The fields that must be as they were, in order."""
    names = {line.partition(":")[0].lower() for line in UNTOUCHED}
    return [(name, value) for name, value in message.fields if name.lower() in names]


@pytest.mark.rfc("3261", "16.6")
@pytest.mark.rfc("7092", "3.2")
@pytest.mark.rfc("3325", "9.1")
@pytest.mark.rfc("7433", "4")
@pytest.mark.rfc("7989", "6")
def test_identities_and_unknown_fields_cross_untouched_and_hop_fields_are_ours(between: Between) -> None:
    answer_fields = ("X-Carrier: something", "User-to-User: 0102;encoding=hex", "Server: carrier/1.0")
    alice, bob = between.play(
        caller()
        .invite(sdp(A_PORT), *UNTOUCHED)
        .expect(180)
        .expect(200)
        .ack()
        .request("BYE", "", 'Reason: Q.850;cause=16;text="normal"', "X-Bye: bye")
        .expect(200),
        callee()
        .receive("INVITE")
        .respond(180, "", "X-Ring: ring")
        .respond(200, sdp(B_PORT), *answer_fields, reason="Very Well")
        .receive("ACK")
        .receive("BYE")
        .respond(200),
    )
    (sent,), (arrived,) = alice.sent("INVITE"), bob.received("INVITE")
    assert crossed(arrived) == crossed(sent)
    assert len(crossed(sent)) == len(UNTOUCHED)
    assert arrived.one("From").partition(";tag=")[0] == sent.one("From").partition(";tag=")[0]
    assert arrived.one("To") == sent.one("To")
    assert arrived.one("Max-Forwards") == "69"
    assert arrived.one("From").partition(";tag=")[2] != sent.one("From").partition(";tag=")[2]
    assert arrived.one("Call-ID") != sent.one("Call-ID")
    assert arrived.one("Via").startswith(f"SIP/2.0/UDP {LOOPBACK}:{between.sip_port};branch=z9hG4bK")
    assert f"@{LOOPBACK}:{between.sip_port}" in arrived.one("Contact").replace("<sip:", "@")
    assert not any(arrived.all(name) for name in NEVER_SHOWN)
    (ringing,), (answered,) = alice.received(180), alice.received(200, of="INVITE")
    assert ringing.one("X-Ring") == "ring"
    assert answered.start == "SIP/2.0 200 Very Well"
    assert [f"{name}: {answered.one(name)}" for name in ("X-Carrier", "User-to-User", "Server")] == [
        *answer_fields
    ]
    (bye,) = bob.received("BYE")
    assert bye.one("Reason") == 'Q.850;cause=16;text="normal"'
    assert bye.one("X-Bye") == "bye"
    host, port, _ = media_of(arrived)
    assert host == LOOPBACK
    assert port not in (A_PORT, B_PORT)
    assert media_of(answered)[1] not in (A_PORT, B_PORT, port)
    # All but the two places that are ours is as Alice wrote it.
    assert _but_media(arrived.body) == _but_media(sent.body)
    assert _but_media(answered.body) == _but_media(bob.sent(200, of="INVITE")[0].body)


@pytest.mark.rfc("5621", "3.1")
@pytest.mark.rfc("2046", "5.1")
def test_a_multipart_body_keeps_every_octet_but_the_session_description(between: Between) -> None:
    body = "\r\n".join(
        (
            "--edge-of-part",
            "Content-Type: application/x-strange;v=2",
            "Content-Disposition: render;handling=optional",
            "",
            "what nobody knows",
            "--edge-of-part",
            "Content-Type: application/sdp",
            "",
            sdp(A_PORT),
            "--edge-of-part",
            "Content-Type: application/pidf+xml",
            "Content-ID: <here@pbx.example>",
            "",
            "<presence/>",
            "--edge-of-part--",
        )
    )
    alice, bob = between.play(
        caller()
        .invite(body, "MIME-Version: 1.0", kind='multipart/mixed;boundary="edge-of-part"')
        .expect(200)
        .ack()
        .request("BYE")
        .expect(200),
        callee().receive("INVITE").respond(200, sdp(B_PORT)).receive("ACK").receive("BYE").respond(200),
    )
    (sent,), (arrived,) = alice.sent("INVITE"), bob.received("INVITE")
    assert arrived.one("Content-Type") == sent.one("Content-Type")
    assert arrived.one("MIME-Version") == "1.0"
    assert _but_media(arrived.body) == _but_media(sent.body)
    assert arrived.body != sent.body
    assert f"m=audio {A_PORT}" not in arrived.body


@pytest.mark.rfc("3262", "3", "4", "5")
@pytest.mark.rfc("3261", "13.2.1")
def test_early_media_by_a_reliable_183_is_acknowledged_end_to_end(between: Between) -> None:
    alice, bob = between.play(
        caller()
        .invite(sdp(A_PORT), "Supported: 100rel")
        .expect(183)
        .request("PRACK", "", "RAck:[$rseq] 1 INVITE")
        .expect(200)
        .expect(180)
        .expect(200)
        .ack()
        .request("BYE")
        .expect(200)
        .keeping("RSeq", "rseq", at=183),
        callee()
        .receive("INVITE")
        .respond(183, sdp(B_PORT), "Require: 100rel", "RSeq: 4711")
        .receive("PRACK")
        .respond(200)
        .respond(180, to="INVITE")
        .respond(200, to="INVITE")
        .receive("ACK")
        .receive("BYE")
        .respond(200),
    )
    (early,) = alice.received(183)
    assert early.one("Require") == "100rel"
    assert media_of(early)[0] == LOOPBACK
    assert media_of(early)[1] != B_PORT
    (prack,) = bob.received("PRACK")
    assert prack.one("RAck").split()[0] == "4711"
    assert prack.one("RAck").split()[2] == "INVITE"


@pytest.mark.rfc("3261", "13.2.1", "13.2.2.4")
def test_a_late_offer_is_answered_in_the_ack(between: Between) -> None:
    alice, bob = between.play(
        caller().invite().expect(200).ack(sdp(A_PORT)).request("BYE").expect(200),
        callee().receive("INVITE").respond(200, sdp(B_PORT)).receive("ACK").receive("BYE").respond(200),
    )
    (invite,), (ack,) = bob.received("INVITE"), bob.received("ACK")
    assert invite.body == ""
    assert media_of(alice.received(200, of="INVITE")[0])[1] not in (A_PORT, B_PORT)
    assert media_of(ack)[0] == LOOPBACK
    assert media_of(ack)[1] not in (A_PORT, B_PORT)


@pytest.mark.rfc("3261", "14")
@pytest.mark.rfc("3264", "8.4")
@pytest.mark.rfc("3311", "5")
def test_hold_resume_update_info_and_refer_cross_inside_the_dialog(between: Between) -> None:
    alice, bob = between.play(
        caller()
        .invite(sdp(A_PORT))
        .expect(200)
        .ack()
        .invite(sdp(A_PORT, "a=sendonly", version=2), "X-Why: hold")
        .expect(200)
        .ack()
        .invite(sdp(A_PORT, "a=sendrecv", version=3))
        .expect(200)
        .ack()
        .request("UPDATE", sdp(A_PORT, version=4))
        .expect(200)
        .request("INFO", "Signal=5\r\nDuration=160\r\n", kind="application/dtmf-relay")
        .expect(200)
        .request(
            "REFER", "", "Refer-To: <sip:4000@pbx.example?Replaces=x%3Bto-tag%3Dy>", "Referred-By: <sip:a@b>"
        )
        .expect(202)
        .receive("BYE")
        .respond(200),
        callee()
        .receive("INVITE")
        .respond(200, sdp(B_PORT))
        .receive("ACK")
        .receive("INVITE")
        .respond(200, sdp(B_PORT, "a=recvonly", version=2))
        .receive("ACK")
        .receive("INVITE")
        .respond(200, sdp(B_PORT, version=3))
        .receive("ACK")
        .receive("UPDATE")
        .respond(200, sdp(B_PORT, version=4))
        .receive("INFO")
        .respond(200)
        .receive("REFER")
        .respond(202)
        .request("BYE")
        .expect(200),
    )
    first, hold, resume = bob.received("INVITE")
    assert hold.one("X-Why") == "hold"
    assert "sendonly" in media_of(hold)[2]
    assert "sendrecv" in media_of(resume)[2]
    assert media_of(first)[:2] == media_of(hold)[:2] == media_of(resume)[:2]
    assert media_of(bob.received("UPDATE")[0])[:2] == media_of(first)[:2]
    assert "recvonly" in media_of(alice.received(200, of="INVITE")[1])[2]
    assert len({(m.one("Call-ID"), m.one("From"), m.one("CSeq")) for m in (first, hold, resume)}) == 3
    assert len({m.one("Call-ID") for m in (first, hold, resume)}) == 1
    (info,), (refer,) = bob.received("INFO"), bob.received("REFER")
    assert info.body.startswith("Signal=5\r\nDuration=160")
    assert info.one("Content-Type") == "application/dtmf-relay"
    assert refer.one("Refer-To") == "<sip:4000@pbx.example?Replaces=x%3Bto-tag%3Dy>"
    assert refer.one("Referred-By") == "<sip:a@b>"


@pytest.mark.rfc("3261", "9")
@pytest.mark.rfc("3326", "2")
def test_a_cancel_crosses_with_its_reason(between: Between) -> None:
    alice, bob = between.play(
        caller()
        .invite(sdp(A_PORT))
        .expect(180)
        .cancel('Reason: SIP;cause=200;text="Call completed elsewhere"')
        .expect(200)
        .expect(487)
        .ack_refusal(),
        callee()
        .receive("INVITE")
        .respond(180)
        .receive("CANCEL")
        .respond(200)
        .respond(487, to="INVITE")
        .receive("ACK"),
    )
    assert alice.received(487)
    (cancel,) = bob.received("CANCEL")
    assert cancel.one("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert cancel.one("Via") == bob.received("INVITE")[0].one("Via")


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (486, ("X-Why: on the phone", "Retry-After: 120 (lunch)")),
        (302, ("Contact: <sip:elsewhere@192.0.2.7:5070>;q=0.5, <sip:mailbox@192.0.2.8>",)),
        (603, ('Warning: 399 carrier.example "not today"',)),
        (503, ("Retry-After: 30",)),
    ],
)
@pytest.mark.rfc("3261", "16.7", "21.3")
def test_a_refusal_crosses_with_its_fields(between: Between, status: int, fields: tuple[str, ...]) -> None:
    alice, _ = between.play(
        caller().invite(sdp(A_PORT)).expect(180).expect(status).ack_refusal(),
        callee()
        .receive("INVITE")
        .respond(180)
        .respond(status, "", *fields, reason="As It Is", contact=False)
        .receive("ACK"),
    )
    (refusal,) = alice.received(status)
    assert refusal.start == f"SIP/2.0 {status} As It Is"
    for field in fields:
        name, _, value = field.partition(": ")
        assert refusal.one(name) == value


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
@pytest.mark.rfc("3261", "22.1", "22.2", "22.3")
def test_a_challenge_and_the_credentials_cross(
    between: Between, status: int, asks: str, answers: str
) -> None:
    challenge = 'Digest realm="carrier", nonce="84a4cc6f3082121f32b42a2187831a9e", qop="auth", algorithm=MD5'
    credentials = (
        'Digest username="alice", realm="carrier", nonce="84a4cc6f3082121f32b42a2187831a9e", '
        'uri="sip:2000@carrier", response="7587245234b3434cc3412213e5f113a5", qop=auth, '
        'nc=00000001, cnonce="0a4f113b"'
    )
    alice, bob = between.play(
        caller().invite(sdp(A_PORT)).expect(status).ack_refusal(),
        callee().receive("INVITE").respond(status, "", f"{asks}: {challenge}", contact=False).receive("ACK"),
    )
    assert alice.received(status)[0].one(asks) == challenge
    alice, bob = between.play(
        caller()
        .invite(sdp(A_PORT), f"{answers}: {credentials}")
        .expect(200)
        .ack("", f"{answers}: {credentials}")
        .request("BYE", "", f"{answers}: {credentials}")
        .expect(200),
        callee().receive("INVITE").respond(200, sdp(B_PORT)).receive("ACK").receive("BYE").respond(200),
    )
    for method in ("INVITE", "ACK", "BYE"):
        assert bob.received(method)[0].one(answers) == credentials
    assert "7587245234b3434cc3412213e5f113a5" not in between.daemon.log


@pytest.mark.rfc("3261", "16.3", "8.2.2.3")
@pytest.mark.parametrize(
    ("field", "status", "says"),
    [("Max-Forwards: 0", 483, ""), ("Require: teleportation", 420, "Unsupported: teleportation")],
)
def test_what_cannot_go_on_is_refused_here(between: Between, field: str, status: int, says: str) -> None:
    script = caller().invite(sdp(A_PORT), field).expect(status).ack_refusal()
    script = script.without("Max-Forwards: 70") if field.startswith("Max-Forwards") else script
    with party(
        script, between.directory, f"{LOOPBACK}:{between.sip_port}", address=(LOOPBACK, free_port())
    ) as alice:
        assert alice.wait(10) == 0, alice.errors.read_text()
    name, _, value = says.partition(": ")
    assert not says or alice.received(status)[0].one(name) == value


def _but_media(body: str) -> str:
    """A body without what is ours in it: media address and port, and the origin line."""
    text = re.sub(r"(?m)^m=audio \d+", "m=audio _", body)
    text = re.sub(r"(?m)^c=IN IP4 \S+", "c=_", text)
    return re.sub(r"(?m)^o=.*$", "o=_", text).strip()
