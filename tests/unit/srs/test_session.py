"""One recording session from the SRS's side, on events of the user agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from siprec_src.communication import Direction, Format
from siprec_src.errors import ConfigurationError, NoRoom
from siprec_src.metadata.model import SnapshotRequest
from siprec_src.metadata.reader import read_metadata
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Media, Origin, SessionDescription, new_session
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import join_mixed, make_part
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request
from siprec_src.srs.answer import Reception
from siprec_src.srs.session import ServedSession
from siprec_src.srs.settings import Behaviour, SrsSettings, parse_behaviour
from tests.support.identity import CountingIdentity

FLOW = Flow(Transport.UDP, Address("192.0.2.1", 5060), "srs")
PCMU = Format(payload_type=0, encoding="PCMU", clock_rate=8000)
ORIGIN = Origin(session_id=1, version=1, address="192.0.2.1")
DOCUMENT = b'<recording xmlns="urn:ietf:params:xml:ns:recording:1"/>'
KEY = Crypto(1, "AES_CM_128_HMAC_SHA1_80", b"k" * 30)


class FakeRecording:
    """Remembers what it is told."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.ports: dict[int, int] = {}
        self.receptions: tuple[Reception, ...] = ()
        self.documents: list[bytes] = []
        self.ended: list[str] = []

    def open(self, index: int) -> int:
        if len(self.ports) >= self.room and index not in self.ports:
            msg = "no free RTP port"
            raise NoRoom(msg)
        return self.ports.setdefault(index, 20000 + 2 * index)

    def receive(self, receptions: tuple[Reception, ...]) -> None:
        self.receptions = receptions

    def metadata(self, document: bytes) -> None:
        self.documents.append(document)

    def end(self, reason: str) -> None:
        self.ended.append(reason)


def line(
    label: str, direction: Direction = Direction.SENDONLY, *, secure: bool = False, port: int = 4000
) -> Media:
    media = Media(medium="audio", port=port, protocol="RTP/SAVP" if secure else "RTP/AVP", formats=())
    media = media.with_formats((PCMU,)).with_label(label).with_direction(direction)
    return media.with_crypto(KEY) if secure else media


OFFER = new_session(ORIGIN, line("1"), line("2", port=4002))


def request(
    method: str = "INVITE",
    offer: SessionDescription | None = None,
    document: bytes | None = None,
    *,
    contact: str = ";+sip.src",
    require: str = "siprec",
    extra: bytes | None = None,
) -> Request:
    parts = []
    if offer is not None:
        parts.append(make_part("application/sdp", write_sdp(offer)))
    if document is not None:
        parts.append(make_part("application/rs-metadata+xml", document, "recording-session"))
    if extra is not None:
        parts.append(make_part("application/unknown", extra))
    fields = [
        ("From", "<sip:src@example.com>;tag=a"),
        ("To", "<sip:srs@example.com>"),
        ("Call-ID", "c1"),
        ("CSeq", f"1 {method}"),
        ("Contact", f"<sip:src@192.0.2.1>{contact}"),
    ]
    if require:
        fields.append(("Require", require))
    body = b""
    if parts:
        content_type, body = join_mixed(parts, "b0undary")
        fields.append(("Content-Type", content_type))
    return Request(headers=Headers(fields), body=body, method=method, uri="sip:srs@example.com")


class Served:
    """A session and its recording."""

    def __init__(self, behaviour: Behaviour | None = None, room: int = 100) -> None:
        self.recording = FakeRecording(room)
        settings = SrsSettings(directory=Path(), behaviour=behaviour or Behaviour())
        self.tokens = 10
        self.session = ServedSession(
            sip.InviteArrived(usage=1, token=1, request=request(), flow=FLOW),
            identity=CountingIdentity(),
            settings=settings,
            begin=lambda _request, _document: self.recording,
        )

    def invite(self, message: Request, now: float = 0.0) -> list[sip.Command]:
        return self.session.receive(sip.InviteArrived(usage=1, token=1, request=message, flow=FLOW), now)

    def inside(self, message: Request) -> sip.Respond:
        self.tokens += 1
        event = sip.RequestArrived(usage=1, dialog="srs", token=self.tokens, request=message, flow=FLOW)
        (response,) = self.session.receive(event, 1.0)
        assert isinstance(response, sip.Respond)
        assert response.token == self.tokens
        return response


