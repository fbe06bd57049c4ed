"""The application: every route, refusals in their shapes, and an OpenAPI document that says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from siprec_src.api import plain
from siprec_src.api.auth import Auth
from siprec_src.api.document import made_from as document_of
from siprec_src.api.errors import JSON, ApiError, answer_to, below_tree, not_found
from siprec_src.api.guard import Guard
from siprec_src.api.page import POLICY, page_of
from siprec_src.telemetry.log import Logger
from siprec_src.values import immutable

_OBJECT: Final[dict[str, Any]] = {"content": {JSON: {"schema": {"type": "object"}}}}
_HTML: Final[dict[str, Any]] = {"content": {"text/html": {"schema": {"type": "string"}}}}
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


@immutable
class Parts:
    """What the application is made of."""

    auth: Auth
    pages: plain.Pages
    routers: Sequence[APIRouter]  #: of resources, each with `Auth.admit` among its dependencies
    log: Logger
    version: str


def build(parts: Parts) -> FastAPI:
    """The application before its server."""
    app = FastAPI(
        title="siprec-src",
        version=parts.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.include_router(plain.router(parts.pages))
    for router in parts.routers:
        app.include_router(router)
    app.include_router(_about(app))
    refusals = _Refusals(app, parts.auth)
    app.add_exception_handler(ApiError, refusals.refuse)
    app.add_exception_handler(HTTPException, refusals.by_framework)
    app.add_exception_handler(RequestValidationError, refusals.invalid)
    app.add_middleware(Guard, log=parts.log)
    return app


def _about(app: FastAPI) -> APIRouter:
    """The document and the page made of it; made when somebody asks, in a thread, and only once."""
    made = APIRouter(tags=["pages"])
    document = cache(lambda: document_of(app))
    octets = cache(lambda: orjson.dumps(document()))
    page = cache(lambda: page_of(document()).encode())

    @made.get("/openapi.json", operation_id="openapi", responses={200: _OBJECT}, response_class=Response)
    async def openapi() -> Response:
        """This document."""
        return Response(await asyncio.to_thread(octets), media_type=JSON)

    @made.get("/docs", operation_id="docs", responses={200: _HTML}, response_class=Response)
    async def docs() -> Response:
        """This document as a page."""
        body = await asyncio.to_thread(page)
        return Response(
            body, headers={"Content-Security-Policy": POLICY}, media_type="text/html; charset=utf-8"
        )

    return made


class _Refusals:
    """Exceptions as answers."""

    def __init__(self, app: FastAPI, auth: Auth) -> None:
        self._app = app
        self._auth = auth

    async def refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)  # noqa: S101 registered for it
        return answer_to(request.url.path, error)

    async def invalid(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 registered for it
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return answer_to(request.url.path, ApiError(400, None, f"{where}: {first['msg']}"))

    async def by_framework(self, request: Request, error: Exception) -> Response:
        """No such path or method. Of what is below Twilio's tree only an account may know."""
        assert isinstance(error, HTTPException)  # noqa: S101 registered for it
        path = request.url.path
        refusal = not_found(path)
        if error.status_code == 405:
            allowed = ", ".join(self._allowed(request))
            what = f"{request.method} is not for this resource; expected {allowed}"
            refusal = ApiError(405, None, what, headers={"Allow": allowed})
        elif error.status_code != 404:
            refusal = ApiError(error.status_code, None, str(error.detail))
        if below_tree(path):
            try:
                await self._auth.admit(request)
            except ApiError as unknown:
                refusal = unknown
        return answer_to(path, refusal)

    def _allowed(self, request: Request) -> list[str]:
        """The methods of every route that has this path."""
        found = []
        for method in _METHODS:
            scope: dict[str, Any] = {**request.scope, "method": method}
            if any(route.matches(scope)[0] is Match.FULL for route in self._app.router.routes):
                found += ["GET", "HEAD"] if method == "GET" else [method]
        return found
