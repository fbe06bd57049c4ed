"""Readers wait in the media process for the keys of their handshake (RFC 5763, RFC 5764)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from siprec_src.app.dtls import Association, Identity
from siprec_src.app.handshakes import HANDSHAKE_S, LINGER_S, Effect, Handshakes
from siprec_src.media import plane
from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.model import DtlsPeer, Endpoint, PortId
from siprec_src.sdp.dtls import SUITES

STREAM, VIA = PortId(1), PortId(9)
RTP, RTCP = Endpoint("192.0.2.9", 30000), Endpoint("192.0.2.9", 30001)


class Srs:
    """The other end: one association for each 5-tuple."""

    def __init__(self, *, active: bool, mux: bool = True) -> None:
        self.identity = Identity()
        self.handshakes = Handshakes()
        self.handshakes.command(OPEN, 0.0)
        answer = self.handshakes.answer(plane.PortsOpen(tag=1, ports=(plane.OpenPort(port=VIA, rtp_port=1),)))
        assert isinstance(answer, plane.PortsOpen)
        us = DtlsPeer(
            association="", active=not active, fingerprints=(answer.fingerprint,), suites=tuple(SUITES)
        )
        self.ends = {rtcp: Association(self.identity, us) for rtcp in ((False,) if mux else (False, True))}
        self.attach = plane.AttachReader(
            tag=7,
            stream=STREAM,
            via=VIA,
            remote=RTP,
            rtcp_mux=mux,
            ssrc=1,
            cname="c25hbWU",
            first_sequence=1,
            first_timestamp=1,
            payload_types=((0, 0),),
            dtls=DtlsPeer(
                association="a",
                active=active,
                fingerprints=(self.identity.fingerprint,),
                suites=("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"),
            ),
        )

    def carry(self, effects: list[Effect], now: float = 0.0) -> list[Effect]:
        """Let both sides talk until they are silent; returns what is not for the SRS."""
        rest: list[Effect] = []
        waiting = list(effects)
        while waiting:
            effect = waiting.pop(0)
            if not isinstance(effect, SendDtls):
                rest.append(effect)
                continue
            assert effect.to == (RTCP if effect.rtcp else RTP)
            for reply in self.ends[effect.rtcp].receive(effect.data):
                waiting += self.handshakes.received(self.datagram(reply, rtcp=effect.rtcp), now)
        return rest

    def hello(self, now: float = 0.0) -> list[Effect]:
        """The SRS begins."""
        return [
            effect
            for rtcp, end in self.ends.items()
            for data in end.begin()
            for effect in self.handshakes.received(self.datagram(data, rtcp=rtcp), now)
        ]

    @staticmethod
    def datagram(data: bytes, *, rtcp: bool = False, source: Endpoint | None = None) -> DtlsReceived:
        return DtlsReceived(port=VIA, rtcp=rtcp, source=source or (RTCP if rtcp else RTP), data=data)


OPEN = plane.OpenPorts(tag=1, host="192.0.2.1", low=10000, high=10100, count=1, dtls=True)


def keyed(effects: list[Effect]) -> plane.AttachReader:
    (attach,) = effects
    assert isinstance(attach, plane.AttachReader)
    assert attach.dtls is None
    assert attach.send_key is not None
    assert attach.receive_key is not None
    return attach


@pytest.mark.rfc("5763", "5")
@pytest.mark.req("KEY-30", "KEY-32")
@pytest.mark.parametrize("active", [False, True])
def test_the_engine_gets_the_reader_when_the_handshake_has_ended(active: bool) -> None:
    srs = Srs(active=active)
    effects = srs.handshakes.command(srs.attach, 0.0)
    assert all(isinstance(effect, SendDtls) for effect in effects)
    rest = srs.carry(effects) + (srs.carry(srs.hello()) if active else [])
    attach = keyed(rest)
    theirs = srs.ends[False].keys
    assert theirs is not None
    assert (attach.send_key, attach.receive_key) == (theirs.receive, theirs.send)
    assert dataclasses.replace(attach, dtls=srs.attach.dtls, send_key=None, receive_key=None) == srs.attach


@pytest.mark.rfc("5763", "5")
@pytest.mark.req("KEY-30")
def test_a_client_hello_that_overtakes_the_answer_is_not_lost() -> None:
    srs = Srs(active=True)
    assert srs.hello() == []
    keyed(srs.carry(srs.handshakes.command(srs.attach, 0.5)))


@pytest.mark.rfc("5764", "3")
@pytest.mark.req("KEY-33")
@pytest.mark.parametrize("active", [False, True])
def test_rtcp_on_a_port_of_its_own_has_keys_of_its_own(active: bool) -> None:
    srs = Srs(active=active, mux=False)
    rest = srs.carry(srs.handshakes.command(srs.attach, 0.0)) + (srs.carry(srs.hello()) if active else [])
    attach = keyed(rest)
    rtp, rtcp = srs.ends[False].keys, srs.ends[True].keys
    assert rtp is not None
    assert rtcp is not None
    assert attach.send_key is not None
    assert attach.send_key.material == rtp.receive.material
    assert attach.send_key.rtcp_material == rtcp.receive.material != rtp.receive.material


def test_nobody_but_the_srs_can_take_part() -> None:
    srs = Srs(active=True)
    srs.handshakes.command(srs.attach, 0.0)
    (hello,) = srs.ends[False].begin()
    stranger = srs.datagram(hello, source=Endpoint("192.0.2.66", 30000))
    assert srs.handshakes.received(stranger, 0.0) == []
    assert srs.handshakes.received(dataclasses.replace(stranger, port=PortId(5)), 0.0) == []


@pytest.mark.parametrize("spelled", ["2001:DB8:0:0::9", "2001:0db8::0009"])
def test_an_srs_is_known_however_its_sdp_spells_its_address(spelled: str) -> None:
    srs = Srs(active=True)
    srs.handshakes.command(dataclasses.replace(srs.attach, remote=Endpoint(spelled, 30000)), 0.0)
    (hello,) = srs.ends[False].begin()
    (reply,) = srs.handshakes.received(srs.datagram(hello, source=Endpoint("2001:db8::9", 30000)), 0.0)
    assert isinstance(reply, SendDtls)


def test_a_reader_that_another_takes_the_place_of_has_its_answer() -> None:
    srs = Srs(active=True)
    srs.handshakes.command(srs.attach, 0.0)
    (refused,) = srs.handshakes.command(dataclasses.replace(srs.attach, tag=8), 1.0)
    assert isinstance(refused, plane.Refused)
    assert (refused.tag, refused.reason) == (7, "dtls-failed")
    attach = keyed(srs.carry(srs.hello(2.0), 2.0))
    assert attach.tag == 8


@pytest.mark.parametrize(
    "change",
    [
        lambda c: dataclasses.replace(c, remote=Endpoint("srs.example", 30000)),
        lambda c: dataclasses.replace(c, dtls=dataclasses.replace(c.dtls, suites=())),
        lambda c: dataclasses.replace(c, dtls=dataclasses.replace(c.dtls, suites=("NULL",))),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    change: Callable[[plane.AttachReader], plane.AttachReader],
) -> None:
    srs = Srs(active=True)
    (refused,) = srs.handshakes.command(change(srs.attach), 0.0)
    assert isinstance(refused, plane.Refused)
    assert (refused.tag, refused.reason) == (7, "bad-argument")
    assert srs.handshakes.deadline is None


@pytest.mark.req("KEY-31")
def test_a_forged_certificate_is_a_refusal_with_its_cause() -> None:
    srs = Srs(active=False)
    assert srs.attach.dtls is not None
    expected = dataclasses.replace(srs.attach.dtls, fingerprints=(Identity().fingerprint,))
    attach = dataclasses.replace(srs.attach, dtls=expected)
    (refused,) = srs.carry(srs.handshakes.command(attach, 0.0))
    assert isinstance(refused, plane.Refused)
    assert (refused.tag, refused.reason) == (7, "dtls-failed")
    assert "fingerprint" in refused.detail


def test_an_srs_that_does_not_answer_is_given_up_after_a_while() -> None:
    srs = Srs(active=True)
    assert srs.handshakes.command(srs.attach, 0.0) == []
    assert srs.handshakes.wake(HANDSHAKE_S - 0.1) == []
    (refused,) = srs.handshakes.wake(HANDSHAKE_S)
    assert isinstance(refused, plane.Refused)
    assert refused.reason == "dtls-failed"
    assert srs.handshakes.deadline is None


def test_a_port_that_closes_takes_its_handshake_with_it() -> None:
    srs = Srs(active=True)
    srs.handshakes.command(srs.attach, 0.0)
    close = plane.ClosePorts(tag=8, ports=(VIA,))
    refused, passed = srs.handshakes.command(close, 1.0)
    assert isinstance(refused, plane.Refused)
    assert (refused.tag, passed) == (7, close)
    assert srs.hello() == []
    assert srs.handshakes.wake(HANDSHAKE_S) == []
    (late,) = srs.handshakes.command(srs.attach, 2.0)
    assert isinstance(late, plane.Refused)
    assert late.reason == "gone"


def test_a_handshake_of_a_process_before_is_lost_and_not_begun_under_another_certificate() -> None:
    srs = Srs(active=False)
    srs.handshakes = Handshakes(left=(VIA,))
    (refused,) = srs.handshakes.command(srs.attach, 0.0)
    assert isinstance(refused, plane.Refused)
    assert (refused.tag, refused.reason) == (7, "dtls-lost")
    assert srs.hello() == []


@pytest.mark.rfc("8842", "3.1")
@pytest.mark.req("KEY-34")
def test_the_same_association_gives_its_keys_to_the_next_reader_and_a_new_one_does_not() -> None:
    srs = Srs(active=False)
    first = keyed(srs.carry(srs.handshakes.command(srs.attach, 0.0)))
    again = keyed(srs.handshakes.command(dataclasses.replace(srs.attach, tag=8), 1.0))
    assert (again.send_key, again.receive_key) == (first.send_key, first.receive_key)
    assert srs.attach.dtls is not None
    other = dataclasses.replace(srs.attach, dtls=dataclasses.replace(srs.attach.dtls, association="b"))
    assert all(isinstance(effect, SendDtls) for effect in srs.handshakes.command(other, 2.0))


def test_nothing_is_left_to_do_when_the_last_flight_has_surely_arrived() -> None:
    srs = Srs(active=False)
    srs.carry(srs.handshakes.command(srs.attach, 0.0))
    assert srs.handshakes.wake(HANDSHAKE_S - 1) == []
    assert srs.handshakes.deadline == LINGER_S
    assert srs.handshakes.wake(LINGER_S) == []
    assert srs.handshakes.deadline is None


def test_other_commands_pass_as_they_are() -> None:
    handshakes = Handshakes()
    bare = plane.DetachReader(tag=3, reader=1)  # type: ignore[arg-type] # an id
    assert handshakes.command(bare, 0.0) == [bare]
    assert handshakes.answer(plane.Done(tag=3)) == plane.Done(tag=3)