def only(commands: list[sip.Command]) -> sip.Respond:
    (response,) = commands
    assert isinstance(response, sip.Respond)
    return response


def answer_of(response: sip.Respond) -> SessionDescription:
    assert response.status == 200
    assert response.headers.get("Content-Type") == "application/sdp"
    return parse_sdp(response.body)


def established(
    offer: SessionDescription = OFFER, behaviour: Behaviour | None = None
) -> tuple[Served, SessionDescription]:
    served = Served(behaviour)
    return served, answer_of(only(served.invite(request(offer=offer, document=DOCUMENT))))


@pytest.mark.rfc("7866", "6.2")
@pytest.mark.rfc("7866", "7.2")
def test_invite_is_answered_recvonly_with_labels_and_the_srs_feature() -> None:
    served = Served()
    response = only(served.invite(request(offer=OFFER, document=DOCUMENT)))
    assert response.contact_parameters == ";+sip.srs"
    answer = answer_of(response)
    assert [media.label for media in answer.media] == ["1", "2"]
    assert [media.port for media in answer.media] == [20000, 20002]
    assert all(answer.direction(media) is Direction.RECVONLY for media in answer.media)
    assert served.recording.documents == [DOCUMENT]
    assert [item.label for item in served.recording.receptions] == ["1", "2"]


@pytest.mark.rfc("7866", "6.1.1")
@pytest.mark.parametrize(
    ("message", "status"),
    [
        (request(offer=OFFER, require=""), 421),
        (request(offer=OFFER, contact=""), 403),
        (request(offer=None, document=DOCUMENT), 488),
        (request(offer=new_session(ORIGIN, line("1").with_port(0))), 488),
        (request(offer=OFFER, extra=b"x"), 415),
    ],
)
def test_what_is_no_recording_session_is_refused(message: Request, status: int) -> None:
    served = Served()
    assert only(served.invite(message)).status == status
    assert served.session.finished


def test_without_ports_the_session_is_refused_for_now() -> None:
    served = Served(room=1)
    response = only(served.invite(request(offer=OFFER)))
    assert (response.status, response.headers.get("Retry-After")) == (503, "5")
    assert served.recording.ended == ["refused"]


@pytest.mark.rfc("4568", "5.1.2")
@pytest.mark.req("KEY-14")
def test_secured_media_is_answered_with_an_own_key_under_the_same_tag() -> None:
    served, answer = established(new_session(ORIGIN, line("1", secure=True)))
    (own,) = answer.media[0].crypto
    assert (own.tag, own.suite) == (1, KEY.suite)
    assert own.material != KEY.material
    (item,) = served.recording.receptions
    assert (item.receive_key, item.send_key) == (KEY, own)
    again = answer_of(served.inside(request(offer=new_session(ORIGIN, line("1", secure=True)))))
    assert again.media[0].crypto == (own,)


@pytest.mark.rfc("3264", "6")
def test_media_that_cannot_be_recorded_gets_port_0_in_its_place() -> None:
    video = Media(medium="video", port=5000, protocol="RTP/AVP", formats=("96", "97"))
    broken = line("3").with_protocol("RTP/SAVP")
    _, answer = established(new_session(ORIGIN, video, line("1"), broken))
    assert [media.port for media in answer.media] == [0, 20002, 0]
    assert answer.media[0].formats == ("96",)


@pytest.mark.rfc("7866", "7.1.1.1")
def test_pause_resume_and_a_new_stream_by_new_offers() -> None:
    served, first = established()
    paused = answer_of(
        served.inside(request(offer=new_session(ORIGIN, line("1", Direction.INACTIVE), line("2"))))
    )
    assert [paused.direction(media) for media in paused.media] == [Direction.INACTIVE, Direction.RECVONLY]
    assert paused.origin.version == first.origin.version + 1
    grown = answer_of(served.inside(request(offer=OFFER.with_media(*OFFER.media, line("3")))))
    assert [media.port for media in grown.media] == [20000, 20002, 20004]
    same = answer_of(served.inside(request(offer=OFFER.with_media(*OFFER.media, line("3")))))
    assert same.origin == grown.origin
    assert served.inside(request(offer=OFFER)).status == 488


