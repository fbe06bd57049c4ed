"""Dialogs: how they come about, their route set, target and numbers (RFC 3261 12)."""

from __future__ import annotations

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.dialog import Dialog, request_key
from siprec_src.sip.message import Headers
from siprec_src.sip.offer_state import OfferState, Open, has_sdp
from siprec_src.sip.schedule import Schedule
from tests.support.sip import SDP, SDP_TYPE, answer, request

ROUTES = (("Record-Route", "<sip:one.example;lr>"), ("Record-Route", "<sip:two.example;lr>"))


@pytest.mark.rfc("3261", "12.1.1")
@pytest.mark.req("DLG-02")
def test_the_called_side_keeps_the_order_of_record_route() -> None:
    dialog = Dialog.of_server(request(headers=ROUTES, cseq=7), "ours")
    made, hop = dialog.request("BYE", Headers())
    assert made.headers.all("route") == ("<sip:one.example;lr>", "<sip:two.example;lr>")
    assert (hop.host, made.uri) == ("one.example", "sip:peer@192.0.2.9")
    assert dialog.key == ("pc1", "ours", "p1")
    assert dialog.remote_cseq == 7
    assert made.headers.get("from") == "<sip:us@192.0.2.1>;tag=ours"
    assert made.headers.get("to") == "<sip:peer@192.0.2.9>;tag=p1"


@pytest.mark.rfc("3261", "12.1.2")
@pytest.mark.req("DLG-02")
def test_the_calling_side_reverses_the_order_of_record_route() -> None:
    dialog = Dialog.of_client(request(), answer(request(), 200, headers=ROUTES))
    made, hop = dialog.request("BYE", Headers())
    assert made.headers.all("route") == ("<sip:two.example;lr>", "<sip:one.example;lr>")
    assert hop.host == "two.example"


@pytest.mark.rfc("3261", "12.2.1.1")
@pytest.mark.req("DLG-02")
def test_a_strict_router_becomes_the_request_uri_and_the_target_goes_last() -> None:
    strict = (("Record-Route", "<sip:one.example;method=BYE>, <sip:two.example;lr>"),)
    dialog = Dialog.of_server(request(headers=strict), "ours")
    made, hop = dialog.request("INFO", Headers())
    assert made.uri == "sip:one.example"
    assert made.headers.all("route") == ("<sip:two.example;lr>", "<sip:peer@192.0.2.9>")
    assert hop.host == "one.example"


@pytest.mark.rfc("3261", "12.2.1.1")
@pytest.mark.req("DLG-01")
def test_numbers_rise_by_one_and_the_ack_has_the_invites() -> None:
    dialog = Dialog.of_client(request(), answer(request(), 200))
    numbers = [str(dialog.request(m, Headers())[0].cseq) for m in ("INFO", "UPDATE")]
    ack, _ = dialog.request("ACK", Headers(), cseq=1)
    assert [*numbers, str(ack.cseq), str(dialog.request("BYE", Headers())[0].cseq)] == [
        "2 INFO",
        "3 UPDATE",
        "1 ACK",
        "4 BYE",
    ]


@pytest.mark.rfc("3261", "12.2.2")
@pytest.mark.req("DLG-14")
def test_received_numbers_must_rise() -> None:
    dialog = Dialog.of_server(request(cseq=5), "ours")
    assert [dialog.accept(n) for n in (4, 5, 6, 6, 99, 7)] == [False, False, True, False, True, False]
    caller = Dialog.of_client(request(), answer(request(), 200))
    assert caller.accept(0)


@pytest.mark.rfc("3261", "12.2")
@pytest.mark.req("DLG-03")
def test_a_refresh_replaces_the_target_and_nothing_else() -> None:
    dialog = Dialog.of_server(request(headers=ROUTES), "ours")
    dialog.refresh(request("UPDATE", contact="<sip:moved@192.0.2.77?Route=evil>"))
    assert str(dialog.target) == "sip:moved@192.0.2.77"
    dialog.refresh(request("UPDATE", contact=None))
    assert str(dialog.target) == "sip:moved@192.0.2.77"
    assert len(dialog.routes) == 2


