"""Request bodies: read whole within a bound and a time, whatever a client sends."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request

from siprec_src.api.errors import ApiError

MAX_BODY_BYTES: Final = 128 * 1024
BODY_S: Final = 10.0  #: for a body to come whole
MAX_JSON_DEPTH: Final = 32


async def read_body(request: Request, *types: str) -> bytes:
    """The body, which must be of one of these media types; an empty one may be of none.

    Raises:
        ApiError: 415, 413, or 408 when it takes too long.
    """
    kind, charset = content_type(request)
    try:
        async with asyncio.timeout(BODY_S):
            octets = await _whole(request)
    except TimeoutError:
        raise ApiError(408, None, "The body did not come in time", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise ApiError(400, None, "The body did not come whole") from None
    if kind not in types and (kind or octets):
        raise ApiError(415, None, f"expected Content-Type {' or '.join(types)}")
    if charset not in ("", "utf-8", "utf8"):
        raise ApiError(415, None, "expected charset utf-8")
    return octets


async def read_json(request: Request) -> Any:
    """A JSON body as plain values.

    Raises:
        ApiError: as `read_body`, and 400 when it is not JSON or too deep.
    """
    octets = await read_body(request, "application/json")
    try:
        value = orjson.loads(octets)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, None, f"The body is not JSON: {error.msg}") from None
    if _deeper(value, MAX_JSON_DEPTH):
        raise ApiError(400, None, f"The body is nested deeper than {MAX_JSON_DEPTH}")
    return value


def content_type(request: Request) -> tuple[str, str]:
    """The media type of the body and its charset, in lower case; "" for what is not said."""
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    named = (part.partition("=") for part in parameters.split(";"))
    charset = next((value.strip().strip('"') for name, _, value in named if name.strip() == "charset"), "")
    return kind.strip(), charset


async def _whole(request: Request) -> bytes:
    octets = bytearray()
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > MAX_BODY_BYTES:
            raise too_large()
    return bytes(octets)


def too_large() -> ApiError:
    return ApiError(413, None, f"The body is longer than {MAX_BODY_BYTES} bytes")


def _deeper(value: Any, depth: int) -> bool:
    """Whether containers are nested deeper; without recursion, which is bounded elsewhere."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