@pytest.mark.rfc("7866", "9.1")
def test_metadata_comes_by_update_by_reinvite_and_by_bye() -> None:
    served, _ = established()
    assert served.inside(request("UPDATE", document=DOCUMENT)).status == 200
    assert served.inside(request(offer=OFFER, document=DOCUMENT)).status == 200
    assert served.inside(request("BYE", document=DOCUMENT)).status == 200
    assert len(served.recording.documents) == 4
    assert (served.recording.ended, served.session.finished) == (["bye"], True)


@pytest.mark.rfc("3261", "14.2")
def test_invite_without_offer_gets_ours() -> None:
    served, answer = established()
    assert answer_of(served.inside(request())) == answer


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("INFO", 200), ("MESSAGE", 405)])
def test_other_requests_are_answered(method: str, status: int) -> None:
    served, _ = established()
    assert served.inside(request(method)).status == status


@pytest.mark.parametrize("cause", ["no-ack", "481"])
def test_a_dialog_that_is_gone_ends_the_recording(cause: str) -> None:
    served, _ = established()
    served.session.receive(sip.DialogEnded(usage=1, dialog="srs", cause=cause), 2.0)
    assert served.recording.ended == [cause]
    assert served.session.hang_up("shutdown") == []


def test_hanging_up_sends_bye() -> None:
    served, _ = established()
    (bye,) = served.session.hang_up("shutdown")
    assert isinstance(bye, sip.SendRequest)
    assert bye.method == "BYE"
    assert served.recording.ended == ["shutdown"]


@pytest.mark.parametrize(
    ("words", "check"),
    [
        ("inactive", lambda answer: answer.direction(answer.media[0]) is Direction.INACTIVE),
        ("port-zero=2", lambda answer: [media.port for media in answer.media] == [20000, 0]),
        ("port-zero=1+2", lambda answer: [media.port for media in answer.media] == [0, 0]),
        ("fewer", lambda answer: len(answer.media) == 1),
        ("no-label", lambda answer: answer.media[0].label is None),
        ("no-direction", lambda answer: answer.media[0].own_direction is None),
    ],
)
def test_answers_may_be_wrong_on_purpose(words: str, check: object) -> None:
    _, answer = established(behaviour=parse_behaviour(words))
    assert callable(check)
    assert check(answer)


def test_secured_media_may_be_answered_in_the_clear_on_purpose() -> None:
    _, answer = established(new_session(ORIGIN, line("1", secure=True)), parse_behaviour("plain"))
    assert (answer.media[0].protocol, answer.media[0].crypto) == ("RTP/AVP", ())


def test_refusal_silence_and_delay_on_purpose() -> None:
    assert only(Served(parse_behaviour("refuse=603")).invite(request(offer=OFFER))).status == 603
    assert Served(parse_behaviour("silent")).invite(request(offer=OFFER)) == []
    served = Served(parse_behaviour("delay=2"))
    assert served.invite(request(offer=OFFER), 10.0) == []
    assert served.session.deadline == 12.0
    assert served.session.wake(11.0) == []
    assert only(served.session.wake(12.0)).status == 200


def test_bye_and_snapshot_request_on_purpose() -> None:
    served, _ = established(behaviour=parse_behaviour("snapshot-after=1,bye-after=2"))
    (update,) = served.session.wake(1.0)
    assert isinstance(update, sip.SendRequest)
    assert (update.method, update.headers.get("Content-Disposition")) == ("UPDATE", "recording-session")
    assert read_metadata(update.body) == SnapshotRequest()
    (bye,) = served.session.wake(2.0)
    assert isinstance(bye, sip.SendRequest)
    assert (bye.method, served.recording.ended) == ("BYE", ["srs-bye"])


@pytest.mark.parametrize("words", ["nonsense", "refuse", "refuse=200", "delay=x", "delay=-1", "silent=1"])
def test_words_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_behaviour(words)
    assert parse_behaviour("answer") == Behaviour()
