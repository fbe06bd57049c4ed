"""What may be asked of a new Siprec, and how its form is read."""

from __future__ import annotations

from typing import Any

import pytest

from siprec_src.api.errors import ApiError
from siprec_src.api.forms import as_model
from siprec_src.api.siprec.form import CreateSiprec, UpdateSiprec
from siprec_src.instructions.model import StartSiprec, StatusCallback, Track
from siprec_src.values import SecretText


def form(*fields: tuple[str, str]) -> StartSiprec:
    return as_model(fields, CreateSiprec).asked()


def refused(*fields: tuple[str, str]) -> tuple[int, int]:
    with pytest.raises(ApiError) as caught:
        form(*fields)
    return caught.value.status, caught.value.code


@pytest.mark.feature("F031", "F032", "F033", "F035", "H1", "H2", "H10")
def test_an_empty_form_asks_for_both_tracks_at_the_default_connector_without_callbacks() -> None:
    assert form() == StartSiprec(
        name=None, connector="Default", track=Track.BOTH, callback=None, parameters=()
    )
    assert form(("Name", ""), ("ConnectorName", ""), ("StatusCallback", ""), ("Unknown", "x")) == form()


@pytest.mark.feature("F033", "H27")
@pytest.mark.parametrize(
    ("word", "track"),
    [("inbound_track", Track.INBOUND), ("outbound_track", Track.OUTBOUND), ("both_tracks", Track.BOTH)],
)
def test_each_track_is_chosen_by_its_word(word: str, track: Track) -> None:
    assert form(("Track", word)).track is track


@pytest.mark.feature("F034", "F035", "F040", "H10")
def test_a_callback_is_posted_unless_it_is_to_be_got() -> None:
    url = SecretText("https://example.com/hook?a=b")
    assert form(("StatusCallback", url)).callback == StatusCallback(url=url, method="POST")
    got = form(("StatusCallback", url), ("StatusCallbackMethod", "GET"))
    assert got.callback == StatusCallback(url=url, method="GET")


@pytest.mark.feature("F033", "F034", "F035", "H6", "H10", "H27")
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("Track", "both", 31941),
        ("Track", "inbound", 31941),
        ("Track", "BOTH_TRACKS", 31941),
        ("Track", "", 31941),
        ("StatusCallbackMethod", "PUT", 21209),
        ("StatusCallbackMethod", "post", 21209),
        ("StatusCallback", "/relative", 21609),
        ("StatusCallback", "example.com/hook", 21609),
        ("StatusCallback", "ftp://example.com/", 21609),
        ("StatusCallback", "https://", 21609),
        ("StatusCallback", "https://example.com:99999/", 21609),
        ("StatusCallback", "https://[::1/", 21609),
        ("StatusCallback", "https://example.com/a b", 21609),
        ("StatusCallback", "https://example.com/\r\nX: y", 21609),
        ("StatusCallback", "https://example.com/" + "x" * 4000, 21609),
        ("Name", "a/b", 20001),
        ("Name", "a?b", 20001),
        ("Name", "a#b", 20001),
        ("Name", "a.json", 20001),
        ("Name", "..", 20001),
        ("Name", "SR" + "0f" * 16, 20001),
        ("Name", "two\nlines", 20001),
        ("Name", "nul\x00", 20001),
        ("Name", "x" * 257, 20001),
        ("Parameter1.Value", "without a name", 20001),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_code(field: str, value: str, code: int) -> None:
    assert refused((field, value)) == (400, code)


@pytest.mark.feature("F031", "F051", "H6")
@pytest.mark.parametrize("name", ["My SIPREC Stream", "a+b", "été 会議", "50% & more", "SR123"])
def test_any_other_name_is_taken_as_it_is(name: str) -> None:
    assert form(("Name", name)).name == name


@pytest.mark.feature("F036", "F064")
def test_parameters_go_by_their_numbers_which_may_have_gaps_and_repeat_names() -> None:
    asked = form(
        ("Parameter99.Name", "Last"),
        ("Parameter99.Value", "<&>"),
        ("Parameter2.Name", "Agent"),
        ("Parameter2.Value", "Zoë"),
        ("Parameter10.Name", "agent"),
        ("Parameter10.Value", "Bob"),
        ("Parameter11.Name", "Agent"),
        ("Parameter11.Value", "Eve"),
        ("Parameter12.Name", "Alone"),
        ("Parameter0.Name", "ignored"),
        ("Parameter100.Name", "ignored"),
        ("Parameter01.Name", "ignored"),
    )
    assert asked.parameters == (
        ("Agent", "Zoë"), ("agent", "Bob"), ("Agent", "Eve"), ("Alone", ""), ("Last", "<&>"),
    )  # fmt: skip


@pytest.mark.feature("F036")
def test_ninety_nine_parameters_are_taken() -> None:
    fields = [(f"Parameter{n}.{part}", f"{part}{n}") for n in range(1, 100) for part in ("Name", "Value")]
    assert form(*fields).parameters == tuple((f"Name{n}", f"Value{n}") for n in range(1, 100))


@pytest.mark.feature("F036", "H14")
@pytest.mark.parametrize("bad", ["\r\nX-Evil: 1", "\x00", "\x1f", "\x7f", "\x85", "\ufffe"])
def test_no_parameter_holds_a_control_character(bad: str) -> None:
    for name, value in ((f"a{bad}b", "v"), ("n", f"a{bad}b")):
        assert refused(("Parameter1.Name", name), ("Parameter1.Value", value)) == (400, 20001)


@pytest.mark.feature("F052")
@pytest.mark.parametrize(
    "fields", [[], [("Status", "")], [("Status", "in-progress")], [("Status", "Stopped")]]
)
def test_nothing_else_than_stopped_can_be_asked_of_a_siprec(fields: list[Any]) -> None:
    assert as_model((("Status", "stopped"),), UpdateSiprec).Status == "stopped"
    with pytest.raises(ApiError) as caught:
        as_model(tuple(fields), UpdateSiprec)
    assert (caught.value.status, caught.value.code) == (400, 20001)
