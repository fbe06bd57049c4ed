"""The Siprec resource as the platform's own client library sees it, on live calls."""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException

from tests.support.api import ACCOUNT, STRANGER, STRANGERS_TOKEN, TOKEN, Api, LiveCall
from tests.support.daemon import LOOPBACK, patient

SR = re.compile(r"SR[0-9a-f]{32}")


@pytest.fixture
def call(service: Api) -> Iterator[LiveCall]:
    with service.call() as live:
        yield live


def refused(attempt: Callable[..., Any], **asked: Any) -> tuple[int, int]:
    """Status and code with which the library says that it was refused."""
    with pytest.raises(TwilioRestException) as caught:
        attempt(**asked)
    return caught.value.status, caught.value.code


def form(
    service: Api, path: str, body: bytes, kind: str = "application/x-www-form-urlencoded", user: str = ACCOUNT
) -> int:
    """The status of a POST that no library would send."""
    connection = http.client.HTTPConnection(LOOPBACK, service.daemon.http or 0, timeout=patient(5))
    credentials = base64.b64encode(f"{user}:{TOKEN}".encode()).decode()
    headers = {"Content-Type": kind, "Authorization": f"Basic {credentials}"}
    connection.request("POST", f"/2010-04-01/Accounts/{ACCOUNT}{path}", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.feature(
    "F008", "F009", "F010", "F011", "F012", "F013", "F014", "F028", "F050", "F051", "F053", "F054", "H7"
)
def test_a_siprec_is_started_and_stopped_by_the_client_library(service: Api, call: LiveCall) -> None:
    resource = service.client.calls(call.sid)
    begun = resource.siprec.create(name="my-first-siprec", connector_name="Gridspace1")
    answer = service.answer
    below = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{call.sid}/Siprec/"
    assert answer == {
        "sid": begun.sid,
        "account_sid": ACCOUNT,
        "call_sid": call.sid,
        "name": "my-first-siprec",
        "status": "in-progress",
        "date_updated": answer["date_updated"],
        "uri": f"{below}{begun.sid}.json",
    }
    assert SR.fullmatch(begun.sid or "")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", answer["date_updated"])
    assert resource.siprec("my-first-siprec").update(status="stopped").sid == begun.sid
    assert service.answer == {**answer, "status": "stopped", "date_updated": service.answer["date_updated"]}
    again = resource.siprec(begun.sid or "").update(status="stopped")
    assert (again.sid, again.status) == (begun.sid, "stopped")


@pytest.mark.feature("F011", "F031", "F032")
def test_a_siprec_needs_no_field_at_all(service: Api, call: LiveCall) -> None:
    begun = service.client.calls(call.sid).siprec.create()
    assert (begun.name, begun.status) == (None, "in-progress")
    stopped = service.client.calls(call.sid).siprec(begun.sid or "").update(status="stopped")
    assert service.answer["name"] is None
    assert stopped.status == "stopped"


@pytest.mark.feature("F051", "H6")
@pytest.mark.parametrize("name", ["My SIPREC Stream", "a+b", "Größe 会議", "50% & more", "SR0", "a%20b"])
def test_a_siprec_is_stopped_by_whatever_name_it_has(service: Api, call: LiveCall, name: str) -> None:
    begun = service.client.calls(call.sid).siprec.create(name=name)
    assert begun.name == name
    in_path = quote(name) if "%" in name else name  # the library leaves a percent sign as it is
    assert service.client.calls(call.sid).siprec(in_path).update(status="stopped").sid == begun.sid


@pytest.mark.feature("F031", "H5")
def test_a_name_is_in_use_on_one_call_until_it_is_stopped(service: Api, call: LiveCall) -> None:
    siprec = service.client.calls(call.sid).siprec
    first = siprec.create(name="agent", track="inbound_track")
    assert refused(siprec.create, name="agent", track="inbound_track") == (400, 20409)
    with service.call() as other:
        elsewhere = service.client.calls(other.sid).siprec.create(name="agent")
        assert elsewhere.sid != first.sid
    siprec("agent").update(status="stopped")
    second = siprec.create(name="agent", track="inbound_track")
    assert siprec("agent").update(status="stopped").sid == second.sid


@pytest.mark.feature("F032", "F033", "F034", "F035", "F036", "F052", "H6", "H10")
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"connector_name": "Nobody at all"}, 31940),
        ({"connector_name": "default"}, 31940),
        ({"track": "both"}, 31941),
        ({"status_callback": "/relative"}, 21609),
        ({"status_callback": "ftp://example.com"}, 21609),
        ({"status_callback": "https://example.com/", "status_callback_method": "PUT"}, 21209),
        ({"name": "a/b"}, 20001),
        ({"name": "SR" + "0" * 32}, 20001),
        ({"parameter1_name": "X\r\nEvil", "parameter1_value": "1"}, 20001),
        ({"parameter7_value": "without a name"}, 20001),
    ],
)
def test_what_cannot_be_is_refused_in_the_words_of_the_platform(
    service: Api, call: LiveCall, asked: dict[str, Any], code: int
) -> None:
    assert refused(service.client.calls(call.sid).siprec.create, **asked) == (400, code)
    answer = service.answer
    assert answer.keys() == {"code", "message", "more_info", "status"}
    assert answer["more_info"] == f"https://www.twilio.com/docs/errors/{code}"


