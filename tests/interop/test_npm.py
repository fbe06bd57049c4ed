"""The platform's Node library drives a daemon as its Python library does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.api import ACCOUNT, TOKEN, api
from tests.support.daemon import patient

LIBRARY = os.environ.get(
    "TWILIO_NODE", ""
)  #: a directory in which it is installed; `make interop-npm` makes one


@pytest.mark.skipif(not LIBRARY or shutil.which("node") is None, reason="Node or its library is not there")
@pytest.mark.feature("F028", "F050", "F051", "F053", "F054", "F177")
def test_a_siprec_is_started_and_stopped_by_the_node_library(tmp_path: Path) -> None:
    script = Path(__file__).with_name("siprec.mjs")
    with api(tmp_path) as service, service.call() as call:
        done = subprocess.run(
            ["node", str(script), f"{LIBRARY}/package.json", service.base, ACCOUNT, TOKEN, call.sid],
            capture_output=True,
            text=True,
            timeout=patient(20),
            check=False,
        )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["begun"]["status"] == "in-progress"
    assert got["begun"]["name"] == "My SIPREC Stream + é"
    for stopped in (got["stopped"], got["again"]):
        assert (stopped["sid"], stopped["status"]) == (got["begun"]["sid"], "stopped")
    assert got["fetched"]["subresourceUris"]["siprec"].endswith(f"/Calls/{call.sid}/Siprec.json")
    assert got["listed"] == [call.sid]
    code = 31940
    assert got["refused"] == {
        "status": 400, "code": code, "moreInfo": f"https://www.twilio.com/docs/errors/{code}",
    }  # fmt: skip
