"""PJSIP makes, holds, transfers and ends calls through the daemon; the SRS has who said what."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.interop.conftest import HERTZ, Site
from tests.interop.phone import loudness
from tests.support.metadata import directions
from tests.support.recorder import Recording
from tests.support.schema import assert_valid

Make = Callable[..., AbstractContextManager[Site]]
TALK_S = 1.5  #: how long the phones speak before something happens
CLEAR = 0.9  #: share of one tone in what is heard when nobody else speaks


def talk() -> None:
    """Let them speak: the phones' media runs in real time."""
    time.sleep(TALK_S)


def assert_recorded(recording: Recording, caller: str, callee: str) -> None:
    """Caller left, callee right, each heard alone; every document valid."""
    left, right = recording.channels()
    assert loudness(left, HERTZ[caller]) > CLEAR
    assert loudness(right, HERTZ[callee]) > CLEAR
    for document in recording.metadata():
        assert_valid(document)


@pytest.mark.parametrize(
    ("transport", "srtp"), [("udp", False), ("tcp", False), ("tls", False), ("udp", True), ("tls", True)]
)
@pytest.mark.rfc("7866", "6.1.1")
def test_a_call_is_heard_and_recorded(site: Make, transport: str, *, srtp: bool) -> None:
    with site(transport, srtp=srtp) as here:
        here.call()
        talk()
        here.carrier.do("hangup", call="bob-1")
        here.pbx.wait("state", call="one", state="DISCONNECTED")
        recording = here.srs.recording()
    assert_recorded(recording, "alice", "bob")
    assert loudness(here.pbx.heard("one"), HERTZ["bob"]) > CLEAR
    assert loudness(here.carrier.heard("bob-1"), HERTZ["alice"]) > CLEAR


@pytest.mark.parametrize("holder", ["alice", "bob"])
@pytest.mark.rfc("8068", "3.2.2")
def test_a_held_call_is_told_and_goes_on_being_recorded(site: Make, holder: str) -> None:
    with site() as here:
        here.call()
        talk()
        phone, call = (here.pbx, "one") if holder == "alice" else (here.carrier, "bob-1")
        phone.do("hold", call=call)
        phone.wait("media", call=call, active=False)
        talk()
        phone.do("resume", call=call)
        phone.wait("media", call=call, active=True)
        talk()
        here.pbx.do("hangup", call="one")
        here.carrier.wait("state", call="bob-1", state="DISCONNECTED")
        recording = here.srs.recording()
    assert_recorded(recording, "alice", "bob")
    said = [directions(document)[0] for document in recording.metadata()]
    sending = [{aor.partition("@")[0][4:]: labels for aor, labels in one.items()} for one in said]
    both = {"alice": ["1"], "bob": ["2"]}
    held = {**both, "bob" if holder == "alice" else "alice": []}
    assert both in sending
    assert held in sending[sending.index(both) :]
    assert both in sending[sending.index(held) :]


@pytest.mark.rfc("3515", "2.4.4")
@pytest.mark.parametrize("transferor", ["alice", "bob"])
def test_a_blind_transfer_is_made_and_both_calls_are_recorded(site: Make, transferor: str) -> None:
    """Bob sends Alice to Carol, or Alice sends Bob back to herself."""
    with site() as here:
        here.call()
        talk()
        if transferor == "bob":
            here.carrier.do("transfer", call="bob-1", uri=here.uri("carol"))
            here.pbx.wait("transfer", call="one")
            here.carrier.wait("transferred", call="bob-1", status=200, final=True)
            here.pbx.wait("media", call="one-transferred", active=True)
            here.carrier.do("hangup", call="bob-1")
            talk()
            here.pbx.do("hangup", call="one-transferred")
            here.carrier.wait("state", call="carol-1", state="DISCONNECTED")
            parties = [("alice", "bob"), ("alice", "carol")]
        else:
            here.pbx.do("transfer", call="one", uri=here.uri("alice"))
            here.carrier.wait("transfer", call="bob-1")
            here.pbx.wait("transferred", call="one", status=200, final=True)
            here.carrier.wait("media", call="bob-1-transferred", active=True)
            here.pbx.do("hangup", call="one")
            talk()
            here.carrier.do("hangup", call="bob-1-transferred")
            here.pbx.wait("state", call="alice-1", state="DISCONNECTED")
            parties = [("alice", "bob"), ("bob", "alice")]
        recordings = here.srs.recordings(2)
    for recording, (caller, callee) in zip(recordings, parties, strict=True):
        assert_recorded(recording, caller, callee)


@pytest.mark.rfc("3891", "3")
@pytest.mark.rfc("3515", "2.4.4")
def test_an_attended_transfer_joins_the_two_that_are_left_and_each_call_is_recorded(site: Make) -> None:
    """Alice speaks with Bob, then with Carol, and connects them: Bob's INVITE replaces her call to Carol."""
    with site() as here:
        here.call()
        talk()
        here.call("two", "carol")
        talk()
        here.pbx.do("replace", **{"call": "one", "with": "two"})
        here.carrier.wait("transfer", call="bob-1")
        here.carrier.wait("replaced", call="carol-1")
        here.pbx.wait("transferred", call="one", status=200, final=True)
        here.pbx.do("hangup", call="one")
        talk()
        here.carrier.do("hangup", call="bob-1-transferred")
        here.carrier.wait("state", call="carol-1-replacing", state="DISCONNECTED")
        recordings = here.srs.recordings(3)
    heard = {label_pair(recording) for recording in recordings}
    assert heard == {("alice", "bob"), ("alice", "carol"), ("bob", "carol")}
    for recording in recordings:
        assert_recorded(recording, *label_pair(recording))


def label_pair(recording: Recording) -> tuple[str, str]:
    """Who is loudest on each side."""
    left, right = (
        max(HERTZ, key=lambda name: loudness(channel, HERTZ[name])) for channel in recording.channels()
    )
    return left, right
