"""Calls in the platform's shape: who is in them, which are kept, how they are listed."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.rest.api.v2010.account.call import CallInstance

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.calls.book import CallBook, KnownCall
from siprec_src.api.calls.filters import filters
from siprec_src.api.calls.parties import parties_of
from siprec_src.api.calls.resource import shown
from siprec_src.api.errors import ApiError
from siprec_src.api.pages import Query, page
from siprec_src.api.sids import call_sid
from siprec_src.communication import CommunicationSession
from siprec_src.machine import WallClock
from siprec_src.values import SecretText
from tests.unit.recording.play import two_party_call

ACCOUNT = Account(sid="AC" + "1" * 32, auth_token=SecretText("token"))
WALL = WallClock(1_795_000_000.0)  #: 2026-11-18 11:06:40 UTC


def session(number: int, *, started: float = 0.0, ended: float | None = None) -> CommunicationSession:
    return dataclasses.replace(
        two_party_call(), call=number, session_id=number.to_bytes(16, "big"), started=started, ended=ended
    )


class Kept:
    """A book, its clock, and what it has forgotten."""

    def __init__(self, max_kept: int = 10) -> None:
        self.now = 0.0
        self.forgotten: list[str] = []
        self.book = CallBook(
            accounts=lambda: Accounts(known=(ACCOUNT,)),
            now=lambda: self.now,
            max_kept=max_kept,
        )
        self.book.when_forgotten(self.forgotten.append)

    def call(self, number: int = 1, **changes: object) -> KnownCall:
        told = dataclasses.replace(session(number), **changes)  # type: ignore[arg-type] # its own fields
        self.book.notice(told)
        known = self.book.find(call_sid(told.session_id))
        assert known is not None
        return known


@pytest.mark.feature("F041", "F177")
@pytest.mark.parametrize(
    ("headers", "caller", "called", "forwarded"),
    [
        ([("To", "<sip:+14155550100@pbx;user=phone>")], "sip:alice@example.com", "+14155550100", ""),
        ([("To", '"Bob" <tel:+1-415-555-0100>;tag=x')], "sip:alice@example.com", "+14155550100", ""),
        ([("t", "<sip:2000@pbx>")], "sip:alice@example.com", "2000", ""),
        ([("To", "<sip:bob@pbx:5070;x=y>")], "sip:alice@example.com", "sip:bob@pbx:5070", ""),
        ([("To", "no address <")], "sip:alice@example.com", "sip:bob@example.net", ""),
        (
            [("Diversion", "<sip:+14155550199@pbx>;reason=busy, <sip:first@pbx>")],
            "sip:alice@example.com", "sip:bob@example.net", "+14155550199",
        ),
        (
            [
                ("History-Info", "<sip:+14155550197@pbx>;index=1"),
                ("History-Info", "<sip:+14155550198@pbx>;index=1.1, <sip:bob@pbx>;index=1.1.1"),
            ],
            "sip:alice@example.com", "sip:bob@example.net", "+14155550198",
        ),
        ([("History-Info", "<sip:bob@pbx>;index=1")], "sip:alice@example.com", "sip:bob@example.net", ""),
        ([("Diversion", "<<<")], "sip:alice@example.com", "sip:bob@example.net", ""),
    ],
)  # fmt: skip
def test_parties_are_numbers_where_they_can_be_and_whoever_diverts_last_is_named(
    headers: list[tuple[str, str]], caller: str, called: str, forwarded: str
) -> None:
    parties = parties_of(dataclasses.replace(two_party_call(), headers=tuple(headers)))
    assert (parties.caller, parties.called, parties.forwarded_from) == (caller, called, forwarded)
    assert parties.caller_name == "Alice & Co"


@pytest.mark.feature("F177")
def test_a_call_has_every_key_that_the_client_library_reads() -> None:
    known = Kept().call(started=0.0, ended=None)
    read = set(re.findall(r'payload\.get\(\s*"(\w+)"', inspect.getsource(CallInstance.__init__)))
    assert read - shown(known, WALL).keys() == set()


@pytest.mark.feature("F177")
def test_a_call_that_has_ended_says_how_long_it_was() -> None:
    kept = Kept()
    live = shown(kept.call(started=10.0), WALL)
    assert (live["status"], live["end_time"], live["duration"]) == ("in-progress", None, None)
    over = shown(kept.call(started=10.0, ended=75.9), WALL)
    assert (over["status"], over["end_time"], over["duration"]) == (
        "completed", "Wed, 18 Nov 2026 11:07:55 +0000", "65",
    )  # fmt: skip
    assert over["start_time"] == "Wed, 18 Nov 2026 11:06:50 +0000"
    below = f"/2010-04-01/Accounts/{ACCOUNT.sid}/Calls/{over['sid']}"
    assert over["uri"] == f"{below}.json"
    assert over["subresource_uris"]["siprec"] == f"{below}/Siprec.json"
    assert over["subresource_uris"]["recordings"] == f"{below}/Recordings.json"
    assert over["subresource_uris"]["user_defined_messages"] == f"{below}/UserDefinedMessages.json"


def test_a_north_american_number_is_also_shown_as_it_is_written_there() -> None:
    said = shown(Kept().call(headers=(("To", "<sip:+14158675309@pbx>"),)), WALL)
    assert (said["to"], said["to_formatted"]) == ("+14158675309", "(415) 867-5309")


def test_calls_that_ended_first_make_room_for_others() -> None:
    kept = Kept(max_kept=2)
    live = kept.call(9)
    ended = [kept.call(number, ended=1.0) for number in (1, 2)]
    kept.book.notice(session(3, ended=1.0))
    assert kept.forgotten == [ended[0].sid]
    assert kept.book.find(ended[0].sid) is None
    assert kept.book.find(live.sid) is live


def test_of_a_call_that_has_ended_no_more_is_kept_than_is_shown() -> None:
    kept = Kept()
    live = shown(kept.call(headers=(("To", "<sip:+14155550100@pbx>"),)), WALL)
    over = kept.call(headers=(("To", "<sip:+14155550100@pbx>"),), ended=5.0)
    assert (over.session.headers, over.session.streams, over.session.participants) == ((), (), ())
    assert shown(over, WALL)["to"] == live["to"] == "+14155550100"


@pytest.mark.feature("F029", "F030")
def test_a_call_of_nobody_or_of_another_account_is_not_found() -> None:
    kept = Kept()
    known = kept.call()
    assert kept.book.of_account(known.sid, ACCOUNT) is known
    stranger = Account(sid="AC" + "2" * 32, auth_token=SecretText("other"))
    for sid, account in ((known.sid, stranger), ("CA" + "0" * 32, ACCOUNT), ("nonsense", ACCOUNT)):
        with pytest.raises(ApiError) as caught:
            kept.book.of_account(sid, account)
        assert (caught.value.status, caught.value.code) == (404, 20404)


def _chosen(query: Query) -> list[int]:
    kept = Kept()
    kept.book.notice(session(1, started=0.0, ended=3600.0))  # 18 Nov 11:06:40 to 12:06:40
    kept.book.notice(session(2, started=86_400.0))  # 19 Nov 11:06:40.25, goes on
    kept.book.notice(dataclasses.replace(session(3, started=86_401.25), headers=(("To", "<sip:+123@pbx>"),)))
    asked = filters(query, WALL)
    known = kept.book.newest_first()
    return [call.session.call for call in known if all(holds(call) for holds in asked)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ([], [3, 2, 1]),
        ([("Unknown", "x")], [3, 2, 1]),
        ([("Status", "completed")], [1]),
        ([("Status", "ringing")], []),
        ([("To", "+123")], [3]),
        ([("From", "sip:alice@example.com"), ("Status", "in-progress")], [3, 2]),
        ([("From", "nobody")], []),
        ([("StartTime", "2026-11-19")], [3, 2]),
        ([("StartTime", "2026-11-19T11:06:41Z")], [3]),
        ([("StartTime<", "2026-11-19")], [1]),
        ([("StartTime>", "2026-11-19")], [3, 2]),
        ([("StartTime>", "2026-11-18T11:06:40Z"), ("StartTime<", "2026-11-19T11:06:40Z")], [2, 1]),
        ([("EndTime>", "2026-11-18")], [1]),
        ([("EndTime<", "2026-11-18")], []),
    ],
)
def test_a_list_is_filtered_by_parties_status_and_time(query: Query, numbers: list[int]) -> None:
    assert _chosen(query) == numbers


@pytest.mark.parametrize(
    "query",
    [
        ("Status", "In-Progress"), ("StartTime", "yesterday"), ("StartTime", "2026-02-30"),
        ("StartTime>", "2026-11-19T11:06:40+01:00"), ("EndTime<", ""),
    ],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_refused(query: tuple[str, str]) -> None:
    with pytest.raises(ApiError) as caught:
        filters([query], WALL)
    assert (caught.value.status, caught.value.code) == (400, 20001)


def test_of_a_filter_that_comes_often_the_last_counts() -> None:
    assert len(filters([("Status", "completed")] * 500 + [("Status", "in-progress")], WALL)) == 1
    (last,) = filters([("Status", "completed"), ("Status", "in-progress")], WALL)
    assert last(Kept().call())


async def test_others_have_their_turn_while_a_long_list_is_made() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    found = await page("/Calls.json", [("PageSize", "1000")], "calls", range(1000), lambda n: {"n": n})
    beside.cancel()
    assert len(found["calls"]) == 1000
    assert turns >= 10


def _pages(query: Query, count: int) -> Iterator[dict[str, object]]:
    """Every page as a client gets it that follows the links."""
    for _ in range(count + 2):
        found = asyncio.run(page("/Calls.json", query, "calls", range(count), lambda number: {"n": number}))
        yield found
        link = found["next_page_uri"]
        if link is None:
            return
        assert isinstance(link, str)
        query = parse_qsl(urlsplit(link).query)
    raise AssertionError("for ever")


@pytest.mark.parametrize(
    ("size", "count", "pages"), [(1, 3, 3), (2, 3, 2), (3, 3, 1), (50, 0, 1), (1000, 3, 1)]
)
def test_following_the_links_gives_everything_once(size: int, count: int, pages: int) -> None:
    found = list(_pages([("Status", "completed"), ("PageSize", str(size))], count))
    assert [item for one in found for item in one["calls"]] == [{"n": n} for n in range(count)]  # type: ignore[attr-defined]
    assert len(found) == pages
    last = found[-1]
    assert last["uri"] == f"/Calls.json?Status=completed&PageSize={size}&Page={pages - 1}"
    back = f"/Calls.json?Status=completed&PageSize={size}&Page={pages - 2}" if pages > 1 else None
    assert last["previous_page_uri"] == back


def test_a_page_has_no_other_keys_than_the_client_library_expects() -> None:
    query = [("StartTime>", "2026-11-18")]
    one = asyncio.run(page("/Calls.json", query, "calls", range(60), lambda number: {"n": number}))
    assert (one["page"], one["page_size"], one["start"], one["end"]) == (0, 50, 0, 49)
    assert one["next_page_uri"] == "/Calls.json?StartTime%3E=2026-11-18&PageSize=50&Page=1"
    assert one.keys() - {"calls"} == {
        "end", "first_page_uri", "next_page_uri", "page", "page_size", "previous_page_uri", "start", "uri",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (("PageSize", "1001"), 20007), (("PageSize", "0"), 20001), (("PageSize", "-1"), 20001),
        (("PageSize", "x"), 20001), (("Page", "-1"), 20001), (("Page", "9" * 30), 20001),
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused(query: tuple[str, str], code: int) -> None:
    with pytest.raises(ApiError) as caught:
        asyncio.run(page("/Calls.json", [query], "calls", range(3), lambda number: {"n": number}))
    assert (caught.value.status, caught.value.code) == (400, code)
