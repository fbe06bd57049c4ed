"""One daemon with its recorders for all tests of the API that need nothing of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api, api


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("api")) as made:
        yield made
