"""What holds for every request: shapes of refusals, bodies and their bounds, HEAD, and faults of ours."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from siprec_src.api import app
from siprec_src.api.accounts import Accounts
from siprec_src.api.auth import Auth
from siprec_src.api.bodies import MAX_BODY_BYTES
from siprec_src.api.errors import json_answer
from siprec_src.api.forms import MAX_FIELDS, form_of, read_form
from siprec_src.api.plain import TEXT
from tests.support.asgi import FORM, LOCAL, Answer, asked
from tests.unit.api.door import Door, Log

SECRET = "hunter2"


class Order(BaseModel):
    name: Annotated[str | None, Field(alias="Name", max_length=5)] = None
    kind: Annotated[Literal["a", "b"], Field(alias="Kind")] = "a"
    events: Annotated[list[str], Field(alias="Event")] = []


def _routes() -> APIRouter:
    made = APIRouter()

    @made.post("/form", openapi_extra=form_of(Order))
    async def form(request: Request) -> Response:
        return json_answer((await read_form(request, Order, {"Kind": 31941})).model_dump())

    @made.post("/2010-04-01/form")
    async def tree_form(request: Request) -> Response:
        return json_answer((await read_form(request, Order, {"Kind": 31941})).model_dump())

    @made.post("/fault")
    async def fault(request: Request) -> Response:
        raise RuntimeError((await request.body()).decode())

    return made


class Site:
    def __init__(self) -> None:
        self.log = Log()
        auth = Auth(Accounts(), None, local=True)
        page = {"/healthz": lambda: (200, TEXT, b"ok\n")}
        parts = app.Parts(auth=auth, pages=page, routers=(_routes(),), log=self.log, version="1")
        self.app = app.build(parts)

    def post(self, path: str, body: bytes, kind: str = FORM, **fields: str) -> Answer:
        return asked(self.app, "POST", path, {**LOCAL, "content-type": kind, **fields}, body=body)


def test_a_form_becomes_a_model() -> None:
    body = b"Name=x%C3%A9&Event=1&Event=2&Unknown=&Kind=b"
    assert Site().post("/form", body).json == {"name": "xé", "kind": "b", "events": ["1", "2"]}


def test_an_empty_body_needs_no_type() -> None:
    assert asked(Site().app, "POST", "/form").json == {"name": None, "kind": "a", "events": []}


@pytest.mark.parametrize(
    ("body", "kind", "status", "text"),
    [
        (b"Name=1", "application/json", 415, "expected Content-Type application/x-www-form-urlencoded"),
        (b"Name=1", f"{FORM}; charset=latin-1", 415, "expected charset utf-8"),
        (b"Name=\xff", FORM, 400, "The form is not UTF-8"),
        (b"Name=%ff", FORM, 400, "The form is not UTF-8"),
        (b"&".join([b"a=1"] * (MAX_FIELDS + 1)), FORM, 400, f"The form has more than {MAX_FIELDS} fields"),
        (b"Name=123456", FORM, 400, "Name: String should have at most 5 characters"),
        (b"x" * (MAX_BODY_BYTES + 1), FORM, 413, f"The body is longer than {MAX_BODY_BYTES} bytes"),
    ],
)
def test_a_form_that_cannot_be_used_is_refused_in_both_shapes(
    body: bytes, kind: str, status: int, text: str
) -> None:
    site = Site()
    answer = site.post("/form", body, kind)
    assert (answer.status, answer.json) == (status, {"error": text})
    answer = site.post("/2010-04-01/form", body, kind)
    assert answer.json == {
        "code": 20001,
        "message": text,
        "more_info": "https://www.twilio.com/docs/errors/20001",
        "status": status,
    }


def test_a_body_of_unknown_length_is_bounded_too() -> None:
    fields = {**LOCAL, "content-type": FORM, "content-length": ""}
    assert asked(Site().app, "POST", "/form", fields, body=b"x" * (MAX_BODY_BYTES + 1)).status == 413


def test_a_field_has_the_code_of_its_own() -> None:
    assert Site().post("/2010-04-01/form", b"Kind=c").json["code"] == 31941


@pytest.mark.parametrize("path", ["/form", "/2010-04-01/form"])
def test_another_method_is_refused_with_those_that_there_are(path: str) -> None:
    answer = asked(Site().app, "DELETE", path)
    if path == "/form":
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    else:
        assert answer.status == 401  # nobody without an account learns what is there


def test_head_has_everything_but_the_body() -> None:
    site = Site()
    got, head = (asked(site.app, method, "/healthz") for method in ("GET", "HEAD"))
    assert head.headers == got.headers
    assert asked(site.app, "POST", "/healthz").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "OPTIONS"])
def test_a_method_that_nobody_knows_is_not_allowed(method: str) -> None:
    assert asked(Site().app, method, "/healthz").status == 405


def test_a_fault_of_ours_is_an_answer_and_a_line_without_what_was_sent() -> None:
    site = Site()
    answer = site.post("/fault", SECRET.encode(), authorization=f"Bearer {SECRET}")
    assert (answer.status, list(answer.json)) == (500, ["error"])
    ((event, fields),) = site.log.errors
    assert (event, fields["path"]) == ("api.failed", "/fault")
    assert "RuntimeError" in str(fields["fault"])
    assert "in fault" in str(fields["fault"])
    assert SECRET not in str(fields) + str(answer.body)


def test_a_slash_in_a_name_is_one() -> None:
    door = Door()
    assert door.ask("GET", "/v1/calls/U1NT%2Fpause").status == 404
    assert door.ask("GET", "/v1/calls/%2F%2f").status == 404


def test_the_document_and_its_page_need_nothing_from_elsewhere() -> None:
    door = Door()
    document = door.ask("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert {"401", "404", "429", "500"} <= set(document["paths"]["/v1/calls/{call}"]["get"]["responses"])
    page = door.ask("GET", "/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    text = page.body.decode()
    assert "<script" not in text
    assert "//" not in text.replace("<!doctype", "")
    assert "/v1/calls/{call}/pause" in text


def test_every_operation_is_named_and_every_schema_is_there() -> None:
    document = Door().ask("GET", "/openapi.json").json
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(_references(document)) <= known


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _references(inner)]
    return []
