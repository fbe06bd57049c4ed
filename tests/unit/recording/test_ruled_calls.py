"""What rules do to calls: whether they are recorded, where, and who may want it otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from siprec_src.communication import CommunicationSession, Preference
from siprec_src.instructions.model import Track as TrackName
from siprec_src.machine import Gone
from siprec_src.recording import commands
from siprec_src.recording.connector import Connector
from siprec_src.recording.copies import Copy, tailored
from siprec_src.recording.policy import BY_RULE
from siprec_src.recording.rule import Policy, Record, Rule
from siprec_src.recording.rules import RuleBook
from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target, told_apart
from tests.unit.recording.play import WALL, Play, answer_to, edge, metadata_of, offer_of, two_party_call

FORCE, YES, DONT_CARE, NO, NEVER = Record
NOT_AUTOMATIC = RecordingSettings(automatic=False)
WISHES = RecordingSettings(honour_recordpref=True)
UNCHECKED = RecordingSettings(options_interval_s=0)
REQUIRED = Rule(name="bank", policy=Policy.REQUIRED)


def targets(*hosts: str) -> tuple[SrsTarget, ...]:
    configs = (SrsConfig(uri=f"sip:{host}.example") for host in hosts)
    return told_apart(parse_target(config, {"default": edge()}) for config in configs)


def ruled(*rules: Rule, settings: RecordingSettings | None = None, wish: Preference | None = None) -> Play:
    play = Play("sip:a.example", settings=settings, rules=rules)
    play.publish(dataclasses.replace(two_party_call(), preference=wish or Preference.NONE))
    return play


def on_request(name: str) -> commands.Record:
    return commands.Record(7, Copy(name=name, targets=tailored(targets("z"), name), persistent=False), 2)


def ended(play: Play) -> None:
    play.publish(dataclasses.replace(two_party_call(), ended=play.now))


@pytest.mark.parametrize(
    ("record", "automatic", "recorded"),
    [
        (FORCE, False, True),
        (YES, False, True),
        (DONT_CARE, True, True),
        (DONT_CARE, False, False),
        (NO, True, False),
        (NEVER, True, False),
    ],
)
def test_a_rule_goes_before_automatic(record: Record, *, automatic: bool, recorded: bool) -> None:
    play = ruled(Rule(name="r", record=record), settings=RecordingSettings(automatic=automatic))
    assert bool(play.invites) is recorded


@pytest.mark.parametrize(
    ("record", "wish", "recorded"),
    [
        (FORCE, Preference.OFF, True),
        (YES, Preference.OFF, False),
        (NO, Preference.ON, True),
        (NO, Preference.PAUSE, False),
        (NEVER, Preference.ON, False),
    ],
)
def test_a_wish_of_a_party_goes_before_what_does_not_bind(
    record: Record, wish: Preference, *, recorded: bool
) -> None:
    play = ruled(Rule(name="r", record=record), settings=WISHES, wish=wish)
    assert bool(play.invites) is recorded
    assert play.log("recording.preference")[0]["honoured"] is not record.binds


@pytest.mark.parametrize("wish", [Preference.OFF, Preference.PAUSE])
def test_a_forced_recording_is_neither_stopped_nor_paused(wish: Preference) -> None:
    play = ruled(Rule(name="bank", record=FORCE), settings=WISHES)
    play.accept()
    play.command(commands.Stop(7))
    play.command(commands.Pause(7))
    play.command(commands.End(7, ""))
    play.publish(dataclasses.replace(two_party_call(), preference=wish))
    assert [reader.live for reader in play.media.readers.values()] == [True, True]
    assert play.methods() == []
    asked = [(line["command"], line["rule"]) for line in play.log("recording.command-refused")]
    assert asked == [("stop", "bank"), ("pause", "bank"), ("end", "bank")]
    view = play.pool.view(7)
    assert view is not None
    assert (view.bound, view.decision.rule) == (FORCE, "bank")


def test_a_forced_recording_that_a_party_wants_paused_from_the_beginning_is_not() -> None:
    play = ruled(Rule(name="bank", record=FORCE), settings=WISHES, wish=Preference.PAUSE)
    play.accept()
    assert [reader.live for reader in play.media.readers.values()] == [True, True]


def test_beside_a_forced_recording_others_begin_and_end_as_they_are_asked_for() -> None:
    play = ruled(Rule(name="bank", record=FORCE))
    play.accept()
    play.command(on_request("SR1"))
    play.accept()
    play.command(commands.End(7, "SR1"))
    assert play.news[-1] == ("SR1", "stopped", "stopped")
    assert len(play.media.readers) == 2


def test_beside_a_forced_recording_others_are_paused_as_they_are_asked_for() -> None:
    play = ruled(Rule(name="bank", record=FORCE))
    play.accept()
    play.command(on_request("SR1"))
    play.accept()
    play.command(commands.Pause(7, "SR1"))
    play.command(commands.Pause(7, ""))
    view = play.pool.view(7)
    assert view is not None
    assert [(one.copy, one.paused) for one in view.recordings] == [("", False), ("SR1", True)]
    assert [line["command"] for line in play.log("recording.command-refused")] == ["pause"]


def test_what_is_never_to_be_recorded_nobody_can_record() -> None:
    play = ruled(Rule(name="board", record=NEVER), settings=WISHES)
    play.command(commands.Start(7))
    play.command(on_request("SR1"))
    play.publish(dataclasses.replace(two_party_call(), preference=Preference.ON))
    assert play.invites == []
    assert play.news == [("SR1", "failed", BY_RULE)]
    asked = [(line["command"], line["rule"]) for line in play.log("recording.command-refused")]
    assert asked == [("start", "board"), ("record", "board")]
    view = play.pool.view(7)
    assert view is not None
    assert view.bound is NEVER
    ended(play)
    (none,) = play.log("recording.none")
    assert (none["reason"], none["rule"]) == ("rule", "board")
    assert play.counted("calls_unrecorded_total") == []


def test_a_yes_can_be_stopped_and_a_no_be_started_on_command() -> None:
    play = ruled(Rule(name="r", record=YES))
    play.accept()
    play.command(commands.Stop(7))
    assert play.media.readers == {}
    play = ruled(Rule(name="r", record=NO, track=TrackName.INBOUND))
    assert play.invites == []
    view = play.pool.view(7)
    assert view is not None
    assert view.bound is None
    play.command(commands.Start(7))
    assert len(offer_of(play.invites[0]).media) == 1


def test_which_rule_decided_is_logged_and_nothing_is_where_none_did() -> None:
    assert ruled(Rule(name="r", record=NO)).log("recording.decided") == [
        {"call": 7, "session": "U1NTU1NTU1NTU1NTU1NTUw==", "rule": "r", "record": "no"}
    ]
    assert ruled().log("recording.decided") == []


@pytest.mark.parametrize(("track", "label"), [(TrackName.INBOUND, "1"), (TrackName.OUTBOUND, "2")])
def test_a_rule_chooses_the_track_and_inbound_is_the_callers(track: TrackName, label: str) -> None:
    play = ruled(Rule(name="r", track=track))
    (media,) = offer_of(play.invites[0]).media
    assert media.label == label


@pytest.mark.parametrize("distribution", Distribution)
def test_a_connector_is_one_copy_in_its_order_instead_of_the_srss(distribution: Distribution) -> None:
    via = Connector(sid="XE" + "0" * 32, name="Gridspace", use_in=("voice",), targets=targets("g", "h"))
    rule = Rule(name="r", connector="Gridspace", via=via)
    settings = RecordingSettings(distribution=distribution)
    play = Play("sip:a.example", "sip:b.example", settings=settings, rules=[rule])
    for number in (7, 8):
        play.publish(dataclasses.replace(two_party_call(), call=number, session_id=bytes([number]) * 16))
    assert [invite.request_uri for invite in play.invites] == ["sip:g.example", "sip:g.example"]
    play.say(486, play.invites[0])
    assert play.invites[-1].request_uri == "sip:h.example"


def test_parameters_of_a_rule_are_in_the_metadata_in_their_order_and_filled_in() -> None:
    parameters = {"Custom2": "Blah & <Co>", "Queue": "{header:X-Queue}", "None": "{header:X-None}", "a": "b"}
    play = Play(rules=[Rule(name="r", parameters=parameters)])
    play.publish(dataclasses.replace(two_party_call(), headers=(("X-Queue", "sales"),)))
    document = metadata_of(play.invites[0]).decode()
    told = document[document.index("<parameters") : document.index("</parameters>")]
    assert [part.partition("</")[0] for part in told.split('name="')[1:]] == [
        'Custom2">Blah &amp; &lt;Co&gt;',
        'Queue">sales',
        'a">b',
    ]


def test_new_rules_are_of_new_calls() -> None:
    play = ruled(Rule(name="old", record=FORCE))
    play.accept()
    changed = RuleBook([Rule(name="new", record=NEVER)], WALL).decide
    play.pool.retarget([SrsConfig(uri="sip:a.example")], decide=changed)
    play.command(commands.Stop(7))
    assert len(play.media.readers) == 2
    play.publish(dataclasses.replace(two_party_call(), call=8))
    views = {view.call.call: (view.decision.rule, view.bound) for view in play.pool.calls}
    assert views == {7: ("old", FORCE), 8: ("new", NEVER)}


# Calls that may not go on without a recording.


def requiring(settings: RecordingSettings = UNCHECKED, rules: Sequence[Rule] = (REQUIRED,)) -> Play:
    return ruled(*rules, settings=settings)


def test_a_call_that_no_srs_takes_in_time_is_ended() -> None:
    play = requiring()
    play.say(486)
    play.until(10.9)
    play.wake_pool()
    assert play.hung_up == []
    play.until(11.0)
    play.wake_pool()
    assert play.hung_up == [(7, "recording required", 503)]
    assert play.log("recording.required")[0]["rule"] == "bank"
    play.until(30.0)
    play.wake_pool()
    assert len(play.hung_up) == 1


def test_without_the_policy_nothing_of_recording_touches_the_call() -> None:
    play = requiring(rules=[Rule(name="r", record=FORCE)])
    play.say(486)
    play.until(100.0)
    play.wake_pool()
    assert play.hung_up == []
    assert play.pool.deadline is None
    assert play.pool.refuses(two_party_call(), 0.0) == ""


def test_a_call_that_an_srs_has_goes_on_and_is_ended_when_it_is_lost_for_too_long() -> None:
    play = requiring()
    play.accept()
    play.until(100.0)
    play.wake_pool()
    assert (play.hung_up, play.pool.deadline) == ([], None)
    play.ask("BYE")
    play.until(109.0)
    play.wake_pool()
    assert play.hung_up == []
    play.until(110.0)
    play.wake_pool()
    assert [call for call, _, _ in play.hung_up] == [7]


def test_a_recording_that_is_taken_up_again_in_time_saves_the_call() -> None:
    play = requiring()
    play.say(486)
    play.until(9.0)
    assert len(play.invites) == 2, "asked again after a pause"
    play.accept()
    play.until(60.0)
    play.wake_pool()
    assert (play.hung_up, play.pool.deadline) == ([], None)


def test_a_copy_that_was_asked_for_is_not_the_recording_that_is_required() -> None:
    play = requiring()
    play.say(486)
    play.command(on_request("SR1"))
    play.accept()
    play.until(11.0)
    play.wake_pool()
    assert len(play.hung_up) == 1


def test_who_stops_a_recording_that_does_not_bind_does_not_end_the_call() -> None:
    play = requiring()
    play.accept()
    play.command(commands.Stop(7))
    play.until(60.0)
    play.wake_pool()
    assert (play.hung_up, play.pool.deadline) == ([], None)
    play.command(commands.Start(7))
    play.until(70.0)
    play.wake_pool()
    assert len(play.hung_up) == 1


def test_who_ends_the_last_copy_that_a_rule_requires_does_not_end_the_call() -> None:
    play = Play(
        SrsConfig(uri="sip:a.example", copy="a"),
        SrsConfig(uri="sip:b.example", copy="b"),
        settings=RecordingSettings(distribution=Distribution.PARALLEL, options_interval_s=0),
        rules=(REQUIRED,),
    )
    play.publish(two_party_call())
    for invite in play.invites:
        play.say(200, invite, answer_to(offer_of(invite)))
    play.command(commands.End(7, "a"))
    assert play.pool.deadline is None
    play.command(commands.End(7, "b"))
    assert play.pool.deadline is None
    play.command(commands.Start(7, "b"))
    assert play.pool.deadline is not None


def test_who_ends_one_copy_of_a_required_recording_does_not_give_up_the_others() -> None:
    play = Play(
        SrsConfig(uri="sip:a.example", copy="a"),
        SrsConfig(uri="sip:b.example", copy="b"),
        settings=RecordingSettings(distribution=Distribution.PARALLEL, options_interval_s=0),
        rules=(REQUIRED,),
    )
    play.publish(two_party_call())
    play.say(200, play.invites[0], answer_to(offer_of(play.invites[0])))
    play.command(commands.End(7, "a"))
    assert play.pool.deadline is not None


def test_a_call_that_has_ended_is_not_ended_again() -> None:
    play = requiring()
    ended(play)
    assert play.pool.live == 1, "its INVITE is still to be answered"
    assert play.pool.deadline is None


def test_a_recording_that_fails_by_a_fault_of_ours_is_lacking_too() -> None:
    play = requiring()
    play.accept()
    (machine,) = play.machines
    play.command(Gone(machine))  # type: ignore[arg-type]
    assert play.pool.deadline == 11.0


def test_the_grace_is_configured_and_read_again() -> None:
    play = requiring(dataclasses.replace(UNCHECKED, required_grace_s=30.0))
    assert play.pool.deadline == 31.0
    play.pool.retarget([SrsConfig(uri="sip:a.example")], dataclasses.replace(UNCHECKED, required_grace_s=2.0))
    play.publish(dataclasses.replace(two_party_call(), call=8))
    assert play.pool.deadline == 3.0


def arriving(**more: object) -> CommunicationSession:
    return dataclasses.replace(two_party_call(), call=9, streams=(), **more)  # type: ignore[arg-type]


def test_a_call_arrives_in_vain_while_every_srs_of_its_rule_is_down() -> None:
    play = requiring(RecordingSettings(), rules=[dataclasses.replace(REQUIRED, caller="alice")])
    down = commands.SrsFailed(uri="sip:a.example", reason="srs-timeout", wait_s=60.0)
    assert play.pool.refuses(arriving(), play.now) == ""
    play.command(down)
    assert play.pool.refuses(arriving(), play.now) == "rule bank requires a recording: srs-down"
    others = arriving(participants=two_party_call().participants[1:])
    assert play.pool.refuses(others, play.now) == ""
    play.command(commands.SrsAlive(uri="sip:a.example"))
    assert play.pool.refuses(arriving(), play.now) == ""


def test_where_srss_are_not_checked_a_call_may_be_the_probe_of_one_that_is_down() -> None:
    play = requiring()
    play.command(commands.SrsFailed(uri="sip:a.example", reason="srs-timeout", wait_s=60.0))
    assert play.pool.refuses(arriving(), 60.0) != ""
    assert play.pool.refuses(arriving(), 61.0) == ""


def test_a_call_arrives_in_vain_where_there_is_no_srs() -> None:
    play = requiring()
    play.pool.retarget([])
    assert play.pool.refuses(arriving(), 0.0) == "rule bank requires a recording: no-srs"