@pytest.mark.feature("F029", "F030", "F051", "F052")
def test_what_is_not_there_is_not_found(service: Api, call: LiveCall) -> None:
    calls = service.client.calls
    begun = calls(call.sid).siprec.create(name="here")
    stranger = service.client_of(STRANGER, STRANGERS_TOKEN)
    for attempt in (
        calls("CA" + "0" * 32).siprec.create,
        calls("nonsense").siprec.create,
        stranger.calls(call.sid).siprec.create,
        stranger.api.accounts(ACCOUNT).calls(call.sid).siprec.create,
        stranger.calls(call.sid).fetch,
    ):
        assert refused(attempt) == (404, 20404)
    for siprec in (
        calls(call.sid).siprec("nobody"),
        calls(call.sid).siprec("SR" + "0" * 32),
        calls("CA" + "0" * 32).siprec(begun.sid or ""),
        stranger.calls(call.sid).siprec(begun.sid or ""),
    ):
        assert refused(siprec.update, status="stopped") == (404, 20404)
    assert refused(calls(call.sid).siprec("here").update, status="in-progress") == (400, 20001)
    path = f"/Calls/{call.sid}/Siprec/here.json"
    assert form(service, path, b"") == 400
    assert form(service, path, b'{"Status": "stopped"}', "application/json") == 415
    assert form(service, path, b"Status=%ff") == 400
    assert form(service, path, b"x=" + b"y" * 200_000) == 413
    assert form(service, path, b"Status=stopped", user="AC" + "1" * 32) == 401
    assert form(service, path.replace("Siprec", "siprec"), b"Status=stopped") == 404
    assert form(service, path, b"Status=stopped&Unknown=field") == 200


@pytest.mark.feature("F028")
def test_there_is_nothing_to_be_read_of_siprecs(service: Api, call: LiveCall) -> None:
    status, body = service.daemon.get(f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{call.sid}/Siprec.json")
    assert (status, '"code":20003' in body) == (401, True)
    client = service.client
    answer = client.request(
        "GET", f"{client.api.base_url}/2010-04-01/Accounts/{ACCOUNT}/Calls/{call.sid}/Siprec.json"
    )
    assert (answer.status_code, '"code":20004' in answer.text) == (405, True)


@pytest.mark.feature("F177")
def test_calls_are_listed_in_pages_and_filtered(service: Api) -> None:
    with service.call() as one, service.call() as two:
        client = service.client
        numbers = [call.to for call in client.calls.stream(page_size=1, status="in-progress")]
        assert numbers[:2] == [two.number, one.number]
        assert len(numbers) == len(set(numbers))
        assert [c.sid for c in client.calls.list(limit=1)] == [two.sid]
        assert [c.sid for c in client.calls.list(to=one.number)] == [one.sid]
        assert client.calls.list(to=one.number, status="completed") == []
        fetched = client.calls(one.sid).fetch()
        assert (fetched.status, fetched._from, fetched.direction) == (
            "in-progress",
            "+14155550000",
            "inbound",
        )
        assert fetched.subresource_uris is not None
        assert (
            fetched.subresource_uris["siprec"]
            == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{one.sid}/Siprec.json"
        )
        assert fetched.start_time is not None
        assert one.sid in [c.sid for c in client.calls.list(start_time_after=fetched.start_time, limit=1000)]
        assert client.calls.list(start_time_before=fetched.start_time.replace(year=2020)) == []
        one.hang_up()
        over = client.calls(one.sid).fetch()
        assert (over.status, over.end_time is not None, over.duration) == ("completed", True, over.duration)
        assert refused(client.calls(one.sid).siprec.create) == (400, 21220)
        with pytest.raises(TwilioException, match="20007"):
            client.calls.list(page_size=1001)
        query = urlencode({"StartTime>": "2020-01-01", "PageSize": 1})
        answer = client.request(
            "GET", f"{client.api.base_url}/2010-04-01/Accounts/{ACCOUNT}/Calls.json?{query}"
        )
        assert '"next_page_uri":"/2010-04-01/Accounts/' in answer.text
