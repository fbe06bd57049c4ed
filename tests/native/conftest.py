"""Fixtures of the native engine: what takes one of them is run on every way of moving packets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from siprec_src.media.engine import Engine
from siprec_src.media.model import MediaIo
from tests.native.engine_support import Call, Plane
from tests.native.site import ENGINES, Site
from tests.support.namespaces import Wire


@pytest.fixture(scope="session")
def common_wire() -> Iterator[Wire]:
    """For tests that leave it as it is."""
    with Wire() as made:
        yield made


@pytest.fixture
def wire() -> Iterator[Wire]:
    """For tests that change it."""
    with Wire() as made:
        yield made


@pytest.fixture(params=ENGINES, ids=lambda io: io.value)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    io: MediaIo = request.param
    made = Site(io, None if io is MediaIo.SOCKETS else request.getfixturevalue("common_wire"))
    with made.entered():
        yield made


@pytest.fixture
def engine(site: Site) -> Iterator[Engine]:
    with site.engine(threads=2, silence_ms=150) as built:
        yield built


@pytest.fixture
def plane(site: Site, engine: Engine) -> Plane:
    return site.plane(engine)


@pytest.fixture
def call(site: Site, plane: Plane) -> Iterator[Call]:
    made = site.call(plane)
    yield made
    made.close()
