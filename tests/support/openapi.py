"""Requests made from the OpenAPI document that is served, and answers held against it."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES: Final = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
ENDLESS: Final = ("/v1/events",)  #: their answers do not end

Fields = Callable[[str], Mapping[str, str]]


class _Enough(Exception):
    """The time of an operation is over."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Asks a server."""

    base: str  #: its URL
    fields: Fields  #: header fields to show, by path
    there: Mapping[str, str]  #: values of path parameters that name something; every other request has them
    examples: int  #: of each kind, good and bad, for each operation
    seconds: float  #: for all of it
    surprise: bool  #: other requests each time
    session: requests.Session = dataclasses.field(default_factory=requests.Session)
    asked: Counter[str] = dataclasses.field(default_factory=Counter)  #: how often, by operation

    def run(self) -> None:
        """Ask about every operation; whatever an answer breaks is raised at the end."""
        document = self.session.get(f"{self.base}/openapi.json", timeout=20).json()
        every = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]  # type: ignore[union-attr]
        operations = [operation for operation in every if operation.path not in ENDLESS]
        end, broken = time.monotonic() + self.seconds, []
        for left, operation in zip(range(len(operations), 0, -1), operations, strict=True):
            share = time.monotonic() + (end - time.monotonic()) / left
            tried = ((mode, self._of(operation, mode, share)) for mode in MODES)
            broken += [f"{operation.label}, {mode.value}: {said}" for mode, said in tried if said]
        assert not broken, "\n\n".join(broken)

    def _of(self, operation: Any, mode: GenerationMode, until: float) -> str:
        """What is wrong with one operation; "" when all is well."""

        @settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            derandomize=not self.surprise,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            if self.asked[operation.label] and time.monotonic() > until:
                raise _Enough
            self._ask(case)

        try:
            ask()
        except (Unsatisfiable, _Enough):
            return ""  # nothing that it takes could be wrong, or its time is over
        except (FailureGroup, Failure) as wrong:
            parts = wrong.exceptions if isinstance(wrong, FailureGroup) else [wrong]
            return "; ".join(f"{type(part).__name__}: {part}" for part in parts)
        return ""

    def _ask(self, case: Any) -> None:
        operation = case.operation
        self.asked[operation.label] += 1
        if self.asked[operation.label] % 2:
            named = {key: value for key, value in self.there.items() if f"{{{key}}}" in operation.path}
            case.path_parameters = {**(case.path_parameters or {}), **named}
        shown = dict(self.fields(operation.path))
        answer = case.call(base_url=self.base, session=self.session, headers=shown, timeout=20)
        case.validate_response(answer, checks=CHECKS)
