"""Forms: ``application/x-www-form-urlencoded`` in strict UTF-8, to a model of pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from siprec_src.api.bodies import read_body
from siprec_src.api.errors import ApiError

FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 512

ModelT = TypeVar("ModelT", bound=BaseModel)


async def read_fields(request: Request) -> tuple[tuple[str, str], ...]:
    """Every field in order; names may repeat, values may be empty.

    Raises:
        ApiError: 400, 408, 413 or 415.
    """
    octets = await read_body(request, FORM)
    try:
        text = octets.decode("utf-8")
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except UnicodeDecodeError:
        raise ApiError(400, None, "The form is not UTF-8") from None
    except ValueError:
        raise ApiError(400, None, f"The form has more than {MAX_FIELDS} fields") from None


async def read_form(request: Request, model: type[ModelT], codes: Mapping[str, int] | None = None) -> ModelT:
    """The form as a ``model``; of a name that repeats the last value counts, but where it takes a list.

    ``codes`` are those of the error dictionary, by field, for values that the model does not take.

    Raises:
        ApiError: as `read_fields`, and 400 with the name of the first wrong field.
    """
    return as_model(await read_fields(request), model, codes)


def as_model(
    fields: tuple[tuple[str, str], ...], model: type[ModelT], codes: Mapping[str, int] | None = None
) -> ModelT:
    """See `read_form`."""
    lists = {
        info.alias or name for name, info in model.model_fields.items() if "list" in str(info.annotation)
    }
    values: dict[str, Any] = {}
    for name, value in fields:
        if name in lists:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        what = f"{field}: {first['msg']}" if field else str(first["msg"])
        raise ApiError(400, (codes or {}).get(field), what) from None


def form_of(model: type[BaseModel], *, required: bool = False) -> dict[str, Any]:
    """What OpenAPI says of an operation that reads this form; for ``openapi_extra``."""
    schema = model.model_json_schema(mode="validation")
    kinds = schema.pop("$defs", {})
    return {"requestBody": {"required": required, "content": {FORM: {"schema": _inlined(schema, kinds)}}}}


def _inlined(schema: Any, kinds: Mapping[str, Any]) -> Any:
    """The schema with its enumerations in place: OpenAPI looks for what is referred to elsewhere."""
    if isinstance(schema, list):
        return [_inlined(item, kinds) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return kinds[schema["$ref"].rpartition("/")[2]]
    return {key: _inlined(value, kinds) for key, value in schema.items()}
