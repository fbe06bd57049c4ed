"""Request bodies: read whole within a bound and a time, whatever a client sends."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from siprec_src.api.errors import ApiError

MAX_BODY_BYTES: Final = 128 * 1024
BODY_S: Final = 10.0  #: for a body to come whole


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
