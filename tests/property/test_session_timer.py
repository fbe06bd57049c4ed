"""Whatever a peer says of session timers, it is an interval of at least 90 s, a refusal, or nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.session_timer import Due, SessionTimer

numbers = st.one_of(st.integers(0, 10_000).map(str), st.text(max_size=12))
refreshers = st.sampled_from(("", ";refresher=uac", ";refresher=uas", ";refresher", ";refresher=x", ";;"))
values = st.builds(lambda number, refresher: number + refresher, numbers, refreshers)
tags = st.sampled_from(("timer", "TIMER", "siprec", "?", ""))
fields = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("Session-Expires", "x", "Min-SE")), values),
        st.tuples(st.sampled_from(("Supported", "Require")), tags),
    ),
    max_size=4,
).map(Headers)
steps = st.lists(
    st.tuples(st.sampled_from(("answer", "ask", "wait")), st.sampled_from((200, 421, 422, 488)), fields),
    max_size=12,
)


def _asked(timer: SessionTimer, headers: Headers, now: float) -> None:
    request = Request(method="UPDATE", uri="sip:a@192.0.2.1", headers=headers)
    try:
        if timer.refusal(request) is None:
            timer.grant(request, now)
    except RemoteProtocolError:
        pass


def _answered(timer: SessionTimer, status: int, headers: Headers, now: float) -> None:
    response = Response(status=status, reason="", headers=headers)
    if status == 200:
        timer.agreed(response, now)
    elif not timer.try_again(response):
        timer.failed(now)


@given(wanted_s=st.sampled_from((0, 90, 1800)), steps=steps)
def test_time_is_never_short_and_what_is_due_is_said_once(
    wanted_s: int, steps: list[tuple[str, int, Headers]]
) -> None:
    timer, now = SessionTimer(wanted_s), 0.0
    for what, status, headers in steps:
        match what:
            case "answer":
                _answered(timer, status, headers, now)
            case "ask":
                _asked(timer, headers, now)
            case _ if timer.deadline is not None:
                now = max(now, timer.deadline)
                assert timer.due(now) in (Due.REFRESH, Due.EXPIRED)
        assert timer.running == (timer.deadline is not None)
        assert timer.deadline is None or timer.deadline > now
        said = dict(timer.request_fields()).get("Session-Expires")
        assert said is None or int(said.partition(";")[0]) >= 90
