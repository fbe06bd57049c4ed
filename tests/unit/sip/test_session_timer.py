"""Session timers: what is said of the interval, who refreshes, when it is over (RFC 4028)."""

from __future__ import annotations

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.session_timer import (
    Due,
    Refresher,
    SessionExpires,
    SessionTimer,
    expires_s,
    min_se,
    session_expires,
)

Fields = tuple[tuple[str, str], ...]
SUPPORTED = ("Supported", "timer")


def request(*fields: tuple[str, str]) -> Request:
    return Request(method="UPDATE", uri="sip:src@192.0.2.1", headers=Headers(fields))


def response(status: int, *fields: tuple[str, str]) -> Response:
    return Response(status=status, reason="", headers=Headers(fields))


def ok(value: str) -> Response:
    return response(200, ("Session-Expires", value))


def agreed(value: str, wanted_s: int = 1800) -> SessionTimer:
    """A timer whose INVITE was answered so at 0."""
    timer = SessionTimer(wanted_s)
    timer.agreed(ok(value), 0.0)
    return timer


# What is read.


@pytest.mark.rfc("4028", "4")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1800", SessionExpires(1800)),
        (" 0090 ; refresher=UAS", SessionExpires(90, Refresher.UAS)),
        ("90;x=1;refresher=uac;y", SessionExpires(90, Refresher.UAC)),
        ("4294967295;refresher", SessionExpires(2**32 - 1)),
    ],
)
def test_session_expires_is_an_interval_and_who_refreshes(value: str, expected: SessionExpires) -> None:
    assert session_expires(request(("x", value))) == expected
    assert session_expires(request(("Session-Expires", value))) == expected


