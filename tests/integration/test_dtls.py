"""DTLS-SRTP towards an SRS: the keys are made between the media ports, and the SRS hears every sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siprec_src.app.dtls import Association, Identity
from siprec_src.media.model import DtlsPeer
from siprec_src.sdp.dtls import SUITES
from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.recorder import recorder

STRONGEST = "AEAD_AES_256_GCM"


def config_for(*uris: str, mux: bool = False) -> str:
    return "\n".join(
        f'[[srs]]\nuri = "{uri}"\nmedia_security = "dtls"\nrtcp_mux = {str(mux).lower()}\n'
        f'srtp_suites = ["{STRONGEST}", "AES_CM_128_HMAC_SHA1_80"]\n'
        for uri in uris
    )


def copying(daemon: Daemon) -> bool:
    _, text = daemon.get("/v1/calls")
    (call,) = json.loads(text)["calls"]
    return any(recording["copying"] for recording in call["recordings"])


@pytest.mark.parametrize(
    ("behave", "mux"),
    [
        pytest.param("answer", True, id="srs-active-multiplexed"),
        pytest.param("dtls-passive", False, id="srs-passive-rtcp-apart"),
    ],
)
@pytest.mark.rfc("5763", "5")
@pytest.mark.rfc("5764", "4.2", "5.1")
@pytest.mark.req("KEY-30", "KEY-31", "KEY-32", "KEY-33")
def test_an_srs_hears_both_voices_under_keys_of_a_handshake(tmp_path: Path, behave: str, mux: bool) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with (
        recorder(tmp_path, behave=behave) as srs,
        running(
            tmp_path,
            config=config_for(srs.uri(";transport=tcp"), mux=mux),
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
        ) as daemon,
        Conversation(tmp_path, via=(LOOPBACK, port), bob_at=bob_at, seconds=1.0) as call,
    ):
        until(lambda: len(srs.events("recording.secured")) == 2, 10, "both handshakes")
        until(lambda: copying(daemon), 5, "the copying begins")
        call.talk()
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        assert (recording.track("1"), recording.track("2")) == (call.alice_says, call.bob_says)
        for label in ("1", "2"):
            books = recording.books(label)
            assert (books["suite"], books["auth_failed"], books["lost"]) == (STRONGEST, 0, 0)
            assert books["goodbye"]
            assert books["sender_reports"] > 0
        until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
        (end,) = daemon.events("recording.end")
        assert (end["result"], end["secure"]) == ("recorded", True)


@pytest.mark.rfc("8122", "5")
@pytest.mark.req("KEY-31")
def test_an_srs_with_another_certificate_gets_nothing_and_the_next_one_all(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    forged, good = tmp_path / "forged", tmp_path / "good"
    with (
        recorder(forged, behave="dtls-forged") as wrong,
        recorder(good) as right,
        running(
            tmp_path,
            config=config_for(wrong.uri(";transport=tcp"), right.uri(";transport=tcp")),
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
        ) as daemon,
        Conversation(tmp_path, via=(LOOPBACK, port), bob_at=bob_at, seconds=1.0) as call,
    ):
        until(lambda: len(right.events("recording.secured")) == 2, 10, "both handshakes with the second")
        until(lambda: copying(daemon), 5, "the copying begins")
        call.talk()
        call.assert_heard()
        call.hang_up()
        assert right.recording().track("1") == call.alice_says
        (nothing,) = wrong.recordings()
        assert [track["received"] for track in nothing.summary["tracks"]] == [0, 0]
        until(lambda: len(daemon.events("recording.end")) == 2, 5, "the end of both")
        ends = {end["srs"]: end for end in daemon.events("recording.end")}
        assert ends[wrong.name]["reason"] == "srs-dtls-failed"
        assert "fingerprint" in ends[wrong.name]["detail"]
        assert ends[right.name]["result"] == "recorded"


@pytest.mark.rfc("6347", "4.2.4")
def test_what_is_lost_on_the_way_is_sent_again() -> None:
    """Of four handshakes each loses another datagram; they wait together."""
    pairs = [Lossy(lost) for lost in range(4)]
    until(lambda: sum(pair.agreed() for pair in pairs) == len(pairs), 5, "the handshakes")


class Lossy:
    """Two ends with a way between them that loses one datagram."""

    def __init__(self, lost: int) -> None:
        us, them = Identity(), Identity()
        self._client = Association(us, _peer(them, active=False))
        self._server = Association(them, _peer(us, active=True))
        self._lost = lost
        self._carry([(self._server, datagram) for datagram in self._client.begin()])

    def agreed(self) -> bool:
        self._carry([(self._server, datagram) for datagram in self._client.retransmit()])
        self._carry([(self._client, datagram) for datagram in self._server.retransmit()])
        return self._client.keys is not None and self._server.keys is not None

    def _carry(self, waiting: list[tuple[Association, bytes]]) -> None:
        while waiting:
            to, datagram = waiting.pop(0)
            self._lost -= 1
            if self._lost != -1:
                other = self._client if to is self._server else self._server
                waiting += [(other, reply) for reply in to.receive(datagram)]


def _peer(identity: Identity, *, active: bool) -> DtlsPeer:
    return DtlsPeer(association="", active=active, fingerprints=(identity.fingerprint,), suites=tuple(SUITES))