@pytest.mark.rfc("3261", "8.1.1.8")
def test_an_invite_without_a_contact_makes_no_dialog() -> None:
    with pytest.raises(RemoteProtocolError):
        Dialog.of_server(request(contact=None), "ours")


@pytest.mark.rfc("3261", "12.1.2")
def test_a_response_without_contact_leaves_the_request_uri_as_target() -> None:
    dialog = Dialog.of_client(request(), answer(request(), 180, contact=None))
    assert str(dialog.target) == "sip:us@192.0.2.1"


@pytest.mark.rfc("3261", "12.2.2")
def test_a_received_request_names_our_tag_first() -> None:
    assert request_key(request("BYE", to_tag="ours", from_tag="theirs")) == ("pc1", "ours", "theirs")


def test_the_owner_cannot_override_what_the_dialog_dictates() -> None:
    dialog = Dialog.of_server(request(), "ours")
    given = Headers([("CSeq", "77 X"), ("Route", "<sip:evil>"), ("Max-Forwards", "9"), ("X-Own", "1")])
    made, _ = dialog.request("INFO", given, contact="<sip:us>")
    assert (made.max_forwards, str(made.cseq), made.headers.all("route")) == (9, "1 INFO", ())
    assert (made.headers.get("x-own"), made.headers.get("contact")) == ("1", "<sip:us>")


@pytest.mark.rfc("3264", "4")
def test_descriptions_alternate_between_offer_and_answer() -> None:
    state = OfferState()
    with_sdp, without = request(headers=(SDP_TYPE,), body=SDP), request()
    seen = []
    for say, what in (
        (state.we_send, without),
        (state.we_send, with_sdp),
        (state.they_send, with_sdp),
        (state.they_send, with_sdp),
    ):
        say(what)
        seen.append(state.open)
    state.close()
    assert [*seen, state.open] == [Open.NONE, Open.OURS, Open.NONE, Open.THEIRS, Open.NONE]


@pytest.mark.rfc("6337", "2.1")
def test_a_copy_of_the_answer_in_the_2xx_is_no_new_offer() -> None:
    state = OfferState()
    offer = request(headers=(SDP_TYPE,), body=SDP)
    reliable, final = (answer(offer, status, headers=(SDP_TYPE,), body=SDP) for status in (183, 200))
    state.we_send(offer)
    state.they_answer_invite(reliable)
    state.they_answer_invite(final)
    assert state.open is Open.NONE


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/sdp", SDP, True),
        ("Application/SDP;charset=utf-8", SDP, True),
        ("application/sdp", b"", False),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: Application/SDP\r\n", True),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: text/plain\r\n", False),
        ("text/plain", SDP, False),
        ("///", SDP, False),
        (None, SDP, False),
    ],
)
def test_a_body_has_sdp_when_its_type_says_so(kind: str | None, body: bytes, expected: bool) -> None:
    headers = (("Content-Type", kind),) if kind else ()
    assert has_sdp(request(headers=headers, body=body)) is expected


class Bell:
    """A timed thing for the schedule."""

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.queued: float | None = None
        self.rung: list[float] = []

    def wake(self, now: float) -> None:
        self.rung.append(now)
        self.deadline = None


def test_the_schedule_wakes_what_is_due_and_forgets_what_is_not() -> None:
    schedule = Schedule()
    early, late, moved, gone = Bell(1.0), Bell(5.0), Bell(2.0), Bell(1.5)
    for bell in (late, early, moved, gone):
        schedule.arm(bell)
    moved.deadline, gone.deadline = 7.0, None
    schedule.arm(moved)
    assert schedule.deadline == 1.0
    schedule.wake(3.0)
    assert (early.rung, late.rung, moved.rung, gone.rung) == ([3.0], [], [], [])
    assert schedule.deadline == 5.0
    late.deadline = 4.0
    schedule.arm(late)
    assert schedule.deadline == 4.0
    schedule.wake(10.0)
    assert (late.rung, moved.rung) == ([10.0], [10.0])
    assert len(schedule) == 0
