"""`siprec-src connector`: what it writes, what it refuses, and that nothing is written then."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from siprec_src.app import exits
from siprec_src.cli import main
from siprec_src.config import load
from siprec_src.recording.connector import Connectors

CANARY = "canary-93be"
Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "siprec-src.toml"
    file.write_text(
        '[sip]\nroute = "sip:127.0.0.1:5070"\n[[connector]]\nname = "Default"\nuri = "sip:127.0.0.9"\n'
    )
    file.chmod(0o640)
    return file


@pytest.fixture
def run(file: Path) -> Run:
    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, ["connector", *arguments, "--config", str(file)], input=typed)

    return invoke


def known(file: Path) -> Connectors:
    return load(file, {}, {}).connectors


def files(file: Path) -> set[str]:
    return {path.name for path in file.parent.iterdir()}


@pytest.mark.feature("F015", "F017", "F018")
def test_a_connector_is_added_beside_those_of_the_configuration(run: Run, file: Path) -> None:
    before = file.read_text()
    arguments = (
        "--srs",
        "sip:a.example;edge=default",
        "--failover",
        "sip:b.example",
        "--profile",
        "aws-chime",
    )
    result = run("add", "My Partner", *arguments)
    assert result.exit_code == 0, result.output
    assert "told to reload" in result.output
    default, added = known(file).every
    assert (default.name, added.name) == ("Default", "My Partner")
    assert added.sid in result.output
    assert [str(target.uri) for target in added.targets] == ["sip:a.example", "sip:b.example"]
    assert added.targets[1].config.codecs == ("PCMU", "PCMA")
    assert file.read_text() == before
    assert run("add", "Other", "--srs", "sip:c.example").exit_code == 0
    assert known(file).every[1] == added


@pytest.mark.feature("F022")
def test_a_secret_that_is_typed_in_is_kept_for_the_daemon_alone(run: Run, file: Path) -> None:
    arguments = ("--srs", "sip:a.example", "--credentials-header", "X-Auth-Token")
    added = run("add", "partner", *arguments, typed=f"{CANARY}\n")
    assert added.exit_code == 0, added.output
    found = known(file).find("partner")
    assert found is not None
    assert found.targets[0].config.secret_headers == (("X-Auth-Token", CANARY),)
    (secret,) = file.parent.glob("*.secret")
    connectors = file.with_name("connectors.toml")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (secret, connectors)] == [0o640, 0o640]
    shown = [
        added,
        run("list"),
        run("list", "--json"),
        CliRunner().invoke(main, ["check", "--config", str(file)]),
    ]
    for text in (connectors.read_text(), *(result.output for result in shown)):
        assert "X-Auth-Token" in text or text == added.output
        assert CANARY not in text
    assert run("remove", "partner").exit_code == 0
    assert files(file) == {"siprec-src.toml", "connectors.toml"}


def test_others_may_read_no_secret_although_they_may_read_the_configuration(run: Run, file: Path) -> None:
    file.chmod(0o644)
    run("add", "partner", "--srs", "sip:a.example", "--credentials-header", "X-T", typed="x\n")
    (secret,) = file.parent.glob("*.secret")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "typed", "what"),
    [
        (
            ("Default", "--srs", "sip:a"),
            "",
            "connectors.toml:2: connector.2.name: connector 'Default' is there",
        ),
        (
            ("p", "--srs", "sip:a;edge=x"),
            "",
            "connectors.toml:4: connector.2.uri: SRS 'sip:a;edge=x': unknown",
        ),
        (
            ("p", "--srs", "sip:a", "--failover", "http:b"),
            "",
            "connectors.toml:5: connector.2.failover.1: SRS",
        ),
        (("p", "--srs", "sip:a", "--profile", "x"), "", "connectors.toml:5: connector.2.profile: unknown"),
        (("p\n[[srs]]", "--srs", "sip:a"), "", "connectors.toml:2: "),
        (
            ("p", "--srs", "sip:a", "--credentials-header", "Via"),
            "x\n",
            "connector.2.credentials_header: is no",
        ),
        (("p", "--srs", "sip:a", "--credentials-header", "X-T"), "", "credentials_file: '"),
        (
            ("p", "--srs", "sip:a", "--credentials-header", "X-T"),
            f"{CANARY}\x07\n",
            "holds control characters",
        ),
        (("p", "--srs", "sip:a", "--credentials-env", "X"), "", "expected one beside the credentials"),
    ],
)
def test_what_would_be_wrong_is_named_and_nothing_is_written(
    run: Run, file: Path, arguments: tuple[str, ...], typed: str, what: str
) -> None:
    result = run("add", *arguments, typed=typed)
    assert result.exit_code == exits.CONFIG
    assert what in result.output
    assert CANARY not in result.output
    assert files(file) == {"siprec-src.toml"}


def test_what_people_wrote_into_the_file_stays_when_another_connector_goes(run: Run, file: Path) -> None:
    mine = (
        '# mine\n[[connector]]\nname = "a"\nuri = "sip:a.example"  # here\n[connector.srs]\nevents = true\n\n'
    )
    file.with_name("connectors.toml").write_text(mine)
    for name in ("b", "c"):
        run("add", name, "--srs", f"sip:{name}.example")
    assert run("remove", "b").exit_code == 0
    text = file.with_name("connectors.toml").read_text()
    assert text.startswith(mine)
    assert [connector.name for connector in known(file).every] == ["Default", "a", "c"]
    assert known(file).every[1].targets[0].config.events
    result = run("remove", "Default")
    assert (result.exit_code, "no connector 'Default' stands there" in result.output) == (exits.CONFIG, True)


def test_a_connector_that_is_no_table_of_its_own_is_left_to_people(run: Run, file: Path) -> None:
    text = 'connector = [{ name = "a", uri = "sip:a.example" }]\n'
    file.with_name("connectors.toml").write_text(text)
    assert "take it out by hand" in run("remove", "a").output
    assert file.with_name("connectors.toml").read_text() == text


def test_the_list_names_every_connector_and_hides_passwords(run: Run, file: Path) -> None:
    run("add", "b", "--srs", f"sip:u:{CANARY}@b.example", "--failover", "sip:c.example")
    table = run("list").output
    assert [line.split("  ")[0] for line in table.splitlines()] == ["NAME", "Default", "b"]
    first, second = json.loads(run("list", "--json").output)
    assert (first["name"], first["uri"], first["credentials_header"]) == ("Default", "sip:127.0.0.9", "")
    assert (second["uri"], second["failover"]) == ("sip:u:[redacted]@b.example", ["sip:c.example"])
    assert CANARY not in table
    assert second["sid"] == known(file).every[1].sid


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[sip]\nt1_s = 1\n", "connectors.toml:1: sip: only [[connector]] stands here"),
        ("[[connector]]\n", "connectors.toml:1: connector.2.name: missing"),
        (
            '[[connector]]\nname = "a"\nuri = "sip:a"\n[connector.srs]\nx = 1',
            "connectors.toml:5: connector.2.srs.x:",
        ),
        ("[[connector]\n", "connectors.toml:1: "),
    ],
)
def test_mistakes_in_the_file_of_connectors_have_their_lines_there(file: Path, text: str, what: str) -> None:
    file.with_name("connectors.toml").write_text(text)
    result = CliRunner().invoke(main, ["check", "--config", str(file)])
    assert (result.exit_code, what in result.output) == (exits.CONFIG, True), result.output


def test_without_a_configuration_there_is_nothing_to_add_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIPREC_SRC_CONFIG", raising=False)
    monkeypatch.setattr("siprec_src.config.sources.CONVENTIONAL_FILE", Path("/nowhere/siprec-src.toml"))
    result = CliRunner().invoke(main, ["connector", "list"])
    assert result.exit_code == exits.USAGE


def test_a_connector_that_a_rule_names_is_not_removed(run: Run, file: Path) -> None:
    run("add", "partner", "--srs", "sip:a.example")
    file.write_text(file.read_text() + '[[rule]]\nname = "sales"\nrecord = "yes"\nconnector = "partner"\n')
    result = run("remove", "partner")
    assert (result.exit_code, "no connector 'partner'" in result.output) == (exits.CONFIG, True)
    assert known(file).find("partner") is not None
