"""Values are compared by what they hold; what was read of a text is kept, and not for ever."""

from __future__ import annotations

import pytest

from siprec_src.remembered import LONGEST, VALUES, numeric_address, remembered
from siprec_src.values import immutable


@immutable
class Place:
    """A value."""

    host: str
    port: int = 5060


@immutable(eq=False)
class Thing:
    """One of its kind."""

    name: str


def test_values_are_equal_and_hash_alike_when_their_fields_are_equal() -> None:
    assert Place(host="a") == Place(host="a", port=5060) != Place(host="b")
    assert len({Place(host="a"), Place(host="a")}) == 1
    assert Thing(name="a") != Thing(name="a")


def test_a_value_takes_its_fields_by_name_and_has_no_others() -> None:
    with pytest.raises(TypeError):
        Place("a")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Place(host="a").user = "b"  # type: ignore[attr-defined]


def test_a_text_is_read_once_a_long_one_each_time() -> None:
    read: list[int] = []

    @remembered
    def length(text: str) -> int:
        read.append(len(text))
        return len(text)

    for _ in range(2):
        assert length("x" * LONGEST) == LONGEST
        assert length("x" * (LONGEST + 1)) == LONGEST + 1
    assert read == [LONGEST, LONGEST + 1, LONGEST + 1]


def test_no_more_values_are_kept_than_there_is_room_for() -> None:
    read: list[str] = []

    @remembered
    def same(text: str) -> str:
        read.append(text)
        return text

    for _ in range(2):
        for number in range(VALUES + 1):
            assert same(str(number)) == str(number)
    assert len(read) > VALUES + 1


def test_a_text_that_cannot_be_read_is_refused_each_time() -> None:
    number = remembered(int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid"):
            number("none")
    assert numeric_address("none") is None
