"""Refusals, in the three shapes in which clients expect them.

Below ``/2010-04-01`` an error has the four keys that Twilio's libraries read, below ``/calling`` those of
Manage Call; everywhere else it is one text under ``error``. All carry the HTTP status that they are sent
with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, NotRequired

import orjson
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from siprec_src.errors import RemoteError

TREE: Final = "/2010-04-01"  #: everything below is in Twilio's shapes
JSON: Final = "application/json"
CALLING: Final = "/calling"  #: everything below is in the shapes of Manage Call
MORE_INFO: Final = "https://www.twilio.com/docs/errors/"

CODES: Final[Mapping[int, int]] = {401: 20003, 404: 20404, 405: 20004, 429: 20429}
"""Of a status alone, where the dictionary has one."""
OTHER_CODE: Final = 20001  #: "Unknown parameters": the request cannot be used as it is
CALLING_INVALID: Final = 40003  #: the same in the codes of Manage Call
FAULT_CODE: Final = 20500  #: a fault of ours


class Problem(TypedDict):
    """Why a request was refused."""

    error: str


class TreeProblem(TypedDict):
    """Why a request below ``/2010-04-01`` was refused."""

    code: Annotated[int, Field(description="of the error dictionary; docs/errors.md says what to do")]
    message: str
    more_info: str
    status: Annotated[int, Field(description="of HTTP")]
    details: NotRequired[dict[str, Any]]


class CallingProblem(TypedDict):
    """Why a request below ``/calling`` was refused."""

    status: Annotated[str, Field(description="of HTTP, with its phrase")]
    errorCode: str
    message: str
    reference: str


class ApiError(RemoteError):
    """A request that is refused.

    Args:
        status: of HTTP.
        code: of the error dictionary; by default that of the status.
        details: more for programs, in Twilio's shape only.
        headers: fields of the answer, such as Retry-After.
    """

    reason = "api-error"

    def __init__(
        self,
        status: int,
        code: int | None,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, status=status)
        self.code = code if code is not None else code_of(status)
        self.message = message
        self.details = details
        self.headers = headers


def code_of(status: int) -> int:
    """The code of a refusal of which nothing is known but its status."""
    return CODES.get(status, OTHER_CODE if status < 500 else FAULT_CODE)


def not_found(path: str) -> ApiError:
    """Nothing is there, or nothing that this client may know of."""
    return ApiError(404, None, f"The requested resource {path} was not found")


def answer_to(path: str, error: ApiError) -> Response:
    """The answer that refuses a request for ``path``."""
    if _below_calling(path):
        return json_answer(_of_calling(error), error.status, error.headers)
    if not below_tree(path):
        plain: Problem = {"error": error.message}
        return json_answer(plain, error.status, error.headers)
    problem: TreeProblem = {
        "code": error.code,
        "message": error.message,
        "more_info": f"{MORE_INFO}{error.code}",
        "status": error.status,
    }
    if error.details is not None:
        problem["details"] = dict(error.details)
    return json_answer(problem, error.status, error.headers)


def shape_of(path: str) -> type[Any]:
    """What a refusal of a request for ``path`` is."""
    if _below_calling(path):
        return CallingProblem
    return TreeProblem if below_tree(path) else Problem


def _below_calling(path: str) -> bool:
    return path.startswith(CALLING + "/")


def _of_calling(error: ApiError) -> CallingProblem:
    """What Manage Call says; of its codes the first three digits are the status."""
    of_status = CALLING_INVALID if error.status == 400 else error.status * 100
    code = error.code if error.code // 100 == error.status else of_status
    return {
        "status": f"{error.status} {phrase(error.status)}",
        "errorCode": str(code),
        "message": error.message,
        "reference": "",
    }


def below_tree(path: str) -> bool:
    """Whether this path has Twilio's shapes."""
    return path == TREE or path.startswith(TREE + "/")


def phrase(status: int) -> str:
    """What a status is called (RFC 9110 15)."""
    return HTTPStatus(status).phrase


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``value`` as JSON. It is not looked through once more: types are checked where it is made."""
    return Response(as_json(value), status, headers, JSON)


def as_json(value: object) -> bytes:
    """JSON in UTF-8. What SIP has said in octets that are none, such as a display name, has "?" for them."""
    try:
        return orjson.dumps(value)
    except TypeError:  # orjson refuses the whole for one surrogate, and with it a list of all calls
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
