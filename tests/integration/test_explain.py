"""`siprec-src explain`: why a call was or was not recorded, by the running daemon, and nothing secret."""

from __future__ import annotations

import base64
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, REPOSITORY, Daemon, free_port, patient, running, until
from tests.support.recorder import recorder

CANARY = "canary-77ab01"


@dataclasses.dataclass
class Explained:
    """A daemon that has had one call, recorded by its second SRS."""

    daemon: Daemon
    call_ids: list[str]

    def explain(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-P", "-m", "siprec_src", "explain", *arguments),
                *("--http", f"{LOOPBACK}:{self.daemon.http}"),
            ],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=patient(30),
            check=False,
        )

    def get(self, name: str, more: str = "") -> dict[str, object]:
        status, body = self.daemon.get(f"/v1/explained/{quote(name, safe='')}{more}")
        assert status == 200, body
        found: dict[str, object] = json.loads(body)
        return found


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explained]:
    directory = tmp_path_factory.mktemp("explain")
    secret = directory / "secret"
    secret.write_text(CANARY)
    listen, bob_at, dead = free_port(), (LOOPBACK, free_port()), free_port()
    with recorder(directory / "srs", behave=f"digest=recorder:{CANARY}") as srs:
        config = (
            f'[[srs]]\nuri = "sip:dead@{LOOPBACK}:{dead};transport=tcp"\n'
            f'[[srs]]\nuri = "{srs.uri(";secure=true;transport=tcp")}"\nusername = "recorder"\n'
            f'password_file = "{secret}"\nheaders = {{ "X-Auth-Token" = {{ file = "{secret}" }} }}\n'
        )
        route = f"sip:localhost:{bob_at[1]}"  # a name: the INVITE leaves when it has been looked up
        with running(directory, route=route, listen=listen, config=config) as daemon:
            call = Conversation(directory, via=(LOOPBACK, listen), bob_at=bob_at, seconds=0.5)
            with call:
                until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
                call.talk()
                call.wait_heard()
                call.hang_up()
                until(lambda: bool(daemon.events("recording.end")), 10, "the recording ends")
            (begin,) = daemon.events("call.begin")
            yield Explained(daemon, [begin["sip_call_id"]])


def test_a_call_is_found_by_its_sid_too(explained: Explained) -> None:
    (begin,) = explained.daemon.events("call.begin")
    found = explained.get("CA" + base64.b64decode(begin["session"]).hex())
    assert found["session"] == begin["session"]


def test_the_verdict_says_in_words_who_recorded_and_who_was_asked_before(explained: Explained) -> None:
    found = explained.daemon.events("call.begin")[0]["call"]
    done = explained.explain(str(found))
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "recorded: yes" in text
    assert "dead" in text
    assert "could not be reached" in text
    assert "it was recorded, " in text


def test_a_call_is_found_by_number_session_and_any_call_id(explained: Explained) -> None:
    begin = explained.daemon.events("call.begin")[0]
    by_number = explained.get(str(begin["call"]))
    assert explained.get(begin["session"]) == by_number
    call_ids = by_number["call_ids"]
    assert isinstance(call_ids, list)
    assert call_ids[0] == begin["sip_call_id"]
    assert len(call_ids) == 4  # caller, callee, the SRS that was not there, the one that was
    assert all(explained.get(call_id) == by_number for call_id in call_ids)
    assert explained.daemon.get("/v1/explained/none")[0] == 404
    assert explained.explain("none").returncode == 1


def test_the_ladder_has_every_message_between_its_lanes_in_order(explained: Explained) -> None:
    found = explained.get(explained.call_ids[0])
    lanes = found["lanes"]
    assert isinstance(lanes, list)
    assert lanes[:3] == ["caller", "siprec-src", "callee"]
    assert len(lanes) == 5
    entries = found["entries"]
    assert isinstance(entries, list)
    sip = [(e["from"], e["to"], e["line"].partition(" ")[0]) for e in entries if e["kind"] == "sip"]
    recorder_lane = 4
    for message in (
        *((0, 1, "INVITE"), (1, 0, "100"), (1, 2, "INVITE"), (2, 1, "200"), (1, 0, "200")),
        *((0, 1, "ACK"), (1, 2, "ACK"), (1, 3, "INVITE"), (1, recorder_lane, "INVITE")),
        *((recorder_lane, 1, "401"), (recorder_lane, 1, "200"), (1, recorder_lane, "ACK")),
        *((0, 1, "BYE"), (1, 2, "BYE"), (1, recorder_lane, "BYE")),
    ):
        assert message in sip, message
    assert sip.count((1, recorder_lane, "INVITE")) == 2
    assert sip.index((0, 1, "INVITE")) < sip.index((1, 2, "INVITE")) < sip.index((1, recorder_lane, "INVITE"))
    events = [e["event"] for e in entries if e["kind"] == "event"]
    assert events[0] == "call.begin"
    assert {"recording.attempt-failed", "recording.begin", "recording.end", "call.end"} <= set(events)


def test_no_key_and_no_credential_leaves_the_daemon(explained: Explained, tmp_path: Path) -> None:
    whole = json.dumps(explained.get(explained.call_ids[0], "/full"))
    assert "a=crypto" in whole
    assert "Authorization" in whole
    assert "X-Auth-Token" in whole
    page = tmp_path / "call.html"
    assert explained.explain(explained.call_ids[0], "--html", str(page)).returncode == 0
    nowhere = explained.explain(explained.call_ids[0], "--html", str(tmp_path / "none" / "call.html"))
    assert (nowhere.returncode, "Traceback" in nowhere.stderr) == (1, False)
    full = explained.explain(explained.call_ids[0], "--full").stdout
    assert "m=audio" in full
    assert "rs-metadata" in full
    for text in (whole, full, page.read_text()):
        assert CANARY not in text
        assert "response=" not in text
        assert "inline:[redacted]" in text
        assert "inline:" not in text.replace("inline:[redacted]", "")


def test_the_calls_that_are_kept_are_listed(explained: Explained) -> None:
    done = explained.explain()
    assert done.returncode == 0
    assert "recorded: yes" in done.stdout


def test_where_no_daemon_answers_it_says_so() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "siprec_src", "explain", "1"),
            *("--http", f"{LOOPBACK}:{free_port()}"),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=patient(30),
        check=False,
    )
    assert done.returncode == 1
    assert "refused; see that it runs" in done.stderr