@pytest.mark.rfc("4028", "4")
@pytest.mark.parametrize("value", ["", "-1", "1.5", "4294967296", "90;refresher=me", "90;;", "90,90", "٩٠"])
def test_a_session_expires_that_cannot_be_read_is_400(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        session_expires(request(("Session-Expires", value)))
    assert error.value.status == 400
    assert expires_s(ok(value)) is None
    with pytest.raises(RemoteProtocolError):
        SessionTimer(1800).refusal(request(("Session-Expires", value)))


@pytest.mark.rfc("4028", "5")
@pytest.mark.req("TIM-05")
def test_min_se_is_never_below_90_s() -> None:
    assert [min_se(request(("Min-SE", value))) for value in ("1", "90", "3600;x=1")] == [90, 90, 3600]
    assert min_se(request()) == 90
    with pytest.raises(RemoteProtocolError):
        min_se(request(("Min-SE", "soon")))


# Our requests.


@pytest.mark.rfc("4028", "7.1")
@pytest.mark.req("TIM-02")
def test_the_first_request_asks_for_the_interval_and_leaves_open_who_refreshes() -> None:
    assert SessionTimer(1800).request_fields() == (("Session-Expires", "1800"),)
    assert SessionTimer(0).request_fields() == ()


@pytest.mark.rfc("4028", "7.4")
@pytest.mark.parametrize(("said", "kept"), [("uac", "uac"), ("uas", "uas")])
def test_later_requests_keep_interval_and_refresher(said: str, kept: str) -> None:
    timer = agreed(f"600;refresher={said}")
    assert timer.request_fields() == (("Session-Expires", f"600;refresher={kept}"),)


@pytest.mark.rfc("4028", "7.2", "10")
@pytest.mark.req("TIM-03", "TIM-04", "TIM-06")
@pytest.mark.parametrize(
    ("value", "first", "due"),
    [
        ("1800;refresher=uac", 900.0, Due.REFRESH),
        ("1800", 900.0, Due.REFRESH),
        ("1800;refresher=uas", 1768.0, Due.EXPIRED),
        ("96;refresher=uas", 64.0, Due.EXPIRED),
        ("90;refresher=uas", 60.0, Due.EXPIRED),
        ("10;refresher=uac", 45.0, Due.REFRESH),
        ("1;refresher=uas", 60.0, Due.EXPIRED),
    ],
)
@pytest.mark.parametrize("wanted_s", [0, 1800])
def test_the_2xx_says_who_does_what_and_when(value: str, first: float, due: Due, wanted_s: int) -> None:
    timer = agreed(value, wanted_s)
    assert timer.deadline == first
    assert timer.due(first - 0.01) is None
    assert timer.due(first) is due
    assert timer.due(first) is None


@pytest.mark.rfc("4028", "7.2")
@pytest.mark.req("TIM-03")
@pytest.mark.parametrize("answer", [response(200), ok("rubbish")])
def test_a_2xx_without_an_interval_ends_the_timer(answer: Response) -> None:
    timer = agreed("1800;refresher=uac")
    timer.agreed(answer, 100.0)
    assert (timer.deadline, timer.running) == (None, False)


@pytest.mark.rfc("4028", "10")
@pytest.mark.req("TIM-08")
def test_a_refresh_that_fails_is_tried_again_a_few_times_and_then_the_session_expires() -> None:
    timer = agreed("1800;refresher=uac")
    moments = []
    while (due := timer.deadline) is not None:
        what = timer.due(due)
        moments.append(due)
        if what is Due.REFRESH:
            timer.failed(due)
    assert moments[:3] == [900.0, 1350.0, 1575.0]
    assert moments[-1] == 1800.0
    assert len(moments) < 12
    assert not timer.running


@pytest.mark.rfc("4028", "7.4")
def test_a_failed_update_of_who_does_not_refresh_changes_nothing() -> None:
    timer = agreed("1800;refresher=uas")
    timer.failed(100.0)
    assert timer.deadline == 1768.0


# 422 and 421.


@pytest.mark.rfc("4028", "7.3")
@pytest.mark.req("ERR-06", "TIM-05")
def test_a_422_is_followed_by_its_min_se_and_the_largest_is_repeated() -> None:
    timer = SessionTimer(1800)
    assert timer.try_again(response(422, ("Min-SE", "3600")))
    assert timer.request_fields() == (("Session-Expires", "3600"), ("Min-SE", "3600"))
    assert timer.try_again(response(422, ("Min-SE", "7200")))
    timer.agreed(ok("7200;refresher=uac"), 0.0)
    assert timer.request_fields() == (("Session-Expires", "7200;refresher=uac"), ("Min-SE", "7200"))


@pytest.mark.rfc("4028", "7.3")
@pytest.mark.req("ERR-06")
@pytest.mark.parametrize(
    ("wanted_s", "fields"),
    [
        (1800, ()),
        (1800, (("Min-SE", "1800"),)),
        (1800, (("Min-SE", "90"),)),
        (1800, (("Min-SE", "x"),)),
        (0, (("Min-SE", "3600"),)),
    ],
)
def test_a_422_that_asks_for_nothing_more_is_a_refusal_like_others(wanted_s: int, fields: Fields) -> None:
    assert not SessionTimer(wanted_s).try_again(response(422, *fields))


@pytest.mark.rfc("4028", "7.3")
@pytest.mark.req("ERR-06")
def test_a_peer_that_always_wants_more_is_not_followed_for_ever() -> None:
    timer = SessionTimer(90)
    answers = [timer.try_again(response(422, ("Min-SE", str(n)))) for n in (100, 200, 300, 400, 500)]
    assert answers == [True, True, True, False, False]


@pytest.mark.rfc("3261", "21.4.16")
@pytest.mark.req("ERR-07")
def test_timers_are_required_of_a_peer_that_wants_them_required_once() -> None:
    timer = SessionTimer(1800)
    demand = response(421, ("Require", "timer"))
    assert timer.try_again(demand)
    assert timer.request_fields() == (("Require", "timer"), ("Session-Expires", "1800"))
    assert not timer.try_again(demand)
    assert not SessionTimer(1800).try_again(response(421, ("Require", "timer, 100rel")))
    assert not SessionTimer(1800).try_again(response(421, ("Require", "?=")))
    assert not SessionTimer(1800).try_again(response(488))


# Requests of the peer.


@pytest.mark.rfc("4028", "9")
@pytest.mark.req("TIM-07")
def test_too_short_an_interval_is_refused_if_the_peer_knows_what_that_means() -> None:
    timer = SessionTimer(1800)
    assert timer.refusal(request(("Session-Expires", "89"), SUPPORTED)) == (("Min-SE", "90"),)
    assert timer.refusal(request(("Session-Expires", "89"))) is None
    assert timer.refusal(request(("Session-Expires", "90"), SUPPORTED)) is None
    assert timer.refusal(request(SUPPORTED)) is None


@pytest.mark.rfc("4028", "9")
@pytest.mark.req("TIM-07")
@pytest.mark.parametrize(
    ("before", "fields", "said", "deadline"),
    [
        ("", (("Session-Expires", "600;refresher=uac"), SUPPORTED), "600;refresher=uac", 568.0),
        ("", (("Session-Expires", "600;refresher=uas"), SUPPORTED), "600;refresher=uas", 300.0),
        ("", (("Session-Expires", "600"), SUPPORTED), "600;refresher=uac", 568.0),
        ("", (("Session-Expires", "600"), ("Require", "timer")), "600;refresher=uac", 568.0),
        ("", (("Session-Expires", "600"),), "600;refresher=uas", 300.0),
        ("", (("Session-Expires", "80"),), "80;refresher=uas", 45.0),
        ("900;refresher=uac", (("Session-Expires", "600"), SUPPORTED), "600;refresher=uas", 300.0),
        ("900;refresher=uas", (("Session-Expires", "600"), SUPPORTED), "600;refresher=uac", 568.0),
        ("900;refresher=uas", (SUPPORTED,), "900;refresher=uac", 868.0),
        ("900;refresher=uas", (), "900;refresher=uas", 450.0),
        ("900;refresher=uac", (("Min-SE", "1200"), SUPPORTED), "1200;refresher=uas", 600.0),
    ],
)
def test_the_peers_refresh_gets_its_interval_and_a_refresher(
    before: str, fields: Fields, said: str, deadline: float
) -> None:
    timer = agreed(before) if before else SessionTimer(1800)
    granted = timer.grant(request(*fields), 0.0)
    required = (("Require", "timer"),) if said.endswith("uac") else ()
    assert granted == (*required, ("Session-Expires", said))
    assert timer.deadline == deadline


@pytest.mark.rfc("4028", "9")
def test_without_a_timer_on_either_side_none_begins() -> None:
    timer = SessionTimer(1800)
    assert timer.grant(request(SUPPORTED), 0.0) == ()
    assert timer.deadline is None
