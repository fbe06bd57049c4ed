"""The queue of callbacks: order, pauses, limits; time is a number, and nothing is sent."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.api.callbacks.callback import Delivered, Failed
from siprec_src.api.callbacks.outbox import Outbox
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.errors import Gone, NoRoom
from siprec_src.store.letter import Letter

DONE = Delivered(status=204)
BUSY = Failed(reason="HTTP status 503", again=True)
NEVER = Failed(reason="HTTP status 404", again=False)
SETTINGS = CallbackSettings(first_retry_s=1.0, retry_factor=2.0, max_retry_s=8.0, max_age_s=100.0)


def longest(_low: float, high: float) -> float:
    return high


def outbox(**changed: float) -> Outbox:
    return Outbox(dataclasses.replace(SETTINGS, **changed), longest)  # type: ignore[arg-type]


def letter(
    box: Outbox, id_: str, *, resource: str = "SR1", host: str = "a.example", now: float = 0.0
) -> Letter:
    made = Letter(
        id=id_,
        number=box.number(),
        account_sid="AC1",
        resource=resource,
        call_sid="CA1",
        url=f"http://{host}/told",
        method="POST",
        fields=(("SiprecEvent", id_),),
        since=now,
        due=now,
    )
    box.put(made)
    return made


def started(box: Outbox, now: float) -> list[str]:
    return [one.id for one in box.start(now)]


def test_of_one_resource_the_second_waits_until_the_first_is_delivered() -> None:
    box = outbox()
    letter(box, "started")
    letter(box, "stopped")
    assert started(box, 0.0) == ["started"]
    assert started(box, 50.0) == []
    box.settle("started", DONE, 50.0)
    assert started(box, 50.0) == ["stopped"]
    box.settle("stopped", DONE, 51.0)
    assert (box.count, box.deadline) == (0, None)


def test_a_first_try_that_fails_does_not_let_the_second_callback_overtake() -> None:
    box = outbox()
    letter(box, "started")
    letter(box, "stopped")
    assert started(box, 0.0) == ["started"]
    box.settle("started", BUSY, 0.0)
    assert started(box, 0.9) == []
    assert started(box, 1.0) == ["started"]
    box.settle("started", DONE, 1.0)
    assert started(box, 1.0) == ["stopped"]


def test_the_second_goes_out_once_the_first_is_dead() -> None:
    box = outbox()
    letter(box, "started")
    letter(box, "stopped")
    box.start(0.0)
    assert box.settle("started", NEVER, 1.0).died == 1.0
    assert started(box, 1.0) == ["stopped"]
    assert [(dead.id, dead.reason) for dead in box.dead] == [("started", "HTTP status 404")]


def test_resources_do_not_wait_for_each_other() -> None:
    box = outbox()
    letter(box, "one", resource="SR1")
    letter(box, "two", resource="SR2")
    assert started(box, 0.0) == ["one", "two"]


def test_pauses_grow_by_the_factor_up_to_the_longest() -> None:
    box, now, pauses = outbox(max_age_s=1000.0), 0.0, []
    letter(box, "one")
    for _ in range(6):
        assert started(box, now) == ["one"]
        box.settle("one", BUSY, now)
        assert box.deadline is not None
        pauses.append(box.deadline - now)
        now = box.deadline
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_pause_is_varied_by_chance_and_never_shorter_than_half() -> None:
    asked: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    box = Outbox(SETTINGS, shortest)
    letter(box, "one")
    box.start(0.0)
    box.settle("one", BUSY, 0.0)
    assert (asked, box.deadline) == ([(0.5, 1.0)], 0.5)


@pytest.mark.parametrize(("asked_s", "pause_s"), [(5.0, 5.0), (0.0, 1.0), (9999.0, 8.0)])
def test_a_server_that_asks_for_patience_gets_it_within_bounds(asked_s: float, pause_s: float) -> None:
    box = outbox()
    letter(box, "one")
    box.start(0.0)
    box.settle("one", dataclasses.replace(BUSY, wait_s=asked_s), 0.0)
    assert box.deadline == pause_s


def test_what_would_be_tried_beyond_its_age_is_dead() -> None:
    box = outbox(max_age_s=3.0)
    letter(box, "one")
    box.start(0.0)
    assert box.settle("one", BUSY, 0.0).died is None
    box.start(1.0)
    assert box.settle("one", BUSY, 1.0).died is None  # due at 3.0
    box.start(3.0)
    assert box.settle("one", BUSY, 3.0).died == 3.0
    assert box.count == 0


def test_requests_at_a_time_are_limited_for_each_host_and_in_all() -> None:
    box = outbox(max_concurrent=3, max_concurrent_per_host=2)
    for number in range(4):
        letter(box, f"a{number}", resource=f"SRa{number}")
        letter(box, f"b{number}", resource=f"SRb{number}", host="b.example")
    first = started(box, 0.0)
    assert first == ["a0", "a1", "b0"]
    box.settle("a0", DONE, 0.0)
    assert started(box, 0.0) == ["a2"] or box.flying == 3
    assert box.flying == 3


def test_a_host_that_hangs_does_not_take_the_turns_of_the_others() -> None:
    box = outbox(max_concurrent=2, max_concurrent_per_host=1)
    for host in "abc":
        for number in range(3):
            letter(box, f"{host}{number}", resource=f"SR{host}{number}", host=host)
    assert started(box, 0.0) == ["a0", "b0"]
    for taken in ("b0", "c0", "b1", "c1"):  # a0 hangs
        box.settle(taken, DONE, 0.0)
        assert len(started(box, 0.0)) == 1
    assert {one.id for one in box.pending} == {"a0", "a1", "a2", "b2", "c2"}


def test_above_the_limit_a_new_one_is_refused() -> None:
    box = outbox(max_pending=2)
    letter(box, "one")
    box.check_room()
    with pytest.raises(NoRoom):
        box.check_room(fresh=1)
    letter(box, "two")
    with pytest.raises(NoRoom):
        box.check_room()


def test_the_dead_are_kept_up_to_a_number_and_an_age_and_counted_when_forgotten() -> None:
    box = outbox(max_dead=2, max_dead_age_s=60.0)
    for number in range(3):
        letter(box, f"d{number}", resource=f"SR{number}")
        box.start(0.0)
        box.settle(f"d{number}", NEVER, float(number))
    assert [one.id for one in box.expire(2.0)] == ["d0"]
    assert [one.id for one in box.expire(61.5)] == ["d1"]
    assert [one.id for one in box.dead] == ["d2"]
    assert {id_ for id_, kept in box.take_changes().items() if kept is None} == {"d0", "d1"}


def test_a_dead_one_is_tried_again_from_the_beginning_behind_what_waits() -> None:
    box = outbox()
    letter(box, "one")
    letter(box, "two")
    box.start(0.0)
    box.settle("one", NEVER, 0.0)
    again = box.again("one", 500.0)
    assert (again.attempts, again.since, again.died) == (0, 500.0, None)
    assert started(box, 500.0) == ["two"]
    box.settle("two", DONE, 500.0)
    assert started(box, 500.0) == ["one"]
    with pytest.raises(Gone):
        box.again("one", 500.0)


def test_one_that_waits_can_be_dropped_and_the_next_takes_its_place() -> None:
    box = outbox()
    letter(box, "one")
    letter(box, "two")
    box.drop("one")
    assert started(box, 0.0) == ["two"]
    with pytest.raises(Gone):
        box.drop("two")  # it is being tried
    with pytest.raises(Gone):
        box.drop("one")


def test_what_is_kept_says_all_that_a_new_process_needs() -> None:
    box = outbox()
    for id_, resource in (("one", "SR1"), ("two", "SR1"), ("dead", "SR2"), ("taken", "SR3")):
        letter(box, id_, resource=resource)
    box.start(0.0)
    box.settle("one", BUSY, 0.0)
    box.settle("dead", NEVER, 0.0)
    box.settle("taken", DONE, 0.0)
    assert box.take_changes().keys() == {"one", "dead", "taken"}
    assert box.take_changes() == {}
    fresh = outbox()
    fresh.restore([one for one in box.everything().values() if one is not None], 0.5)
    assert [one.id for one in fresh.pending] == ["one", "two"]
    assert [one.id for one in fresh.dead] == ["dead"]
    assert started(fresh, 0.5) == []
    assert started(fresh, 1.0) == ["one"]
    assert fresh.pending[0].attempts == 1
    assert fresh.number() > max(one.number for one in box.pending)


def test_a_clock_that_was_far_ahead_does_not_hold_callbacks_back() -> None:
    box = outbox()
    ahead = letter(box, "one", now=1e9)
    fresh = outbox()
    fresh.restore([ahead], 0.0)
    assert fresh.deadline == SETTINGS.max_retry_s
