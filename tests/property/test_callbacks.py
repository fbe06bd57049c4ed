"""Callbacks whatever servers answer, and requests to whatever URL customers give."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from yarl import URL

from siprec_src.api.callbacks.callback import Delivered, Failed, Result
from siprec_src.api.callbacks.outbox import Outbox
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.outside import check_url, shown
from siprec_src.api.signed import SIGNATURE, signed_request
from siprec_src.store.letter import Letter

RESULTS: st.SearchStrategy[Result] = st.sampled_from(
    [Delivered(status=200), Failed(reason="503", again=True), Failed(reason="404", again=False)]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    resources=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    results=st.lists(RESULTS, max_size=40),
    killed=st.integers(0, 40),
)
def test_of_a_resource_none_overtakes_whatever_fails_and_whenever_the_process_is_killed(
    resources: list[int], results: list[Result], killed: int
) -> None:
    settings = CallbackSettings(max_concurrent=3, max_concurrent_per_host=2, max_age_s=50.0)
    box = Outbox(settings, lambda low, _high: low)
    for resource in resources:
        box.put(_letter(box.number(), f"SR{resource}", f"http://h{resource % 2}/"))
    done: dict[str, list[int]] = defaultdict(list)
    now, step, flying = 0.0, 0, list[Letter]()
    while box.count:
        flying += box.start(now)
        if step == killed:
            kept = [letter for letter in box.everything().values() if letter is not None]
            box, flying = Outbox(settings, lambda low, _high: low), []
            box.restore(kept, now)
            step += 1
            continue
        if not flying:
            assert box.deadline is not None
            now = max(now, box.deadline)
            continue
        letter = flying.pop(0)
        result = results[step] if step < len(results) else Delivered(status=200)
        step += 1
        after = box.settle(letter.id, result, now)
        if isinstance(result, Delivered) or after.died is not None:
            done[letter.resource].append(letter.number)
    assert all(numbers == sorted(numbers) for numbers in done.values())
    assert sum(map(len, done.values())) == len(resources)


def _letter(number: int, resource: str, url: str) -> Letter:
    return Letter(
        id=f"CB{number}",
        number=number,
        account_sid="AC",
        resource=resource,
        call_sid="CA",
        url=url,
        method="POST",
        fields=(),
        since=0.0,
        due=0.0,
    )


@given(
    url=st.one_of(
        TEXT,
        st.builds(
            "{}://{}{}".format, st.sampled_from(["http", "https"]), st.sampled_from(["h", "[::1]:8"]), TEXT
        ),
    ),
    fields=st.lists(st.tuples(TEXT, TEXT), max_size=4, unique_by=lambda pair: pair[0]),
    method=st.sampled_from(["GET", "POST"]),
)
def test_a_url_is_refused_or_asked_with_a_signature_that_holds(
    url: str, fields: list[tuple[str, str]], method: str
) -> None:
    shown(url)
    try:
        check_url(url)
    except ValueError:
        return
    try:
        request = signed_request("token", method, url, fields)
    except ValueError:
        return  # a host that is no name
    assert request.url.isascii()
    assert URL(request.url, encoded=True).raw_host
    form = dict(parse_qsl((request.body or b"").decode()))
    assert RequestValidator("token").validate(request.url, form, request.headers[SIGNATURE])
    told = form if method == "POST" else dict(parse_qsl(urlsplit(request.url).query))
    assert all(told[name] == value for name, value in fields if value)
