"""Pages for machines that watch: no credentials, nothing of any call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

Page = tuple[int, str, bytes]  #: status, content type, body
Pages = Mapping[str, Callable[[], Page]]

TEXT: Final = "text/plain; charset=utf-8"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"

_ABOUT: Final = {
    "/metrics": "Counters and gauges in Prometheus' text format.",
    "/healthz": "200 as long as the process answers.",
    "/readyz": "200 when a new call would be taken, else 503.",
}


def router(pages: Pages) -> APIRouter:
    """A route for each page, made when it is asked for."""
    made = APIRouter(tags=["pages"])
    for path, page in pages.items():
        responses: dict[int | str, dict[str, Any]] = {
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
        }
        if path == "/readyz":
            responses[503] = responses[200]
        made.add_api_route(
            path,
            _answering(page),
            methods=["GET"],
            summary=_ABOUT.get(path, path),
            operation_id=path.strip("/"),
            responses=responses,
            response_class=Response,
        )
    return made


def _answering(page: Callable[[], Page]) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        status, kind, body = page()
        return Response(body, status, media_type=kind)

    return answer
