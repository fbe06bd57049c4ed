"""The table of error codes: complete, and what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from siprec_src.api.callbacks.fault import siprec_fault
from siprec_src.api.codes import CODES, page
from siprec_src.recording.outcome import Outcome, Result

ROOT = Path(__file__).parents[3]
CODE = ROOT / "siprec_src"
NUMBER = re.compile(r"(?<![\w.])(1[1-6]\d{3}|2[01]\d{3}|3[12]\d{3}|4000\d)(?![\w.])")


def test_the_page_is_what_the_table_says() -> None:
    assert (ROOT / "docs" / "errors.md").read_text() == page(), "run: make docs"


def test_no_code_stands_twice_and_each_has_a_cause_and_a_remedy() -> None:
    assert len({code.number for code in CODES}) == len(CODES)
    assert all(code.text and code.cause and code.remedy for code in CODES)
    assert [code.number for code in CODES] == sorted(code.number for code in CODES)


def test_the_table_has_every_code_that_we_use_and_no_other() -> None:
    files = (file for part in ("api", "instructions", "daemon") for file in (CODE / part).rglob("*.py"))
    used = {
        int(number)
        for file in files
        if file.name != "codes.py"
        for number in NUMBER.findall(file.read_text())
    }
    assert used == {code.number for code in CODES}


@pytest.mark.parametrize(
    ("reason", "more", "code"),
    [
        ("srs-timeout", {}, 32011),
        ("srs-unreachable", {}, 32011),
        ("srs-unreachable", {"tls": True}, 32222),
        ("srs-refused", {"status": 503}, 32011),
        ("srs-refused", {"status": 488}, 32102),
        ("srs-refused", {"status": 488, "secure": True}, 32207),
        ("srs-bad-answer", {}, 32102),
        ("srs-bad-answer", {"secure": True, "detail": "RTP/SAVP answered with RTP/AVP"}, 32207),
        ("srs-no-media", {}, 32102),
        ("srs-dtls-failed", {}, 32207),
        ("srs-bye", {}, 32011),
        ("srs-session-expired", {}, 32011),
        ("srs-auth-failed", {"status": 401}, 32011),
        ("no-track", {}, 31941),
        ("media-down", {}, 20503),
        ("internal-error", {}, 20500),
        ("something-new", {}, 32011),
    ],
)
def test_a_failure_is_told_by_a_code_of_the_table_and_a_text(
    reason: str, more: dict[str, object], code: int
) -> None:
    status = more.get("status")
    outcome = Outcome(
        result=Result.FAILED,
        reason=reason,
        detail=str(more.get("detail", "")),
        status=status if isinstance(status, int) else None,
    )
    fault = siprec_fault(outcome, secure=bool(more.get("secure")), tls=bool(more.get("tls")))
    assert fault.code == code
    assert code in {known.number for known in CODES}
    assert fault.text
    if status:
        assert str(status) in fault.text or reason == "srs-auth-failed"
