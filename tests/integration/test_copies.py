"""One call in several copies at once, and recordings that are commanded while the call lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.recorder import recorder


def _session_ids(documents: list[bytes]) -> set[bytes]:
    return {part.split(b'"')[0] for document in documents for part in document.split(b'session_id="')[1:]}


@pytest.mark.rfc("6341", "REQ-021")
@pytest.mark.rfc("7865", "6.10")
@pytest.mark.req("SIP-22", "PER-05")
def test_each_of_two_recorders_gets_the_whole_call_while_a_third_is_dead(tmp_path: Path) -> None:
    bob_at, listen = (LOOPBACK, free_port()), free_port()
    with recorder(tmp_path / "live") as live, recorder(tmp_path / "archive") as archive:
        dead = f"sip:srs@{LOOPBACK}:{free_port()};transport=tcp"
        config = "[recording]\nmax_forked_streams = 6\n" + "".join(
            f'[[srs]]\nuri = "{uri}"\ncopy = "{copy}"\n'
            for uri, copy in (
                (dead, "nobody"),
                (live.uri(";transport=tcp"), "live"),
                (archive.uri(";transport=tcp"), "archive"),
            )
        )
        route = f"sip:{bob_at[0]}:{bob_at[1]}"
        with (
            running(tmp_path, route=route, listen=listen, config=config) as daemon,
            Conversation(tmp_path, via=(LOOPBACK, listen), bob_at=bob_at) as call,
        ):
            until(lambda: len(daemon.events("recording.begin")) == 2, 10, "both recordings")
            call.talk()
            call.assert_heard()
            call.hang_up()
            one, two = live.recording(), archive.recording()
            for recording in (one, two):
                assert recording.track("1") == call.alice_says
                assert recording.track("2") == call.bob_says
            assert len(_session_ids([*one.metadata(), *two.metadata()])) == 1
            until(lambda: bool(daemon.events("recording.summary")), 10, "the verdict on the call")
            (summary,) = daemon.events("recording.summary")
            assert summary["copies"] == "nobody=failed:srs-unreachable live=recorded archive=recorded"
            assert not daemon.events("machine.failed")
