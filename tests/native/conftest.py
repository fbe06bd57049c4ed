"""Fixtures of the native engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from siprec_src.media.engine import Engine
from tests.native.engine_support import Call, Plane, make_call


@pytest.fixture
def engine() -> Iterator[Engine]:
    built = Engine(threads=2, port_rest_ms=0, silence_ms=150)
    yield built
    built.close()


@pytest.fixture
def plane(engine: Engine) -> Plane:
    return Plane(engine)


@pytest.fixture
def call(plane: Plane) -> Iterator[Call]:
    made = make_call(plane)
    yield made
    made.close()
