"""The OpenAPI document is true: whatever is asked by it, no answer is a fault, and each is as it says."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from siprec_src.api.errors import below_tree
from tests.support.api import ACCOUNT, TOKEN, Api
from tests.support.openapi import Prober

FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))  #: of make fuzz, with other requests each time
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()


def credentials(path: str) -> Mapping[str, str]:
    return {"Authorization": BASIC} if below_tree(path) else {}


def test_answers_are_as_the_document_says(service: Api) -> None:
    with service.call() as call:
        there = {"account_sid": ACCOUNT, "call_sid": call.sid, "call": call.sid}
        prober = Prober(
            base=service.base,
            fields=credentials,
            there=there,
            examples=10_000 if FUZZ_SECONDS else 3,
            seconds=FUZZ_SECONDS or 12.0,
            surprise=bool(FUZZ_SECONDS),
        )
        prober.run()
    assert len(prober.asked) > 20, prober.asked
    assert not service.daemon.events("api.failed")
