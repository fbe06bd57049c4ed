"""Copies that somebody asks for while a call lasts: each with SRSs, tracks and parameters of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from siprec_src.communication import Side
from siprec_src.errors import ConfigurationError
from siprec_src.machine import Gone
from siprec_src.media import plane
from siprec_src.recording.commands import End, Record, Stop
from siprec_src.recording.copies import Copy, tailored
from siprec_src.recording.recorded_call import MAX_CLOSING
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import OnSrsBye, SrsConfig, SrsTarget, Track, parse_target
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    Play,
    answer_to,
    edge,
    metadata_of,
    offer_of,
    two_party_call,
)

ON_REQUEST = RecordingSettings(automatic=False)


def target(host: str, **more: object) -> SrsTarget:
    return parse_target(SrsConfig(uri=f"sip:{host}.example", **more), {"default": edge()})  # type: ignore[arg-type]


def asked(
    name: str,
    *targets: SrsTarget,
    track: Track = Track.BOTH,
    parameters: tuple[tuple[str, str], ...] = (),
) -> Record:
    srs = tailored(targets or (target("a"),), name, track=track, parameters=parameters)
    streams = 2 if track is Track.BOTH else 1
    return Record(7, Copy(name=name, targets=srs, persistent=False), streams)


def a_call(settings: RecordingSettings = ON_REQUEST) -> Play:
    play = Play("sip:always.example", settings=settings)
    play.publish(two_party_call())
    return play


def accept(play: Play, invite: sip.StartInvite) -> None:
    play.say(200, invite, answer_to(offer_of(invite)), (("Allow", "INVITE, ACK, BYE, UPDATE"),))


def hang_up(play: Play) -> None:
    play.publish(dataclasses.replace(two_party_call(), ended=play.now))
    answered: set[int] = set()
    while waiting := [r for r in play.requests if r.token not in answered]:
        answered.add(waiting[0].token)
        play.say(200, waiting[0])


def hosts(invites: Iterable[sip.StartInvite]) -> list[str]:
    return [invite.request_uri.removeprefix("sip:").removesuffix(".example") for invite in invites]


@pytest.mark.feature("F046")
def test_a_copy_is_told_of_when_its_srs_agrees_and_when_it_is_stopped() -> None:
    play = a_call()
    play.command(asked("SR1"))
    assert play.news == []
    accept(play, play.invites[0])
    assert play.news == [("SR1", "started", "")]
    play.command(End(7, "SR1"))
    assert play.news[1:] == [("SR1", "stopped", "stopped")]
    assert play.methods()[-1] in ("UPDATE", "BYE")


def test_the_end_of_the_call_ends_every_copy() -> None:
    play = a_call()
    play.command(asked("SR1"))
    accept(play, play.invites[0])
    play.command(asked("SR2", target("b")))
    accept(play, play.invites[1])
    hang_up(play)
    assert play.news[2:] == [("SR1", "stopped", "call-ended"), ("SR2", "stopped", "call-ended")]
    assert play.machines == []


def test_copies_are_sessions_apart_and_one_ends_without_the_others() -> None:
    play = a_call(RecordingSettings())
    play.command(asked("SR1", target("b"), track=Track.INBOUND))
    for invite in list(play.invites):
        accept(play, invite)
    assert hosts(play.invites) == ["always", "b"]
    assert len({invite.usage for invite in play.invites}) == 2
    assert [len(offer_of(invite).media) for invite in play.invites] == [2, 1]
    play.command(End(7, "SR1"))
    assert {request.usage for request in play.requests} == {play.invites[1].usage}
    assert play.pool.view(7) is not None
    assert [r.copying for r in play.pool.view(7).recordings if r.copy == ""] == [True]  # type: ignore[union-attr]


@pytest.mark.feature("F061")
@pytest.mark.parametrize(("track", "source"), [(Track.INBOUND, Side.CALLER), (Track.OUTBOUND, Side.CALLEE)])
def test_inbound_is_what_the_caller_says(track: Track, source: Side) -> None:
    play = a_call()
    play.command(asked("SR1", track=track))
    accept(play, play.invites[0])
    (reader,) = play.media.readers.values()
    assert reader.attached.stream == {Side.CALLER: 1, Side.CALLEE: 2}[source]
    assert [media.label for media in offer_of(play.invites[0]).media] == [
        "1" if source is Side.CALLER else "2"
    ]


@pytest.mark.feature("F005")
def test_there_is_room_for_four_streams_and_what_does_not_fit_is_not_begun() -> None:
    play = a_call()
    play.command(asked("SR1"))
    play.command(asked("SR2", track=Track.INBOUND))
    assert play.pool.room(7) == 1
    play.command(asked("SR3"))
    assert play.news == [("SR3", "failed", "max-forked-streams")]
    assert len(play.invites) == 2
    play.command(asked("SR4", track=Track.OUTBOUND))
    assert play.pool.room(7) == 0
    play.command(End(7, "SR1"))
    assert play.pool.room(7) == 2


def test_there_is_no_room_while_too_many_copies_wait_for_a_silent_srs() -> None:
    play = a_call()
    for number in range(MAX_CLOSING):
        play.command(asked(f"SR{number}"))
        play.command(End(7, f"SR{number}"))
    play.command(asked("more"))
    assert (play.pool.room(7), play.news[-1]) == (0, ("more", "failed", "max-forked-streams"))
    assert len(play.invites) == MAX_CLOSING
    play.say(487, play.invites[0])
    play.command(asked("later"))
    assert len(play.invites) == MAX_CLOSING + 1


def test_a_refusal_goes_on_to_the_next_srs_and_the_last_one_ends_the_copy() -> None:
    play = a_call()
    play.command(asked("SR1", target("a"), target("b")))
    play.say(486)
    assert hosts(play.invites) == ["a", "b"]
    assert play.news == []
    play.say(500)
    assert play.news == [("SR1", "failed", "srs-refused")]
    play.until(play.now + 600)
    assert len(play.invites) == 2
    assert play.pool.room(7) == 4


@pytest.mark.feature("F038")
def test_an_srs_that_says_bye_ends_the_copy_as_failed() -> None:
    play = a_call()
    play.command(asked("SR1"))
    accept(play, play.invites[0])
    play.ask("BYE")
    assert play.news[1:] == [("SR1", "failed", "srs-bye")]


def test_after_a_loss_the_connectors_other_srs_goes_on_and_nothing_is_said() -> None:
    play = a_call()
    play.command(asked("SR1", target("a", on_srs_bye=OnSrsBye.RESTART), target("b")))
    accept(play, play.invites[0])
    play.ask("BYE")
    assert hosts(play.invites) == ["a", "b"]
    accept(play, play.invites[1])
    assert play.news == [("SR1", "started", "")]
    play.tell(sip.DialogEnded(usage=play.invites[1].usage, dialog="srs", cause="408"))
    assert play.news[1:] == [("SR1", "failed", "srs-dialog-lost")]
    assert len(play.invites) == 2


def hear_of_a_media_restart(play: Play) -> None:
    """The session ends with the media process; its SRS never answers the BYE."""
    accept(play, play.invites[0])
    play.tell(plane.MediaDown())
    play.tell(plane.MediaUp())
    assert play.methods() == ["BYE"]


@pytest.mark.rfc("7866", "7.1.1.1")
def test_what_was_stopped_before_the_next_try_is_not_tried_again() -> None:
    play = a_call(RecordingSettings())
    hear_of_a_media_restart(play)
    play.command(Stop(7))
    play.until(play.now + 30)
    assert len(play.invites) == 1


def test_a_copy_that_was_ended_before_the_next_try_is_not_tried_again() -> None:
    play = a_call()
    play.command(asked("SR1"))
    hear_of_a_media_restart(play)
    play.command(End(7, "SR1"))
    play.until(play.now + 30)
    assert len(play.invites) == 1
    assert [state for _, state, _ in play.news] == ["started", "stopped"]


def test_a_call_that_has_ended_before_the_next_try_is_not_recorded_any_more() -> None:
    play = a_call()
    play.command(asked("SR1"))
    hear_of_a_media_restart(play)
    play.publish(dataclasses.replace(two_party_call(), ended=play.now))
    play.until(play.now + 30)
    assert len(play.invites) == 1


def test_a_copy_whose_machine_fails_is_told_of() -> None:
    play = a_call()
    play.command(asked("SR1"))
    (machine,) = play.machines
    play.command(Gone(machine))  # type: ignore[arg-type]
    assert play.news == [("SR1", "failed", "internal-error")]
    assert play.pool.room(7) == 4


def test_a_copy_of_a_call_that_is_over_is_not_begun() -> None:
    play = a_call(RecordingSettings())
    accept(play, play.invites[0])
    play.publish(dataclasses.replace(two_party_call(), ended=play.now))
    assert play.pool.room(7) == 0
    play.command(asked("SR1"))
    assert ("SR1", "failed", "call-ended") in play.news


def test_the_verdict_has_one_entry_however_often_somebody_asked() -> None:
    play = a_call()
    for number in range(20):
        play.command(asked(f"SR{number}"))
        accept(play, play.invites[-1])
        play.command(End(7, f"SR{number}"))
        while (newest := play.newest) and isinstance(newest, sip.SendRequest) and newest.method != "BYE":
            play.say(200)
        play.say(200)
    hang_up(play)
    (summary,) = play.log("recording.summary")
    assert summary["sessions"] == 20
    assert str(summary["copies"]).startswith("on-request=")


@pytest.mark.feature("F036", "F063", "F064")
def test_parameters_are_in_the_metadata_in_their_order_and_case() -> None:
    given = (("Custom1", "Bob"), ("custom1", "A & <B> \u00e9"), ("two words", ""))
    play = a_call()
    play.command(asked("SR1", parameters=given))
    document = metadata_of(play.invites[0]).decode()
    assert (
        '<parameters xmlns="urn:x-siprec-src:parameters"><parameter name="Custom1">Bob</parameter>'
        '<parameter name="custom1">A &amp; &lt;B&gt; \u00e9</parameter>'
        '<parameter name="two words"></parameter></parameters>'
    ) in document
    assert document.index("urn:x-siprec-src:parameters") < document.index("</session>")


@pytest.mark.feature("F036", "F064")
def test_parameters_are_header_fields_too_where_the_srs_wants_them_so() -> None:
    srs = target("a", parameters_as_headers=True, headers={"X-Id": "1"}, secret_headers=(("X-Token", "t"),))
    parameters = (("Custom2", "Blah & <Ünï>"), ("custom_1", "a=b; c"), ("Empty", ""))
    play = a_call()
    play.command(asked("SR1", srs, parameters=parameters))
    accept(play, play.invites[0])
    play.command(End(7, "SR1"))
    expected = [("X-Id", "1"), *((f"X-{name}", value) for name, value in parameters), ("X-Token", "t")]
    for headers in (play.invites[0].headers, *(request.headers for request in play.requests)):
        assert [field for field in headers if field[0].startswith("X-")] == expected
    other = a_call()
    other.command(asked("SR1", parameters=parameters))
    assert not any(name.startswith("X-") for name, _ in other.invites[0].headers)


@pytest.mark.parametrize(
    "parameter",
    [
        ("X Y", "1"),
        ("a:b", "1"),
        ("a\r\nVia", "1"),
        ("", "1\r\nVia: x"),
        ("Ünï", "1"),
        ("x" * 63, "1"),
        ("Token", "mine"),
        ("TOKEN", "mine"),
        ("Id", "2"),
        ("Name", "1\nRequire: x"),
        ("Name", "\ud800"),
        ("A", "\x00"),
        ("first", "again"),
    ],
)
def test_a_parameter_that_cannot_be_a_header_field_is_refused(parameter: tuple[str, str]) -> None:
    srs = target("a", parameters_as_headers=True, headers={"X-Id": "1"}, secret_headers=(("X-Token", "t"),))
    with pytest.raises(ConfigurationError, match="parameters: "):
        tailored((srs,), "SR1", parameters=(("First", "1"), parameter))
    tailored((target("a"),), "SR1", parameters=(("First", "1"), parameter))


@pytest.mark.feature("F076", "F048")
def test_an_edge_without_a_free_port_fails_the_copy_by_name_and_nothing_else() -> None:
    play = a_call()
    play.media.refuse(plane.OpenPorts, "ports-exhausted")
    play.command(asked("SR1"))
    assert play.news == [("SR1", "failed", "ports-exhausted")]
    play.command(asked("SR2"))
    accept(play, play.invites[0])
    assert play.news[1:] == [("SR2", "started", "")]


def test_a_call_that_nobody_asks_for_is_no_fault_where_there_are_connectors_alone() -> None:
    play = Play(settings=ON_REQUEST)
    play.pool.retarget([], ON_REQUEST, (target("a"),))
    play.publish(two_party_call())
    play.publish(dataclasses.replace(two_party_call(), ended=play.now))
    (said,) = [line for line in play.logs if line.event == "recording.none"]
    assert (said.level, dict(said.fields)["reason"]) == ("info", "on-command")
    assert not play.observed
