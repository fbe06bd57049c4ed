"""Which types answers are of, for the OpenAPI document; nothing is made of them before somebody reads it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from siprec_src.api.errors import JSON, Problem

Responses = dict[int | str, dict[str, Any]]

_REF: Final = "#/components/schemas/{model}"
_named: dict[str, type[Any]] = {}


def answers(model: type[Any], *statuses: int) -> Responses:
    """For ``responses`` of a route: these statuses come with a ``model`` as JSON."""
    _named[model.__name__] = model
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {status: {"content": {JSON: {"schema": schema}}} for status in statuses}


def refusals(*statuses: int) -> Responses:
    """Likewise for refusals below ``/v1`` that are an operation's own."""
    return answers(Problem, *statuses)


def schemas() -> dict[str, Any]:
    """The schema of every type that was named, and of those inside."""
    known = (("serialization", TypeAdapter(model)) for model in _named.values())
    inputs = [(name, mode, adapter) for name, (mode, adapter) in zip(_named, known, strict=True)]
    _, found = TypeAdapter.json_schemas(inputs, ref_template=_REF)  # type: ignore[arg-type]
    return dict(found.get("$defs", {}))
