"""The OpenAPI document of everything that is served, true in every status: it is made from the routes.

What every route may answer, because of who asks or of a bound, is added here once.
"""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from siprec_src.api.errors import CALLING, TREE, phrase, shape_of
from siprec_src.api.schemas import answers
from siprec_src.api.schemas import schemas as named_schemas

DESCRIPTION: Final = (
    "A SIPREC Session Recording Client. Below /v1 it is operated and watched; "
    "below /2010-04-01 it answers in the shapes of Twilio's client libraries."
)
_OPEN: Final = (413, 500)
_GUARDED: Final = (400, 401, 403, 413, 429, 500)
_IN_BRACES: Final = re.compile(r"\{(\w+)\}")
_WITH_BODY: Final = (400, 408, 415)
_WHO: Final = {
    "operator": {"type": "http", "scheme": "bearer", "description": "The token of `[http]`; /v1 alone."},
    "account": {"type": "http", "scheme": "basic", "description": "AccountSid and AuthToken, or an API key."},
    "application": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "Application KEY:SIGNATURE, for Manage Call.",
    },
}
_SECURITY: Final[dict[str, list[dict[str, list[str]]]]] = {
    "/v1/": [{"operator": []}, {"account": []}, {}],
    f"{TREE}/": [{"account": []}],
    f"{CALLING}/": [{"application": []}],
}


def made_from(app: FastAPI) -> dict[str, Any]:
    """The document; takes tens of milliseconds."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        openapi_version="3.1.0",
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = _WHO
    for path, operations in found["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    schemas.update(named_schemas())
    return found


def _name_parameters(path: str, operation: dict[str, Any]) -> None:
    """Those of the path that a route reads by itself."""
    named = operation.setdefault("parameters", [])
    known = {parameter["name"] for parameter in named if parameter["in"] == "path"}
    for name in _IN_BRACES.findall(path):
        if name not in known:
            named.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    _name_parameters(path, operation)
    if described := operation.get("description"):
        operation["summary"] = described.partition("\n\n")[0].replace("\n", " ")
    guarded = path.startswith(tuple(_SECURITY))
    if guarded:
        operation["security"] = next(who for prefix, who in _SECURITY.items() if path.startswith(prefix))
    bounds = [*(_GUARDED if guarded else _OPEN), *(_WITH_BODY if "requestBody" in operation else ())]
    bounds += [404] if "{" in path else []
    for bound, response in answers(shape_of(path), *bounds).items():
        responses.setdefault(str(bound), response)
    for status, response in responses.items():
        if response.get("description", "") in ("", "Additional Response", "Successful Response"):
            response["description"] = phrase(int(status))
    operation["responses"] = dict(sorted(responses.items()))
