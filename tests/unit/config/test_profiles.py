"""``profile`` in an ``[[srs]]``, profiles of the operator's own, and how both are shown."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from siprec_src.cli import main
from siprec_src.config import Config, InvalidConfiguration, from_values, load
from siprec_src.config.shown import effective
from siprec_src.recording.profile import PROFILES
from siprec_src.recording.srs import MetadataType, Order

HEAD = '[sip]\nlisten = "127.0.0.1:5060"\nroute = "sip:127.0.0.1:5070"\ntransports = ["tcp", "tls"]\n'
SRS = '[[srs]]\nuri = "sip:u:pw@192.0.2.3"\n'


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "siprec-src.toml"
    file.write_text(HEAD + text)
    return load(file, {}, {})


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        read(tmp_path, text)
    return [problem.removeprefix(f"{tmp_path}/siprec-src.toml:") for problem in caught.value.problems]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_can_be_taken(tmp_path: Path, name: str) -> None:
    config = read(tmp_path, f'{SRS}profile = "{name}"\nvalues = {{ project = "p" }}\n')
    assert config.srs[0].profile == name
    assert from_values(config.values).srs == config.srs


def test_an_unknown_profile_is_named_with_the_list_of_those_that_are_known(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SRS + 'profile = "googel-ccai"\n')
    assert problem.startswith("7: srs.1.profile: unknown profile 'googel-ccai' (did you mean 'google-ccai'?)")
    assert all(name in problem for name in PROFILES)


def test_google_asks_for_the_project(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SRS + 'profile = "google-ccai"\n')
    assert problem.endswith("srs.1.values: 'project' is missing; headers asks for it")


def test_a_profile_of_ones_own_is_based_on_another_and_goes_before_it(tmp_path: Path) -> None:
    own = (
        '[profile.base]\nbased_on = "amazon-connect"\ncodecs = ["PCMA"]\n'
        '[profile.site]\nbased_on = "base"\nmetadata_type = "application/rs-metadata"\n'
    )
    config = read(tmp_path, own + SRS + 'profile = "site"\nlabels = ["a", "b"]\n').srs[0]
    assert (config.order, config.codecs, config.metadata_type, config.labels) == (
        Order.AGENT_FIRST,
        ("PCMA",),
        MetadataType.OLD,
        ("a", "b"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[profile.cisco]\n" + SRS, "5: profile.cisco: comes with siprec-src; take another name"),
        ("[profile.a]\nlabel = 1\n" + SRS, "6: profile.a.label: unknown key (did you mean 'labels'?)"),
        ('[profile.a]\nuri = "x"\n' + SRS, "6: profile.a.uri: stands in an [[srs]] only"),
        ('[profile.a]\nbased_on = "b"\n' + SRS, "6: profile.a.based_on: unknown profile 'b'"),
        (
            '[profile.a]\nbased_on = "b"\n[profile.b]\nbased_on = "a"\n' + SRS,
            "6: profile.a.based_on: is based on itself",
        ),
        (
            '[profile.a]\ntrack = "all"\n' + SRS + 'profile = "a"\n',
            "6: profile a: srs.1.track: expected 'inbound', 'outbound' or 'both'",
        ),
        ("[[profile]]\n" + SRS, "profile: expected tables, [profile.NAME]"),
        (SRS + 'agents = ["pbx"]\n', "7: srs.1.agents: no trunk 'pbx'"),
        (
            SRS + 'headers = { "X-A" = "{nonsense}" }\n',
            "7: srs.1.headers: X-A: unknown placeholder {nonsense}",
        ),
        (SRS + 'extensions = ["none"]\n', "7: srs.1.extensions: unknown set 'none'"),
        (
            SRS + 'extensions = [{ at = "session", namespace = "urn:x", element = "a", txt = "b" }]\n',
            "7: srs.1.extensions: ",
        ),
        (
            SRS + 'extensions = [{ at = "session", namespace = "urn:x", element = "a b", text = "c" }]\n',
            "7: srs.1.extensions: 'a b' is no name",
        ),
    ],
)
def test_what_is_wrong_with_a_profile_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert any(problem in found for found in problems(tmp_path, text)), problems(tmp_path, text)


def test_check_shows_what_takes_effect(tmp_path: Path) -> None:
    file = tmp_path / "siprec-src.toml"
    file.write_text(f'{HEAD}{SRS}profile = "metaswitch"\n')
    result = CliRunner().invoke(main, ["check", "--config", str(file)])
    assert result.exit_code == 0
    assert "configuration is good" in result.output
    assert 'metadata_type = "application/rs-metadata"  # profile metaswitch' in result.output
    shown = tomllib.loads(result.stdout[result.stdout.index("[[srs]]") :])
    assert shown["srs"][0]["labels"] == ["1", "2"]
    assert "tls_certificate" not in shown["srs"][0]


def test_what_takes_effect_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    own = '[profile.site]\nbased_on = "audiocodes"\nevents = true\n'
    element = '{ at = "session", namespace = "urn:x", element = "a", fields = {"B" = "{call_id}"} }'
    keys = f'profile = "site"\ntrack = "inbound"\nextensions = [{element}]\n'
    shown = effective(read(tmp_path, own + SRS + keys)).splitlines()
    assert 'uri = "sip:u:[redacted]@192.0.2.3"' in shown
    assert 'track = "inbound"' in shown
    assert "events = true  # profile site" in shown
    assert 'metadata_type = "application/rs-metadata"  # profile site' in shown
    assert 'on_end = "update"  # default' in shown
    assert f"extensions = [{element}]" in shown
